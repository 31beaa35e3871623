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
    after = _After(history, trail.counts, labels)
    found = []
    for _ in range(steps - 1):
        paths = _one_more(after, paths)
        table: dict[int, float] = {}
        for (_, number), p in paths.items():
            table[number] = table.get(number, 0.0) + p
        found.append(table)
    return found


def _one_more(after: _After, paths: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """The likeliest ways, one step longer: by their last two labels."""
    longer: dict[tuple[int, int], float] = {}
    likeliest = sorted(paths.items(), key=_likely, reverse=True)[:_BEAM]
    spreads = [after(a, b) for (a, b), _ in likeliest]
    order = np.argsort(-np.array(spreads), axis=1, kind="stable")[:, :_BEAM].tolist()
    for ((_, b), p), numbers, spread in zip(likeliest, order, spreads, strict=True):
        for number, share in zip(numbers, spread[numbers].tolist(), strict=True):
            longer[b, number] = longer.get((b, number), 0.0) + p * share
    return longer


def _likely(item: tuple[tuple[int, int], float]) -> float:
    return item[1]


class _After:
    """(labels,) what comes after two labels; what is wide is counted up once for all ways."""

    def __init__(self, history: Counts, session: Counts, labels: int) -> None:
        self._history, self._session = history, session
        self._all = history.chain([0], np.full(labels, 1.0 / labels))
        self._one: dict[int, NDArray[np.float64]] = {}

    def __call__(self, a: int, b: int) -> NDArray[np.float64]:
        one = self._one.get(b)
        if one is None:
            one = self._one[b] = self._history.chain([hash((1, b))], self._all)
        wide = self._history.chain([hash((2, b, a))], one)
        return self._session.chain([hash((2, b)), hash((4, b, a))], wide)
