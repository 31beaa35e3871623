"""What learning under other limits promises."""

from __future__ import annotations

from functools import cache

import numpy as np

from onward.features.resources.readings import Reading
from onward.features.resources.series import LEAK_NAMES, NAMES
from onward.models.base import Rows
from onward.models.forecast import Point, rows_of
from onward.models.limits import under_other_limits


@cache
def grown(limit: float, *, until: float = np.inf) -> Rows:
    """Rows of what grows, falls and grows further under a limit, until it is exhausted."""
    used = [100.0 + 6.0 * m + 2.0 * (m % 3) - (250.0 if m >= 70 else 0.0) for m in range(140)]
    line = [Point(m, "h|memory", 60.0 * m, Reading(v, limit)) for m, v in enumerate(used)]
    end = next((m for m, v in enumerate(used) if v >= until), len(line) - 1)
    return rows_of(line[: end + 1])


def test_a_row_under_another_limit_is_that_of_a_series_with_that_limit() -> None:
    """What is moved to a limit equals, column by column, what is folded under it."""
    old = grown(1000.0)
    columns, share = [NAMES.index(name) for name in LEAK_NAMES], NAMES.index("full_share")
    moved, checked = under_other_limits(old, times=8), 0
    for row, y, seq in zip(moved.X, moved.y, moved.seq, strict=True):
        now = 1000.0 * float(old.X[old.seq == seq][0, share])
        limit = round(now / float(row[share]), 1)
        fresh = grown(limit, until=0.97 * limit)
        (place,) = np.flatnonzero((fresh.seq == seq) & (fresh.X[:, 0] == row[0]))
        known = fresh.y[place, 1]
        # a series' usual move has a floor that is a share of the limit, which both rest on
        loose = [0.5 if name in {"headroom", "grown"} else 0.05 for name in LEAK_NAMES]
        assert np.allclose(fresh.X[place, columns], row[columns], loose, loose, equal_nan=True)
        assert np.isnan(known) or known == y[1]
        checked += 1

    assert checked > 100


def test_every_growth_comes_to_exhaust_a_limit() -> None:
    """Rows of what was never exhausted teach both outcomes under limits drawn anew."""
    old = grown(1000.0)
    moved = under_other_limits(old, times=8)

    assert not np.nansum(old.y[:, 1])
    assert 0.0 < moved.y[:, 1].mean() < 0.5
    assert np.isnan(moved.y[:, 0]).all()
    assert set(moved.group) == set(old.group)


def test_other_limits_are_drawn_by_seed() -> None:
    """The same seed draws the same rows, another one others."""
    old = grown(1000.0)
    first, again, other = (under_other_limits(old, times=2, seed=seed) for seed in (0, 0, 1))

    assert np.array_equal(first.X, again.X, equal_nan=True)
    assert len(first) != len(other) or not np.array_equal(first.X, other.X, equal_nan=True)
