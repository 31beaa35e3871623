"""What a step changed: which action, on which file, and where that file lies as a check sees it.

A fix is an action and a place: ``edit@own`` changes the check's own file
in places and ``rewrite@own`` writes it anew, ``edit@named`` one that
the error names, ``edit@code`` another one of some type. What is no edit has no place, or needs
none: ``install``, ``git``, ``run``; ``command@options`` runs the check itself in other words.
`FIXES` lists them all.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache

import msgspec

from onward.data.events import Call, command_of
from onward.features.action import action_of
from onward.features.action.files import INTERPRETERS, FileWords, is_inline
from onward.features.action.shell import command_kind
from onward.features.action.types import KIND, KINDS, clean_path
from onward.features.shell import Command, parse
from onward.features.shell.programs import names
from onward.features.text import ends_of, word_hashes

__all__ = ["FIXES", "FIX_OF", "Change", "Effect", "effect_of", "file_type"]

MAX_CHANGES = 8
MAX_WORDS = 300
_CACHED = 512

_PLACES = ("own", "named", "code", "test", "settings", "text", "other")
FIXES: tuple[str, ...] = (
    *(f"edit@{place}" for place in _PLACES),
    *(f"rewrite@{place}" for place in _PLACES),
    "create@own",
    "create@named",
    "create@other",
    "install",
    "git",
    "files",
    "run",
    "command@directory",
    "command@environment",
    "command@options",
    "command@arguments",
    "read@own",
    "read@other",
    "again",
)
"""What can mend a failing check, as ``action@place``."""
FIX_OF = {fix: place for place, fix in enumerate(FIXES)}

_TYPES = {
    "code": "py js ts tsx jsx mjs cjs java go rs c cc cpp h hpp rb php cs swift kt sql vue svelte",
    "settings": "json yaml yml toml ini cfg conf env lock properties xml gradle mod",
    "text": "md txt rst html css puml csv svg tex",
    "other": "sh bash zsh bat ps1",
}
_TYPE_OF = {end: name for name, ends in _TYPES.items() for end in ends.split()}
_TEST_NAME = re.compile(r"(?:^|/)(?:test_|tests?[/.]|spec[/.])|_test\.|\.test\.|\.spec\.")
_GIT_CHANGES = names(
    "checkout restore stash reset apply revert merge rebase pull add commit rm mv clean am "
    "cherry-pick switch clone init submodule push fetch config"
)
_INSTALLERS = names("pip apt apt-get brew conda uv poetry apk dnf yum gem cargo")
_NODE = names("npm yarn pnpm")
_INSTALLS = names("install ci add i update upgrade sync develop link")
_LOOKS = frozenset((KIND["read"], KIND["search"]))
_EFFECTS = names(
    "kill pkill killall launchctl systemctl service docker docker-compose nohup export ssh "
    "scp aws gh sam terraform kubectl psql sqlite3 mysql redis-cli createdb chmod chown "
    "source"
)
_RUNS = frozenset((KIND["run"], KIND["build"], KIND["net"], KIND["other"], KIND["inline"]))
_PASSIVE = names("cd echo printf true sleep date set pwd export : exit")
_ADDRESS = re.compile(r"^(\d{1,7})[,a-z\s\\]")
_LITERAL = re.compile(r"['\"]([\w@~./+-]*\w\.[a-zA-Z]\w{0,5})['\"]")


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One thing that a step did to the world, or looked at."""

    action: str
    """``edit``, ``make``, ``install``, ``git``, ``files``, ``act`` (a command that changes what
    runs), ``run`` (another command) or ``read``."""
    path: str = ""
    """The file; empty where there is none."""
    size: int = 0
    """Characters that were written."""
    lines: int = 0
    at: int = -1
    """The line number that an edit names; -1 = it names none."""
    whole: bool = False
    """The file is written whole, not changed in places."""


class Effect(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All that a call would change, from its words alone."""

    changes: tuple[Change, ...] = ()
    words: tuple[int, ...] = ()
    """Hashes of the words that it writes, sorted."""
    slots: tuple[int, ...] = ()
    """Slots of the call's words in tables of running weights."""
    patches: tuple[str, ...] = ()
    """Files that the script it writes will write in its turn."""


def file_type(path: str) -> str:
    """What kind of file a path names.

    >>> file_type("a/tests/test_b.py"), file_type("a/b.py"), file_type("a.yml")
    ('test', 'code', 'settings')
    """
    if _TEST_NAME.search(path):
        return "test"
    return _TYPE_OF.get(posixpath.splitext(path)[1][1:].lower(), "other")


def effect_of(call: Call) -> Effect:
    """What a call would change; remembered for calls that come again soon."""
    command = command_of(call)
    if command is not None:
        return _shell_effect(command)
    return _tool_effect(call)


@lru_cache(maxsize=_CACHED)
def _shell_effect(command: str) -> Effect:
    parsed = parse(command)
    action = action_of(Call(session="", tool="bash", input={"command": command}))
    written = ends_of("\n".join(body for _, body in parsed.heredocs))
    changes: list[Change] = []
    for c in parsed.commands:
        if c.depth == 0:
            changes += _command_changes(c, written, action.body.patches, ends_of(command))
    looks = bool(changes) and all(change.action == "read" for change in changes)
    words = set() if looks else word_hashes(written or ends_of(command))
    patches = _literals(written) if action.body.patches else ()
    if patches and action.script in action.makes:  # written and run in one line
        changes += [Change("edit", path, len(written), written.count("\n")) for path in patches]
    return Effect(
        changes=tuple(changes[-MAX_CHANGES:]),
        words=tuple(sorted(words))[:MAX_WORDS],
        slots=action.words,
        patches=patches,
    )


def _command_changes(c: Command, written: str, patches: bool, text: str) -> list[Change]:
    """What one command of a line changes."""
    files = FileWords([c])
    lines, at = written.count("\n"), _line_number(c)
    found = [Change("make", path, len(written), lines, -1, True) for path in files.makes]
    found += [Change("edit", path, len(" ".join(c.args)), 1, at) for path in files.edits]
    if c.program in INTERPRETERS and is_inline(c) and patches:
        paths = _literals(written or text)[:3] or ("",)
        return found + [Change("edit", path, len(written or text), 1) for path in paths]
    kind = _plain_action(c, files)
    if kind == "read":
        return found + [Change("read", path) for path in files.needs[:2]]
    return found if found or not kind else [Change(kind, "".join(files.needs[:1]))]


def _line_number(c: Command) -> int:
    """The first line that a sed script speaks of; -1 = none."""
    found = _ADDRESS.match("".join([arg for arg in c.args if not arg.startswith("-")][:1]))
    return int(found.group(1)) if found and c.program == "sed" else -1


def _plain_action(c: Command, files: FileWords) -> str:
    """The action of a command that edits no file."""
    kind = command_kind(c)
    if c.program == "git":
        return "git" if c.sub in _GIT_CHANGES else "read"
    if c.program in _INSTALLERS or (c.program in _NODE and c.sub in _INSTALLS):
        return "install"
    if kind == KIND["files"] or files.removes:
        return "files"
    if c.program in _EFFECTS:
        return "act"
    if kind in _RUNS and c.program not in _PASSIVE:
        return "run"
    return "read" if kind in _LOOKS else ""


def _literals(code: str) -> tuple[str, ...]:
    """Files that stand in quotes in a piece of code."""
    return tuple(dict.fromkeys(map(clean_path, _LITERAL.findall(code))))[:4]


def _tool_effect(call: Call) -> Effect:
    action = action_of(call)
    kind = KINDS[action.kind]
    texts = [value for value in call.input.values() if isinstance(value, str)]
    size = sum(map(len, texts))
    lines = len(action.new_lines)
    if kind in ("edit", "write"):
        name = "edit" if kind == "edit" else "make"
        paths = action.needs or action.makes
        changes = tuple(Change(name, path, size, lines, -1, kind == "write") for path in paths)
    elif kind in ("read", "search"):
        changes = tuple(Change("read", path) for path in action.needs[:1]) or (Change("read"),)
    elif kind == "other" and ("kill" in call.tool.lower() or call.tool.startswith("mcp__")):
        changes = (Change("run"),)
    else:
        changes = ()
    looks = bool(changes) and all(change.action == "read" for change in changes)
    words = set() if looks else word_hashes(ends_of("\n".join(texts)))
    return Effect(changes, tuple(sorted(words))[:MAX_WORDS], action.words)
