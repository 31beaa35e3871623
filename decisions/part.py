"""What a rule looks at: one command of a line, or one call of another tool."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from onward.decisions.hosts import hosts_of
from onward.features.shell import Command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onward.data.events import Call
    from onward.decisions.places import Places

__all__ = ["Part"]

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_LAST = frozenset(["path", "file", "filename", "filepath", "folder", "directory", "dir"])
_VAGUE = frozenset(["name", "names", "list"])
_TAIL = 64  # letters of a field's name that are looked at
_WHOLE = frozenset(["source", "destination", "src", "dst", "dest", "target", "from", "to"])


class Part:
    """One command, or one call, with what rules ask about it; worked out once.

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
        paths = dict.fromkeys(_paths_in(call.input))
        return cls(call, Command(program=call.tool, paths=tuple(paths)), places)

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


def _paths_in(given: object) -> Iterator[str]:
    """Give the paths in a tool's input, also in lists and in what is nested: ``edits[].path``.

    >>> list(_paths_in({"paths": ["a", "b"], "edits": [{"filePath": "c", "text": "x"}]}))
    ['a', 'b', 'c']
    """
    left = [(given, False)]
    while left:  # no recursion: whoever calls decides how deep it is
        value, named = left.pop()
        if isinstance(value, str):
            if named and value:
                yield value
        elif isinstance(value, dict):
            fields = reversed(value.items())
            left += ((inner, _names_path(str(name)[-_TAIL:])) for name, inner in fields)
        elif isinstance(value, list | tuple):
            left += ((inner, named) for inner in reversed(value))


@lru_cache(maxsize=1_024)
def _names_path(field: str) -> bool:
    """Tell whether a field's name says that it holds paths, in the singular or the plural.

    >>> _names_path("target_files"), _names_path("fileName"), _names_path("new_source")
    (True, True, False)
    """
    if field == "name_path":  # of a symbol in a file
        return False
    words = [word.lower() for word in _WORDS.findall(field)]
    last = next((word for word in reversed(words) if word not in _VAGUE), "")
    return not {last, last[:-1], f"{last[:-3]}y"}.isdisjoint(_LAST) or field.lower() in _WHOLE
