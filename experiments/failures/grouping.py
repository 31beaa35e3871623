"""How well messages were grouped, by the measures that are published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["MEASURES", "Groups", "f1_of_groups", "f1_of_pairs", "grouping_accuracy"]

Groups = Sequence[object]


def grouping_accuracy(found: Groups, true: Groups) -> float:
    """Share of the messages whose group holds exactly the messages of their event.

    >>> grouping_accuracy([1, 1, 2, 3], ["a", "a", "b", "b"])
    0.5
    """
    sizes, events = Counter(found), Counter(true)
    both = Counter(zip(found, true, strict=True))
    right = [n for (one, other), n in both.items() if n == sizes[one] == events[other]]
    return sum(right) / len(found)


def f1_of_groups(found: Groups, true: Groups) -> float:
    """Harmonic mean of the shares of the groups, and of the events, that are exactly right."""
    sizes, events = Counter(found), Counter(true)
    both = Counter(zip(found, true, strict=True))
    right = sum(n == sizes[one] == events[other] for (one, other), n in both.items())
    return 2 * right / (len(sizes) + len(events))


def f1_of_pairs(found: Groups, true: Groups) -> float:
    """Harmonic mean of precision and recall of "these two belong together"."""

    def pairs(counts: Counter[Any]) -> float:
        return sum(n * (n - 1) / 2 for n in counts.values())

    sizes, events = pairs(Counter(found)), pairs(Counter(true))
    both = pairs(Counter(zip(found, true, strict=True)))
    return 2 * both / (sizes + events) if sizes + events else 1.0


MEASURES: dict[str, Callable[[Groups, Groups], float]] = {
    "ga": grouping_accuracy,
    "f1": f1_of_pairs,
    "fga": f1_of_groups,
}
