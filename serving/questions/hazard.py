"""What is asked and answered about a session that may stand still."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from onward.serving.questions.answered import Answered

__all__ = ["HazardAnswer", "HazardRequest", "Hint"]

Share = Annotated[float, Meta(ge=0, le=1)]


class HazardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which session is asked about."""

    session: Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\u0000]+$")]


class Hint(msgspec.Struct, frozen=True):
    """A way out; never a kill."""

    text: str
    """One sentence for the agent."""
    learned: bool
    """It comes from this history; False = it is a plain one."""
    tried: float = 0.0
    """How often the move was tried in standstills of this kind; old tries count less."""
    gained: Share = 0.0
    """Share of the tries that gained something."""
    lower: Share = 0.0
    """Lower end of the one-sided 95 % interval of that share."""


class HazardAnswer(Answered, frozen=True, kw_only=True):
    """Whether a session is getting anywhere."""

    session: str
    probability: Share
    """P(none of the next ``window`` steps gains anything)."""
    window: int
    alarm: bool
    """The probability reaches the threshold that was fixed in training."""
    threshold: Share
    standstill: str
    """``repeat``, ``alternation``, ``error_cascade``, ``stall``; empty = the last step gained."""
    idle: Annotated[int, Meta(ge=0)]
    """Steps in a row that gained nothing."""
    since: Annotated[int, Meta(ge=0)]
    """The first of them, counted from 1 in the session; 0 = there is none."""
    since_id: str
    """Its id; empty = there is none, or it is too long ago."""
    evidence: list[str]
    """Why, in sentences for a person."""
    hint: Hint
