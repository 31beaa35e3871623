"""P(no progress within three steps) on real histories, and on runs that really get stuck.

Run::

    python experiments/hazard.py --train DIR [--test DIR] [--json | --plots FOLDER]

DIR holds one folder a set with ``steps.jsonl.gz`` and, where there are any, ``prompts.jsonl.gz``.
Without ``--test`` a set whose steps have times is split by time (the last 20 % are judged), any
other by repository (each is judged by a model that never saw it), or by session where there is one
repository. With ``--test`` the whole of ``--train`` is trained on. The trees learn from all sets;
the judged stream is walked as it is served: the fold learns on, a step's vector comes before what
it is asked about. A set that holds too little is named on stderr and left out.

What counts as progress stands in ``features/progress/gains.py``. Methods:

- ``hazard``      the trees with their calibration: what is served
- ``repeat_3``    the same call three times in a row; likewise 4 and 5
- ``since_gain``  steps since something was gained
- ``counts``      logistic regression on twelve simple counts
- ``base``        the share of standstills in training

``precision_at_5`` is the share of standstills among the 5 of 1,000 steps that a method is surest
of. ``alarms`` (per 1,000 steps) and ``alarm_precision`` are those at the threshold that was fixed
on training rows. ``literal_auc`` asks the same answers for the narrower reading of progress.
Intervals are bootstrapped over repositories or sessions.

Three more parts: ``stuck_runs`` plays the runs of ``experiments/stuck_runs.py`` and says after how
many steps the alarm came; ``definition`` sets the definition beside hand labels of windows (one
reader's, in ``experiments/standstills/labels.jsonl``, which names windows and holds none of their
text), where their sets are at hand: ``kappa`` on the sample, ``kappa_weighted`` for all windows;
``speed`` gives microseconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, OnwardError
from onward.features.progress.fold import Progress
from onward.models.hazard import ALARMS, Hazard, Windows, folded, peers
from onward.serving.answers.base import Part
from onward.serving.answers.hazard import HazardAnswers
from onward.serving.questions.hazard import HazardRequest
from onward.training.metrics import auc, bootstrap, brier, ece

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.held_out.sets import Floats, History, read_sets, split
from experiments.standstills.definition import definition
from experiments.stuck_runs import runs

__all__ = ["main", "measure", "report"]

SOON = 6
"""Steps within which a run that is stuck should raise an alarm."""


def precision_at_5(y: Floats, p: Floats) -> float:
    """Share of standstills among the 5 of 1,000 rows with the highest probabilities."""
    most = max(1, round(ALARMS * len(p)))
    return float(y[np.argsort(-p, kind="stable")[:most]].mean())


METRICS = {"auc": auc, "brier": brier, "ece": ece, "precision_at_5": precision_at_5}


@dataclass
class Judged:
    """Windows that were predicted before they were learned."""

    y: Floats
    literal: Floats
    groups: NDArray[np.object_]
    said: dict[str, Floats]
    alarms: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))


# -- protocols ------------------------------------------------------------------------------------


def _windows(logs: Sequence[History], fold: Progress | None = None) -> list[Windows]:
    """Each set's windows; the fold is carried from one to the next, or new for each."""
    return [folded(one.log, fold or Progress()) for one in logs]


def _stacked(parts: Sequence[Windows]) -> Windows:
    return Windows(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Windows)))


def judge(own: Sequence[History], others: Sequence[Windows], test: History) -> Judged:
    """A stream judged by a model of other streams; the fold goes on from ``own``.

    The peers learn from ``own`` alone, unless all of its windows came out alike.
    """
    fold = Progress()
    near = _windows(own, fold)
    train = _stacked([*near, *others])
    rows = folded(test.log, fold)
    if not len(rows):
        raise NotEnoughData(f"{test.name} holds no session that is long enough to judge.")
    model = Hazard().fit(train)
    known = _stacked(near) if near else train
    if not 0 < known.y.sum() < len(known):
        known = train
    said = {"hazard": model.probability(rows.X), **peers(known, rows)}
    groups = rows.group if test.home == "session" else _projects(test, rows)
    return Judged(rows.y, rows.literal, groups, said, said["hazard"] >= model.alarm)


def _projects(test: History, rows: Windows) -> NDArray[np.object_]:
    project = {step.session: step.project for step in test.steps}
    return np.array([project[session] for session in rows.group], object)


def in_turn(one: History, more: Sequence[History]) -> Judged:
    """A set judged on its later steps, or on repositories that were held out in turn."""
    others = _windows(more)
    found = [judge([train], others, test) for train, test in split(one)]
    return Judged(
        np.concatenate([part.y for part in found]),
        np.concatenate([part.literal for part in found]),
        np.concatenate([part.groups for part in found]),
        {name: np.concatenate([part.said[name] for part in found]) for name in found[0].said},
        np.concatenate([part.alarms for part in found]),
    )


def across(train: Sequence[History], test: History) -> Judged:
    """A set judged after all of the training sets; the fold goes on from those of its name."""
    own = [one for one in train if one.name == test.name]
    others = [one for one in train if one.name != test.name]
    return judge(own, _windows(others), test)


def measure(found: Judged, *, draws: int = 100) -> dict[str, dict[str, float]]:
    """Method -> figures; ``auc_low`` and ``auc_high`` and their like are 95 % intervals."""
    result = {}
    for name, p in found.said.items():
        figures: dict[str, float] = {"n": len(found.y), "standstills": int(found.y.sum())}
        for metric, function in METRICS.items():
            interval = bootstrap(function, found.y, p, groups=found.groups, draws=draws)
            figures[metric] = interval.value
            figures[f"{metric}_low"], figures[f"{metric}_high"] = interval.low, interval.high
        figures["literal_auc"] = auc(found.literal, p)
        result[name] = figures
    alarms = found.alarms
    result["hazard"]["alarms"] = 1000.0 * float(alarms.mean())
    result["hazard"]["alarm_precision"] = float(found.y[alarms].mean()) if alarms.any() else 0.0
    return result


# -- runs that are stuck --------------------------------------------------------------------------


def served(train: Sequence[History]) -> HazardAnswers:
    """The answerer as it would be published from these sets: folded, with its model as ONNX."""
    import onnxruntime

    fold = Progress()
    model = Hazard().fit(_stacked(_windows(train, fold)))
    session = onnxruntime.InferenceSession(model.to_onnx())
    answers = HazardAnswers()
    answers.load(fold.dump())

    def run(X: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(["p"], {"X": X})[0], np.float32)

    answers.use(Part("experiment", model.facts(), run))
    return answers


def stuck(answers: HazardAnswers) -> dict[str, dict[str, Any]]:
    """Run -> after how many of its steps the alarm came, what it looked like, what was advised."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs():
        said = []
        for step in run.steps:
            answers.learn(step)
            said.append(answers.answer(HazardRequest(session=step.session)))
        late = said[run.begins :]
        first = next((n for n, answer in enumerate(late, start=1) if answer.alarm), 0)
        seen = late[first - 1] if first else late[-1]
        found[run.name] = {
            "stuck": run.stuck,
            "alarm_after": first,
            "right": 0 < first <= SOON if run.stuck else first == 0,
            "standstill": seen.standstill,
            "probability": max(answer.probability for answer in late),
            "hint": seen.hint.text,
        }
    return found


# -- speed ----------------------------------------------------------------------------------------


def speed(answers: HazardAnswers, sets: Sequence[History], *, most: int = 2000) -> dict[str, float]:
    """Microseconds of learning a step and of answering, p50 and p99."""
    learning, answering = [], []
    for _, event in [pair for one in sets for pair in one.log][-most:]:
        start = time.perf_counter_ns()
        answers.learn(event)
        middle = time.perf_counter_ns()
        answers.answer(HazardRequest(session=getattr(event, "session", "s")))
        answering.append(time.perf_counter_ns() - middle)
        learning.append(middle - start)
    return {
        "learn_p50": float(np.percentile(learning, 50)) / 1000,
        "learn_p99": float(np.percentile(learning, 99)) / 1000,
        "answer_p50": float(np.percentile(answering, 50)) / 1000,
        "answer_p99": float(np.percentile(answering, 99)) / 1000,
    }


# -- command line ---------------------------------------------------------------------------------


def report(
    train: Sequence[History], test: Sequence[History] | None
) -> tuple[dict[str, Any], dict[str, Judged]]:
    """All figures by set, method and metric, and what they were made from."""

    def judged_set(one: History) -> Judged:
        if test is not None:
            return across(train, one)
        return in_turn(one, [other for other in train if other is not one])

    judged = each({one.name: one for one in test or train}, judged_set, script="hazard")
    whole: dict[str, Any] = {name: measure(found) for name, found in judged.items()}
    answers = served(train)
    whole["stuck_runs"] = stuck(answers)
    whole["definition"] = definition([*train, *(test or [])])
    whole["speed"] = speed(answers, test or train)
    return whole, judged


def show(found: dict[str, Any]) -> None:
    """Tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=150)
    for name, part in found.items():
        rows = part if name != "speed" else {"microseconds": part}
        columns = [c for c in next(iter(rows.values()), {}) if not c.endswith(("_low", "_high"))]
        table = Table("", *columns, title=name)
        for row, figures in rows.items():
            table.add_row(row, *[_cell(figures, column) for column in columns])
        console.print(table)


def _cell(figures: dict[str, Any], column: str) -> str:
    value = figures.get(column, "")
    if not isinstance(value, float):
        return str(value)
    low, high = figures.get(f"{column}_low"), figures.get(f"{column}_high")
    return f"{value:.4g}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")


def plots(judged: dict[str, Judged], folder: Path) -> None:
    """Precision against alarms per 1,000 steps, one file a set."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for name, found in judged.items():
        figure, axes = plt.subplots(figsize=(6, 4))
        rates = np.linspace(0.001, 0.05, 50)
        for method, p in found.said.items():
            ranked = found.y[np.argsort(-p, kind="stable")]
            shares = [ranked[: max(1, int(rate * len(ranked)))].mean() for rate in rates]
            axes.plot(1000 * rates, shares, label=method)
        axes.set(xlabel="alarms per 1,000 steps", ylabel="share of standstills", title=name)
        axes.legend(fontsize=7)
        figure.savefig(folder / f"hazard_{name}.png", dpi=120, bbox_inches="tight")
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="P(no progress) on real histories and stuck runs.")
    parser.add_argument("--train", type=Path, required=True, help="folder of sets to learn from")
    parser.add_argument("--test", type=Path, help="folder of sets to judge on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plots", type=Path, help="folder for plots")
    given = parser.parse_args(arguments)
    try:
        test = read_sets(given.test) if given.test else None
        found, judged = report(read_sets(given.train), test)
    except OnwardError as error:
        print(f"hazard: {error.message}", file=sys.stderr)
        return 2
    if given.plots:
        plots(judged, given.plots)
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
