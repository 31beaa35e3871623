"""Further ahead than the next step: labels of the steps after it, by counts of what followed.

Each of the likeliest labels of the next step is taken as if it had come; what then follows is read
off counts of what came one step, and two steps, after such a pair of labels. Straight counts of the
third step say more than going through every label that may come between, and cost less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.counts import Counts
from onward.features.next_task.trail import BEFORE, Trail

__all__ = ["MOST_AHEAD", "ahead", "skipped"]

MOST_AHEAD = 3
"""How far it looks, the next step being 1."""
_WAYS = 3
"""Labels of the next step that are followed; more find no more."""


def ahead(
    tables: Sequence[Counts],
    trail: Trail,
    first: Sequence[tuple[int, float]],
    *,
    labels: int,
    steps: int,
) -> list[NDArray[np.float64]]:
    """(labels,) for the second step and those after it, the probability of each label.

    Parameters
    ----------
    tables
        Counts of what came one step after two labels, of what came two steps after them, and so on.
    trail
        The session.
    first
        Numbers and probabilities of likely labels of the next step.
    labels
        How many numbers there are.
    steps
        How far to look, the next step included; at most `MOST_AHEAD`.
    """
    before = trail.marks[-1].label if trail.marks else BEFORE
    ways = sorted(first, key=_likely)[:_WAYS]
    whole = sum(p for _, p in ways)
    flat = np.full(labels, 1.0 / labels)
    found = []
    for counts in tables[: steps - 1]:
        said = np.zeros(labels)
        for number, p in ways:
            said += counts.chain(_pair(number, before), flat) * (p / whole)
        found.append(said)
    return found


def skipped(trail: Trail) -> list[int]:
    """What a label is counted under that comes two steps after it; empty where there was none."""
    labels = [mark.label for mark in trail.marks[-3:-1]]
    return _pair(labels[-1], labels[0] if len(labels) > 1 else BEFORE) if labels else []


def _pair(label: int, before: int) -> list[int]:
    """Contexts of a label and the one before it, as those of the n-gram in `contexts`."""
    return [hash((1, label)), hash((2, label, before))]


def _likely(item: tuple[int, float]) -> float:
    return -item[1]
