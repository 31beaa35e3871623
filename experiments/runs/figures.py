"""Figures of walked series: errors beside the trivial peers, coverage, alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from experiments.runs.walk import PEERS, Walk
from numpy.typing import NDArray

from onward.features.resources.series import HORIZONS_MIN

__all__ = ["JUDGED_MIN", "alarms", "by_series", "coverage", "interval", "wins"]

Floats = NDArray[np.float64]

JUDGED_MIN = (5, 15, 30)
"""Horizons that are reported."""
_PLACES = tuple(HORIZONS_MIN.index(minutes) for minutes in JUDGED_MIN)
AHEAD_S = 300.0
"""An exhaustion counts as announced where the alarm was on so long before."""
TRUE_S = 3600.0
"""An alarm counts as false where nothing is exhausted so long after it was raised."""
FIRST = 5
"""Ticks at the beginning of a series that nobody is judged on."""


def judged(one: Walk, start: float) -> NDArray[np.bool_]:
    """(n,) the ticks from a share of the series on."""
    place = np.arange(len(one.at))
    return place >= max(FIRST, int(start * len(place)))


def by_series(one: Walk, start: float) -> dict[str, dict[str, float]]:
    """Method -> mean absolute error by horizon, and what the intervals cover."""
    said = {"onward": one.spans[:, :, 1], "frozen": one.frozen[:, :, 1]}
    said |= {name: one.peers[:, :, place] for name, place in PEERS.items()}
    late = judged(one, start)
    found: dict[str, dict[str, float]] = {name: {} for name in said}
    for minutes, place in zip(JUDGED_MIN, _PLACES, strict=True):
        truth = one.truth[:, place]
        rows = late & np.isfinite(truth)
        for name, p in said.items():
            error = np.abs(p[rows, place] - truth[rows])
            found[name][f"mae_{minutes}"] = float(error.mean()) if rows.any() else np.nan
        for name, spans in (("onward", one.spans), ("frozen", one.frozen)):
            found[name][f"cover_{minutes}"] = _cover(spans[rows, place], truth[rows])
    found["onward"]["n"] = int(late.sum())
    return found


def _cover(spans: Floats, truth: Floats) -> float:
    if not len(truth):
        return float("nan")
    return float(((truth >= spans[:, 0]) & (truth <= spans[:, 2])).mean())


def wins(rows: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Over series: how many are better than their best peer, and the mean ratio to it."""
    found: dict[str, dict[str, float]] = {}
    for name in ("onward", "frozen"):
        figures = found[name] = {"series": len(rows)}
        for minutes in JUDGED_MIN:
            key = f"mae_{minutes}"
            ratio = np.array([r[name][key] / _least([r[p][key] for p in PEERS]) for r in rows])
            figures[f"better_{minutes}"] = int((ratio < 1.0).sum())
            _with(figures, f"ratio_{minutes}", interval(ratio, np.mean))
    return found


def _least(peers: Sequence[float]) -> float:
    return max(min(peers), 1e-12)


def coverage(walks: Sequence[Walk], start: float = 0.0) -> dict[str, dict[str, float]]:
    """Method -> share of truths inside the 80 % interval, over all series together."""
    found: dict[str, dict[str, float]] = {"onward": {}, "frozen": {}}
    for minutes, place in zip(JUDGED_MIN, _PLACES, strict=True):
        for name, figures in found.items():
            pairs = []
            for one in walks:
                rows = judged(one, start) & np.isfinite(one.truth[:, place])
                spans = (one.spans if name == "onward" else one.frozen)[rows, place]
                pairs.append((_cover(spans, one.truth[rows, place]) * rows.sum(), rows.sum()))
            usable = np.nan_to_num(np.array(pairs, np.float64))
            _with(figures, f"cover_{minutes}", interval(usable, _ratio))
    return found


def alarms(walks: Sequence[Walk]) -> dict[str, dict[str, float]]:
    """Method -> exhaustions announced five minutes ahead, and false alarms a day."""
    limited = [one for one in walks if not one.story.cpu]
    found: dict[str, dict[str, float]] = {}
    for name in ("onward", "threshold", "trend"):
        counts = np.array([_count(one, one.alarms[name]) for one in limited], np.float64)
        figures = found[name] = {
            "exhaustions": float(counts[:, 0].sum()),
            "days": float(counts[:, 3].sum()),
        }
        _with(figures, "announced", interval(counts[:, [1, 0]], _ratio))
        _with(figures, "false_per_day", interval(counts[:, [2, 3]], _ratio))
    return found


def _count(one: Walk, on: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Exhaustions, those announced, false alarms, days."""
    full = one.full_at
    before = np.flatnonzero(one.at <= full - AHEAD_S) if np.isfinite(full) else np.empty(0, int)
    announced = bool(len(before)) and bool(on[before[-1]])
    raised = one.at[on & ~np.concatenate(([False], on[:-1]))]
    false = [at for at in raised.tolist() if not at <= full <= at + TRUE_S]
    days = (one.at[-1] - one.at[0]) / 86_400.0
    return float(np.isfinite(full)), float(announced), float(len(false)), days


def _ratio(pairs: Floats) -> float:
    return float(pairs[:, 0].sum() / max(pairs[:, 1].sum(), 1e-12))


def interval(
    rows: Floats, measure: Callable[[Any], Any], *, draws: int = 500
) -> tuple[float, float, float]:
    """A figure over series, and its 95 % interval when series are drawn anew."""
    random = np.random.default_rng(0)
    drawn = [measure(rows[random.integers(len(rows), size=len(rows))]) for _ in range(draws)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(measure(rows)), float(low), float(high)


def _with(figures: dict[str, float], name: str, found: tuple[float, float, float]) -> None:
    figures[name], figures[f"{name}_low"], figures[f"{name}_high"] = found
