"""What a rule looks at: one command of a line, or one call of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onward.decisions.hosts import hosts_of
from onward.features.shell import Command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onward.data.events import Call
    from onward.decisions.places import Places

__all__ = ["Part"]

_PATH_FIELDS = ("file_path", "path", "notebook_path", "filename", "file", "target_file", "dir_path")


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
