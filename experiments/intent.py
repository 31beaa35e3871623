"""Intent on real prompts: what a user's words led to, predicted before any step is known.

Run::

    python experiments/intent.py --train DIR [--test DIR] [--json] [--plots FOLDER]

DIR holds one folder a set with ``prompts.jsonl.gz`` and ``steps.jsonl.gz``; sets without prompts
are passed over. Without ``--test`` the newest 20 % of a set's prompts are judged; with it, all
prompts of the test set, those of ``--train`` lying before them. The fold goes on learning: a
prompt is predicted, then its steps are learned. The kind of work is derived from the steps as
`onward.features.intent.work` says.

Methods: ``onward``, and the peers: the most frequent kind, the last prompt's kind, the nearest
past prompts by words (TF-IDF) and by vectors (MiniLM). Metrics: ``accuracy``, ``log_loss``,
``ece`` (of the best kind's probability), ``coverage_at_80`` (the largest share of prompts, the
surest first, of which 80 % are right; chosen on the judged prompts, so it flatters all alike) and
``go_ahead`` with its ``precision``: for a peer the share of prompts where its probability is at
least .8, for ``onward`` where the served answer goes ahead at a stated precision of .80, judged by
what was known before the prompt. ``sure`` is ``onward`` ranked and calibrated by the answer's
P(right).

Beside them: the first tool (top 1 and 3) and the files touched (any of the first 3 is), against
the most frequent tool and the last files touched; and prompts as verdicts on the work before them
(``experiments/prompts/verdicts.py``), over all prompts. Intervals: bootstrap over sessions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, NotFound, OnwardError
from onward.data.events import Event, Prompt
from onward.data.importers import BrokenLine
from onward.data.importers import steps as importer
from onward.features.intent.work import KINDS
from onward.features.sentences import Embedder, open_embedder
from onward.models.base import Rows
from onward.models.intent import Intent, peers, rows
from onward.training.metrics import bootstrap, ece
from onward.training.sentences import prepared

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.held_out.sets import Floats, Log
from experiments.prompts.served import Served, hits, walk
from experiments.prompts.verdicts import verdicts
from experiments.recall.embedders import cached

__all__ = ["main", "measure", "read_log"]

LATER = 0.8


def read_log(folder: Path) -> Log:
    """The prompts and steps of a set in order of time; a prompt comes before its steps."""
    found = [*importer.read(folder / "prompts.jsonl.gz"), *importer.read(folder / "steps.jsonl.gz")]
    events = [event for event in found if not isinstance(event, BrokenLine)]
    order = sorted(range(len(events)), key=lambda i: (_at(events[i]), i))
    return [(seq, events[place]) for seq, place in enumerate(order, start=1)]


def _at(event: Event) -> float:
    return float(getattr(event, "at", 0.0))


def measure(train: Log, test: Log, embedder: Embedder) -> dict[str, Any]:
    """Figures by method on the prompts of *test*, which come after those of *train*."""
    log = train + [(seq + len(train), event) for seq, event in test]
    table = rows(log, embedder)
    early = table.seq <= len(train)
    model = Intent().fit(table[early])
    later = table[~early]
    if not len(later):
        raise NotEnoughData("No prompt to judge led to any step.")
    asked = walk(log, len(train), embedder, model)
    said = {"onward": model.predict(later.X)} | peers(table[early], later)
    figures: dict[str, Any] = {name: _figures(later, p) for name, p in said.items()}
    figures["onward"] |= _served(later, asked)
    figures["n"] = len(later)
    figures["files and first tool"] = hits(asked)
    figures["prompts as verdicts"] = verdicts(log)
    return figures


def _figures(table: Rows, p: Floats) -> dict[str, Any]:
    y = table.y.astype(np.intp)
    right = (p.argmax(axis=1) == y).astype(np.float64)
    sure = p.max(axis=1)
    chosen = np.maximum(p[np.arange(len(y)), y], 1e-4)
    low, high = _interval(right, table.group)
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": [low, high],
        "log_loss": float(-np.log(chosen).mean()),
        "ece": ece(right, sure),
        "coverage_at_80": _coverage(right, sure, 0.8),
        **_ahead(right, sure >= 0.8, table.group),
    }


def _served(table: Rows, asked: list[Served]) -> dict[str, Any]:
    """What the served answers say of themselves."""
    truth = [KINDS[int(kind)] for kind in table.y]
    answers = [one.answer for one in asked]
    right = np.array([a.intents[0].kind == kind for a, kind in zip(answers, truth, strict=True)])
    sure = np.array([answer.sure for answer in answers])
    ahead = np.array([answer.go_ahead for answer in answers])
    marks = right.astype(np.float64)
    return {
        **_ahead(marks, ahead, table.group),
        "sure_ece": ece(marks, sure),
        "sure_coverage_at_80": _coverage(marks, sure, 0.8),
    }


def _ahead(right: Floats, ahead: NDArray[np.bool_], groups: NDArray[np.object_]) -> dict[str, Any]:
    """The share that goes ahead, and how much of it is right."""
    found: dict[str, Any] = {"go_ahead": float(ahead.mean()), "precision": None}
    if ahead.any():
        found["precision"] = float(right[ahead].mean())
        found["precision_interval"] = [*_interval(right[ahead], groups[ahead])]
    return found


def _interval(right: Floats, groups: NDArray[np.object_]) -> tuple[float, float]:
    found = bootstrap(lambda y, _: float(y.mean()), right, right, groups=groups.astype(str))
    return found.low, found.high


def _coverage(right: Floats, sure: Floats, least: float) -> float:
    """The largest share of rows, the surest first, whose accuracy is at least so high."""
    order = np.argsort(-sure, kind="stable")
    running = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    good = np.flatnonzero(running >= least)
    return float((good[-1] + 1) / len(right)) if len(good) else 0.0


def _sets(folder: Path) -> dict[str, Log]:
    found = sorted(path.parent for path in folder.glob("*/prompts.jsonl.gz"))
    if not found:
        raise NotFound(f"No set with prompts.jsonl.gz lies in {folder}.", path=str(folder))
    return {path.name: read_log(path) for path in found}


def _split(log: Log) -> tuple[Log, Log]:
    """The log before the newest fifth of the prompts, and from there on."""
    prompts = [seq for seq, event in log if isinstance(event, Prompt)]
    if not prompts:
        raise NotEnoughData("It holds no prompt.")
    cut = prompts[int(len(prompts) * LATER)] - 1
    return log[:cut], [(seq - cut, event) for seq, event in log[cut:]]


def report(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=120)
    for name, found in figures.items():
        table = Table(title=f"{name}: kind of work of {found['n']} prompts")
        columns = ("accuracy", "log_loss", "ece", "coverage_at_80", "go_ahead", "precision")
        for column in ("method", *columns):
            table.add_column(column)
        for method, one in found.items():
            if isinstance(one, dict) and "accuracy" in one:
                low, high = one["accuracy_interval"]
                cells = ["-" if one[c] is None else f"{one[c]:.3f}" for c in columns]
                table.add_row(method, f"{cells[0]} [{low:.3f}, {high:.3f}]", *cells[1:])
        console.print(table)
        for part in ("files and first tool", "prompts as verdicts"):
            for key, value in found[part].items():
                console.print(f"  {key}: {value:.3f}", highlight=False)


def plot(figures: dict[str, Any], folder: Path) -> None:
    """Accuracy and sureness of each method, as a picture a set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    for name, found in figures.items():
        methods = [m for m, one in found.items() if isinstance(one, dict) and "accuracy" in one]
        figure = Figure(figsize=(7, 3))
        axes = figure.subplots()
        values = [found[m]["accuracy"] for m in methods]
        spans = np.array([found[m]["accuracy_interval"] for m in methods]).T
        errors = np.abs(spans - np.array(values))
        axes.barh(methods, values, xerr=errors, color="#4c72b0")
        axes.set_xlabel("accuracy of the kind of work, 95 % interval")
        axes.invert_yaxis()
        figure.tight_layout()
        figure.savefig(folder / f"intent-{name}.png", dpi=120)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--train", type=Path, required=True, metavar="DIR")
    parser.add_argument("--test", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plots", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            embedder = cached(open_embedder(prepared(Path(scratch))))
            sets = _sets(given.train)
            before = [event for log in sets.values() for _, event in log]
            train = list(enumerate(before, start=1))

            def judged(log: Log) -> dict[str, Any]:
                return measure(*(_split(log) if given.test is None else (train, log)), embedder)

            asked = sets if given.test is None else _sets(given.test)
            figures = each(asked, judged, script="intent")
    except OnwardError as error:
        print(error.message, file=sys.stderr)
        return 2
    if given.json:
        print(msgspec.json.encode(figures).decode())
    else:
        report(figures)
    if given.plots is not None:
        plot(figures, given.plots)
    return 0


if __name__ == "__main__":
    sys.exit(main())
