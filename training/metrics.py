"""How good probabilities are: ranking, distance, calibration, and what may be let through.

Every measure takes ``y`` (n,), 1 where the step succeeded and 0 where it did not, and ``p``
(n,), the probability of success that was said before it ran. All are blind to the order of the
rows. Rows of one session or repository depend on each other, so intervals come from drawing
whole groups (`bootstrap`), never single rows. Fewer than `LEAST_GROUPS` groups hardly differ from
draw to draw, and one group not at all; then blocks of neighbouring rows are drawn. Such an interval
speaks of later rows of these same groups, and not of other groups.

References
----------
Naeini et al., *Obtaining well calibrated probabilities using Bayesian binning*, AAAI 2015 (ECE);
Geifman & El-Yaniv, *Selective classification for deep neural networks*, NeurIPS 2017
(risk and coverage); Field & Welsh, *Bootstrapping clustered data*, JRSS B 2007 (groups); Künsch,
*The jackknife and the bootstrap for general stationary observations*, Ann. Statist. 1989 (blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from onward.data.errors import InputError
from onward.training.split import time_blocks

__all__ = [
    "Curve",
    "Interval",
    "auc",
    "bootstrap",
    "bootstrap_gain",
    "brier",
    "ece",
    "reliability",
    "risk_coverage",
    "selective",
]

LEAST_GROUPS = 10
"""With fewer groups, blocks of neighbouring rows are drawn in their place."""
BLOCKS = 25
"""How many blocks the rows are cut into then."""

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]


class Interval(msgspec.Struct, frozen=True):
    """A measured number with its bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


class Curve(msgspec.Struct, frozen=True):
    """Risk against coverage, from the steps that are surest to succeed to all of them.

    Entry ``i`` says what happens when every step with ``p >= threshold[i]`` is let through:
    the share let through (``coverage``) and the share of those that failed (``risk``).
    """

    threshold: list[float]
    coverage: list[float]
    risk: list[float]


def _pair(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 vectors of one length that is not zero."""
    truth = np.asarray(y, dtype=np.float64).ravel()
    said = np.asarray(p, dtype=np.float64).ravel()
    if truth.shape != said.shape or truth.size == 0:
        msg = "outcomes and probabilities must be two vectors of one length, and not empty"
        raise InputError(msg, outcomes=truth.size, probabilities=said.size)
    return truth, said


def auc(y: ArrayLike, p: ArrayLike) -> float:
    """Probability that a success is ranked above a failure, ties counting half.

    NaN where only one of the two occurs.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth, said = _pair(y, p)
    good = truth.sum()
    bad = truth.size - good
    if good == 0 or bad == 0:
        return float("nan")
    _, index, count = np.unique(said, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(count) - (count - 1) / 2.0
    return float((truth @ mean_rank[index] - good * (good + 1) / 2.0) / (good * bad))


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Mean squared distance between what was said and what happened; 0 is perfect.

    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    truth, said = _pair(y, p)
    return float(np.mean((said - truth) ** 2))


def _bins(y: ArrayLike, p: ArrayLike, bins: int) -> tuple[Floats, Floats, Floats]:
    """Mean said, mean seen and size of equal-mass bins along ``p``.

    Rows that were told the same probability share their mean outcome first, so that a border
    through a tie does not make the result depend on the order of the rows.
    """
    truth, said = _pair(y, p)
    _, index, count = np.unique(said, return_inverse=True, return_counts=True)
    level = (np.bincount(index, weights=truth) / count)[index]
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    return (
        np.array([said[part].mean() for part in parts]),
        np.array([level[part].mean() for part in parts]),
        np.array([part.size for part in parts], dtype=np.float64),
    )


def ece(y: ArrayLike, p: ArrayLike, *, bins: int = 15) -> float:
    """Expected calibration error: mean |said - seen| over equal-mass bins.

    More bins see finer faults and add more noise: ``bins`` numbers that are perfectly
    calibrated still give about ``0.8 * sqrt(bins * q / n)`` with ``q`` the base rate's Brier score.

    >>> round(ece([1, 1, 0, 0], [0.9, 0.9, 0.2, 0.2], bins=2), 3)
    0.15
    """
    said, seen, size = _bins(y, p, bins)
    return float(np.abs(said - seen) @ size / size.sum())


def reliability(y: ArrayLike, p: ArrayLike, *, bins: int = 15) -> list[tuple[float, float, int]]:
    """Points of the reliability plot: (mean said, mean seen, rows) of each equal-mass bin."""
    said, seen, size = _bins(y, p, bins)
    return [(float(a), float(b), int(n)) for a, b, n in zip(said, seen, size, strict=True)]


def _cumulative(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Thresholds from high to low, with the rows and the failures at or above each."""
    truth, said = _pair(y, p)
    order = np.argsort(-said, kind="stable")
    threshold = said[order]
    last = np.append(threshold[1:] != threshold[:-1], True)  # one entry a tie
    rows = np.arange(1, said.size + 1, dtype=np.float64)
    return threshold[last], rows[last], np.cumsum(1.0 - truth[order])[last]


def risk_coverage(y: ArrayLike, p: ArrayLike, *, points: int = 200) -> Curve:
    """The risk-coverage curve, thinned to at most ``points`` entries; the last covers all."""
    threshold, rows, failures = _cumulative(y, p)
    keep = np.unique(np.linspace(0, rows.size - 1, min(points, rows.size)).round().astype(int))
    return Curve(
        threshold=threshold[keep].tolist(),
        coverage=(rows[keep] / rows[-1]).tolist(),
        risk=(failures[keep] / rows[keep]).tolist(),
    )


def selective(y: ArrayLike, p: ArrayLike, threshold: float) -> tuple[float, float]:
    """Share with ``p >= threshold``, and the share of those that failed (0 where there are none).

    >>> selective([1, 1, 0, 0], [0.9, 0.8, 0.7, 0.1], 0.7)[0]
    0.75
    """
    truth, said = _pair(y, p)
    through = said >= threshold
    if not through.any():
        return 0.0, 0.0
    return float(through.mean()), float(1.0 - truth[through].mean())


def _draws(groups: Sequence[object] | NDArray[np.generic] | None, n: int, seed: int) -> _Draws:
    """Row numbers by what is drawn together: a group, a block, or a row if ``groups`` is None."""
    if groups is None:
        return _Draws([np.array([row]) for row in range(n)], seed)
    if len(groups) != n:
        msg = "every row needs its group"
        raise InputError(msg, rows=n, groups=len(groups))
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < LEAST_GROUPS:
        return _Draws([block for _, block in time_blocks(n, BLOCKS, first=0.0)], seed)
    order = np.argsort(index, kind="stable")
    borders = np.flatnonzero(np.diff(index[order])) + 1
    return _Draws(np.split(order, borders), seed)


class _Draws:
    """Samples of whole parts with replacement, repeatable by seed."""

    def __init__(self, parts: Sequence[NDArray[np.intp]], seed: int) -> None:
        self._parts = parts
        self._random = np.random.default_rng(seed)

    def rows(self) -> NDArray[np.intp]:
        """Row numbers of one draw."""
        chosen = self._random.integers(len(self._parts), size=len(self._parts))
        return np.concatenate([self._parts[part] for part in chosen])


def _interval(value: float, draws: Sequence[float], level: float) -> Interval:
    """Percentiles of the draws, moved so that their mean is the measured value.

    Drawing again adds noise, which biases an ECE upward; the move takes that out. NaN draws, of
    one outcome only, are left out.
    """
    tail = 50.0 * (1.0 - level)
    usable = np.array([draw for draw in draws if not np.isnan(draw)] or [np.nan])
    low, high = np.percentile(usable - usable.mean() + value, [tail, 100.0 - tail])
    return Interval(value, float(low), float(high))


def bootstrap(
    metric: Metric,
    y: ArrayLike,
    p: ArrayLike,
    *,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    draws: int = 500,
    level: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Interval:
    """A metric with its interval over resampled groups.

    Parameters
    ----------
    metric
        Any function of outcomes and probabilities.
    y, p
        Outcomes (n,) and probabilities (n,), in the order of time where groups are few.
    groups
        Session or repository of each row (n,): drawn whole. With fewer than `LEAST_GROUPS` of them,
        `BLOCKS` blocks of consecutive rows are drawn instead. None draws single rows.
    draws
        More draws give steadier ends, at their price in time.
    level
        Share of intervals that hold the truth.
    bounds
        What the metric can be; the interval never leaves them.
    seed
        The same seed gives the same interval.
    """
    truth, said = _pair(y, p)
    source = _draws(groups, truth.size, seed)
    values = []
    for _ in range(draws):
        rows = source.rows()
        values.append(metric(truth[rows], said[rows]))
    found, (least, most) = _interval(metric(truth, said), values, level), bounds
    return Interval(found.value, max(found.low, least), min(found.high, most))


def bootstrap_gain(
    metric: Metric,
    y: ArrayLike,
    p: ArrayLike,
    peer: ArrayLike,
    *,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """``metric(p) - metric(peer)`` with both measured on the same draws.

    The pairing takes out what a draw does to both, so the interval is far narrower than the
    difference of two intervals. It leaves out 0 where the difference is more than chance. What is
    drawn, and the parameters, are those of `bootstrap`.
    """
    truth, said = _pair(y, p)
    _, other = _pair(y, peer)
    source = _draws(groups, truth.size, seed)
    values = []
    for _ in range(draws):
        rows = source.rows()
        values.append(metric(truth[rows], said[rows]) - metric(truth[rows], other[rows]))
    return _interval(metric(truth, said) - metric(truth, other), values, level)
