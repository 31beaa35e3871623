"""What is asked and answered about errors."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from onward.serving.questions.answered import Answered

__all__ = [
    "ErrorAnswer",
    "ErrorCluster",
    "ErrorList",
    "ErrorListRequest",
    "ErrorRequest",
    "NearError",
]

MAX_OUTPUT = 200_000
"""Characters of an output that are taken."""


class ErrorRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output that shows an error."""

    output: Annotated[str, msgspec.Meta(max_length=MAX_OUTPUT)]
    """What the failed command or tool printed; its ends suffice."""
    command: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    """The shell command that printed it."""
    session: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """The session that asks."""


class ErrorListRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which clusters there are."""

    order: Literal["largest", "newest", "latest"] = "largest"
    """By count, by when they were first seen, or by when they were last seen."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20


class NearError(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that is near to the one in question."""

    cluster: int
    template: str
    cosine: float
    """Of the two templates' embeddings, -1 to 1."""
    p_same: float | None = None
    """Probability that both say the same; None = there is no model for it."""
    same: bool = False
    """The model is sure that they do."""


class ErrorCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Errors that say the same."""

    cluster: int
    """Its id. It is kept for good: a merged cluster's id leads to the one it became."""
    template: str
    example: str
    """The message that is most like the others."""
    count: int
    first_seen: float
    """Unix seconds; 0 = the source had no clock."""
    last_seen: float
    programs: dict[str, int] = {}
    """What it came from, with counts."""
    types: dict[str, int] = {}
    """Exceptions and error codes, with counts."""
    evidence: list[str] = []
    """What it was merged from or split into, and why."""


class ErrorList(Answered, frozen=True, kw_only=True):
    """Clusters of errors."""

    clusters: list[ErrorCluster]
    total: int
    """How many there are in all."""


class ErrorAnswer(Answered, frozen=True, kw_only=True):
    """What an error is."""

    known: bool
    """Its cluster was met before."""
    root: str
    """The line of the output that says what went wrong; empty = the output says nothing."""
    line: int
    """Which line that is, from 1; 0 = none."""
    found_by: str
    """How it was found: ``traceback``, ``cause``, ``compiler``, ``shell``, ``level``, ..."""
    type: str
    """The exception or the error code, where it names one."""
    template: str
    category: str
    """Why a build or a test run failed; ``unknown`` = like none of the known causes."""
    p: float
    """Calibrated probability that the category is right; 0 = not known."""
    cluster: ErrorCluster | None = None
    nearest: list[NearError] = msgspec.field(default_factory=list)
