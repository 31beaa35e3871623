"""What lies ahead of one resource: its series, the learned model and the online layer as one.

The same code walks a log in experiments and in service: at every tick the forecasts that are due
are learned from, then the next are made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from math import erfc, exp, isnan, sqrt
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.resources.series import FULL, HORIZONS_MIN, NAMES, Series, View
from onward.models.blend import Blend, Span
from onward.models.calibrate import Calibrator

__all__ = ["LEAST", "STEP_BORDERS", "UNIT", "Ahead", "Head", "Outlook", "exhaustion_minutes"]

Floats = NDArray[np.float64]
Run = Callable[[NDArray[np.float32]], Any]

UNIT = 10.0
"""Scales that the model's unit is worth: its outputs stay near 1, where float32 is exact enough."""
SPREAD = 1.5
"""Without a model: half an interval, in the series' usual moves."""
STEP_BORDERS = (2, 7, 20)
"""Horizons in ticks up to which one widening of the intervals holds."""
LEAST = 1e-6
"""The narrowest side of an interval before it is stretched, in scales."""
_REACH_8 = NAMES.index("reach_8")


class Head(NamedTuple):
    """A fitted model as it is asked.

    Attributes
    ----------
    run
        Rows (n, d) to (n, 4): the three quantiles of the move in scales, and the raw probability
        of exhaustion.
    calibrator
        From that to the probability.
    alarm
        The probability within ten minutes at which an alarm is raised.
    stretch
        How much the lower and the upper side are widened, for each range of `STEP_BORDERS`.
    """

    run: Run
    calibrator: Calibrator
    alarm: float
    stretch: list[list[float]]

    @classmethod
    def of(cls, run: Run, facts: Mapping[str, Any]) -> Head:
        """From what `onward.models.forecast.Forecast.facts` gave; raises `BundleError`."""
        stretch = msgspec.convert(facts["stretch"], list[list[float]])
        return cls(run, Calibrator.from_json(facts["calibrator"]), float(facts["alarm"]), stretch)


class Ahead(NamedTuple):
    """What was forecast at a tick."""

    at: float
    minutes: tuple[float, ...]
    """The horizons."""
    spans: tuple[Span, ...]
    p: tuple[float, ...]
    """P(exhausted within each horizon); NaN = no limit is known. Never falls."""


class Outlook(msgspec.Struct):
    """One resource of one host, and what was forecast of it."""

    series: Series
    blends: list[Blend] = msgspec.field(default_factory=lambda: [Blend() for _ in HORIZONS_MIN])
    alarm: bool = False
    """An alarm is raised."""
    alarm_at: float = 0.0
    """When it was."""

    def learn(
        self,
        at: float,
        used: float,
        limit: float,
        *,
        refused: bool = False,
        head: Head | None = None,
    ) -> Ahead | None:
        """Take in a reading; where it makes a tick, forecast."""
        if not self.tick(at, used, limit, refused=refused):
            return None
        view = self.series.view()
        return self.forecast(view, None if head is None else head.run(view.X), head)

    def tick(self, at: float, used: float, limit: float, *, refused: bool = False) -> bool:
        """Take in a reading, and the truth of what was due; True where it made a tick."""
        series = self.series
        if not series.learn(at, used, limit, refused=refused):
            return False
        for blend in self.blends:
            blend.learn(series.n, series.values[-1])
        return True

    def forecast(self, view: View, said: Any, head: Head | None) -> Ahead:
        """Forecast from the view after a tick, and what the model says of it (4, 4)."""
        if said is None or head is None:
            rows = [[-SPREAD, 0.0, SPREAD]] * len(view.steps)
            p = _p_by_trend(view.X)
        else:
            table = np.asarray(said, np.float64)
            rows = _widened((table[:, :3] * UNIT).tolist(), view.steps, head.stretch)
            p = [head.calibrator.apply_one(one) for one in table[:, 3].tolist()]
        spans = self._spans(view, rows, learned=head is not None)
        if self.series.percent:
            p = [_p_by_span(span, FULL * self.series.limit) for span in spans]
        minutes = tuple(step * self.series.tick_s / 60.0 for step in view.steps)
        ahead = Ahead(self.series.at, minutes, spans, self._rising(p))
        self._watch(ahead, head)
        return ahead

    def _spans(self, view: View, rows: list[list[float]], *, learned: bool) -> tuple[Span, ...]:
        now, n, spans = self.series.values[-1], self.series.n, []
        scales, experts = view.scale.tolist(), view.experts.tolist()
        for place, (blend, (low, middle, high)) in enumerate(zip(self.blends, rows, strict=True)):
            scale = scales[place]
            span = blend.forecast(
                [now + middle * scale, *experts[place]],
                below=max(middle - low, LEAST) * scale,
                above=max(high - middle, LEAST) * scale,
                due=n + view.steps[place],
                learned=learned,
            )
            spans.append(_within(span, self.series.limit))
        return tuple(spans)

    def _rising(self, p: Sequence[float]) -> tuple[float, ...]:
        """Probabilities that never fall with the horizon; 1 where it is exhausted now."""
        if not self.series.limit > 0.0:
            return (float("nan"),) * len(p)
        if self.series.refused:
            return (1.0,) * len(p)
        return tuple(np.maximum.accumulate(p).tolist())

    def _watch(self, ahead: Ahead, head: Head | None) -> None:
        """Raise the alarm when exhaustion within ten minutes is likely; lower it far below."""
        if self.series.percent:  # to be busy is no harm
            return
        bar = head.alarm if head else 0.5
        if ahead.p[1] >= bar and not self.alarm:
            self.alarm, self.alarm_at = True, ahead.at
        elif self.alarm and not ahead.p[3] >= 0.5 * bar:
            self.alarm = False


def _p_by_trend(X: NDArray[np.float32]) -> list[float]:
    """Without a model: by when the trend of the last eight ticks reaches the limit."""
    return [_p_by_reach(reach) for reach in X[:, _REACH_8].tolist()]


def _p_by_reach(reach: float) -> float:
    if not reach > 0.0:
        return 0.0
    return 1.0 / (1.0 + exp(min(60.0, 8.0 * (1.0 / reach - 1.0))))


def _widened(
    rows: list[list[float]], steps: Sequence[int], stretch: list[list[float]]
) -> list[list[float]]:
    found = []
    for (low, middle, high), k in zip(rows, steps, strict=True):
        below, above = stretch[bisect_left(STEP_BORDERS, k)]
        found.append([middle - below * (middle - low), middle, middle + above * (high - middle)])
    return found


def _p_by_span(span: Span, full: float) -> float:
    """How likely it is above a value, as if the upper half were that of a normal curve."""
    spread = (span.high - span.middle) / 1.2816
    if isnan(full) or spread <= 0.0:
        return float(span.middle >= full)
    return 0.5 * erfc((full - span.middle) / spread / sqrt(2.0))


def _within(span: Span, limit: float) -> Span:
    """Nothing is used below zero, nor above the limit."""
    most = limit if limit > 0.0 else float("inf")
    low, middle, high = (min(most, one) for one in span)
    return Span(max(0.0, low), max(0.0, middle), max(0.0, high)) if limit > 0.0 else span


def exhaustion_minutes(ahead: Ahead, share: float) -> float | None:
    """Minutes until it is exhausted with this probability; None = beyond the last horizon.

    Between horizons the probability is taken to rise evenly.
    """
    minute, p = 0.0, 0.0
    for next_minute, next_p in zip(ahead.minutes, ahead.p, strict=True):
        if next_p >= share:
            rise = next_p - p
            return minute + (next_minute - minute) * ((share - p) / rise if rise > 0.0 else 0.0)
        minute, p = next_minute, next_p
    return None
