"""A note as memory keeps it, and what came of it.

Its usefulness is a Beta posterior over "it helps", fed by feedback whose weight halves every
`HALF_LIFE_S`: what misled sinks, and may rise again when the reasons for it have gone.
"""

from __future__ import annotations

import hashlib
from math import exp2, log
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Note

__all__ = ["Facts", "Kept", "digest", "faded", "text_of"]

HALF_LIFE_S = 60 * 86_400.0
"""Seconds after which feedback weighs half."""
PRIOR = 1.0
"""Feedback of either kind that a note begins with."""


class Kept(msgspec.Struct):
    """A note in memory."""

    note: Note
    count: int = 1
    """How often it was noted."""
    helped: float = 0.0
    misled: float = 0.0
    """Feedback, discounted up to `judged`."""
    judged: float = 0.0
    """When feedback last came, Unix seconds; 0 = unknown."""
    last: float = 0.0
    """When it was last noted, Unix seconds; 0 = unknown."""
    aliases: list[str] = []
    """Ids of the latest notes that joined it."""

    def judge(self, *, helped: bool, at: float) -> None:
        """Take in feedback."""
        fade = faded(self.judged, at)
        self.helped = self.helped * fade + helped
        self.misled = self.misled * fade + (not helped)
        self.judged = max(self.judged, at)

    def evidence(self, now: float) -> tuple[float, float]:
        """Feedback for and against, discounted by its age."""
        fade = faded(self.judged, now)
        return self.helped * fade, self.misled * fade

    def useful(self, now: float) -> float:
        """Log-odds that it helps: of the Beta posterior's mean, 0 without feedback.

        >>> Kept(Note(id="1", session="s", text="t"), misled=3.0).useful(0.0) < -1
        True
        """
        helped, misled = self.evidence(now)
        return log((PRIOR + helped) / (PRIOR + misled))


class Facts:
    """What is known of the note in each slot beside its text: quick for many at once."""

    def __init__(self) -> None:
        self._table = np.zeros((256, len(_FACTS)))

    def put(self, slot: int, kept: Kept) -> None:
        """Take over what a note's facts are now."""
        while slot >= len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        self._table[slot] = (
            kept.helped,
            kept.misled,
            kept.judged,
            kept.last,
            kept.count,
            _number(kept.note.project),
        )

    def columns(self, slots: NDArray[np.intp], *, project: str, now: float) -> NDArray[np.float64]:
        """(n, 4) same project, log(1 + days since it was noted), `Kept.useful`, log(count)."""
        helped, misled, judged, last, count, where = self._table[slots].T
        age = np.where((judged > 0) & (now > judged), now - judged, 0.0)
        fade = np.exp2(-age / HALF_LIFE_S)
        useful = np.log((PRIOR + helped * fade) / (PRIOR + misled * fade))
        days = np.where(last > 0, np.maximum(now - last, 0.0) / DAY_S, 0.0)
        same = (where == _number(project)) & bool(project)
        return np.column_stack([same, np.log1p(days), useful, np.log(count)])


_FACTS = ("helped", "misled", "judged", "last", "count", "project")
DAY_S = 86_400.0


def _number(project: str) -> int:
    return crc32(project.encode("utf-8", "replace"))


def faded(then: float, now: float) -> float:
    """What evidence of one time still weighs at another; 1 where either is unknown."""
    if not (then and now > then):
        return 1.0
    return exp2(-(now - then) / HALF_LIFE_S)


def text_of(note: Note) -> str:
    """The text by which a note is found: what it is about, and what was decided."""
    return f"{note.about}. {note.text}" if note.about else note.text


def digest(text: str) -> str:
    """A short name of a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
