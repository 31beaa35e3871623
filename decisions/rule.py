"""One rule of the rulebook: its fields, and the test that they amount to.

A deny or ask rule matches when *any* word fits each of its conditions; an allow rule only when
*every* word does. So a rule is as easy to trip as it is hard to hide behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from onward.decisions.effects import Effect, Effects, has_flag
from onward.decisions.hosts import hosts_of
from onward.decisions.places import KINDS, Places
from onward.features.shell import Command
from onward.features.shell.programs import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onward.data.events import Call

__all__ = ["SEVERITY", "CompiledRule", "Part", "Rule", "RuleError"]

SEVERITY = {"deny": 2, "ask": 1, "allow": 0}
"""Of several rules that match, the one of the highest speaks."""


class RuleError(ValueError):
    """A field of a rule cannot be used; says which, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"field {field!r}: {why}")
        self.field = field


Strings = tuple[str, ...]
_NEEDS = ("writes", "reads", "paths", "env", "wrappers", "dynamic", "remote")
_WINDOW, _STRIDE = 1_000, 750  # characters of a long text that are searched at once
_HOSTS = frozenset({"loopback", "remote", "unknown"})
_PATH_FIELDS = ("file_path", "path", "notebook_path", "filename", "file", "target_file", "dir_path")
_PLAIN_WRAPPERS = names(
    "time timeout nice nohup stdbuf ionice command builtin exec setsid env eval"
)
_SHELL_WRAPPER = re.compile(r"(?:ba|z|da|k)?sh -c$|python -m$|(?:uv|poetry|pipenv|pdm|hatch) run$")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it stands in TOML. Every condition that it states must hold."""

    id: str
    """Unique name, in which the answer refers to it."""
    effect: Literal["deny", "ask", "allow"]
    text: str
    """One sentence for the person who is asked."""
    instead: str = ""
    """What to do instead, for the agent."""
    program: Strings = ()
    """Names of programs; ``*`` stands for any letters."""
    sub: Strings = ()
    """Subcommands."""
    verb: Strings = ()
    """Words after the subcommand; "" = none."""
    flags: Strings = ()
    """Options; ``-r`` is also found in ``-rf``, ``--recursive`` in ``--recurs``."""
    args: Strings = ()
    """Regular expressions, searched in every argument."""
    code: Strings = ()
    """Regular expressions, searched in all arguments together and in the text on its input."""
    paths: Strings = ()
    """Kinds of the files named in its arguments (`onward.decisions.places.KINDS`)."""
    target: Strings = ()
    """Kinds of the last of them, where ``cp`` and ``mv`` write."""
    sources: Strings = ()
    """Kinds of the others."""
    reads: Strings = ()
    """Kinds of the files that its input comes from."""
    writes: Strings = ()
    """Kinds of the files that its output goes to."""
    hosts: Strings = ()
    """``loopback``, ``remote`` or ``unknown``: the machines that its addresses name."""
    env: Strings = ()
    """Regular expressions, searched in each ``NAME=value`` before it."""
    wrappers: Strings = ()
    """What it is wrapped in: ``sudo``, ``ssh``."""
    dynamic: bool | None = None
    """Whether what runs is unknown before it runs."""
    remote: bool | None = None
    """Whether it runs on another machine or in a container."""
    changes: bool | None = None
    """Whether it does more than read."""
    tool: Strings = ()
    """Names of tools that are no shell, letters of either case; ``*`` stands for any letters."""
    input: dict[str, str] = {}
    """Regular expressions, each searched in one field of the tool's input."""
    unless_program: Strings = ()
    unless_sub: Strings = ()
    unless_verb: Strings = ()
    unless_flags: Strings = ()
    unless_args: Strings = ()
    unless_code: Strings = ()


class Part:
    """What a rule looks at: one command of a line, or one call of another tool.

    Parameters
    ----------
    call
        The call that it belongs to.
    command
        The command; a tool that is no shell is given as a command without words whose paths are
        the files that its input names (`Part.of_tool`).
    places
        Where its paths lie.
    """

    __slots__ = ("_hosts", "_kinds", "call", "command", "places")

    def __init__(self, call: Call, command: Command, places: Places) -> None:
        self.call = call
        self.command = command
        self.places = places
        self._kinds: list[frozenset[str]] | None = None
        self._hosts: frozenset[str] | None = None

    @classmethod
    def of_tool(cls, call: Call, places: Places) -> Part:
        """Give the part that a call of a tool that is no shell amounts to."""
        given = [call.input.get(field) for field in _PATH_FIELDS]
        paths = tuple(path for path in given if isinstance(path, str) and path)
        return cls(call, Command(program=call.tool, paths=paths), places)

    def __str__(self) -> str:
        """Give the part as a person would name it."""
        command = self.command
        return " ".join((*command.env, *command.wrappers, str(command)))

    def path_kinds(self) -> list[frozenset[str]]:
        """Give the kinds of each file that its arguments name."""
        if self._kinds is None:
            self._kinds = self.kinds_of(self.command.paths)
        return self._kinds

    def kinds_of(self, paths: Iterable[str]) -> list[frozenset[str]]:
        """Give the kinds of each path, seen from where the command runs."""
        base = self.command.cwd
        return [self.places.kinds(path, base) for path in paths]

    def host_kinds(self) -> frozenset[str]:
        """Give what the addresses in its arguments are."""
        if self._hosts is None:
            self._hosts = hosts_of(self.command)
        return self._hosts


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
        _check(rule)
        self._searches: list[_AnyOf] = []
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

    def _any_of(self, texts: Strings, field: str) -> _AnyOf:
        self._searches.append(_AnyOf(texts, field))
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
            yield lambda part: not any(args(word[:_WINDOW]) for word in part.command.args)
        if rule.unless_code:
            code = self._any_of(rule.unless_code, "unless_code")
            yield lambda part: not code(_code(part)[:_WINDOW])

    def _tools(self) -> list[Test]:
        rule = self.rule
        names = _names(tuple(name.lower() for name in rule.tool))
        tests: list[Test] = [lambda part: names.match(part.call.tool.lower()) is not None]
        for field, text in rule.input.items():
            search = _pattern(text, f"input.{field}").search
            tests.append(_input_test(field, search))
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


def _check(rule: Rule) -> None:
    for field in ("paths", "target", "sources", "reads", "writes"):
        wrong = set(getattr(rule, field)) - KINDS
        if wrong:
            raise RuleError(field, f"unknown kind of place {sorted(wrong)}; use {sorted(KINDS)}")
    if set(rule.hosts) - _HOSTS:
        raise RuleError("hosts", f"use {sorted(_HOSTS)}")
    if not rule.id or not rule.text:
        raise RuleError("id" if not rule.id else "text", "it must not be empty")
    if rule.tool and rule.program:
        raise RuleError("tool", "a rule is for programs or for tools, not for both")
    if rule.input and not rule.tool:
        raise RuleError("input", "it needs `tool`, which says whose input is meant")


def _pattern(text: str, field: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise RuleError(field, f"{text!r} is no regular expression: {error}") from None


class _AnyOf:
    """A test for texts in which any of the expressions is found; compiled when first asked.

    A long text is searched in overlapping windows, so that no expression takes more than linear
    time on it, whatever somebody has written there.
    """

    __slots__ = ("_field", "_patterns", "_texts")

    def __init__(self, texts: Strings, field: str) -> None:
        self._texts, self._field = texts, field
        self._patterns: list[re.Pattern[str]] | None = None

    def compile(self) -> list[re.Pattern[str]]:
        """Compile the expressions; raises `RuleError` where one of them is none."""
        patterns = [_pattern(text, self._field) for text in self._texts]
        if not any(pattern.groups for pattern in patterns):  # their numbers would shift if joined
            parts = [
                f"(?i:{text[4:]})" if text.startswith("(?i)") else f"(?:{text})"
                for text in self._texts
            ]
            patterns = [_pattern("|".join(parts), self._field)]
        self._patterns = patterns
        return patterns

    def __call__(self, word: str) -> bool:
        patterns = self._patterns or self.compile()
        if len(word) <= _WINDOW:
            return any(pattern.search(word) for pattern in patterns)
        return any(
            pattern.search(word[at : at + _WINDOW])
            for at in range(0, len(word), _STRIDE)
            for pattern in patterns
        )


def _names(names: Strings) -> re.Pattern[str]:
    return re.compile("|".join(translate(name) for name in names))


def _input_test(field: str, search: Callable[[str], re.Match[str] | None]) -> Test:
    return lambda part: search(str(part.call.input.get(field, ""))) is not None


def _code(part: Part) -> str:
    command = part.command
    return "\n".join((" ".join(command.args), command.stdin))


def _changes(part: Part, effects: Effects) -> bool:
    return effects.of(part.command) is not Effect.READ_ONLY


def _plain_wrapper(name: str) -> bool:
    return name in _PLAIN_WRAPPERS or _SHELL_WRAPPER.match(name) is not None
