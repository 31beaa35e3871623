"""The same use under other limits: what an exhaustion looks like, whatever grows.

Whether a leak hits its limit or turns back before depends, in a recording, on where the limit was
set. A model that learns from few kinds of leaks learns that, too: this kind turns, that one does
not. So rows are learned from once more under limits drawn anew, above all that was used before:
what is used does not depend on a limit that was not reached. So every kind of growth is seen both
to exhaust a limit and to turn before one, and what is learned is where it goes and how surely, not
which kinds the recording holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onward.features.resources.series import FULL, NAMES
from onward.models.base import Matrix, Rows, stacked

__all__ = ["under_other_limits"]

NEAREST, FARTHEST = 0.5, 1.5
"""Where a limit is drawn: so far from the first reading, the highest being at 1."""
LEAST = 0.15
"""The least that counts as the way to the highest, as a share of the first reading."""
_PLACE = {name: place for place, name in enumerate(NAMES)}
_REACHES = [place for name, place in _PLACE.items() if name.startswith("reach_")]


def under_other_limits(rows: Rows, *, times: int, seed: int = 0) -> Rows:
    """Rows of `onward.models.forecast`, so many times, each under a limit of its own.

    Rows are left out where more had been used before than the limit allows, or where the log
    ends before it is known whether the limit came. The columns of
    `onward.features.resources.series.LEAK_NAMES` are those under the new limit, the others stay as
    they were; the move, which knows no limit, is not told again (NaN).
    """
    draw = np.random.default_rng(seed)
    return stacked([_anew(rows, draw) for _ in range(times)])


def _anew(rows: Rows, draw: np.random.Generator) -> Rows:
    share, headroom, high = (
        rows.X[:, _PLACE[name]].astype(np.float64)
        for name in ("full_share", "headroom", "high_ever")
    )
    part = (_limits(share, rows.group, draw) - share) / (FULL - share)
    rise, known = rows.y[:, 2], np.isfinite(rows.y[:, 0])
    full = rise >= part
    kept = np.isfinite(rows.y[:, 1]) & (part > 0.0) & (high <= part * headroom) & (full | known)
    part[~kept] = 1.0
    move = np.full(len(rows), np.nan)
    y = np.stack([move, full.astype(float), rise / part], axis=1)
    return Rows(_moved(rows.X, part), y, rows.group, rows.seq)[kept]


def _limits(
    share: NDArray[np.float64], group: NDArray[np.object_], draw: np.random.Generator
) -> NDArray[np.float64]:
    """(n,) a share of the old limit at which it would be exhausted, one for each series."""
    _, first, place = np.unique(group.astype(str), return_index=True, return_inverse=True)
    low, high = share[first], np.full(len(first), -np.inf)
    np.maximum.at(high, place, share)
    far = np.maximum(high - low, LEAST * low)
    found: NDArray[np.float64] = (low + far * draw.uniform(NEAREST, FARTHEST, len(first)))[place]
    return found


def _moved(X: Matrix, part: NDArray[np.float64]) -> Matrix:
    """The columns where so much of what was left is left."""
    moved = X.astype(np.float64)
    moved[:, _REACHES] /= part[:, None]
    moved[:, _PLACE["headroom"]] *= part
    share, ceiling = moved[:, _PLACE["full_share"]], moved[:, _PLACE["ceiling"]]
    moved[:, _PLACE["full_share"]] = FULL * share / (share + part * (FULL - share))
    moved[:, _PLACE["ceiling"]] = np.where(ceiling == 0.0, 0.0, 1.0 - (1.0 - ceiling) / part)
    return moved.astype(np.float32)
