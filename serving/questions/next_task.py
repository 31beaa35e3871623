"""What is asked and answered about the next steps."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from onward.serving.questions.answered import Answered

__all__ = ["MAX_MOST", "MAX_STEPS", "Followed", "Later", "NextAnswer", "NextRequest", "NextStep"]

MAX_MOST = 10
MAX_STEPS = 3
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(max_length=512)]


class NextRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose next step is asked for."""

    session: Annotated[str, Meta(max_length=256)] = ""
    """The session; one that was never met is asked about as at its start."""
    agent: Annotated[str, Meta(max_length=256)] = ""
    project: Name = ""
    most: Annotated[int, Meta(ge=1, le=MAX_MOST)] = 3
    """Labels that are wanted at most, for each step."""
    steps: Annotated[int, Meta(ge=1, le=MAX_STEPS)] = 3
    """How many steps to look ahead."""


class Followed(msgspec.Struct, frozen=True):
    """How often a label came after the session's last one, of how many times something did."""

    session: tuple[int, int]
    project: tuple[int, int]
    history: tuple[int, int]


class NextStep(msgspec.Struct, frozen=True, kw_only=True):
    """One label that may come next."""

    label: str
    """The tool or command word; ``other`` stands for all that are rare."""
    probability: Share
    example: str = ""
    """The last call made under this label in the session, else in the project, else at all."""
    reversible: str = ""
    """How far the example can be undone: ``read_only`` ... ``irreversible``; empty = not known."""
    may_start: bool = False
    """Starting it before it is asked for does no harm: the example only reads."""
    followed: Followed


class Later(msgspec.Struct, frozen=True):
    """A label that may come at a later step."""

    ahead: int
    """2 = the step after the next, 3 = the one after that."""
    label: str
    probability: Share


class NextAnswer(Answered, frozen=True, kw_only=True):
    """What may come next, likeliest first."""

    steps: list[NextStep]
    """For the next step; empty while nothing was learned."""
    later: list[Later]
    """For the second step and then the third, where they were wanted, each likeliest first."""
    confident: bool
    """Of the first labels that were said with confidence before, at least 70 % came true; never
    where that was not shown, as without a model."""
    after: str
    """The label of the session's last step; empty = there was none, or it was rare."""
