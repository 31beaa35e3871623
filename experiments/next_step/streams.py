"""Streams of steps to predict: agents' histories and process logs, split as each is judged.

*Agents.* The label of a step is its tool or command word (`onward.features.next_task.label`); those
with less than half a percent of the training steps are one label, ``other``. A set whose steps have
times is judged on its last 20 %, any other by repositories (by sessions, where there is one
repository), each by a model that never saw it. With a folder to test on, the whole of the folder to
train on comes before it.

*Process logs.* Tax et al., *Predictive business process monitoring with LSTM neural networks*,
CAiSE 2017: the first two thirds of the cases train, in the file's order; of the others each prefix
of 2 <= k < length events is asked for the next one, the end of a case is never a truth.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.held_out.sets import History, Log, read_sets, split

from onward.data.errors import FormatError, NotFound
from onward.data.events import Outcome, Step
from onward.features.next_task.label import frequent, label_of

__all__ = ["Task", "tasks_of"]

TRAIN_CASES = 2 / 3
LEAST_PREFIX = 2
"""Events of a case that must be known before it is asked for the next one."""


@dataclass(frozen=True)
class Task:
    """A stream to judge, and what comes before it."""

    name: str
    train: Log
    test: Log
    vocabulary: tuple[str, ...]
    """Labels that are told apart; all others are one."""
    least: int = 0
    """Steps that a session must have before its next one is judged."""
    strict: bool = False
    """What is served learns nothing from the judged stream but within a session."""
    by_project: bool = False
    """Intervals draw whole projects, otherwise whole sessions."""


def tasks_of(train: Path, test: Path | None = None) -> dict[str, Iterable[Task]]:
    """Set -> the streams that it is judged on; raises `NotFound` where there is no set.

    Going through them raises `NotEnoughData` where nothing of the set can be held out.
    """
    found = {**_agents(train, test), **_logs(train, test)}
    if not found:
        raise NotFound(
            f"No set with steps.jsonl.gz and no process log lies in {train}.", path=str(train)
        )
    return found


# -- agents ---------------------------------------------------------------------------------------


def _agents(train: Path, test: Path | None) -> dict[str, Iterable[Task]]:
    early = _sets(train)
    if test is None:
        return {one.name: _in_turn(one) for one in early}
    known = {one.name: one.log for one in early}
    whole = [pair for one in early for pair in one.log]
    return {one.name: [_task(one, known.get(one.name, whole), one.log)] for one in _sets(test)}


def _sets(folder: Path) -> list[History]:
    inner = folder / "agents" if (folder / "agents").is_dir() else folder
    return read_sets(inner) if any(inner.glob("*/steps.jsonl*")) else []


def _in_turn(one: History) -> Iterator[Task]:
    for train, test in split(one):
        yield _task(one, train.log, test.log)


def _task(one: History, train: Log, test: Log) -> Task:
    labels = frequent(label_of(event) for _, event in train if isinstance(event, Step))
    return Task(one.name, train, test, labels, by_project=one.home == "project")


# -- process logs ---------------------------------------------------------------------------------


def _logs(train: Path, test: Path | None) -> dict[str, Iterable[Task]]:
    known = {path.name: path for path in _files(train)}
    found: dict[str, Iterable[Task]] = {}
    for path in _files(test or train):
        cases = _cases(path)
        cut = int(len(cases) * TRAIN_CASES)
        early, late = cases[:cut], cases[cut:]
        if test is not None and path.name in known:
            early, late = _cases(known[path.name]), cases
        found[path.stem] = [_log_task(path.stem, early, late)]
    return found


def _files(folder: Path) -> list[Path]:
    places = (folder, folder.parent) if folder.name == "agents" else (folder,)
    return [
        path
        for place in places
        for inner in ("next_task/process_logs", "process_logs")
        for path in sorted((place / inner).glob("*.csv"))
    ]


def _log_task(name: str, early: list[list[Step]], late: list[list[Step]]) -> Task:
    before = [step for case in early for step in case]
    after = [step for case in late for step in case]
    return Task(
        name,
        list(enumerate(before, 1)),
        list(enumerate(after, len(before) + 1)),
        tuple(Counter(step.tool for step in before)),
        least=LEAST_PREFIX,
        strict=True,
    )


def _cases(path: Path) -> list[list[Step]]:
    """The cases of a process log in the file's order, its events as steps that went well."""
    cases: dict[str, list[Step]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            steps = cases.setdefault(row.get("CaseID") or "", [])
            steps.append(_event(row, place=len(steps), path=path))
    return list(cases.values())


def _event(row: dict[str, str], *, place: int, path: Path) -> Step:
    try:
        clock = datetime.fromisoformat(row["CompleteTimestamp"]).replace(tzinfo=UTC)
        return Step(
            id=f"{row['CaseID']}-{place}",
            session=row["CaseID"],
            tool=row["ActivityID"],
            at=clock.timestamp(),
            agent=path.stem,
            outcome=Outcome.OK,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(
            f"{path.name} is no process log: each line needs CaseID, ActivityID and"
            " CompleteTimestamp.",
            path=str(path),
        ) from error
