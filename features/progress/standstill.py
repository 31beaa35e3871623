"""What a standstill looks like, and what ended such standstills before.

Read from the marks of the last steps: nothing is learned here but how often each kind of move was
tried in a standstill, and how often it gained something (`Rates` under `move_key`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from onward.features.action.types import KINDS
from onward.features.progress.course import Course
from onward.features.progress.marks import Mark, alternates

__all__ = ["MOVES", "Standstill", "StandstillKind", "move_key", "move_of", "standstill_of"]

SHOWN = 5
"""Steps that are named as evidence."""


class StandstillKind(StrEnum):
    """What a standstill looks like."""

    NONE = ""
    """The last step gained something."""
    REPEAT = "repeat"
    """The same call, or calls of one form, again and again."""
    ALTERNATION = "alternation"
    """A few calls in turn."""
    CASCADE = "error_cascade"
    """One failure after the other, in different calls."""
    STALL = "stall"
    """Different calls that gain nothing."""


class Standstill(NamedTuple):
    """The standstill that a session is in."""

    kind: StandstillKind
    steps: int
    """Steps in a row that gained nothing."""
    since: int
    """The first of them, counted from 1 in the session; 0 = there is none."""
    since_id: str
    """Its id; empty where it is too long ago."""
    template: str
    """The form of call that came most often in it."""
    times: int
    """How often."""


MOVES = {
    "change": "change a file",
    "read new": "read a file that was not looked at yet",
    "read": "read a file again",
    "search": "search",
    "check": "run a check or a script",
    "version control": "go back with version control",
    "install": "install what is missing",
    "net": "ask over the network",
    "other": "use another tool",
}
"""Kinds of moves, as advice."""

_MOVE_OF = {
    **dict.fromkeys(("write", "edit", "files"), "change"),
    **dict.fromkeys(("run", "inline", "test", "build"), "check"),
    "search": "search",
    "vcs": "version control",
    "install": "install",
    "net": "net",
}


def standstill_of(course: Course) -> Standstill:
    """The standstill that a session is in after its last step."""
    idle = course.since_gain
    if idle == 0 or not course.marks:
        return Standstill(StandstillKind.NONE, 0, 0, "", "", 0)
    marks = course.marks[-idle:]
    shapes = [mark.shape for mark in marks]
    most = max(reversed(marks), key=lambda mark: shapes.count(mark.shape))
    return Standstill(
        kind=_kind(marks, shapes.count(most.shape)),
        steps=idle,
        since=course.steps - idle + 1,
        since_id=marks[0].id if len(marks) == idle else "",
        template=most.template,
        times=shapes.count(most.shape),
    )


def _kind(marks: Sequence[Mark], most: int) -> StandstillKind:
    shapes = [mark.shape for mark in marks]
    if len(marks) > 1 and (most == len(marks) or alternates(shapes, 1) >= 2):
        return StandstillKind.REPEAT
    if max(alternates(shapes, 2), alternates(shapes, 3)) >= 2:
        return StandstillKind.ALTERNATION
    if sum(mark.bad for mark in marks) * 2 > len(marks) > 1:
        return StandstillKind.CASCADE
    return StandstillKind.STALL


def move_of(mark: Mark) -> str:
    """The kind of move that a step was; one of `MOVES`."""
    kind = KINDS[mark.kind]
    if kind == "read":
        return "read new" if mark.new_path else "read"
    return _MOVE_OF.get(kind, "other")


def move_key(kind: StandstillKind, move: str) -> str:
    """The class under which a move in a standstill is counted."""
    return f"{kind}>{move}"
