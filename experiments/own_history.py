"""What a user's own steps bring to a fresh install: the shipped version on the user's later steps.

Run::

    python experiments/own_history.py --train DIR [--test DIR] [--own 0,500,2000,all] [--json]

DIR holds one folder a set with ``steps.jsonl.gz``, as for ``confidence.py``, and what is judged is
held out in the same way. For each number of own steps a fresh install takes the bundled history and
trains, as `onward up` does; takes the newest so many of the user's steps and trains again, as
`onward train` does; and the version that answers then, whichever the gate chose, is walked over the
later steps as it is served: predict, then learn, step by step. Methods:

- ``onward``   P(approve) * P(success) as served
- ``counts``   running counts with back-off alone

``coverage_at_5`` is the share of steps let through where 5 % errors were asked for, ``error_at_5``
what then went wrong among them; ``live`` says which training the version came from.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.progress import track

from onward.data import store
from onward.data.errors import NotEnoughData, OnwardError
from onward.data.events import Event, Outcome, Step
from onward.data.importers.parquet import read_parquet
from onward.data.samples import sample_path
from onward.serving.bundle import load
from onward.serving.state import State
from onward.training.loop import train
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.held_out.figures import measure, together
from experiments.held_out.sets import History, judged_rows, read_sets, split
from experiments.held_out.walk import Judged

__all__ = ["main", "report"]

RATE = 0.05
"""Errors that the execute band may have."""
SIZES = "0,500,2000,all"
AWAY = "http://127.0.0.1:9"
"""A tracking URI where nobody answers: no run is kept, and training goes on without."""

Pair = tuple[History, History]


def report(pairs: dict[str, list[Pair]], sizes: Sequence[str]) -> dict[str, Any]:
    """Set -> number of own steps -> method -> figures."""
    found: dict[str, Any] = {name: {} for name in pairs}
    with tempfile.TemporaryDirectory() as folder:
        cold = _cold(Path(folder) / "cold")
        jobs = [(name, size) for name in pairs for size in sizes]
        for name, size in track(jobs, "training", disable=not sys.stderr.isatty()):
            home = Path(folder) / "home"
            walked = [_grown(cold, home, own, later, size) for own, later in pairs[name]]
            figures: dict[str, Any] = dict(measure(together([judged for judged, _ in walked])))
            figures["live"] = [live for _, live in walked]
            found[name][size] = figures
    return found


def _cold(home: Path) -> Path:
    """A fresh install that learned from the bundled history."""
    home.mkdir()
    _append(home, read_parquet(sample_path()))
    train(_settings(home))
    return home


def _grown(cold: Path, home: Path, own: History, later: History, size: str) -> tuple[Judged, str]:
    """What answers once the newest of a user's steps came in and it was trained again."""
    shutil.copytree(cold, home)
    try:
        first, newest = Shelf(home).current(), _newest(own, size)
        if newest:
            _append(home, newest)
            train(_settings(home))
        version = Shelf(home).current() or ""
        return _walked(home, version, later), "bundled" if version == first else "own"
    finally:
        shutil.rmtree(home)


def _newest(one: History, size: str) -> list[Event]:
    """The end of a log that holds so many outcomes."""
    if size == "all":
        return [event for _, event in one.log]
    ended = [
        isinstance(event, Step) and event.outcome in (Outcome.OK, Outcome.ERROR)
        for _, event in one.log
    ]
    before = np.cumsum(ended[::-1])[::-1]  # outcomes from each event on
    return [event for (_, event), left in zip(one.log, before, strict=True) if left <= int(size)]


def _walked(home: Path, version: str, later: History) -> Judged:
    """The later steps as they are served by a version that goes on from its last event."""
    bundle = load(home / "bundles" / version, error_rate=RATE)
    state = State(bundle, fold=bundle.fold(), online=bundle.online(), seq=bundle.last_seq)
    for event in _since(home, bundle.last_seq):
        state.learn(event)
    said, through = [], []
    for _, event in later.log:
        if isinstance(event, Step):
            scores, from_here = state.score(event), state.threshold
            said.append((scores.success * scores.approve, scores.counts))
            through.append(from_here is not None and scores.success >= from_here)
        state.learn(event)
    steps = later.steps
    known, good = judged_rows(steps), np.array([step.outcome is Outcome.OK for step in steps])
    groups = np.array([getattr(step, later.home) for step in steps], object)
    p, let = np.array(said)[known], np.array(through)[known]
    y = good[known].astype(np.float64)
    wrong = float(1.0 - y[let].mean()) if let.any() else 0.0
    return Judged(
        y,
        groups[known],
        {"onward": p[:, 0], "counts": p[:, 1]},
        {"onward": {RATE: (float(let.mean()), wrong)}},
    )


def _append(home: Path, events: Iterator[Event] | list[Event]) -> None:
    with store.History.open(home / "history.db") as history:
        history.append(list(events))


def _since(home: Path, seq: int) -> list[Event]:
    with store.History.open(home / "history.db", read_only=True) as history:
        return [event for _, event in history.scan(after=seq)]


def _settings(home: Path) -> TrainSettings:
    return TrainSettings(home=str(home), mlflow_uri=AWAY, without=("all",))


# -- command line ----------------------------------------------------------------------


def show(found: dict[str, Any]) -> None:
    """A table a set."""
    from rich.console import Console
    from rich.table import Table

    columns = ("auc", "brier", "ece", "coverage_at_5", "error_at_5", "n")
    for name, sizes in found.items():
        table = Table("own steps", "method", *columns, "live", title=name)
        for size, figures in sizes.items():
            for method in ("onward", "counts"):
                cells = [_cell(figures[method], column) for column in columns]
                live = ", ".join(figures["live"]) if method == "onward" else ""
                table.add_row(size, method, *cells, live)
        Console(width=150).print(table)


def _cell(row: dict[str, float], name: str) -> str:
    if name not in row:
        return ""
    if name == "n":
        return f"{row[name]:,.0f}"
    span = f" [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" if f"{name}_low" in row else ""
    return f"{row[name]:.4f}{span}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="A fresh install, and the user's own steps.")
    parser.add_argument("--train", type=Path, required=True, help="folder of sets to learn from")
    parser.add_argument("--test", type=Path, help="folder of sets to judge on")
    parser.add_argument("--own", default=SIZES, help=f"numbers of own steps; default {SIZES}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    sizes = given.own.split(",")
    if not all(size == "all" or size.isdigit() for size in sizes):
        parser.error("--own takes numbers of steps, or `all`, with commas between them")
    try:
        found = report(_pairs(given.train, given.test), sizes)
    except OnwardError as error:
        print(f"own_history: {error.message}", file=sys.stderr)
        return 2
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(found)
    return 0


def _pairs(train: Path, test: Path | None) -> dict[str, list[Pair]]:
    """Set -> what is the user's own, and what comes later."""
    own = {one.name: one for one in read_sets(train)}

    def pairs(one: History) -> list[Pair]:
        if test is None:
            found = list(split(one))
        elif one.name in own:
            found = [(own[one.name], one)]
        else:
            raise NotEnoughData(f"No set of that name lies in {train}: nothing is the user's own.")
        _check([later for _, later in found])
        return found

    return each({one.name: one for one in read_sets(test or train)}, pairs, script="own_history")


def _check(parts: Sequence[History]) -> None:
    """Raises `NotEnoughData` where a part holds no step to judge, or all came out alike."""
    good: set[bool] = set()
    for part in parts:
        known = np.flatnonzero(judged_rows(part.steps))
        if not len(known):
            raise NotEnoughData(f"{part.name} holds no step to judge whose outcome is known.")
        steps = part.steps
        good |= {steps[row].outcome is Outcome.OK for row in known}
    if len(good) < 2:
        raise NotEnoughData("All steps to be judged came out alike.")


if __name__ == "__main__":
    sys.exit(main())
