"""`/v1/memory`: what was decided before about this, and did it help?

A question is answered with the notes that are most probably relevant, each with the reasons why it
was found and with what came of it. Where nothing is likely enough the answer says that nothing is
known, rather than to give the least unlikely. Notes come in as events of the history, as does
feedback, so that remembering is recording.

Without a model fixed weights rank, without an embedder words alone find; ``note`` says either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.events import Event, Feedback, Note
from onward.features.memory.fold import CAPACITY, NAMES, Candidates, Memory
from onward.features.sentences import Embedder
from onward.models.memory import fixed, forgetting
from onward.serving.answers.base import Part
from onward.serving.questions.memory import MemoryAnswer, MemoryRequest, Recalled, WhyRecalled

__all__ = ["Recaller"]

log = logging.getLogger(__name__)

LEAST = 0.15
"""Notes whose P(relevant) is below this are not given."""
SURE = 0.5
"""From this P(relevant) of the first note on the answer is called sure."""
AT_ONCE = 4
"""Vectors that are made up for on the way of an answer; `Recaller.tend` makes the others."""
KEEP_EVERY = 4_096
"""Vectors that may be lost where the process ends before all are made."""

NO_MODEL = "no model is published; fixed weights rank"
BEATEN = "the model did not beat the fixed weights; these rank"
NO_EMBEDDER = "there is no sentence model; notes are found by their words alone"
NOTHING = "nothing relevant is known"


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
        folder: Path | None = None,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time,
    ) -> None:
        self._memory = Memory(embedder, capacity=capacity)
        self._embedder = embedder
        self._folder = folder
        self._looked = folder is None  # whether the vectors on disk were taken
        self._unkept = 0  # vectors that are not on disk
        self._part: Part | None = None
        self._clock = clock
        self._lock = threading.Lock()  # answers may come while events are learned

    @property
    def memory(self) -> Memory:
        """The notes that it answers from."""
        return self._memory

    def use(self, part: Part | None) -> None:
        """Rank with this model from now on; None = fixed weights rank."""
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event; all but notes and feedback change nothing."""
        if isinstance(event, Note | Feedback):
            with self._lock:
                self._memory.learn(event)

    def tend(self, most: int = 64) -> int:
        """Make vectors that notes still wait for, and give how many; call it when idle.

        Those that were kept on disk are taken first, and new ones are kept once none is missing.
        """
        if self._embedder is None or not self._memory.pending:
            return 0
        self._look()
        made = self._embed(most)
        self._unkept += made
        if self._folder is not None and (not self._memory.pending or self._unkept >= KEEP_EVERY):
            self._keep(self._folder)
        return made

    def _embed(self, most: int) -> int:
        assert self._embedder is not None  # noqa: S101 -- its callers looked
        with self._lock:
            waiting = self._memory.missing(most)
        rows = self._embedder.embed([text for _, text in waiting])
        with self._lock:
            for (slot, text), row in zip(waiting, rows, strict=True):
                self._memory.place(slot, text, row)
        return len(waiting)

    def _look(self) -> None:
        """Take the vectors that an earlier process kept."""
        if not self._looked and self._folder is not None:
            self._looked = True
            with self._lock:
                self._memory.load_vectors(self._folder)

    def _keep(self, folder: Path) -> None:
        try:
            with self._lock:
                self._memory.save_vectors(folder)
        except OSError as error:  # only the next start will be slower
            log.warning("the notes' vectors cannot be kept: %s", error)
        self._unkept = 0

    def answer(self, request: MemoryRequest) -> MemoryAnswer:
        """The notes that a question most probably is about; changes nothing of what was folded."""
        if self._embedder is not None and self._memory.pending:
            self._unkept += self._embed(AT_ONCE)
        vector = self._memory.vector(request.query)
        now = self._clock()
        with self._lock:
            found = self._memory.candidates(request.query, vector, project=request.project, now=now)
            p = self._p(found)
            best = self._best(found, p)[: request.most]
            if self._live is not None and best:
                self._live.lead(best[0])
            notes = [self._recalled(found, row, float(p[row]), now) for row in best]
            return MemoryAnswer(
                notes=notes,
                sure=bool(notes) and notes[0].p >= SURE,
                note=self._note(bool(notes)),
                model=self._live.version if self._live else "",
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
