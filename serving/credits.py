"""Why a model says what it says, by asking it: Shapley values, sampled.

Walk from a stored row to the row at hand, exchanging one column after the other in a random order;
what the answer moves by at a step is credited to that step's column. The mean over many walks is
the column's Shapley value (Strumbelj and Kononenko, 2014). It takes nothing but the model as a
function, so trees, regressions and what is joined of both are explained alike, as they are served;
and baseline and effects add up to what the model says, exactly.

Each order is walked forwards and backwards: of two columns that tell the same, none is first twice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["WALKS", "credits_of"]

WALKS = 32
"""Walks that effects are averaged over; half of them go backwards."""
_SEED = 0

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]


def credits_of(
    says: Callable[[Rows], Floats], row: Rows, background: Rows, *, walks: int = WALKS
) -> tuple[float, Floats]:
    """Baseline, and the effect of each column (d,), in the unit of what the model says.

    Parameters
    ----------
    says
        Rows (n, d) to what the model says of each (n,).
    row
        (d,) the row to be explained.
    background
        (m, d) rows like those that it is asked about, m > 0: walks begin there.
    walks
        How many; each asks about at most d + 1 rows. The same call gives the same credits.

    >>> weights = np.array([2.0, -1.0, 0.0])
    >>> row, others = np.array([1, 1, 1], np.float32), np.zeros((4, 3), np.float32)
    >>> baseline, effects = credits_of(lambda X: X @ weights, row, others)
    >>> baseline, effects.tolist()
    (0.0, [2.0, -1.0, 0.0])
    """
    random = np.random.default_rng(_SEED)
    baseline, effects, order = 0.0, np.zeros(len(row)), np.arange(len(row))
    for walk in range(walks):
        start = background[int(random.integers(len(background)))]
        order = order[::-1] if walk % 2 else random.permutation(len(row))
        columns = order[_differ(start, row)[order]]
        said = says(_steps(start, row, columns))
        baseline += float(said[0]) / walks
        effects[columns] += np.diff(said) / walks
    return baseline, effects


def _steps(start: Rows, row: Rows, columns: NDArray[np.int64]) -> Rows:
    """(k + 1, d) the rows of a walk that exchanges *columns* (k,) in this order."""
    steps = np.repeat(start[np.newaxis], len(columns) + 1, axis=0)
    for place, column in enumerate(columns.tolist(), start=1):
        steps[place:, column] = row[column]
    return steps


def _differ(one: Rows, other: Rows) -> NDArray[np.bool_]:
    """(d,) where two rows differ; two unknown values do not."""
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)), np.bool_)
