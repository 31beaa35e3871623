"""One resource in time, folded: what is known of it now, free of units.

Readings become ticks at most one a minute: of those that come faster, percentages are averaged
and of amounts the last counts. A series keeps its last ticks, how it usually stands at this time
of day, how and where it fell, and gives from them, for a horizon of some ticks, differences over
lags and windows, slopes and distances to the limit. All are divided by how much this very series
moves in such a time, so that a phone's memory and a server's disk look alike, and what is learned
from one machine holds on another. What is about the limit (`LEAK_NAMES`) is the same for every
leak: the share of what is left that each slope takes within the horizon, for how long it has grown,
and where it would turn back if it did as before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.dumps import version_of

__all__ = ["FULL", "HORIZONS_MIN", "LEAK_NAMES", "NAMES", "TICKS", "VERSION", "Series", "View"]

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
_REACHES = (4, 8, 16, 32)
TOPS = 8
"""Heights that it turned back from, as many as are remembered."""
PASSED = 0.1
"""A height is passed once it is exceeded by so much of the last fall."""
TURN = 0.25
"""It turned once it went back by this share of all that it ever moved through."""
_RECENT = 64
"""Ticks whose lowest is where a growth began."""

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
    *(f"reach_{w}" for w in _REACHES),
    *("reach_h", "reach_2h", "grown"),
    *("full_share", "since_drop", "drops", "drop_share", "cycle_part"),
    *("ceiling", "over_ceiling", "came_back"),
)
"""Names of the numbers in a row, in order."""
_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a number changes."""

LEAK_NAMES: dict[str, int] = {
    "steps": 0,
    **{f"reach_{w}": 1 for w in _REACHES},
    "headroom": -1,
    "grown": 1,
    "full_share": 1,
    "ceiling": -1,
    "over_ceiling": 1,
    "came_back": -1,
}
"""What tells whether the limit comes: name -> 1 where more of it makes that likelier, -1 less."""


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
    tops: list[float] = []
    """Where it turned back, however slowly, the last times."""
    turn: float = 0.0
    """The highest since it last turned up, or the lowest since it turned back."""
    falling: bool = False
    fall: float = 0.0
    """How far it fell from the last of `tops`."""
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
        self._learn_turn(used)
        phase = self._phase(0.0)
        known = self.day.get(phase)
        self.day[phase] = used if known is None else known + 0.3 * (used - known)

    def _learn_turn(self, used: float) -> None:
        """Whether it turned: a good part of all that it ever moved through, and no noise."""
        far = max(4.0 * self.moved, TURN * (self.high - self.low))
        if self.falling:
            self.turn = min(self.turn, used)
            self.fall = max(self.fall, self.tops[-1] - used)
            if used > self.turn + far:
                self.falling, self.turn = False, used
        elif self.n == 1 or used >= self.turn:
            self.turn = used
        elif used < self.turn - far:
            self.tops = [*self.tops[1 - TOPS :], self.turn]
            self.falling, self.fall, self.turn = True, self.turn - used, used

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

    def left(self) -> float:
        """What is left until it counts as exhausted, at least a thousandth; NaN = no limit."""
        if not self.limit > 0.0:
            return math.nan
        return max(FULL * self.limit - self.values[-1], 1e-3 * self.limit)

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
        left = self.left()
        grown = _grown(x[-_RECENT:], one)
        turns = self._turns(now, left)
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
                *[slopes[w] * k / left for w in _REACHES],
                *(back / left, far / 2.0 / left, math.log2((grown + 0.5) / k)),
                *shared[5:],
                *turns,
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
            FULL * self.limit - now,
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

    def _turns(self, now: float, left: float) -> tuple[float, float, float]:
        """Where it would turn back, if it went on as before.

        The next height lies above the last by as much as the last above the one before it. Given
        are: what is left there, as a share of what is left now (0 once it is passed); how far it
        lies behind, in falls; and from how many such heights it came back.
        """
        if not self.tops:
            return math.nan, math.nan, 0.0
        ceiling = self.tops[-1] + max(0.0, self.tops[-1] - self.tops[-2 % len(self.tops)])
        over = (now - ceiling) / max(self.fall, 1e-12)
        behind = 0.0 if over >= PASSED else 1.0 + (now - ceiling) / left
        near = now - PASSED * self.fall
        return behind, max(-1.0, min(1.0, over)), sum(top >= near for top in self.tops)

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


def _grown(x: Floats, one: float) -> int:
    """Ticks since it last stood at its lowest, or a usual move above."""
    return len(x) - 1 - int(np.flatnonzero(x <= x.min() + one)[-1])
