"""Which files a command line needs, makes, changes and removes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onward.features.action.types import clean_path
from onward.features.shell import Command

__all__ = ["INTERPRETERS", "FileWords", "is_inline"]

MAX_PATHS = 8
"""Paths of one kind that are looked at, from the first."""

INTERPRETERS = frozenset(
    ("python", "node", "ruby", "perl", "php", "bash", "sh", "zsh", "deno", "bun", "tsx", "ts-node")
)
"""Programs whose first argument is a script."""

_READERS = frozenset(
    (
        *("cat", "head", "tail", "less", "more", "nl", "wc", "stat", "file", "sort", "diff"),
        *("ls", "chmod", "source", ".", "awk", "jq", "patch", "find", "pytest"),
    )
)
_GREPS = frozenset(("grep", "egrep", "fgrep", "rg", "ag"))
_TAKES_BACK = frozenset(("checkout", "restore"))
_CHANGES_FILES = _TAKES_BACK | {"apply", "stash"}


def is_inline(command: Command) -> bool:
    """Whether an interpreter runs code from its arguments or its input, not from a file."""
    return "-c" in command.flags or "-e" in command.flags or command.args[:1] in ((), ("-",))


class FileWords:
    """Collects what the commands of one line say about files.

    >>> from onward.features.shell import parse
    >>> words = FileWords(parse("cp a.py b.py && python b.py").commands)
    >>> words.needs, words.makes, words.script
    (('a.py', 'b.py'), ('b.py',), 'b.py')
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._needs: list[str] = []
        self._makes: list[str] = []
        self._edits: list[str] = []
        self._removes: list[str] = []
        self.script = ""
        self.enters = ""
        self.takes_back = False
        for command in commands:
            self._add(command)

    @property
    def needs(self) -> tuple[str, ...]:
        """Files that must be there."""
        return _few(self._needs)

    @property
    def makes(self) -> tuple[str, ...]:
        """Files that are written."""
        return _few(self._makes)

    @property
    def edits(self) -> tuple[str, ...]:
        """Files that are changed in place."""
        return _few(self._edits)

    @property
    def removes(self) -> tuple[str, ...]:
        """Files that are gone afterwards."""
        return _few(self._removes)

    def _add(self, c: Command) -> None:
        self._makes += c.writes
        self._needs += c.reads
        plain = [a for a in c.args if not a.startswith("-")]
        special = _SPECIAL.get(c.program)
        if special is not None:
            special(self, c, plain)
        elif c.program in INTERPRETERS:
            self._run(c, plain)
        elif c.program in _READERS:
            self._needs += plain
        else:
            self._other(c)

    def _other(self, c: Command) -> None:
        if c.program.endswith((".py", ".sh", ".js")):
            self.script = clean_path(c.program)
        self._needs += c.paths

    def _run(self, c: Command, plain: list[str]) -> None:
        if is_inline(c) or not plain:
            return
        self.script = clean_path(plain[0])
        self._needs.append(plain[0])

    def _cd(self, _: Command, plain: list[str]) -> None:
        self.enters = clean_path(plain[0]) if plain else ""

    def _create(self, _: Command, plain: list[str]) -> None:
        self._makes += plain

    def _copy(self, c: Command, plain: list[str]) -> None:
        self._needs += plain[:-1]
        self._makes += plain[1:][-1:]
        if c.program == "mv":
            self._removes += plain[:-1]

    def _remove(self, _: Command, plain: list[str]) -> None:
        self._needs += plain
        self._removes += plain

    def _grep(self, _: Command, plain: list[str]) -> None:
        self._needs += plain[1:]

    def _sed(self, c: Command, plain: list[str]) -> None:
        files = plain if "-e" in c.flags else plain[1:]
        self._needs += files
        if any(flag.startswith("-i") for flag in c.flags):
            self._edits += files

    def _git(self, c: Command, _: list[str]) -> None:
        paths = [path for path in c.paths if path != c.sub]
        self._needs += paths
        if c.sub in _CHANGES_FILES:
            self._edits += paths
        if c.sub in _TAKES_BACK:
            self.takes_back = bool(paths)


_SPECIAL: dict[str, Callable[[FileWords, Command, list[str]], None]] = {
    "cd": FileWords._cd,
    "mkdir": FileWords._create,
    "touch": FileWords._create,
    "tee": FileWords._create,
    "cp": FileWords._copy,
    "mv": FileWords._copy,
    "rm": FileWords._remove,
    "rmdir": FileWords._remove,
    "sed": FileWords._sed,
    "git": FileWords._git,
    **dict.fromkeys(_GREPS, FileWords._grep),
}


def _few(found: list[str]) -> tuple[str, ...]:
    """The first distinct paths, in the one spelling; unknown pieces (⟨...⟩) name no file."""
    if not found:
        return ()
    known = [clean_path(path) for path in found if "⟨" not in path]
    return tuple(dict.fromkeys(filter(None, known)))[:MAX_PATHS]
