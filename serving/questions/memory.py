"""What is asked and answered about what was decided before."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from onward.data.events import Note
from onward.serving.questions.answered import Answered

__all__ = ["MemoryAnswer", "MemoryRequest", "Recalled", "WhyRecalled"]

Id = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\u0000]+$")]
Name = Annotated[str, Meta(max_length=512)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
Texts = Annotated[list[Annotated[str, Meta(max_length=4096)]], Meta(max_length=50)]


class MemoryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be recalled."""

    query: Text
    """A question, a task, an error, in plain words."""
    project: Name = ""
    """Notes of this project count as nearer; those of others are given, too."""
    most: Annotated[int, Meta(ge=1, le=50)] = 5
    """How many notes at most."""


class WhyRecalled(msgspec.Struct, frozen=True, kw_only=True):
    """Why a note was recalled."""

    words: list[str]
    """Words that it shares with the question, the rarest first, without their endings."""
    cosine: float | None
    """How near its vector is to that of the question; null = it has none."""
    helped: float
    """Feedback that it helped, counting less the older it is."""
    misled: float
    """Feedback that it misled, likewise."""
    count: int
    """How often the same was noted."""
    age_days: float | None
    """Days since it was last noted; null = unknown."""
    same_project: bool


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A note, and how likely it is of use."""

    p: float
    """Probability that it is relevant, and what feedback says of its use."""
    note: Note
    why: WhyRecalled


class MemoryAnswer(Answered, frozen=True, kw_only=True):
    """What is known about a question."""

    notes: list[Recalled]
    """The likeliest first; empty = nothing relevant is known."""
    sure: bool
    """Whether the first note is more likely relevant than not."""
    known: int = 0
    """Notes in memory."""
