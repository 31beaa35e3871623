"""Sets of real history as they are read, and which of their steps are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import FormatError, NotEnoughData, NotFound
from onward.data.events import Event, Outcome, Prompt, Step
from onward.data.importers import steps as importer

__all__ = [
    "Floats",
    "History",
    "Log",
    "by_repository",
    "dealt",
    "home_of",
    "homes",
    "judged_rows",
    "read_sets",
    "split",
]

Floats = NDArray[np.float64]
Log = list[tuple[int, Event]]
LATER = 0.8
"""Share of a set that comes before the steps that are judged, where steps have times."""
PARTS = 3
"""Parts that the repositories (the sessions, of a single one) are dealt into, each judged once."""


@dataclass(frozen=True)
class History:
    """One set: its log, and which of its steps are judged."""

    name: str
    log: Log
    timed: bool
    """Steps have times, so later ones are judged; otherwise other repositories."""
    home: str = ""
    """What intervals draw whole: ``session`` where steps have times, else as `home_of` says of the
    set; a part of the set keeps it."""

    def __post_init__(self) -> None:
        if not self.home:
            object.__setattr__(self, "home", "session" if self.timed else home_of(self.log))

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
    exits = np.array([step.exit_code is not None for step in steps], bool)
    known = np.array([s.outcome is not Outcome.UNKNOWN and s.tool != "" for s in steps], bool)
    return known & exits if exits.sum() > 0.5 * len(exits) else known


def split(one: History) -> Iterator[tuple[History, History]]:
    """What is learned from and what is judged: the later steps, or repositories in turn.

    Raises `NotEnoughData` where either would hold no step.
    """
    if not one.timed:
        yield from by_repository(one)
        return
    cut = int(len(one.log) * LATER)
    early, later = replace(one, log=one.log[:cut]), replace(one, log=one.log[cut:])
    if not (early.steps and later.steps):
        raise NotEnoughData(f"{one.name} holds too few steps to judge the later ones.")
    yield early, later


def by_repository(one: History) -> Iterator[tuple[History, History]]:
    """Some repositories held out, the others being learned from, until each was held out once.

    Of a single repository sessions are held out; raises `NotEnoughData` where there is one alone.
    """
    home = homes(one.log, home_of(one.log))
    if len(set(home.tolist())) < 2:
        raise NotEnoughData(
            f"{one.name} holds one session without times: nothing of it can be held out."
        )
    part = dealt(home, PARTS)
    for held in range(PARTS):
        inside = [pair for pair, p in zip(one.log, part, strict=True) if p == held]
        outside = [pair for pair, p in zip(one.log, part, strict=True) if p != held]
        if inside and outside:
            yield replace(one, log=outside), replace(one, log=inside)


def home_of(log: Log) -> str:
    """What is never parted: the ``project``, or the ``session`` where all are of one project."""
    return "project" if len(set(homes(log, "project").tolist())) > 1 else "session"


def homes(log: Log, home: str) -> NDArray[np.str_]:
    """(n,) each event's session, or the first project that is named in it."""
    named: dict[str, str] = {}
    for _, event in log:
        session = getattr(event, "session", "")
        named[session] = named.get(session) or str(getattr(event, home, ""))
    return np.array([named[getattr(event, "session", "")] for _, event in log], np.str_)


def dealt(groups: NDArray[np.str_], parts: int) -> NDArray[np.int64]:
    """(n,) the part of each row: groups are dealt, the largest first, to the smallest part."""
    names, counts = np.unique(groups, return_counts=True)
    sizes, part = [0] * parts, dict[str, int]()
    for place in np.argsort(-counts, kind="stable"):
        least = int(np.argmin(sizes))
        part[str(names[place])] = least
        sizes[least] += int(counts[place])
    return np.array([part[str(group)] for group in groups])
