"""Resources: where a reading will be in 5 to 30 minutes, and whether its limit comes first.

Three quantile models (10, 50, 90 %) of the move over a horizon, in units of how much the series
usually moves in such a time, and one model of P(exhausted within the horizon). The horizon is a
column, so that four models serve all; they leave as one ONNX file. They are trained on many
series; what a single one does otherwise is corrected online by `onward.models.outlook`.

P(exhausted) rests on what is the same for all leaks: it sees only where the slopes lead and what
speaks against it (`LEAK_NAMES`), each of which moves it one way only, and learns under many limits
(`onward.models.limits`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Sample
from onward.features.resources.readings import Reading, readings
from onward.features.resources.series import LEAK_NAMES, NAMES, VERSION, Series
from onward.models import calibrate
from onward.models.base import Matrix, Probabilities, Rows, stacked
from onward.models.blend import MISS
from onward.models.graph import side_by_side
from onward.models.limits import under_other_limits
from onward.models.outlook import LEAST, STEP_BORDERS, UNIT
from onward.models.trees import Trees

__all__ = ["QUANTILES", "Forecast", "Point", "losses", "peers", "points", "rows", "rows_of"]

Floats = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
STRIDE = 3
"""Every so many ticks teach; neighbours tell nearly the same."""
CLIP = 20.0
"""Moves beyond so many scales teach no more than this."""
LIMITS = 4
"""Other limits that each row is learned from under, beside its own."""
FOLDS = 3
"""Parts of the series that the calibration is found across."""
BAR = 0.4
"""Calibrated P(exhausted within ten minutes) at which an alarm is raised."""

_SHARED: dict[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "verbose": -1,
}
SETTINGS: dict[str, dict[str, Any]] = {
    **{
        f"q{round(100 * q)}": _SHARED | {"objective": "quantile", "alpha": q, "rounds": 100}
        for q in QUANTILES
    },
    "exhausted": _SHARED
    | {
        "objective": "binary",
        "rounds": 120,
        "num_leaves": 5,
        "learning_rate": 0.08,
        "min_data_in_leaf": 300,
        "feature_fraction": 0.8,
        "monotone_constraints": [LEAK_NAMES.get(name, 0) for name in NAMES],
    },
}
"""LightGBM's parameters of each head, by its name, in the order of the output."""
_LEAK = np.array([name in LEAK_NAMES for name in NAMES])


# -- rows -----------------------------------------------------------------------------------------


class Point(NamedTuple):
    """A reading on its way into a series."""

    seq: int
    key: str
    """``host|resource``."""
    at: float
    reading: Reading


def points(events: Iterable[tuple[int, Event]]) -> Iterator[Point]:
    """The readings of a log."""
    for seq, event in events:
        if isinstance(event, Sample):
            for name, reading in readings(event.values).items():
                yield Point(seq, f"{event.host}|{name}", event.at, reading)


def rows(events: Iterable[tuple[int, Event]]) -> Rows:
    """What the log teaches.

    ``y`` (n, 3): the move in `UNIT` scales; 1 where it was exhausted; how high it rose by then, as
    a share of what was left. Each is NaN where it is not known: the log ends before the horizon
    does (but for the last, which then is so far), there is no limit, or it was exhausted already.
    """
    return rows_of(points(events))


class _Track(NamedTuple):
    """One series as it was walked: a line a tick, views of some."""

    values: list[float]
    full: list[bool]
    left: list[float]
    """What is left; NaN where exhaustion is not asked about."""
    asked: list[tuple[int, int, Matrix, Floats, tuple[int, ...]]]


def rows_of(found: Iterable[Point], *, stride: int = STRIDE) -> Rows:
    """The same from readings; every ``stride`` ticks of a series teach."""
    series, tracks = dict[str, Series](), dict[str, _Track]()
    for seq, key, at, reading in found:
        one = series.get(key)
        if one is None:
            one = series[key] = Series(percent="cpu" in key.rpartition("|")[2])
            tracks[key] = _Track([], [], [], [])
        if not one.learn(at, reading.used, reading.limit, refused=reading.refused):
            continue
        track = tracks[key]
        track.values.append(one.values[-1])
        track.full.append(one.refused)
        track.left.append(np.nan if one.percent or one.refused else one.left())
        if one.n % stride == 0 and one.n > 3:
            view = one.view()
            track.asked.append((seq, one.n - 1, view.X, view.scale, view.steps))
    return _table(tracks)


def _table(tracks: dict[str, _Track]) -> Rows:
    X, y, group, seq = list[Matrix](), list[list[float]](), list[str](), list[int]()
    for key, track in tracks.items():
        ever = np.concatenate(([0], np.cumsum(track.full)))
        for place, tick, view, scale, steps in track.asked:
            X.append(view)
            y += [
                _truth(track, ever, tick, k, s) for k, s in zip(steps, scale.tolist(), strict=True)
            ]
            group += [key] * len(steps)
            seq += [place] * len(steps)
    if not X:
        return Rows(
            np.empty((0, len(NAMES)), np.float32),
            np.empty((0, 3)),
            np.empty(0, object),
            np.empty(0, np.int64),
        )
    order = np.argsort(seq, kind="stable")
    table = Rows(np.concatenate(X), np.array(y), np.array(group, object), np.array(seq, np.int64))
    return table[order]


def _truth(track: _Track, ever: NDArray[Any], tick: int, k: int, scale: float) -> list[float]:
    """The move over k ticks in scales, whether it was exhausted by then, how high it rose."""
    end, now, left = tick + k, track.values[tick], track.left[tick]
    known = end < len(track.values)
    move = (track.values[end] - now) / (UNIT * scale) if known else np.nan
    full = ever[min(end, len(track.full) - 1) + 1] - ever[tick + 1] > 0
    asked = not np.isnan(left) and (known or full)
    rise = (max(track.values[tick + 1 : end + 1], default=now) - now) / left
    bounded = float(np.clip(move, -CLIP / UNIT, CLIP / UNIT))
    return [bounded, float(full) if asked else np.nan, rise]


# -- the model -------------------------------------------------------------------------------------


class Forecast:
    """Quantiles of the move, and P(exhausted)."""

    name = "forecast"
    names = NAMES
    features = VERSION

    def __init__(self, settings: dict[str, dict[str, Any]] | None = None) -> None:
        self._settings = settings or SETTINGS
        self._heads = {head: Trees(given, names=NAMES) for head, given in self._settings.items()}
        self._foresees = True
        self._calibrator = calibrate.Calibrator.identity()
        self._stretch = [[1.0, 1.0]] * (len(STEP_BORDERS) + 1)
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from rows; raises `NotEnoughData` where they do not suffice.

        Without exhaustions among them the last head says that none will come.
        """
        moved = np.isfinite(train.y[:, 0])
        for name, head in self._heads.items():
            if name != "exhausted":
                head.fit(train.X[moved], train.y[moved, 0], seed=seed)
        self._fit_stretch(train[moved], seed)
        limited = train[np.isfinite(train.y[:, 1])]
        self._fit_exhausted(limited, seed)
        self._facts |= {
            "rows": int(moved.sum()),
            "limited": len(limited),
            "exhausted": float(limited.y[:, 1].mean()) if len(limited) else 0.0,
            "series": len(set(train.group.tolist())),
            "seed": seed,
        }
        return self

    def _fit_stretch(self, train: Rows, seed: int) -> None:
        """How much wider each side must be on series that the quantiles were not fitted to."""
        held = _dealt(train.group) == 0
        if not held.any() or held.all():
            return
        heads = []
        for name in list(self._heads)[:3]:
            heads.append(Trees(self._settings[name], names=NAMES))
            heads[-1].fit(train.X[~held], train.y[~held, 0], seed=seed)
        low, middle, high = (head.predict(train.X[held]) for head in heads)
        miss = train.y[held, 0] - middle
        part = _range(train.X[held])
        self._stretch = [
            [
                _stretch(-miss[part == one], (middle - low)[part == one]),
                _stretch(miss[part == one], (high - middle)[part == one]),
            ]
            for one in range(len(STEP_BORDERS) + 1)
        ]

    def _fit_exhausted(self, limited: Rows, seed: int) -> None:
        y = limited.y[:, 1]
        try:
            self._heads["exhausted"] = self._exhausted(limited, seed)
        except NotEnoughData:
            self._foresees = False
            return
        self._foresees = True
        part = _dealt(limited.group)
        said = np.full(len(y), np.nan)
        for held in range(FOLDS):
            inside, outside = part == held, part != held
            try:
                trees = self._exhausted(limited[outside], seed)
            except NotEnoughData:
                continue
            said[inside] = trees.predict(limited.X[inside])
        known = np.isfinite(said)
        if known.any() and 0.0 < y[known].mean() < 1.0:
            self._calibrator = calibrate.fit("beta", said[known], y[known])

    def _exhausted(self, limited: Rows, seed: int) -> Trees:
        """The last head, learned from the rows as they are and under other limits."""
        trees = Trees(self._settings["exhausted"], names=NAMES)
        if limited.y[:, 1].any():
            limited = stacked([limited, under_other_limits(limited, times=LIMITS, seed=seed)])
        trees.fit(np.where(_LEAK, limited.X, np.float32(np.nan)), limited.y[:, 1], seed=seed)
        return trees

    def predict(self, X: Matrix) -> Probabilities:
        """(n, 4): the quantiles, in `UNIT` scales, and the raw probability of exhaustion."""
        columns = [head.predict(X) for head in self._fitted()]
        return np.stack(columns if self._foresees else [*columns, np.zeros(len(X))], axis=1)

    def served(self, X: Matrix) -> Probabilities:
        """(n, 4): the same as it is served, the intervals widened and P(exhausted) calibrated.

        What a series corrects online comes on top of it.
        """
        said = self.predict(X)
        low, middle, high, p = said.T
        below, above = np.array(self._stretch)[_range(X)].T
        wide = middle - below * (middle - low), middle, middle + above * (high - middle)
        return np.stack([*wide, self._calibrator.apply(p)], axis=1)

    def to_onnx(self) -> bytes:
        """The four heads in one file: input ``X`` (n, d), output ``p`` (n, 4)."""
        return side_by_side([head.to_onnx() for head in self._fitted()], columns=len(self._heads))

    def _fitted(self) -> list[Trees]:
        heads = list(self._heads.values())
        return heads if self._foresees else heads[:-1]

    def facts(self) -> dict[str, Any]:
        """The calibration of P(exhausted), where the alarm is raised, how intervals are widened."""
        return {
            "calibrator": self._calibrator.to_json(),
            "alarm": BAR,
            "stretch": self._stretch,
            "quantiles": [*QUANTILES],
        }

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM): three quantiles and one probability",
            "target": "the move over the horizon in scales; exhausted within the horizon",
            "settings": self._settings,
            **self._facts,
        }


def _stretch(miss: Floats, side: Floats) -> float:
    """The factor on a side of the interval with which one truth in ten falls beyond it."""
    usable = side > LEAST / UNIT
    if np.count_nonzero(usable) < 100:
        return 1.0
    return float(np.clip(np.quantile(miss[usable] / side[usable], 1.0 - MISS), 0.5, 4.0))


def _range(X: Matrix) -> NDArray[np.intp]:
    """(n,) which range of `STEP_BORDERS` the horizon of each row lies in."""
    return np.searchsorted(STEP_BORDERS, np.exp2(X[:, 0]) - 0.5)


def _dealt(group: NDArray[np.object_]) -> NDArray[np.intp]:
    """A part for each row; a series is never parted."""
    _, index = np.unique(group.astype(str), return_inverse=True)
    parts: NDArray[np.intp] = (
        np.random.default_rng(0).permutation(index.max(initial=0) + 1)[index] % FOLDS
    )
    return parts


# -- beside it -------------------------------------------------------------------------------------


def peers(train: Rows, test: Rows) -> dict[str, Probabilities]:
    """Trivial forecasts (n, 4), as `Forecast.predict` gives: quantiles fixed by the training rows.

    ``persistence``, ``mean_6`` and ``trend`` for the move; beside each, ``threshold`` (90 %
    used) and the trend that reaches the limit for exhaustion.
    """
    column = {
        name: test.X[:, NAMES.index(name)] / np.float64(UNIT) for name in ("mean_6", "slope_8")
    }
    known = train.y[np.isfinite(train.y[:, 0]), 0]
    low, high = np.quantile(known, [QUANTILES[0], QUANTILES[2]]) if len(known) else (-1.0, 1.0)
    reached = test.X[:, NAMES.index("reach_8")] >= 1.0
    full = test.X[:, NAMES.index("full_share")] >= 0.9
    middles = {
        "persistence": np.zeros(len(test)),
        "mean_6": column["mean_6"],
        "trend": column["slope_8"],
    }
    return {
        name: np.stack([m + low, m, m + high, full if name == "persistence" else reached], axis=1)
        for name, m in middles.items()
    }


def losses(y: Floats, said: Probabilities) -> Floats:
    """(n,) the mean pinball loss of the quantiles, plus the Brier score where it is known."""
    pinball = np.zeros(len(y))
    for place, q in enumerate(QUANTILES):
        miss = y[:, 0] - said[:, place]
        pinball += np.maximum(q * miss, (q - 1.0) * miss) / len(QUANTILES)
    brier = (said[:, 3] - y[:, 1]) ** 2
    return np.asarray(np.nan_to_num(pinball) + np.nan_to_num(brier))
