"""One resource in time, folded: what is known of it now, free of units.

Readings become ticks at most one a minute: of those that come faster, percentages are averaged
and of amounts the last counts. A series keeps its last ticks, how it usually stands at this time
of day, how and where it fell, and gives from them, for a horizon of some ticks, differences over
lags and windows, slopes and distances to the limit. All are divided by how much this very series
moves in such a time, so that a phone's memory and a server's disk look alike, and what is learned
from one machine holds on another.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.dumps import version_of

__all__ = ["FULL", "HORIZONS_MIN", "NAMES", "TICKS", "VERSION", "Series", "View"]

Floats = NDArray[np.float64]

HORIZONS_MIN = (5, 10, 15, 30)
"""Minutes ahead that are spoken of."""
SPARSE_STEPS = (1, 2, 3, 6)
"""Where ticks are five minutes or more apart, the horizons are so many ticks."""
TICK_S = 60.0
TICKS = 128
"""Ticks that are remembered."""
FULL = 0.97
"""Share of its limit at which a resource counts as exhausted; a refusal counts at any share."""
PHASES = 96
"""Parts of the day, 15 minutes each."""
_DAY_S = 86_400.0
_LAGS = (1, 2, 3, 6, 12, 24, 48)
_MEANS = (3, 6, 12, 24, 48, 96)
_MEDIANS = (5, 11, 25)
_EXTREMES = (6, 12, 24, 96)
_SLOPES = (4, 8, 16, 32, 64)
_ETAS = (4, 8, 16, 32)

_UNIT_NAMES = (
    *(f"lag_{w}" for w in _LAGS),
    *(f"mean_{w}" for w in _MEANS),
    *(f"median_{w}" for w in _MEDIANS),
    *(f"max_{w}" for w in _EXTREMES),
    *(f"min_{w}" for w in _EXTREMES),
    *("fast", "slow", "low_ever", "high_ever", "drop_top", "drop_size", "headroom"),
)
"""Differences from now in the series' unit, divided by its scale at the horizon."""
NAMES: tuple[str, ...] = (
    *("steps", "tick_minutes", "seen"),
    *_UNIT_NAMES,
    *(f"slope_{w}" for w in _SLOPES),
    *("lag_h", "lag_2h", "mean_h", "mean_2h", "day"),
    *("scale_share", "scale_ratio", "recent_ratio", "turn", "still", "rises", "falls"),
    *(f"eta_{w}" for w in _ETAS),
    *("eta_h", "eta_2h", "full_share", "since_drop", "drops", "drop_share", "cycle_part"),
)
"""Names of the numbers in a row, in order."""
_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a number changes."""


_MEAN_6, _MEAN_24, _MEDIAN_11 = map(_UNIT_NAMES.index, ("mean_6", "mean_24", "median_11"))


class View(NamedTuple):
    """A series as it is now, at each of `HORIZONS_MIN`."""

    X: NDArray[np.float32]
    """(4, len(`NAMES`))"""
    scale: Floats
    """(4,) what one unit of the target is, in the series' unit."""
    steps: tuple[int, ...]
    """(4,) the horizons in ticks."""
    experts: Floats
    """(4, experts) simple forecasts, in the series' unit: see `EXPERTS`."""


EXPERTS = ("persistence", "mean_6", "trend_6", "trend_12", "fast", "mean_24", "median_11", "day")
"""The simple forecasts, in order; the first three are the trivial peers."""


_WINDOWS = tuple(sorted({*_SLOPES, 6, 12}))
_LONGEST = max(_WINDOWS)


def _slope_weights(window: int) -> Floats:
    """Weights whose product with the last ticks is their least-squares slope."""
    place = np.arange(window) - (window - 1) / 2.0
    weights = np.zeros(_LONGEST)
    weights[-window:] = place / (place @ place)
    return weights


_WEIGHTS = np.array([_slope_weights(w) for w in _WINDOWS])


class Series(msgspec.Struct):
    """The state of one resource of one host."""

    percent: bool = False
    """Readings between ticks are averaged."""
    limit: float = math.nan
    refused: bool = False
    at: float = 0.0
    """Time of the last tick."""
    tick_s: float = TICK_S
    """Time between ticks, as it usually is."""
    n: int = 0
    """Ticks so far."""
    values: list[float] = []
    gaps: list[float] = []
    pending: list[float] = []
    """Sum and count of what came since the last tick."""
    fast: float = 0.0
    slow: float = 0.0
    moved: float = 0.0
    """Running mean of the moves from tick to tick."""
    low: float = math.inf
    high: float = -math.inf
    drops: int = 0
    dropped_n: int = 0
    drop_top: float = 0.0
    """Where it stood before it fell, a running mean."""
    drop_size: float = 0.0
    day: dict[int, float] = {}
    """Part of the day -> how it stood then, later days counting more."""

    def learn(self, at: float, used: float, limit: float, *, refused: bool = False) -> bool:
        """Take in a reading; True where it made a tick."""
        self.limit = limit
        self.refused = refused or (limit > 0.0 and used >= FULL * limit)
        gap = at - self.at
        if self.n and gap < 0.7 * TICK_S and not self.refused:
            if gap > 0.0 and self.percent:
                total, count = self.pending or (0.0, 0.0)
                self.pending = [total + used, count + 1.0]
            return False
        if self.pending:
            used = (self.pending[0] + used) / (self.pending[1] + 1.0)
            self.pending = []
        if self.n:
            self._learn_gap(max(gap, 1.0))
        self.at = max(at, self.at) if gap > -_DAY_S else at
        self._push(used)
        return True

    def _learn_gap(self, gap: float) -> None:
        self.gaps = [*self.gaps[-8:], gap]
        self.tick_s = max(TICK_S, sorted(self.gaps)[len(self.gaps) // 2])

    def _push(self, used: float) -> None:
        if self.n:
            move = used - self.values[-1]
            if move < -4.0 * self.moved and self.n > 4:
                self._drop(-move)
            self.moved += (abs(move) - self.moved) / min(self.n, 20)
            self.fast += 0.3 * (used - self.fast)
            self.slow += 0.05 * (used - self.slow) if self.n > 20 else (used - self.slow) / self.n
        else:
            self.fast = self.slow = used
        self.n += 1
        self.values.append(used)
        if len(self.values) >= 2 * TICKS:
            del self.values[:-TICKS]
        self.low, self.high = min(self.low, used), max(self.high, used)
        phase = self._phase(0.0)
        known = self.day.get(phase)
        self.day[phase] = used if known is None else known + 0.3 * (used - known)

    def _drop(self, size: float) -> None:
        rate = 0.5 if self.drops else 1.0
        self.drop_top += rate * (self.values[-1] - self.drop_top)
        self.drop_size += rate * (size - self.drop_size)
        self.drops += 1
        self.dropped_n = self.n

    def _phase(self, ahead_s: float) -> int:
        return int((self.at + ahead_s) % _DAY_S * PHASES / _DAY_S)

    def steps(self) -> tuple[int, ...]:
        """`HORIZONS_MIN` in ticks."""
        if self.tick_s >= 290.0:
            return SPARSE_STEPS
        return tuple(max(1, round(60.0 * h / self.tick_s)) for h in HORIZONS_MIN)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # readings may be absurd
    def view(self) -> View:
        """What is known now, at each horizon; the series must have a tick."""
        x = np.array(self.values[-TICKS:])
        now, size = float(x[-1]), len(x)
        head = np.empty(size + 1)
        head[0] = 0.0
        np.cumsum(x - now, out=head[1:])
        slopes = self._slopes(x)
        moves = np.abs(x[1:] - x[:-1])
        unit = 0.002 * (self.limit if self.limit > 0.0 else abs(now)) + 1e-9
        one = (float(moves.sum()) + 4.0 * unit) / (size + 3.0)
        base = self._base(x, head, now)
        shared = self._shared(x, moves, one, slopes)
        steps = self.steps()
        left = self.limit - now
        wide = self.limit if self.limit > 0.0 else abs(now) + 1e-9
        rows, scales, experts = np.empty((len(steps), len(NAMES))), [], []
        for place, k in enumerate(steps):
            scale = _scale(x, k, one)
            day = self._day(k, now)
            back, far = self._lag(x, k), self._lag(x, 2 * k)
            parts = (back, far, -_mean(head, k), -_mean(head, 2 * k), day)
            rows[place] = (
                *(math.log2(k), math.log2(self.tick_s / 60.0), min(self.n, 500)),
                *[part / scale for part in base],
                *[slopes[w] * k / scale for w in _SLOPES],
                *[part / scale for part in parts],
                *(scale / wide, one / scale),
                *shared[:5],
                *[_eta(left, slopes[w] * k, scale) for w in _ETAS],
                *(_eta(left, back, scale), _eta(left, far / 2.0, scale)),
                *shared[5:],
            )
            scales.append(scale)
            experts.append(self._experts(now, k, slopes, base, day))
        X = np.clip(rows, -1e4, 1e4).astype(np.float32)
        return View(X, np.array(scales), steps, np.array(experts))

    def _slopes(self, x: Floats) -> dict[int, float]:
        """Change a tick over each window, by least squares, or over what there is of it."""
        size = len(x)
        if size >= _LONGEST:
            return dict(zip(_WINDOWS, (_WEIGHTS @ x[-_LONGEST:]).tolist(), strict=True))
        plain = float(x[-1] - x[0]) / max(1, size - 1)
        fits = (_WEIGHTS[:, -size:] @ x).tolist()
        return {w: fit if size >= w else plain for w, fit in zip(_WINDOWS, fits, strict=True)}

    def _lag(self, x: Floats, k: int) -> float:
        return float(x[-1] - x[max(-1 - k, -len(x))])

    def _base(self, x: Floats, head: Floats, now: float) -> list[float]:
        """The differences that are divided by the scale."""
        last, size = x.tolist(), len(x)
        fell = self.drops > 0
        middles = [sorted(last[-w:])[min(w, size) // 2] for w in _MEDIANS]
        return [
            *[now - last[max(-1 - w, -size)] for w in _LAGS],
            *[_mean(head, w) for w in _MEANS],
            *[middle - now for middle in middles],
            *[max(last[-w:]) - now for w in _EXTREMES],
            *[min(last[-w:]) - now for w in _EXTREMES],
            *(self.fast - now, self.slow - now, self.low - now, self.high - now),
            *(self.drop_top - now if fell else math.nan, self.drop_size if fell else math.nan),
            self.limit - now,
        ]

    def _shared(
        self, x: Floats, moves: Floats, one: float, slopes: dict[int, float]
    ) -> tuple[float, ...]:
        """What is the same at every horizon."""
        last = x[-13:]
        steps = last[1:] - last[:-1]
        since = self.n - self.dropped_n if self.drops else math.nan
        period = self.drop_size / max(slopes[16], 1e-9 * abs(self.drop_size) + 1e-12)
        return (
            (float(moves[-6:].mean()) if len(moves) else 0.0) / one,
            (slopes[6] - slopes[12]) / one,
            float(np.count_nonzero(steps == 0.0)) / 12.0,
            float(np.count_nonzero(steps > 0.0)) / 12.0,
            float(np.count_nonzero(steps < 0.0)) / 12.0,
            x[-1] / self.limit if self.limit > 0.0 else math.nan,
            since,
            min(self.drops, 20),
            self.drop_top / self.limit if self.drops and self.limit > 0.0 else math.nan,
            min(since / max(period, 1.0), 100.0) if self.drops else math.nan,
        )

    def _day(self, k: int, now: float) -> float:
        """How much it usually moves from this time of day to that of the horizon."""
        here, there = self._phase(0.0), self._phase(k * self.tick_s)
        if there not in self.day or self.n * self.tick_s < _DAY_S:
            return math.nan
        return self.day[there] - self.day.get(here, now)

    def _experts(
        self, now: float, k: int, slopes: dict[int, float], base: list[float], day: float
    ) -> list[float]:
        return [
            now,
            now + base[_MEAN_6],
            now + slopes[6] * k,
            now + slopes[12] * k,
            self.fast,
            now + base[_MEAN_24],
            now + base[_MEDIAN_11],
            now if math.isnan(day) else now + day,
        ]


def _mean(head: Floats, window: int) -> float:
    """Mean over the last ticks, as a difference from now."""
    window = min(window, len(head) - 1)
    return float(head[-1] - head[-1 - window]) / window


def _scale(x: Floats, k: int, one: float) -> float:
    """How much the series moves in k ticks: measured where there are ticks, else guessed."""
    apart = x[k:] - x[:-k]
    guess = one * k**0.7
    return float(np.abs(apart).sum() + 6.0 * guess) / (len(apart) + 6.0)


def _eta(left: float, step: float, scale: float) -> float:
    """Horizons until the limit if it goes on by so much a horizon; 50 = not in sight."""
    if math.isnan(left):
        return math.nan
    return 50.0 if step <= 0.002 * scale else min(50.0, max(left, 0.0) / step)
