"""Forecasts of one series mixed by what each was worth, with intervals that keep their promise.

No forecaster is best on every machine. `Blend` weighs some, the learned one among them, by their
recent losses on this very series (the exponentially weighted average: its loss stays near that of
the best of them, whatever comes). Around the mixture it lays the model's spread, stretched on each
side by a factor that grows when the truth fell outside more often than promised and shrinks
when less often: so each side misses as often as it should, in the long run of any series, also
where the model never saw its like.

References
----------
Cesa-Bianchi & Lugosi, *Prediction, learning, and games*, 2006, chapter 2 (weights); Gibbs & Candès,
*Adaptive conformal inference under distribution shift*, NeurIPS 2021; Angelopoulos, Candès &
Tibshirani, *Conformal PID control for time series prediction*, NeurIPS 2023 (tracking a quantile).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

import msgspec

__all__ = ["MISS", "Blend", "Span"]

MISS = 0.1
"""Share of truths that may fall below the interval, and above it."""
ETA = 0.5
"""How fast weight leaves a forecaster that lost more than the best."""
KEEP = 0.997
"""What is left of a loss at the next one; about 330 count."""
TRUST = 0.5
"""Log-weight of the learned forecast above the simple ones, before losses count."""
FIRST_TRUST = 3.0
"""As much more at the first forecast: it knows many series, the losses know none yet."""
TRUST_TICKS = 30.0
"""Losses after which half of that is left."""
FEW = 50.0
"""Losses up to which the weights hold back."""
STEP = 0.05
"""How far one miss moves a side's stretch, in logarithms, once a series is known."""
FIRST_STEP = 0.25
"""The same at its first forecast."""


class Span(NamedTuple):
    """A forecast: the 10 %, 50 % and 90 % quantiles, in the series' unit."""

    low: float
    middle: float
    high: float


class Blend(msgspec.Struct):
    """Forecasters of one series at one horizon.

    >>> blend = Blend()
    >>> span = blend.forecast([1.0, 9.0], below=1.0, above=1.0, due=1)
    >>> blend.learn(1, 1.0)
    >>> blend.forecast([1.0, 9.0], below=1.0, above=1.0, due=2).middle < span.middle
    True
    """

    losses: list[float] = []
    """Fading sums of absolute errors, one a forecaster."""
    weight: float = 0.0
    """The fading number of errors."""
    low: float = 0.0
    """Logarithm of the lower side's stretch."""
    high: float = 0.0
    seen: int = 0
    waiting: list[tuple[int, tuple[float, ...], Span]] = []
    """Due tick, forecasts, and what was said, until the truth is known."""

    def forecast(
        self,
        experts: Sequence[float],
        *,
        below: float,
        above: float,
        due: int,
        learned: bool = True,
    ) -> Span:
        """The mixture now, which is remembered until tick ``due``.

        Parameters
        ----------
        experts
            One forecast each, the learned one first; always as many.
        below, above
            How far the model's outer quantiles lie from its middle.
        due
            The tick whose reading will tell the truth.
        learned
            Whether the first is a model's, and begins with more trust.
        """
        middle = self._mixture(experts, learned)
        span = Span(middle - below * exp(self.low), middle, middle + above * exp(self.high))
        self.waiting.append((due, tuple(experts), span))
        return span

    def weights(self, count: int, *, learned: bool = True) -> list[float]:
        """What share each forecaster has now."""
        losses = self.losses if len(self.losses) == count else [0.0] * count
        best = min(losses)
        pace = ETA * min(self.weight, FEW) / (best + 1e-9 * (self.weight + 1.0))
        logs = [-min(pace * (loss - best), 700.0) for loss in losses]
        if learned:
            logs[0] += TRUST + FIRST_TRUST / (1.0 + self.seen / TRUST_TICKS)
        top = max(logs)
        raw = [exp(one - top) for one in logs]
        total = sum(raw)
        return [one / total for one in raw]

    def _mixture(self, experts: Sequence[float], learned: bool) -> float:
        shares = self.weights(len(experts), learned=learned)
        return sum(share * one for share, one in zip(shares, experts, strict=True))

    def learn(self, tick: int, actual: float) -> None:
        """Take in the reading of a tick: the truth of what was due at it."""
        while self.waiting and self.waiting[0][0] <= tick:
            due, experts, span = self.waiting.pop(0)
            if due == tick:
                self._learn(experts, span, actual)

    def _learn(self, experts: Sequence[float], span: Span, actual: float) -> None:
        if len(self.losses) != len(experts):
            self.losses, self.weight = [0.0] * len(experts), 0.0
        self.losses = [
            KEEP * loss + abs(one - actual) for loss, one in zip(self.losses, experts, strict=True)
        ]
        self.weight = KEEP * self.weight + 1.0
        self.seen += 1
        step = max(STEP, FIRST_STEP / (1.0 + 0.1 * self.seen))
        self.low = min(5.0, max(-9.0, self.low + step * ((actual < span.low) - MISS)))
        self.high = min(5.0, max(-9.0, self.high + step * ((actual > span.high) - MISS)))
