"""Which process tree takes what is running out: the growth of each, as the samples tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from onward.features.resources.readings import tree_of, trees

__all__ = ["KINDS", "Culprit", "Growth"]

KINDS: dict[str, str] = {
    "memory": "rss_bytes",
    "cgroup_memory": "rss_bytes",
    "disk": "written_bytes",
    "inodes": "written_bytes",
    "files": "files",
    "processes": "processes",
    "cgroup_processes": "processes",
    "cpu": "cpu_percent",
    "cgroup_cpu": "cpu_percent",
}
"""Resource -> what of a tree tells who takes it. For the processor, level counts, not growth."""
_LEVELS = frozenset({"cpu_percent"})
WINDOW_S = 900.0
"""Growth is measured over this long, at most."""
KEPT = 32
"""Readings that are remembered of a tree."""
MAX_TREES = 32


class Culprit(NamedTuple):
    """A process tree, and what it takes."""

    pid: int
    name: str
    per_minute: float
    """Growth a minute, in the unit of the reading; for the processor, the mean level."""
    share: float
    """Its part of what all trees together grew."""


class Growth(msgspec.Struct):
    """The last readings of each tree of one host.

    >>> growth = Growth()
    >>> for minute in range(5):
    ...     growth.learn(60.0 * minute, {"proc.7.make.rss_bytes": 100.0 * minute})
    >>> growth.culprits("memory")[0]
    Culprit(pid=7, name='make', per_minute=100.0, share=1.0)
    """

    known: dict[str, dict[str, list[tuple[float, float]]]] = {}
    """What -> tree -> (time, reading) of the last readings."""
    at: float = 0.0

    def learn(self, at: float, values: Mapping[str, float]) -> None:
        """Take in the trees of a sample; a tree that is not named any more fades."""
        if not any(key.startswith("proc.") for key in values):
            return
        self.at = at
        for what in dict.fromkeys(KINDS.values()):
            table = self.known.setdefault(what, {})
            for tree, value in trees(values, what).items():
                past = table.pop(tree, [])
                if not past or at > past[-1][0]:
                    past.append((at, value))
                table[tree] = [one for one in past[-KEPT:] if one[0] >= at - WINDOW_S]
            while len(table) > MAX_TREES:
                del table[next(iter(table))]

    def culprits(self, resource: str) -> list[Culprit]:
        """The trees that grow, the fastest first; none where none does."""
        what = KINDS.get(resource.partition(":")[0], "")
        rates = {
            tree: _rate(past, level=what in _LEVELS)
            for tree, past in self.known.get(what, {}).items()
            if past and past[-1][0] >= self.at - 120.0
        }
        if ":" in resource:  # one tree's own limit
            rates = {tree: rate for tree, rate in rates.items() if resource.endswith(f":{tree}")}
        total = sum(rate for rate in rates.values() if rate > 0.0)
        ranked = sorted((one for one in rates.items() if one[1] > 0.0), key=lambda one: -one[1])
        return [Culprit(*tree_of(tree), rate, rate / total) for tree, rate in ranked]


def _rate(past: list[tuple[float, float]], *, level: bool) -> float:
    """Change a minute by least squares; the mean where the level counts."""
    if level:
        return sum(value for _, value in past) / len(past)
    if len(past) < 2:
        return 0.0
    middle = sum(at for at, _ in past) / len(past)
    weight = sum((at - middle) ** 2 for at, _ in past)
    if weight <= 0.0:
        return 0.0
    return 60.0 * sum((at - middle) * value for at, value in past) / weight
