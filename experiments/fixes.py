"""Errors and their fixes on real histories: will it pass now, what mends it, does a rerun help?

Run::

    python experiments/fixes.py --train DIR [--test DIR] [--alone] [--json] [--plots FOLDER]

DIR holds one folder a set with ``steps.jsonl.gz``. Without ``--test`` the later half of each
set's log is judged by models of its earlier half, of the other sets and of the bundled history; a
set without times is judged by repository as well (by session, where there is one repository). With
``--test`` the whole of ``--train`` is trained on and the whole of ``--test`` judged. Either way the
judged stream is walked as it is served: predict, then learn, step by step. The bundled history is
judged too, for it has programs that are flaky; ``--alone`` leaves it out. A set that holds too
little is named on stderr and left out.

What is counted:

- A *check* is a command or tool call that failed (program, sub-command and a shared target: script,
  test, file). A look-up that ends with 1 and no error text is no failure.
- An *attempt* is what was done until the check's next run in the session; it is good where that run
  passes. Asked just before the run.
- The *fix* of a mended check is the last change before the run that passed, as action and place
  (`onward.features.fixes.changes.FIXES`). Asked as the check last failed.
- A *rerun* is the very same command again with nothing changed in between.

Methods for attempts: ``onward`` (model, calibration, online layer), ``frozen`` (without the online
layer), ``action`` (the running rate of the action and place), ``words`` (logistic regression on
words of error, action and changes), ``base``. For fixes: ``onward``, ``backed_off`` (shares by
error template, else program, else overall, learned online), ``overall``. For reruns: ``onward``
(running rates with back-off, which is what ships: it beat the ``ridge`` regression on agents that
were never met), ``keyword`` list, ``base`` rate.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from onward.data.errors import OnwardError
from onward.data.events import Step
from onward.data.importers import read_parquet
from onward.data.samples import sample_path
from onward.features.fixes.fold import Fixes
from onward.features.fixes.mined import Mined, mine

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.held_out.sets import History, by_repository, read_sets
from experiments.mending.figures import measure
from experiments.mending.judging import Judged, judge, together

__all__ = ["main", "report"]

LATER = 0.5
"""Share of a set that comes before the steps that are judged."""
BUNDLED = "bundled history"


# -- protocols -----------------------------------------------------------------------------------


def later_half(mined: Sequence[Mined], others: Sequence[Sequence[Mined]], cut: int) -> Judged:
    """The later part of a log, from this place of it on."""
    early = [one for one in mined if one.seq <= cut]
    return judge([early, *others], [one for one in mined if one.seq > cut], by="session")


def in_turn(one: History, others: Sequence[Sequence[Mined]]) -> Judged:
    """Each repository (session, of a single one) judged by models that never saw it."""
    found = []
    for train, test in by_repository(one):
        fold = Fixes()
        known = list(mine(train.log, fold))
        found.append(judge([known, *others], list(mine(test.log, fold)), by=one.home))
    return together(found)


def bundled() -> History:
    """The recorded history that comes with onward."""
    log = enumerate(read_parquet(sample_path()), start=1)
    return History(BUNDLED, [(seq, event) for seq, event in log if isinstance(event, Step)], True)


def report(
    train: Sequence[History], test: Sequence[History] | None, *, alone: bool = False
) -> dict[str, Judged]:
    """Everything that is judged, by name; raises `NotEnoughData` where none of the sets is."""
    more = [] if alone else [bundled()]
    if test is not None:
        return _across(train, test, [list(mine(one.log)) for one in more])
    mined = {one.name: list(mine(one.log)) for one in [*train, *more]}

    def others(one: History) -> list[list[Mined]]:
        return [mined[name] for name in mined if name != one.name]

    def later(one: History) -> Judged:
        return later_half(mined[one.name], others(one), one.log[int(len(one.log) * LATER)][0])

    jobs = {one.name: partial(later, one) for one in train}
    for one in train:
        if not one.timed:
            jobs[f"{one.name} by repository"] = partial(in_turn, one, others(one))
    return _judged(jobs) | {one.name: later(one) for one in more}


def _across(
    train: Sequence[History], test: Sequence[History], more: Sequence[Sequence[Mined]]
) -> dict[str, Judged]:
    def judged(one: History) -> Judged:
        ordered = sorted(train, key=lambda known: known.name == one.name)
        fold = Fixes()  # the set of the same name comes last
        logs = [list(mine(known.log, fold)) for known in ordered]
        return judge([*logs, *more], list(mine(one.log, fold)), by=one.home)

    return _judged({one.name: partial(judged, one) for one in test})


def _judged(jobs: dict[str, partial[Judged]]) -> dict[str, Judged]:
    return each(jobs, lambda job: job(), script="fixes")


# -- what is shown -------------------------------------------------------------------------------


def show(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    """One table a set."""
    from rich.console import Console
    from rich.table import Table

    columns = (
        *("attempt_auc", "attempt_ece", "attempt_brier", "hit_1", "hit_3", "speaks", "precision"),
        *("coverage_at_70", "rerun_auc", "rerun_brier"),
    )
    console = Console()
    for name, methods in figures.items():
        ours = methods["onward"]
        counts = ", ".join(f"{ours.get(k, 0):,} {k}" for k in ("attempts", "mended", "reruns"))
        table = Table(title=f"{name}: {counts}", title_justify="left")
        table.add_column("method")
        for column in columns:
            table.add_column(column, justify="right")
        for method, row in methods.items():
            table.add_row(method, *[_cell(row, column) for column in columns])
        console.print(table)


def _cell(row: dict[str, float], column: str) -> str:
    if column not in row:
        return ""
    low, high = row.get(f"{column}_low"), row.get(f"{column}_high")
    span = f"\n{low:.3f}-{high:.3f}" if low is not None and high is not None else ""
    return f"{row[column]:.3f}{span}"


def plot(found: dict[str, Judged], folder: Path) -> None:
    """Reliability of P(pass), and precision against coverage of the first fix."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from onward.training.metrics import reliability

    folder.mkdir(parents=True, exist_ok=True)
    for name, judged in found.items():
        figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
        points = reliability(judged.passed, judged.attempts["onward"], bins=10)
        left.plot([0, 1], [0, 1], color="grey", linewidth=1)
        left.plot([p[0] for p in points], [p[1] for p in points], marker="o")
        left.set(xlabel="P(pass) said", ylabel="share that passed", title=name)
        for method, table in judged.fixes.items():
            best = np.argsort(-table.max(axis=1), kind="stable")
            hit = (table.argmax(axis=1) == judged.fix)[best]
            covered = np.arange(1, len(best) + 1)
            right.plot(covered / max(len(best), 1), np.cumsum(hit) / covered, label=method)
        right.set(xlabel="share of mended checks", ylabel="first fix was the one", ylim=(0, 1))
        right.legend()
        figure.tight_layout()
        figure.savefig(folder / f"fixes-{name.replace(' ', '-')}.png", dpi=120)
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="Errors and their fixes beside trivial peers.")
    parser.add_argument("--train", "--data", type=Path, required=True, help="folder of sets")
    parser.add_argument("--test", type=Path, help="folder of sets to judge on")
    parser.add_argument("--alone", action="store_true", help="leave the bundled history out")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plots", type=Path, help="folder for plots")
    given = parser.parse_args(arguments)
    try:
        test = read_sets(given.test) if given.test else None
        found = report(read_sets(given.train), test, alone=given.alone)
        figures = {name: measure(judged) for name, judged in found.items()}
    except OnwardError as error:
        print(f"fixes: {error.message}", file=sys.stderr)
        return 2
    if given.plots:
        plot(found, given.plots)
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())
    else:
        show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
