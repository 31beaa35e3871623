"""The test that a rule's fields amount to.

A deny or ask rule matches when *any* word fits each of its conditions; an allow rule only when
*every* word does. So a rule is as easy to trip as it is hard to hide behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from onward.decisions.effects import Effect, Effects, has_flag
from onward.decisions.part import Part
from onward.decisions.rule import SEVERITY, Rule, RuleError, Strings
from onward.decisions.searches import WHOLE, WINDOW, AnyOf
from onward.features.shell.programs import names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CompiledRule"]

_NEEDS = ("writes", "reads", "paths", "env", "wrappers", "dynamic", "remote")
_PLAIN_WRAPPERS = names(
    "time timeout nice nohup stdbuf ionice command builtin exec setsid env eval"
)
_SHELL_WRAPPER = re.compile(r"(?:ba|z|da|k)?sh -c$|python -m$|(?:uv|poetry|pipenv|pdm|hatch) run$")

Test = Callable[[Part], bool]


class CompiledRule:
    """A rule made ready to be asked.

    Parameters
    ----------
    rule
        Its fields.

    Raises
    ------
    RuleError
        Where a field cannot be used.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.severity = SEVERITY[rule.effect]
        self.programs = frozenset(name for name in rule.program if "*" not in name)
        """Names under which the rule is found; rules without any are asked of every command."""
        self.named = bool(rule.program) and len(self.programs) == len(rule.program)
        self.shell = not rule.tool
        """Asked of shell commands; otherwise of calls of other tools."""
        self._every = rule.effect == "allow"
        self.needs = "" if self._every else next((one for one in _NEEDS if getattr(rule, one)), "")
        """What a command must have for the rule to match at all; asked first, since it is cheap."""
        rule.check()
        self._searches: list[AnyOf] = []
        self._tests: list[Test] = [
            *self._words(),
            *self._places(),
            *self._texts(),
            *self._not(),
        ]
        if rule.tool:
            self._tests = self._tools() + self._tests
        if not self._tests and not rule.program:
            raise RuleError("id", "the rule states no condition and would match everything")
        if self._every and not rule.tool:
            self._tests += self._bare()

    def compile(self) -> None:
        """Compile all expressions now; raises `RuleError` where one of them is none."""
        for search in self._searches:
            search.compile()

    def _any_of(self, texts: Strings, field: str) -> AnyOf:
        """Give the test of a condition or an exception; one that lets through has a bound."""
        longest = None
        if self._every != field.startswith("unless_"):
            longest = WINDOW if self._every else WHOLE
        self._searches.append(AnyOf(texts, field, longest=longest))
        return self._searches[-1]

    def matches(self, part: Part) -> bool:
        """Tell whether every condition holds of a part."""
        for test in self._tests:  # noqa: SIM110 - the hot loop; all() would cost twice as much
            if not test(part):
                return False
        return True

    def _fit(self, words: Sequence[Any], test: Callable[[Any], bool]) -> bool:
        """Tell whether any word passes; for an allow rule, whether all do."""
        if self._every:
            return all(map(test, words))
        return any(map(test, words))

    def _words(self) -> Iterator[Test]:
        """Give the conditions on single words, the cheap ones."""
        rule = self.rule
        if rule.program and not self.named:
            pattern = _names(rule.program)
            yield lambda part: pattern.match(part.command.program) is not None
        if rule.sub:
            subs = frozenset(rule.sub)
            yield lambda part: part.command.sub in subs
        if rule.verb:
            verbs = frozenset(rule.verb)
            yield lambda part: part.command.verb in verbs
        if rule.dynamic is not None:
            yield lambda part: part.command.dynamic is rule.dynamic
        if rule.remote is not None:
            yield lambda part: part.command.remote is rule.remote
        if rule.wrappers:
            wrappers = frozenset(rule.wrappers)
            yield lambda part: not wrappers.isdisjoint(part.command.wrappers)
        if rule.flags and self._every:
            flags = frozenset(rule.flags)
            yield lambda part: flags.issuperset(part.command.flags)
        elif rule.flags:
            yield lambda part: any(has_flag(part.command.flags, flag) for flag in rule.flags)

    def _texts(self) -> Iterator[Test]:
        """Give the conditions that search texts."""
        rule = self.rule
        if rule.env:
            env = self._any_of(rule.env, "env")
            if self._every:
                yield lambda part: all(map(env, part.command.env))
            else:
                yield lambda part: bool(part.command.env) and any(map(env, part.command.env))
        if rule.args:
            args = self._any_of(rule.args, "args")
            yield lambda part: self._fit(part.command.args, args)
        if rule.code:
            code = self._any_of(rule.code, "code")
            yield lambda part: code(_code(part))
        if rule.hosts:
            hosts = frozenset(rule.hosts)
            if self._every:
                yield lambda part: hosts.issuperset(part.host_kinds())
            else:
                yield lambda part: not hosts.isdisjoint(part.host_kinds())
        if rule.changes is not None:
            effects = Effects.bundled()
            yield lambda part: _changes(part, effects) is rule.changes

    def _places(self) -> Iterator[Test]:
        """Give the conditions on where files lie; most commands fail them for want of files."""
        rule = self.rule
        if rule.paths:
            yield self._lies(
                rule.paths, lambda part: part.path_kinds() if part.command.paths else ()
            )
        if rule.target:
            yield self._lies(rule.target, lambda part: part.path_kinds()[-1:])
        if rule.sources:
            yield self._lies(rule.sources, lambda part: part.path_kinds()[:-1])
        if rule.reads:
            yield self._lies(
                rule.reads, lambda part: part.command.reads and part.kinds_of(part.command.reads)
            )
        if rule.writes:
            yield self._lies(
                rule.writes, lambda part: part.command.writes and part.kinds_of(part.command.writes)
            )

    def _lies(self, wanted: Strings, kinds: Callable[[Part], Sequence[Any]]) -> Test:
        places = frozenset(wanted)
        if self._every:
            return lambda part: all(places.issuperset(one) for one in kinds(part))

        def lies(part: Part) -> bool:
            for one in kinds(part):  # noqa: SIM110 - the hot loop
                if not places.isdisjoint(one):
                    return True
            return False

        return lies

    def _not(self) -> Iterator[Test]:
        """Give the exceptions."""
        rule = self.rule
        if rule.unless_program:
            programs = frozenset(rule.unless_program)
            yield lambda part: part.command.program not in programs
        if rule.unless_sub:
            subs = frozenset(rule.unless_sub)
            yield lambda part: part.command.sub not in subs
        if rule.unless_verb:
            verbs = frozenset(rule.unless_verb)
            yield lambda part: part.command.verb not in verbs
        if rule.unless_flags:
            flags = rule.unless_flags
            yield lambda part: not any(flag in part.command.flags for flag in flags)
        if rule.unless_args:
            args = self._any_of(rule.unless_args, "unless_args")
            yield lambda part: not any(map(args, part.command.args))
        if rule.unless_code:
            code = self._any_of(rule.unless_code, "unless_code")
            yield lambda part: not code(_code(part))

    def _tools(self) -> list[Test]:
        rule = self.rule
        names = _names(tuple(name.lower() for name in rule.tool))
        tests: list[Test] = [lambda part: names.match(part.call.tool.lower()) is not None]
        for field, text in rule.input.items():
            tests.append(_input_test(field, self._any_of((text,), f"input.{field}")))
        return tests

    def _bare(self) -> Iterator[Test]:
        """Give what an allow rule does not cover unless it says so."""
        rule = self.rule
        yield lambda part: rule.dynamic is True or not part.command.dynamic
        if not rule.writes:
            yield lambda part: all("null" in kind for kind in part.kinds_of(part.command.writes))
        if not rule.env:
            yield lambda part: not part.command.env
        if not rule.wrappers:
            yield lambda part: all(map(_plain_wrapper, part.command.wrappers))


def _names(names: Strings) -> re.Pattern[str]:
    return re.compile("|".join(translate(name) for name in names))


def _input_test(field: str, search: AnyOf) -> Test:
    return lambda part: search(str(part.call.input.get(field, "")))


def _code(part: Part) -> str:
    command = part.command
    return "\n".join((" ".join(command.args), command.stdin))


def _changes(part: Part, effects: Effects) -> bool:
    return effects.of(part.command) is not Effect.READ_ONLY


def _plain_wrapper(name: str) -> bool:
    return name in _PLAIN_WRAPPERS or _SHELL_WRAPPER.match(name) is not None
