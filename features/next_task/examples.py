"""What a label stands for: the last call of each label in a session, in a project, in all.

Only short calls are kept whole; of longer values there is the beginning, marked as cut. Bounded,
whatever the log's length.
"""

from __future__ import annotations

from typing import Any

import msgspec

from onward.data.events import Call, Step, command_of

__all__ = ["Example", "Examples"]

MAX_VALUE = 300
"""Characters of an argument that are kept."""
MAX_ARGUMENTS = 6
MAX_SESSIONS, MAX_PROJECTS = 64, 64
MAX_LABELS, MAX_ALL = 32, 256


class Example(msgspec.Struct, array_like=True, gc=False):
    """A call that was made under a label."""

    tool: str
    arguments: bytes
    """Its input as JSON, which takes numbers of any size."""
    cwd: str = ""
    cut: bool = False
    """Its arguments are not whole: it can be shown, not judged."""

    @property
    def input(self) -> dict[str, Any]:
        """Its arguments."""
        return msgspec.json.decode(self.arguments, type=dict[str, Any])

    def text(self) -> str:
        """In one line: the command, or the tool with its first argument."""
        command = command_of(self.call())
        if command is not None:
            return " ".join(command.split())[:MAX_VALUE]
        first = next((str(value) for value in self.input.values()), "")
        return f"{self.tool} {' '.join(first.split())}"[:MAX_VALUE].strip()

    def call(self, *, session: str = "", agent: str = "", project: str = "") -> Call:
        """The call, as somebody would make it now."""
        return Call(
            session=session,
            tool=self.tool,
            input=self.input,
            agent=agent,
            project=project,
            cwd=self.cwd,
        )


def _example(step: Step) -> Example:
    kept: dict[str, Any] = {}
    cut = len(step.input) > MAX_ARGUMENTS
    for name, value in list(step.input.items())[:MAX_ARGUMENTS]:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if len(text) > MAX_VALUE:
            cut = True
            kept[name] = text[:MAX_VALUE]
        else:
            kept[name] = value
    return Example(step.tool, msgspec.json.encode(kept), step.cwd, cut)


Table = dict[str, Example]


class Examples(msgspec.Struct):
    """The last call of each label."""

    sessions: dict[str, Table] = msgspec.field(default_factory=dict)
    projects: dict[str, Table] = msgspec.field(default_factory=dict)
    all: Table = msgspec.field(default_factory=dict)

    def learn(self, step: Step, label: str) -> None:
        """A step was made under a label."""
        example = _example(step)
        for tables, key, most in (
            (self.sessions, step.session, MAX_SESSIONS),
            (self.projects, _place(step.agent, step.project), MAX_PROJECTS),
        ):
            table = tables.pop(key, None) or {}
            tables[key] = table
            _put(table, label, example, MAX_LABELS)
            if len(tables) > most:
                del tables[next(iter(tables))]
        _put(self.all, label, example, MAX_ALL)

    def find(self, label: str, *, session: str, agent: str, project: str) -> Example | None:
        """The nearest example of a label: of the session, of the project, of all."""
        near = self.sessions.get(session, {}), self.projects.get(_place(agent, project), {})
        found = (table[label] for table in (*near, self.all) if label in table)
        return next(found, None)


def _place(agent: str, project: str) -> str:
    return f"{agent}|{project}"


def _put(table: Table, label: str, example: Example, most: int) -> None:
    table.pop(label, None)
    table[label] = example
    if len(table) > most:
        del table[next(iter(table))]
