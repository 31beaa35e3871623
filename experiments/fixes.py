"""Errors and their fixes on real histories: will it pass now, what mends it, does a rerun help?

Run::

    python experiments/fixes.py --train DIR [--test DIR] [--alone] [--json] [--plots FOLDER]

DIR holds one folder a set with ``steps.jsonl.gz``. Without ``--test`` the later half of each
set's log is judged by models of its earlier half, of the other sets and of the bundled history; a
set without times is judged by repository as well. With ``--test`` the whole of ``--train`` is
trained on and the whole of ``--test`` judged. Either way the judged stream is walked as it is
served: predict, then learn, step by step. The bundled history is judged too, for it has programs
that are flaky; ``--alone`` leaves it out.

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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, OnwardError
from onward.data.events import Step
from onward.data.importers import read_parquet
from onward.data.samples import sample_path
from onward.decisions.risk import Guardrail, Threshold
from onward.features.fixes.fold import NAMES, Fixes
from onward.features.fixes.mined import Mined, mine
from onward.models import attempts, fixes, transient
from onward.models.attempts import ONLINE, Attempts
from onward.models.base import Rows
from onward.models.fixes import PRECISION, FixRanker, shares
from onward.models.online import Online
from onward.models.transient import Transient
from onward.training.metrics import Interval, Metric, auc, bootstrap, bootstrap_gain, brier, ece

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out import Floats, History, dealt, read_sets

__all__ = ["judge", "main", "measure", "report"]

LATER = 0.5
"""Share of a set that comes before the steps that are judged."""
PARTS = 3
"""Parts that the repositories are dealt into, each judged once."""
_COUNTS = NAMES.index("rate_signature_fix")
DRAWS = 300
BUNDLED = "bundled history"


@dataclass
class Judged:
    """What was judged of one stream; one entry an attempt, a mended check, a rerun."""

    passed: Floats
    groups: NDArray[np.object_]
    attempts: dict[str, Floats]
    fix: NDArray[np.int64]
    fix_groups: NDArray[np.object_]
    fixes: dict[str, Floats]
    """Method -> (checks, fixes) shares."""
    spoke: NDArray[np.bool_]
    reran: Floats
    rerun_groups: NDArray[np.object_]
    reruns: dict[str, Floats] = field(default_factory=dict)


# -- learning and judging ------------------------------------------------------------------------


def judge(
    train: Sequence[Sequence[Mined]], test: Sequence[Mined], *, by: str, seed: int = 0
) -> Judged:
    """Fit on mined logs, then walk the judged attempts in order.

    Parameters
    ----------
    train
        Mined logs to learn from.
    test
        Mined attempts to be judged.
    by
        What intervals draw whole: ``session`` or ``project``.
    seed
        Of the models.
    """
    known = [one for log in train for one in log]
    said = _attempts(known, test, seed)
    shared, spoke = _fixes(known, test, seed)
    mended = [one for one in test if one.passed]
    again = transient.rows_of(test)
    of_rerun = [one for one in test if one.retry is not None]
    return Judged(
        passed=np.array([float(one.passed) for one in test]),
        groups=_groups(test, by),
        attempts=said,
        fix=np.array([one.fix for one in mended], np.int64),
        fix_groups=_groups(mended, by),
        fixes=shared,
        spoke=spoke,
        reran=again.y,
        rerun_groups=_groups(of_rerun, by),
        reruns=_reruns(known, again, seed),
    )


def _groups(found: Sequence[Mined], by: str) -> NDArray[np.object_]:
    return np.array([getattr(one.step, by) for one in found], object)


def _attempts(known: Sequence[Mined], test: Sequence[Mined], seed: int) -> dict[str, Floats]:
    train, judged = attempts.rows_of(known), attempts.rows_of(test)
    slots = [one.slots for one in known], [one.slots for one in test]
    said = attempts.peers(train, judged, slots)
    frozen = Attempts().fit(train, seed=seed).calibrated(judged.X)
    return {"onward": _online(frozen, judged, test), "frozen": frozen, **said}


def _online(frozen: Floats, judged: Rows, test: Sequence[Mined]) -> Floats:
    """(n,) predicted, then learned, attempt by attempt."""
    online, said = Online(ONLINE), np.empty(len(test))
    for row, one in enumerate(test):
        agent, model = one.step.agent, float(frozen[row])
        counts = float(judged.X[row, _COUNTS])
        said[row] = online.predict(agent, model=model, counts=counts)
        online.learn(agent, model=model, counts=counts, success=one.passed)
    return said


def _fixes(
    known: Sequence[Mined], test: Sequence[Mined], seed: int
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Shares of every fix by method, and where the first is said to be known."""
    ranker = FixRanker().fit(fixes.rows_of(known), seed=seed)
    judged = fixes.rows_of(test)
    table = shares(ranker.predict(judged.X))
    fix = judged.y.reshape(table.shape).argmax(axis=1)
    rail = Guardrail(Threshold(value=ranker.speaks_from, rate=1.0 - PRECISION, confidence=0.95))
    spoke = np.zeros(len(table), bool)
    for row, told in enumerate(table):
        top = float(told.max())
        spoke[row] = top >= rail.threshold
        rail.learn(top, failed=int(told.argmax()) != fix[row])
    return {"onward": table, **fixes.peers(test)}, spoke


def _reruns(known: Sequence[Mined], again: Rows, seed: int) -> dict[str, Floats]:
    train = transient.rows_of(known)
    if not len(again):
        return {}
    said = transient.peers(train, again)
    found = {"onward": said.pop("counts"), **said}
    with suppress(NotEnoughData):
        found["ridge"] = Transient().fit(train, seed=seed).predict(again.X)
    return found


# -- protocols -----------------------------------------------------------------------------------


def later_half(mined: Sequence[Mined], others: Sequence[Sequence[Mined]], cut: int) -> Judged:
    """The later part of a log, from this place of it on."""
    early = [one for one in mined if one.seq <= cut]
    return judge([early, *others], [one for one in mined if one.seq > cut], by="session")


def by_repository(one: History, others: Sequence[Sequence[Mined]]) -> Judged:
    """Each repository judged by models, and after a fold, that never saw it."""
    home = np.array([event.project for _, event in one.log if isinstance(event, Step)])
    part = dealt(home, PARTS)
    found = []
    for held in range(PARTS):
        inside = [pair for pair, p in zip(one.log, part, strict=True) if p == held]
        outside = [pair for pair, p in zip(one.log, part, strict=True) if p != held]
        fold = Fixes()
        known = list(mine(outside, fold))
        found.append(judge([known, *others], list(mine(inside, fold)), by="project"))
    return _together(found)


def _together(parts: Sequence[Judged]) -> Judged:
    whole: dict[str, Any] = {}
    for name, value in vars(parts[0]).items():
        several = [getattr(part, name) for part in parts]
        if isinstance(value, dict):
            common = [key for key in value if all(key in one for one in several)]
            whole[name] = {key: np.concatenate([one[key] for one in several]) for key in common}
        else:
            whole[name] = np.concatenate(several)
    return Judged(**whole)


def bundled() -> History:
    """The recorded history that comes with onward."""
    log = enumerate(read_parquet(sample_path()), start=1)
    return History(BUNDLED, [(seq, event) for seq, event in log if isinstance(event, Step)], True)


def report(
    train: Sequence[History], test: Sequence[History] | None, *, alone: bool = False
) -> dict[str, Judged]:
    """Everything that is judged, by name of the set."""
    more = [] if alone else [bundled()]
    if test is not None:
        return _across(train, test, [list(mine(one.log)) for one in more])
    mined = {one.name: list(mine(one.log)) for one in [*train, *more]}
    found = {}
    for one in [*train, *more]:
        others = [mined[name] for name in mined if name != one.name]
        found[one.name] = later_half(mined[one.name], others, one.log[int(len(one.log) * LATER)][0])
        if not one.timed:
            found[f"{one.name} by repository"] = by_repository(one, others)
    return found


def _across(
    train: Sequence[History], test: Sequence[History], more: Sequence[Sequence[Mined]]
) -> dict[str, Judged]:
    found = {}
    for one in test:
        ordered = sorted(train, key=lambda known: known.name == one.name)
        fold = Fixes()  # the set of the same name comes last
        logs = [list(mine(known.log, fold)) for known in ordered]
        by = "session" if one.timed else "project"
        found[one.name] = judge([*logs, *more], list(mine(one.log, fold)), by=by)
    return found


# -- figures -------------------------------------------------------------------------------------


def measure(found: Judged) -> dict[str, dict[str, float]]:
    """Method -> figures; ``..._low`` and ``..._high`` are 95 % intervals over whole groups."""
    figures: dict[str, dict[str, float]] = {}
    y, groups = found.passed, found.groups
    for name, p in found.attempts.items():
        row = figures.setdefault(name, {"attempts": len(y)})
        for metric, function in (("auc", auc), ("ece", _ece), ("brier", brier)):
            row |= _judged(f"attempt_{metric}", function, y, p, groups=groups)
    for name, p in found.attempts.items():
        if name in ("action", "words"):
            gain = bootstrap_gain(auc, y, found.attempts["onward"], p, groups=groups, draws=DRAWS)
            figures["onward"] |= _interval(f"auc_over_{name}", gain)
    for name, table in found.fixes.items():
        row = figures.setdefault(name, {})
        row |= _fix_figures(table, found)
    figures["onward"] |= _speaking(found)
    for name, p in found.reruns.items():
        row = figures.setdefault(name, {})
        row["reruns"] = len(found.reran)
        for metric, function in (("auc", auc), ("brier", brier)):
            row |= _judged(f"rerun_{metric}", function, found.reran, p, groups=found.rerun_groups)
    return figures


def _ece(y: Floats, p: Floats) -> float:
    return ece(y, p, bins=10)


def _mean(y: Floats, p: Floats) -> float:
    del p
    return float(y.mean())


def _interval(name: str, interval: Interval) -> dict[str, float]:
    """A figure with its interval, by name."""
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _judged(name: str, metric: Metric, y: Floats, p: Floats, *, groups: Any) -> dict[str, float]:
    """A figure with its interval over whole groups; none without rows."""
    if not len(y):
        return {}
    return _interval(name, bootstrap(metric, y, p, groups=groups, draws=DRAWS))


def _fix_figures(table: Floats, found: Judged) -> dict[str, float]:
    order = np.argsort(-table, axis=1, kind="stable")
    rank = (order == found.fix[:, None]).argmax(axis=1)
    row: dict[str, float] = {"mended": len(found.fix)}
    for most in (1, 3):
        hit = (rank < most).astype(np.float64)
        row |= _judged(f"hit_{most}", _mean, hit, hit, groups=found.fix_groups)
    best = np.argsort(-table.max(axis=1), kind="stable")
    precise = np.cumsum((rank == 0)[best]) / np.arange(1, len(best) + 1)
    # Knows the outcomes: only a ceiling, but the same one for every method.
    enough = np.flatnonzero(precise >= 0.7)
    row["coverage_at_70"] = float((enough[-1] + 1) / len(best)) if len(enough) else 0.0
    return row


def _speaking(found: Judged) -> dict[str, float]:
    """Precision and coverage where it says that it knows, by a threshold fixed beforehand."""
    spoke, table = found.spoke, found.fixes["onward"]
    right = (table.argmax(axis=1) == found.fix).astype(np.float64)[spoke]
    covered = spoke.astype(np.float64)
    return {
        **_judged("speaks", _mean, covered, covered, groups=found.fix_groups),
        **_judged("precision", _mean, right, right, groups=found.fix_groups[spoke]),
    }


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
