"""`/v1/memory`: what was decided before about this, and did it help?

A question is answered with the notes that are most probably relevant, each with the reasons why it
was found and with what came of it. Where nothing is likely enough the answer says that nothing is
known, rather than to give the least unlikely. Notes come in as events of the history, as does
feedback, so that remembering is recording: `Remember` and `Judge` make the events.

Without a model fixed weights rank, without an embedder words alone find; ``note`` says either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Feedback, Note
from onward.features.memory.fold import CAPACITY, NAMES, VERSION, Candidates, Memory
from onward.features.sentences import Embedder
from onward.models.memory import fixed, forgetting
from onward.serving.answers.base import Part

__all__ = [
    "Judge",
    "MemoryAnswer",
    "MemoryRequest",
    "Recalled",
    "Recaller",
    "Remember",
    "WhyRecalled",
]

LEAST = 0.15
"""Notes whose P(relevant) is below this are not given."""
SURE = 0.5
"""From this P(relevant) of the first note on the answer is called sure."""
AT_ONCE = 4
"""Vectors that are made up for on the way of an answer; `Recaller.tend` makes the others."""

NO_MODEL = "no model is published; fixed weights rank"
BEATEN = "the model did not beat the fixed weights; these rank"
NO_EMBEDDER = "there is no sentence model; notes are found by their words alone"
NOTHING = "nothing relevant is known"

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


class MemoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a question."""

    notes: list[Recalled]
    """The likeliest first; empty = nothing relevant is known."""
    sure: bool
    """Whether the first note is more likely relevant than not."""
    note: str = ""
    """Why the answer is less than the full one, or that nothing is known; empty = all is well."""
    version: str = ""
    """The model that ranked; empty = fixed weights."""
    known: int = 0
    """Notes in memory."""


class Remember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be remembered: a decision with its reasons."""

    session: Id
    text: Text
    about: Annotated[str, Meta(max_length=4096)] = ""
    reasons: Texts = []
    alternatives: Texts = []
    tags: Texts = []
    agent: Name = ""
    project: Name = ""

    def event(self, note_id: str, at: float) -> Note:
        """The event that remembers it, to be recorded in the history."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return Note(id=note_id, at=at, **fields)


class Judge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a note that was recalled helped or misled."""

    session: Id
    note: Id
    helped: bool
    query: Annotated[str, Meta(max_length=20_000)] = ""
    """What was asked when it was recalled; ranking learns from it."""
    text: Annotated[str, Meta(max_length=20_000)] = ""
    """What came of it."""

    def event(self, feedback_id: str, at: float) -> Feedback:
        """The event that says so, to be recorded in the history."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return Feedback(id=feedback_id, at=at, **fields)


class Recaller:
    """Answers what is known about a question.

    Parameters
    ----------
    embedder
        The sentence model, or None.
    capacity
        Notes that are kept at most.
    clock
        Gives the time, Unix seconds.
    """

    name = "memory"

    def __init__(
        self,
        embedder: Embedder | None = None,
        *,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time,
    ) -> None:
        self._memory = Memory(embedder, capacity=capacity)
        self._embedder = embedder
        self._part: Part | None = None
        self._clock = clock
        self._lock = threading.Lock()  # answers may come while events are learned

    @property
    def memory(self) -> Memory:
        """The notes that it answers from."""
        return self._memory

    def use(self, part: Part | None) -> None:
        """Rank with this model from now on; None = fixed weights rank.

        Raises
        ------
        BundleError
            It was made for other columns.
        """
        if part is not None and (
            part.facts.get("features") != VERSION or part.facts.get("names") != list(NAMES)
        ):
            raise BundleError("The memory's model was made for other columns; train again.")
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event; all but notes and feedback change nothing."""
        if isinstance(event, Note | Feedback):
            with self._lock:
                self._memory.learn(event)

    def tend(self, most: int = 64) -> int:
        """Make vectors that notes still wait for, and give how many; call it when idle."""
        if self._embedder is None:
            return 0
        with self._lock:
            waiting = self._memory.missing(most)
        rows = self._embedder.embed([text for _, text in waiting])
        with self._lock:
            for (slot, text), row in zip(waiting, rows, strict=True):
                self._memory.place(slot, text, row)
        return len(waiting)

    def answer(self, request: MemoryRequest) -> MemoryAnswer:
        """The notes that a question most probably is about; changes nothing of what was folded."""
        self.tend(AT_ONCE)
        vector = self._memory.vector(request.query)
        now = self._clock()
        with self._lock:
            found = self._memory.candidates(request.query, vector, project=request.project, now=now)
            p = self._p(found)
            best = self._best(found, p)[: request.most]
            notes = [self._recalled(found, row, float(p[row]), now) for row in best]
            return MemoryAnswer(
                notes=notes,
                sure=bool(notes) and notes[0].p >= SURE,
                note=self._note(bool(notes)),
                version=self._live.version if self._live else "",
                known=len(self._memory),
            )

    @property
    def _live(self) -> Part | None:
        return self._part if self._part is not None and self._part.beats_peer else None

    def _p(self, found: Candidates) -> NDArray[np.float64]:
        live = self._live
        if live is None or not len(found):
            return forgetting(fixed(found.X), found.X)
        return forgetting(np.asarray(live.run(found.X)[:, 1], np.float64), found.X)

    def _best(self, found: Candidates, p: NDArray[np.float64]) -> list[int]:
        """Rows that are likely enough, the likeliest first, of equals the newest."""
        rows = np.flatnonzero(p >= LEAST).tolist()
        last = {row: self._memory[int(found.slots[row])].last for row in rows}
        return sorted(rows, key=lambda row: (-p[row], -last[row]))

    def _recalled(self, found: Candidates, row: int, p: float, now: float) -> Recalled:
        kept = self._memory[int(found.slots[row])]
        said: dict[str, Any] = dict(zip(NAMES, found.X[row].tolist(), strict=True))
        helped, misled = kept.evidence(now)
        why = WhyRecalled(
            words=self._memory.shared(found, int(found.slots[row])),
            cosine=None if np.isnan(said["cosine"]) else said["cosine"],
            helped=helped,
            misled=misled,
            count=kept.count,
            age_days=max(now - kept.last, 0.0) / 86_400.0 if kept.last else None,
            same_project=bool(said["same_project"]),
        )
        return Recalled(p=p, note=kept.note, why=why)

    def _note(self, known: bool) -> str:
        parts = [] if known else [NOTHING]
        if self._embedder is None:
            parts.append(NO_EMBEDDER)
        if self._live is None:
            parts.append(NO_MODEL if self._part is None else BEATEN)
        return "; ".join(parts)

    # -- on disk

    def dump(self) -> bytes:
        """What was folded, without the vectors."""
        with self._lock:
            return self._memory.dump()

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        with self._lock:
            self._memory.load(body)

    def save_vectors(self, folder: Path) -> None:
        """Keep the vectors in a folder of the state directory, so that a start makes none anew."""
        with self._lock:
            self._memory.save_vectors(folder)

    def load_vectors(self, folder: Path) -> int:
        """Take the vectors that were kept, after `load`; gives how many of them fit."""
        with self._lock:
            return self._memory.load_vectors(folder)
