"""How sure a reading of a prompt must be to go ahead on it unasked: a precision, kept.

The likeliest kind's probability says how often it is right only roughly, and times change. So what
was read before is kept beside what it came to be: `onward.models.online` makes P(right) of the
kind's probability and of how many of the nearest past prompts led to it, and
`onward.decisions.risk` finds the lowest P(right) from which the newest readings were right as often
as the user asks for, by a finite-sample test. Where no threshold passes it, it is infinite: ask.
"""

from __future__ import annotations

from collections import deque
from math import exp, inf, sqrt
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Prompt
from onward.decisions.risk import Threshold, execute_threshold
from onward.features.intent.fold import NAMES
from onward.features.intent.work import KINDS
from onward.models.online import Online

__all__ = ["Ahead", "Reading", "SavedAhead", "reading_of"]

NEWEST = 400
"""Readings that the threshold rests on; older ones tell of other times."""
CONFIDENCE = 0.8
"""Probability with which the stated precision must hold. Less than for steps that are executed:
only work that can be undone goes ahead, and at 95 % a band needs some 30 readings without many
mistakes before it opens at all."""


class Reading(NamedTuple):
    """What was read from a prompt before its work was known."""

    agent: str
    session: str
    kind: str
    """The likeliest kind of work."""
    p: float
    """Its probability by the running choice."""
    backed: float
    """Share of the nearest past prompts that led to it: the mean of those by words and by vectors,
    geometric, for both must agree."""


_CHOICE, _ALIKE, _NEAR = (
    slice(first, first + len(KINDS))
    for first in (NAMES.index(f"{block}_{KINDS[0]}") for block in ("choice", "alike", "near"))
)
_LEAST = 1e-3
"""What a share of the nearest counts at least."""


def reading_of(prompt: Prompt, vector: NDArray[np.float32]) -> Reading:
    """The likeliest kind of a prompt with these features, and what speaks for it."""
    best = int(vector[_CHOICE].argmax())
    alike, near = float(vector[_ALIKE][best]), float(vector[_NEAR][best])
    if not vector[_NEAR].any():  # there are no vectors
        near = alike
    return Reading(
        prompt.agent,
        prompt.session,
        KINDS[best],
        exp(float(vector[_CHOICE][best])),
        sqrt(max(alike, _LEAST) * max(near, _LEAST)),
    )


class SavedAhead(msgspec.Struct):
    """The state of an `Ahead` on disk."""

    online: dict[str, Any]
    judged: list[tuple[float, bool, str]]


class Ahead:
    """P(right) of readings, and from where on they are right often enough.

    >>> ahead, reading = Ahead(), Reading("", "s", "fix", 0.9, 0.9)
    >>> ahead.threshold(0.8).value
    inf
    >>> for n in range(40):
    ...     ahead.learn(reading._replace(session=f"s{n}"), right=True)
    >>> ahead.sure(reading) >= ahead.threshold(0.8).value
    True
    """

    def __init__(self) -> None:
        self._online = Online()
        self._judged: deque[tuple[float, bool, str]] = deque(maxlen=NEWEST)
        self._found: dict[float, Threshold] = {}

    def sure(self, reading: Reading) -> float:
        """P(the likeliest kind is the right one)."""
        return self._online.predict(reading.agent, model=reading.p, counts=reading.backed)

    def learn(self, reading: Reading, *, right: bool) -> None:
        """Take in what a prompt came to be; what was said of it is said again as of now."""
        self._judged.append((self.sure(reading), right, reading.session))
        self._online.learn(reading.agent, model=reading.p, counts=reading.backed, success=right)
        self._found.clear()

    def threshold(self, precision: float) -> Threshold:
        """The lowest P(right) whose past precision is as high as stated; infinite = ask."""
        found = self._found.get(precision)
        if found is None:
            found = self._found[precision] = self._threshold(1.0 - precision)
        return found

    def _threshold(self, rate: float) -> Threshold:
        if not self._judged:
            return Threshold(value=inf, rate=rate, confidence=CONFIDENCE)
        sure, right, sessions = zip(*self._judged, strict=True)
        wrong = [not each for each in right]
        return execute_threshold(sure, wrong, rate=rate, confidence=CONFIDENCE, groups=sessions)

    def dump(self) -> SavedAhead:
        """What was learned."""
        return SavedAhead(self._online.dump(), list(self._judged))

    @classmethod
    def load(cls, saved: SavedAhead) -> Ahead:
        """Back from `dump`; raises `BundleError` where it is damaged."""
        ahead = cls()
        ahead._online = Online.load(saved.online)
        ahead._judged.extend(saved.judged)
        return ahead
