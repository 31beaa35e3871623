"""A note as memory keeps it, and what came of it.

Its usefulness is a Beta posterior over "it helps", fed by feedback whose weight halves every
`HALF_LIFE_S`: what misled sinks, and may rise again when the reasons for it have gone.
"""

from __future__ import annotations

import hashlib
from math import exp, log

import msgspec

from onward.data.events import Note

__all__ = ["Kept", "digest", "faded", "text_of"]

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


def faded(then: float, now: float) -> float:
    """What evidence of one time still weighs at another; 1 where either is unknown."""
    if not (then and now > then):
        return 1.0
    return exp(-log(2.0) * (now - then) / HALF_LIFE_S)


def text_of(note: Note) -> str:
    """The text by which a note is found: what it is about, and what was decided."""
    return f"{note.about}. {note.text}" if note.about else note.text


def digest(text: str) -> str:
    """A short name of a text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()
