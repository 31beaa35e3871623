"""Running rates: how often a class of steps came out well, with forgetting and back-off.

A class that was seen often speaks for itself. One that was seen seldom leans on the wider class
around it: its rate is the mean of a Beta posterior whose prior is the wider class's rate.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["NONE", "REGRET", "Rates", "chain", "leaning"]

LEAN = 4.0
"""How many outcomes the wider class's rate is worth."""
REGRET = 4.0
"""How many outcomes one regret is worth: trust is lost faster than it is earned."""
NONE = (0.0, 0.0)
"""Counts of a class that was never met."""


class Rates(msgspec.Struct):
    """Success counts of many classes; the least recently learned are forgotten.

    Parameters
    ----------
    capacity
        Classes that are kept. More remember rarer things and take more memory (about 200 B each).
    keep
        What is left of a class's counts at each new outcome of it. Nearer to 1 is steadier, lower
        follows change faster; 0.985 lets about 65 outcomes count.
    table
        Class -> decayed counts of good and bad outcomes, in the order of forgetting.

    >>> rates = Rates()
    >>> rates.learn("make", True)
    >>> rates.counts("make")
    (1.0, 0.0)
    """

    capacity: int = 20_000
    keep: float = 0.985
    table: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)

    def counts(self, key: str) -> tuple[float, float]:
        """Decayed counts of good and bad outcomes of a class; zeros for one never met."""
        return self.table.get(key, NONE)

    def leaning(self, key: str, wide: float) -> float:
        """The rate of a class that leans on a wider one's; see `leaning`."""
        ok, bad = self.table.get(key, NONE)
        return (ok + LEAN * wide) / (ok + bad + LEAN)

    def chain(self, keys: Iterable[str], prior: float) -> list[float]:
        """Rates of classes from wide to narrow, each leaning on the one before; see `chain`."""
        get, means = self.table.get, list[float]()
        for key in keys:
            ok, bad = get(key, NONE)
            prior = (ok + LEAN * prior) / (ok + bad + LEAN)
            means.append(prior)
        return means

    def learn(self, key: str, good: bool, weight: float = 1.0) -> None:
        """One more outcome of a class, which counts as ``weight`` outcomes."""
        table, keep = self.table, self.keep
        ok, bad = table.pop(key, NONE)
        if good:
            table[key] = (ok * keep + weight, bad * keep)
        else:
            table[key] = (ok * keep, bad * keep + weight)
        if len(table) > self.capacity:
            del table[next(iter(table))]


def leaning(counts: tuple[float, float], wide: float, lean: float = LEAN) -> float:
    """The posterior mean rate of a class that leans on a wider one's rate.

    >>> leaning((0.0, 0.0), 0.9), leaning((4.0, 0.0), 0.5)
    (0.9, 0.75)
    """
    return (counts[0] + lean * wide) / (counts[0] + counts[1] + lean)


def chain(
    counts: Iterable[tuple[float, float]], *, prior: float, lean: float = LEAN
) -> list[float]:
    """Posterior mean rates from wide to narrow, each leaning on the one before it.

    >>> [round(p, 2) for p in chain([(8.0, 2.0), (0.0, 0.0), (0.0, 4.0)], prior=0.9)]
    [0.83, 0.83, 0.41]
    """
    means = []
    for ok, bad in counts:
        prior = (ok + lean * prior) / (ok + bad + lean)
        means.append(prior)
    return means
