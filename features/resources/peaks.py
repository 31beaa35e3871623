"""What commands usually take: memory peaks by class of command, wide where narrow is unknown.

Each class keeps the peaks of its last runs. A command is answered from the narrowest class that
ran often enough: the very command, its template, sub-command, program, tool, then all.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from onward.data.events import Call, Step
from onward.features.action import action_of

__all__ = ["PEAK", "Peak", "Peaks"]

PEAK = "rss_peak_bytes"
"""The key of ``Step.usage`` that is learned."""
ENOUGH = 5
"""Runs from which a class speaks for itself."""
KEPT = 41
"""Runs that a class keeps."""
MAX_CLASSES = 4096
_LEVELS = ("all", "tool", "program", "subcommand", "template", "command")


class Peak(NamedTuple):
    """What the runs of a class peaked at, in bytes."""

    level: str
    """How wide the class is: ``command``, ``template``, ``subcommand``, ``program`` ..."""
    key: str
    runs: int
    """Runs that the quantiles rest on."""
    median: float
    high: float
    """Nine of ten runs stayed below."""


class Peaks(msgspec.Struct):
    """Peaks of the last runs of each class; the least recently run classes are forgotten.

    >>> peaks = Peaks()
    >>> call = Call(session="s", tool="Bash", input={"command": "make"})
    >>> peaks.of(call) is None
    True
    """

    table: dict[str, list[float]] = {}

    def learn(self, step: Step) -> None:
        """Take in a step that was measured; others change nothing."""
        peak = step.usage.get(PEAK, 0.0)
        if not peak > 0.0:
            return
        for key in dict.fromkeys(("", *action_of(step).keys)):
            runs = self.table.pop(key, None) or []
            runs.append(peak)
            self.table[key] = runs[-KEPT:]
        while len(self.table) > MAX_CLASSES:
            del self.table[next(iter(self.table))]

    def of(self, call: Call) -> Peak | None:
        """What a call usually peaks at; None where nothing was measured yet."""
        keys = ("", *action_of(call).keys)
        known = [(i, key, runs) for i, key in enumerate(keys) if (runs := self.table.get(key))]
        if not known:
            return None
        level, key, runs = next((one for one in reversed(known) if len(one[2]) >= ENOUGH), known[0])
        ranked = sorted(runs)
        return Peak(_LEVELS[level], key, len(runs), _at(ranked, 0.5), _at(ranked, 0.9))


def _at(ranked: list[float], share: float) -> float:
    """A quantile: the value that this share of ``n + 1`` lies below, at most the largest."""
    place = share * (len(ranked) + 1) - 1.0
    low = min(max(int(place), 0), len(ranked) - 1)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * min(max(place - low, 0.0), 1.0)
