"""What followed: counts of the next label under contexts that go from wide to narrow.

A context that was met often speaks for itself, one that was met seldom leans on the wider one
before it. The weight of the wider one grows with the number of different labels that the narrow
one saw, as in Witten & Bell, *The zero-frequency problem*, IEEE Transactions on Information
Theory 1991.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts"]

Floats = NDArray[np.float64]


class Counts(msgspec.Struct):
    """Counts of labels by context; the contexts least recently learned are forgotten.

    Parameters
    ----------
    capacity
        Contexts that are kept, some 300 bytes each.
    keep
        What is left of a context's counts at each new label of it; below 1 it follows change.
    table
        Context -> label's number -> count, in the order of forgetting.

    >>> counts = Counts()
    >>> counts.learn([7], 1)
    >>> counts.chain([7], np.array([0.5, 0.5])).tolist()
    [0.25, 0.75]
    """

    capacity: int = 40_000
    keep: float = 1.0
    table: dict[int, dict[int, float]] = msgspec.field(default_factory=dict)

    def learn(self, contexts: Iterable[int], label: int) -> None:
        """A label came in each of these contexts."""
        table, keep = self.table, self.keep
        for context in contexts:
            found = table.pop(context, None)
            if found is None:
                found = {}
            elif keep < 1.0:
                for one in found:
                    found[one] *= keep
            table[context] = found
            found[label] = found.get(label, 0.0) + 1.0
        while len(table) > self.capacity:
            del table[next(iter(table))]

    def chain(self, contexts: Iterable[int], p: Floats) -> Floats:
        """(labels,) probabilities after leaning each context on those before it.

        ``p`` (labels,) is what is said where nothing was met.
        """
        get = self.table.get
        for context in contexts:
            found = get(context)
            if found is None:
                continue
            lean = 0.5 * len(found) + 0.5
            share = 1.0 / (sum(found.values()) + lean)
            p = p * (lean * share)
            for label, count in found.items():
                p[label] += count * share
        return p

    def of(self, context: int) -> dict[int, float]:
        """Counts of the labels that came in a context."""
        return self.table.get(context, {})
