"""What is asked and answered about a user's words."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from onward.serving.questions.answered import Answered

__all__ = ["Intent", "IntentRequest", "Intents", "LikePrompt", "TouchedFile"]

Text = Annotated[str, Meta(min_length=1, max_length=200_000)]
Name = Annotated[str, Meta(max_length=512)]

PRECISION = 0.8
"""Share of the readings that must be right where one goes ahead on them, unless stated."""


class IntentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user said."""

    text: Text
    agent: Name = ""
    project: Name = ""
    session: Name = ""
    at: Annotated[float, Meta(ge=0, le=1e11)] = 0.0
    """Unix seconds; 0 = unknown."""
    role: Name = "prompt"
    """``prompt``, ``continuation`` (a summary after the context ran out) or ``command``."""
    precision: Annotated[float, Meta(ge=0.05, le=0.99)] = PRECISION
    """Share of the readings that must be right where one goes ahead on them; higher asks more."""


class Intent(msgspec.Struct, frozen=True):
    """One kind of work that may be meant."""

    kind: str
    """``ask``, ``read``, ``run``, ``fix``, ``write``, ``document``, ``install`` or ``commit``."""
    probability: float


class LikePrompt(msgspec.Struct, frozen=True):
    """A past prompt that resembles this one, and what was then done."""

    text: str
    kind: str
    likeness: float
    """Cosine, 0 to 1."""
    first_tool: str
    files: list[str]


class TouchedFile(msgspec.Struct, frozen=True):
    """A file that may be touched."""

    path: str
    weight: float
    """Relative to the others; no probability."""


class Intents(Answered, frozen=True, kw_only=True):
    """What the words may ask for, the likeliest first."""

    intents: list[Intent]
    go_ahead: bool
    """Whether the best is sure enough to go ahead unasked, and can be undone."""
    first_tools: list[str] = msgspec.field(default_factory=list)
    """The tools that may come first, the likeliest first."""
    files: list[TouchedFile] = msgspec.field(default_factory=list)
    like: list[LikePrompt] = msgspec.field(default_factory=list)
    """What it rests on."""
    sure: float = 0.0
    """P(the best is right), from what the readings of past prompts came to."""
    ahead_from: float | None = None
    """Where going ahead begins; None = too few past readings were right for that precision."""
    rests_on: str = ""
    """What that threshold rests on."""
