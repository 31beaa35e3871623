"""Sets of real history as they are read, and which of their steps are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import FormatError, NotFound
from onward.data.events import Event, Outcome, Prompt, Step
from onward.data.importers import steps as importer

__all__ = [
    "Floats",
    "History",
    "Log",
    "by_repository",
    "dealt",
    "judged_rows",
    "read_sets",
    "split",
]

Floats = NDArray[np.float64]
Log = list[tuple[int, Event]]
LATER = 0.8
"""Share of a set that comes before the steps that are judged, where steps have times."""
PARTS = 3
"""Parts that the repositories are dealt into, each judged once."""


@dataclass(frozen=True)
class History:
    """One set: its log, and which of its steps are judged."""

    name: str
    log: Log
    timed: bool
    """Steps have times, so later ones are judged; otherwise other repositories."""

    @property
    def steps(self) -> list[Step]:
        """Its steps in order."""
        return [event for _, event in self.log if isinstance(event, Step)]


def read_sets(folder: Path) -> list[History]:
    """All sets of a folder; raises `NotFound` where it holds none."""
    found = sorted(folder.glob("*/steps.jsonl*"))
    if not found:
        raise NotFound(f"No set with steps.jsonl.gz lies in {folder}.", path=str(folder))
    return [_read_set(path) for path in found]


def _read_set(path: Path) -> History:
    prompts = {e.session: e for e in _events(path.parent / "prompts.jsonl.gz")}
    log: list[Event] = []
    for event in _events(path):
        prompt = prompts.pop(event.session, None)
        log += [event] if prompt is None else [prompt, event]
    timed = all(e.at > 0 for e in log if isinstance(e, Step))
    return History(path.parent.name, list(enumerate(log, start=1)), timed)


def _events(path: Path) -> list[Step | Prompt]:
    if not path.exists():
        return []
    found = list(importer.read(path))
    events = [event for event in found if isinstance(event, Step | Prompt)]
    if not events:
        raise FormatError(f"No step could be read from {path}.", path=str(path))
    return events


def judged_rows(steps: Sequence[Step]) -> NDArray[np.bool_]:
    """(n,) steps whose outcome is known; where exit codes are given, only those that have one."""
    exits = np.array([step.exit_code is not None for step in steps])
    known = np.array([step.outcome is not Outcome.UNKNOWN and step.tool != "" for step in steps])
    return known & exits if exits.mean() > 0.5 else known


def split(one: History) -> Iterator[tuple[History, History]]:
    """What is learned from and what is judged: the later steps, or repositories in turn."""
    if one.timed:
        cut = int(len(one.log) * LATER)
        yield replace(one, log=one.log[:cut]), replace(one, log=one.log[cut:])
    else:
        yield from by_repository(one)


def by_repository(one: History) -> Iterator[tuple[History, History]]:
    """Some repositories held out, the others being learned from, until each was held out once."""
    part = dealt(np.array([getattr(event, "project", "") for _, event in one.log]), PARTS)
    for held in range(PARTS):
        inside = [pair for pair, p in zip(one.log, part, strict=True) if p == held]
        outside = [pair for pair, p in zip(one.log, part, strict=True) if p != held]
        if inside and outside:
            yield replace(one, log=outside), replace(one, log=inside)


def dealt(groups: NDArray[np.str_], parts: int) -> NDArray[np.int64]:
    """(n,) the part of each row: groups are dealt, the largest first, to the smallest part."""
    names, counts = np.unique(groups, return_counts=True)
    sizes, part = [0] * parts, dict[str, int]()
    for place in np.argsort(-counts, kind="stable"):
        least = int(np.argmin(sizes))
        part[str(names[place])] = least
        sizes[least] += int(counts[place])
    return np.array([part[str(group)] for group in groups])
