"""Checks: commands whose failing means that something must be mended.

Two calls are runs of one check if they have the same head (program, sub-command) and share a
target (script, test, file), whatever else stands in their words. A look-up that found nothing is no
failing check: grep, diff and their like end with 1 and no error text then.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from onward.data.events import Call, Outcome, Step, command_of
from onward.features.action import action_of
from onward.features.action.files import INTERPRETERS, FileWords, is_inline
from onward.features.action.shell import command_kind, counting_of
from onward.features.action.types import KINDS, clean_path
from onward.features.fixes.faults import CLASSES, fault_of
from onward.features.shell import Command, parse
from onward.features.shell.programs import names

__all__ = ["Check", "check_of", "failed", "passed", "same_check"]

MAX_TARGETS = 6
_CACHED = 1024
_RANK = {
    name: place
    for place, name in enumerate(
        (
            "test",
            "run",
            "build",
            "inline",
            "other",
            "install",
            "net",
            "vcs",
            "edit",
            "write",
            "files",
            "search",
            "read",
        )
    )
}
_TRIVIAL = frozenset(
    (
        "cd",
        "export",
        "set",
        "source",
        ".",
        "true",
        ":",
        "unset",
        "pwd",
        "",
        "echo",
        "printf",
        "sleep",
        "date",
    )
)
_LOOKUPS = names(
    "grep egrep fgrep rg ag ack diff cmp test [ [[ which type pgrep pkill pidof lsof killall "
    "expr comm jq head tail sort uniq wc cut kill false"
)
_EMPTY = re.compile(r"^(?:error|exit code \d+|</?\w+>|\d+|\s)*$", re.IGNORECASE)
_TESTS = frozenset(("pytest", "runtests.py", "test", "unittest", "tox", "jest", "vitest", "mocha"))
_RUNNERS = frozenset(("npm", "yarn", "pnpm", "npx", "make", "cargo", "go", "gradle", "mvn"))
_NUMBER = re.compile(r"^\d+$")
_CHANGES = frozenset(("edit", "write"))
_PLAIN, _NOTHING = CLASSES.index("plain"), CLASSES.index("empty")


class Check(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a call checks."""

    head: str
    """Program and sub-command: the class that rates are counted under."""
    kind: int
    """Index into `onward.features.action.types.KINDS`."""
    targets: tuple[str, ...] = ()
    """What is checked: last parts of paths, test labels, names of scripts."""
    lines: tuple[int, ...] = ()
    """Hashes of the lines of code that it runs inline; empty = it runs none."""
    exact: int = 0
    """Hash of the whole call: the very same command."""
    lookup: bool = False
    """Finding nothing is an answer, not an error."""
    manner: tuple[int, int, int] = (0, 0, 0)
    """Hashes of where it runs, of its environment and wrappers, and of its options."""


def check_of(call: Call) -> Check | None:
    """What a call checks; None where there is no action.

    >>> call = Call(session="s", tool="Bash", input={"command": "python -m pytest t/x.py -q"})
    >>> check_of(call).head, check_of(call).targets
    ('pytest', ('x.py',))
    """
    if not call.tool:
        return None
    command = command_of(call)
    if command is not None:
        return _shell_check(command)
    return _tool_check(call)


def same_check(one: Check, other: Check) -> bool:
    """Whether two calls are runs of one check.

    >>> run = Check("python", 6, ("a.py",))
    >>> same_check(run, Check("python", 6, ("a.py", "b.py"))), same_check(run, Check("python", 6))
    (True, False)
    """
    if one.head != other.head:
        return False
    if one.lines and other.lines:
        few = min(len(one.lines), len(other.lines))
        return 2 * len(set(one.lines).intersection(other.lines)) >= few
    if one.lines or other.lines:
        return False
    if not one.targets and not other.targets:
        return True
    return not set(one.targets).isdisjoint(other.targets)


def failed(step: Step, check: Check) -> bool:
    """Whether a step is a failing run of its check; an empty look-up is none."""
    if step.outcome is not Outcome.ERROR:
        return False
    if not check.lookup or step.exit_code not in (None, 1):
        return True
    return _EMPTY.match(step.output[:400]) is None and fault_of(step.output).kind not in (
        _PLAIN,
        _NOTHING,
    )


def passed(step: Step) -> bool:
    """Whether a step came out well."""
    return step.outcome is Outcome.OK


@lru_cache(maxsize=_CACHED)
def _shell_check(command: str) -> Check | None:
    parsed = parse(command)
    top = [c for c in parsed.commands if c.depth == 0] or list(parsed.commands)
    ranked = [c for c in counting_of(top, parsed.operators) if c.program not in _TRIVIAL]
    if not ranked:
        return None
    main = min(reversed(ranked), key=lambda c: _RANK.get(KINDS[command_kind(c)], 99))
    action = action_of(Call(session="", tool="bash", input={"command": command}))
    inline = main.program in INTERPRETERS and is_inline(main)
    return Check(
        head=_head(main, inline=inline),
        kind=command_kind(main),
        targets=() if inline else _targets(main),
        lines=_inline_lines(main, action.new_lines) if inline else (),
        exact=_exact(top, parsed.heredocs),
        lookup=main.program in _LOOKUPS and not _is_test_script(main),
        manner=_manner(main, top),
    )


def hash_of(text: str) -> int:
    """The same 32 bits for the same text in every process."""
    from zlib import crc32

    return crc32(text.strip().encode("utf-8", "replace"))


def _exact(top: list[Command], heredocs: tuple[tuple[str, str], ...]) -> int:
    """The same number for the same commands in the same place, however long they wait."""
    words = [f"{c.cwd} {c.env} {c}" for c in top if c.program not in ("sleep", "echo", "true")]
    return hash_of("\n".join([*words, *[body for _, body in heredocs]]))


def _manner(main: Command, top: list[Command]) -> tuple[int, int, int]:
    exported = [arg for c in top if c.program in ("export", "source", ".") for arg in c.args]
    surroundings = [*main.env, *main.wrappers, *exported]
    return hash_of(main.cwd), hash_of(" ".join(surroundings)), hash_of(" ".join(main.flags))


def _is_test_script(c: Command) -> bool:
    """``bin/test`` is a test runner, not the shell's test."""
    return c.program == "test" and bool(c.args) and not c.args[0].startswith(("-", "!"))


def _head(c: Command, *, inline: bool) -> str:
    module = " -m" if "python -m" in c.wrappers and c.program not in _TESTS else ""
    parts = [c.program + module, c.sub, c.verb if c.sub and c.program != "git" else ""]
    if c.program in ("npm", "yarn", "pnpm") and c.sub == "run":
        parts[2] = c.verb
    if inline:
        parts.append("inline")
    head = " ".join(filter(None, parts))[:80]
    return f"{c.fed_by[0]} | {head}" if c.fed_by else head


def _inline_lines(c: Command, lines: tuple[int, ...]) -> tuple[int, ...]:
    return lines or (hash_of(" ".join(c.args)),)


def _targets(c: Command) -> tuple[str, ...]:
    plain = [arg for arg in c.args if not arg.startswith("-")]
    if c.program in INTERPRETERS:
        found = plain[:1]
        if found and clean_path(found[0]).rsplit("/", 1)[-1] in ("runtests.py", "manage.py"):
            found = plain[:MAX_TARGETS]
    elif c.program in _TESTS or c.program.endswith((".py", ".sh")):
        found = [arg for arg in plain if not _NUMBER.match(arg)]
    elif c.program in _RUNNERS:
        found = plain[1:3]
    else:
        words = FileWords([c])
        found = [*words.needs, *words.makes, *words.removes] or [a for a in plain if "://" in a]
    short = (_short(arg) for arg in found if "⟨" not in arg)
    return tuple(dict.fromkeys(filter(None, short)))[:MAX_TARGETS]


def _short(arg: str) -> str:
    if "://" in arg:
        return arg.split("?", 1)[0][:80]
    return (clean_path(arg.split("::", 1)[0]) or arg).rsplit("/", 1)[-1][:80]


def _tool_check(call: Call) -> Check:
    action = action_of(call)
    kind = KINDS[action.kind]
    paths = action.needs or action.makes
    texts = [value[:80] for value in call.input.values() if isinstance(value, str) and value]
    targets = tuple(path.rsplit("/", 1)[-1] for path in paths[:2]) or tuple(texts[:2])
    return Check(
        head="change" if kind in _CHANGES else call.tool,
        kind=action.kind,
        targets=targets,
        exact=hash_of(action.keys[4]),
        lookup=kind == "search",
    )
