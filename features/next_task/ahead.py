"""Further ahead than the next step: labels of the steps after it, by counts of what followed.

Each likely label of the next step is taken as if it had come; what then follows is read off the
counts under the last two labels, of all history and of the session. Of the ways ahead the likeliest
few are followed, so the shares of a step sum to somewhat less than 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.counts import Counts
from onward.features.next_task.trail import BEFORE, Trail

__all__ = ["ahead"]

_BEAM = 6
"""Ways that are followed, and labels that each may go on with."""


def ahead(
    history: Counts,
    trail: Trail,
    first: Sequence[tuple[int, float]],
    *,
    labels: int,
    steps: int,
) -> list[dict[int, float]]:
    """For the second step and those after it, number of a label -> probability.

    Parameters
    ----------
    history
        Counts under the last labels in all sessions, contexts as in `next_contexts`.
    trail
        The session.
    first
        Numbers and probabilities of likely labels of the next step.
    labels
        How many numbers there are.
    steps
        How far to look, the next step included.
    """
    before = trail.marks[-1].label if trail.marks else BEFORE
    paths = {(before, number): p for number, p in first}
    found = []
    for _ in range(steps - 1):
        paths = _one_more(history, trail, paths, labels)
        table: dict[int, float] = {}
        for (_, number), p in paths.items():
            table[number] = table.get(number, 0.0) + p
        found.append(table)
    return found


def _one_more(
    history: Counts, trail: Trail, paths: dict[tuple[int, int], float], labels: int
) -> dict[tuple[int, int], float]:
    """The likeliest ways, one step longer: by their last two labels."""
    longer: dict[tuple[int, int], float] = {}
    likeliest = sorted(paths.items(), key=lambda item: -item[1])[:_BEAM]
    for (a, b), p in likeliest:
        spread = _after(history, trail, (a, b), labels)
        for number in np.argsort(-spread, kind="stable")[:_BEAM].tolist():
            longer[b, number] = longer.get((b, number), 0.0) + p * float(spread[number])
    return longer


def _after(
    history: Counts, trail: Trail, last: tuple[int, int], labels: int
) -> NDArray[np.float64]:
    """(labels,) what comes after two labels."""
    a, b = last
    flat = np.full(labels, 1.0 / labels)
    wide = history.chain([0, hash((1, b)), hash((2, b, a))], flat)
    return trail.counts.chain([hash((2, b)), hash((4, b, a))], wide)
