"""The next step on real histories: the model beside its peers, on steps it was never trained on.

Run::

    python experiments/next_task.py --data DIR [--json] [--plots FOLDER]
    python experiments/next_task.py --train DIR --test DIR [--json]

DIR holds folders of agents' histories (``steps.jsonl.gz``, and ``prompts.jsonl.gz`` where there
are any), here or in ``agents``, and process logs in ``next_task/process_logs``. How each is split
and what is a label stands in `experiments.next_step.streams`. The judged stream is walked as it is
served: asked, answered through ONNX, then learned, step by step. Of a process log nothing is
learned from judged cases but within the case itself.

What is compared:

- ``onward``    what is served
- ``frozen``    the same, learning nothing in the judged stream but within each session (agents)
- ``online``    the same, learning from each step of the judged cases (process logs)
- ``weights``   the running weights alone, as they stand in the walk of ``onward``
- ``counts``    counts under the last labels, learning as the stream goes on
- ``ngram``     counts under the last three labels, backing off, of the training part only
- ``lightgbm``  untuned, over the last five labels, the last outcome and the session's counts
- ``frequent``  the most frequent labels of the training part

``top1`` and ``top3`` are shares of hits; ``coverage_70`` is the share of steps where the first
label is said with at least 70 %, ``precision_70`` what of those came true; ``coverage_sure`` and
``precision_sure`` are those of the answer's ``confident``, a threshold fixed in training so that
70 % or more of what is said with confidence come true; ``ece`` is that of the
first label; ``second`` and ``third`` are hits of the first label for the step after the next one
and for the one after that. Intervals are 95 % by bootstrap over sessions, or over repositories
where those are held out. With ``--json`` the figures of ``onward`` stand under the set's name,
those of the others under ``peers`` in it.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, OnwardError
from onward.data.events import Step
from onward.features.next_task.fold import VOICES, NextFold
from onward.features.next_task.label import OTHER, label_of
from onward.models.next_task import CONFIDENT, NextTask, rows
from onward.training.metrics import bootstrap, ece, reliability

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.next_step.peers import peers, questions, truth_of
from experiments.next_step.streams import Task, tasks_of

__all__ = ["Told", "judge", "main", "measure"]

Floats = NDArray[np.float64]
Run = Callable[[NDArray[np.float32]], Floats]

DRAWS = 200
_WEIGHTS, _COUNTS = VOICES.index("weights"), VOICES.index("steps")


@dataclass
class Told:
    """What one method said of each question."""

    hit: list[bool] = field(default_factory=list)
    among_three: list[bool] = field(default_factory=list)
    p: list[float] = field(default_factory=list)
    """Probability of its first label."""
    sure: list[bool] = field(default_factory=list)
    """Whether it was said with confidence."""
    later: dict[str, list[bool]] = field(default_factory=dict)
    """``second`` and ``third`` -> hits of the first label for a step after the next one."""

    def add(self, labels: Sequence[str], p: Floats, truth: str, *, sure: float = CONFIDENT) -> None:
        """One question: labels in any order, with their probabilities."""
        order = np.argsort(-p, kind="stable")[:3].tolist()
        self.hit.append(labels[order[0]] == truth)
        self.among_three.append(truth in [labels[i] for i in order])
        self.p.append(float(min(max(p[order[0]], 0.0), 1.0)))
        self.sure.append(self.p[-1] >= sure)

    def join(self, other: Told) -> None:
        """Takes in what was said of another part of the set."""
        self.hit += other.hit
        self.among_three += other.among_three
        self.p += other.p
        self.sure += other.sure
        for step, hits in other.later.items():
            self.later.setdefault(step, []).extend(hits)


Judged = dict[str, Told]
"""Method -> what it said."""


# -- walking --------------------------------------------------------------------------------------


def judge(task: Task, *, seed: int = 0) -> tuple[Judged, list[str]]:
    """All methods on one stream, and the group of each question.

    Raises `NotEnoughData` where the stream asks nothing, or there is too little to learn from.
    """
    groups = [one.group for one in questions(task, task.test)]
    if not groups:
        raise NotEnoughData(f"{task.name} holds no step to ask for.")
    fold = NextFold()
    table = rows(task.train, vocabulary=task.vocabulary, fold=fold)
    model = NextTask().fit(table, seed=seed)
    run, state = _served(model), fold.dump()
    quiet = _walk(task, NextFold.load(state), model, run=run, teach=False)
    live = _walk(task, fold, model, run=run, teach=True)
    ours, other = (quiet, live) if task.strict else (live, quiet)
    found = {
        "onward": ours["onward"],
        "online" if task.strict else "frozen": other["onward"],
        "weights": ours["weights"],
        "counts": live["counts"],
        **_simple(task),
    }
    return found, groups


def _simple(task: Task) -> Judged:
    """What the peers said."""
    names = [*task.vocabulary, OTHER]
    found = {}
    for name, table in peers(task, names).items():
        told = found[name] = Told()
        for p, one in zip(table, questions(task, task.test), strict=True):
            told.add(names, p, one.truth)
    return found


def _served(model: NextTask) -> Run:
    """The trees as they are served."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.to_onnx(), options, providers=["CPUExecutionProvider"]
    )
    return lambda X: np.asarray(session.run(None, {"X": X})[0], np.float64)[:, 1]


def _walk(task: Task, fold: NextFold, model: NextTask, *, run: Run, teach: bool) -> Judged:
    """Ask, answer, learn; step by step."""
    found: dict[str, Told] = defaultdict(Told)
    truths = _truths(task)
    done: dict[str, int] = defaultdict(int)
    for _, event in task.test:
        if isinstance(event, Step) and (label := label_of(event)):
            place = done[event.session]
            done[event.session] += 1
            if place >= task.least:
                asked = fold.ask(
                    event.session,
                    agent=event.agent,
                    project=event.project,
                    vocabulary=task.vocabulary,
                )
                truth = truth_of(task, label)
                p = model.sharpness.shares(run(asked.X), np.log(asked.voices[_WEIGHTS]))
                found["onward"].add(asked.labels, p, truth, sure=model.sharpness.sure)
                for name, voice in (("weights", _WEIGHTS), ("counts", _COUNTS)):
                    found[name].add(asked.labels, asked.voices[voice], truth)
                steps = truths[event.session][place:][:3]
                first = list(zip(asked.labels, p.tolist(), strict=True))
                ahead = fold.ahead(event.session, first, steps=len(steps))
                _look_ahead(task, ahead, steps[1:], found["onward"])
        fold.learn(event, teach=teach)
    return dict(found)


def _look_ahead(
    task: Task, ahead: Sequence[Mapping[str, float]], truths: Sequence[str], told: Told
) -> None:
    """Hits of the steps after the next one, where there are any."""
    for name, table, truth in zip(("second", "third"), ahead, truths, strict=False):
        merged: dict[str, float] = defaultdict(float)
        for label, share in table.items():
            merged[truth_of(task, label)] += share
        told.later.setdefault(name, []).append(max(merged, key=merged.__getitem__) == truth)


def _truths(task: Task) -> dict[str, list[str]]:
    """Session -> its labels in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, event in task.test:
        if isinstance(event, Step) and (label := label_of(event)):
            found[event.session].append(truth_of(task, label))
    return found


# -- figures --------------------------------------------------------------------------------------


def measure(found: Judged, groups: Sequence[str]) -> dict[str, dict[str, float]]:
    """Method -> figures; ``top1_low`` and its like are the ends of 95 % intervals."""
    return {name: _figures(told, groups) for name, told in found.items()}


def _figures(told: Told, groups: Sequence[str]) -> dict[str, float]:
    hit, p = np.array(told.hit, float), np.array(told.p)
    figures: dict[str, float] = {}
    for name, y in (("top1", hit), ("top3", np.array(told.among_three, float))):
        interval = bootstrap(lambda y, p: float(y.mean()), y, p, groups=groups, draws=DRAWS)
        figures[name] = interval.value
        figures[f"{name}_low"], figures[f"{name}_high"] = interval.low, interval.high
    for name, sure in (("70", p >= CONFIDENT), ("sure", np.array(told.sure))):
        figures[f"coverage_{name}"] = float(sure.mean())
        figures[f"precision_{name}"] = float(hit[sure].mean()) if sure.any() else float("nan")
    interval = bootstrap(ece, hit, p, groups=groups, draws=DRAWS)
    figures |= {"ece": interval.value, "ece_low": interval.low, "ece_high": interval.high}
    for step, hits in told.later.items():
        figures[step] = float(np.mean(hits))
    return figures | {"n": len(hit)}


def _report(
    tasks: Mapping[str, Iterable[Task]], *, seed: int, plots: Path | None
) -> dict[str, dict[str, dict[str, float]]]:
    """Set -> method -> figures."""
    judged = each(tasks, lambda parts: _together(parts, seed=seed), script="next_task")
    if plots is not None:
        for name, (whole, _) in judged.items():
            _plot(name, whole, plots)
    return {name: measure(whole, groups) for name, (whole, groups) in judged.items()}


def _together(parts: Iterable[Task], *, seed: int) -> tuple[Judged, list[str]]:
    """All methods on the streams of a set, and the group of each question."""
    whole: Judged = {}
    groups: list[str] = []
    for task in parts:
        found, more = judge(task, seed=seed)
        groups += more
        for method, told in found.items():
            whole.setdefault(method, Told()).join(told)
    return whole, groups


def _plot(name: str, found: Judged, folder: Path) -> None:
    """A reliability plot of each method that learned."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for method in ("onward", "weights", "lightgbm", "ngram"):
        told = found[method]
        points = reliability(np.array(told.hit, float), np.array(told.p))
        axes.plot([p for p, _, _ in points], [y for _, y, _ in points], marker="o", label=method)
    axes.set(title=name, xlabel="said of the first label", ylabel="came true")
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"next_task_{name}.png")


def _show(report: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    bands = ("coverage_70", "precision_70", "coverage_sure", "precision_sure")
    columns = ("top1", "top3", *bands, "ece", "second", "third")
    for name, methods in report.items():
        count = next(iter(methods.values()))["n"]
        table = Table(title=f"{name}: {count:,} steps")
        table.add_column("")
        for column in columns:
            table.add_column(column, justify="right")
        for method, row in methods.items():
            table.add_row(method, *(_cell(row, column) for column in columns))
        Console(width=132).print(table)


def _cell(row: Mapping[str, float], column: str) -> str:
    if column not in row:
        return ""
    if f"{column}_low" in row:
        return f"{row[column]:.3f} ({row[f'{column}_low']:.3f}-{row[f'{column}_high']:.3f})"
    return f"{row[column]:.3f}"


def _by_set(report: Mapping[str, Mapping[str, dict[str, float]]]) -> dict[str, Any]:
    """Each set's figures with those of the peers beside them."""
    return {
        name: {**methods["onward"], "peers": {m: f for m, f in methods.items() if m != "onward"}}
        for name, methods in report.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="The next step on real histories beside peers.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of sets, split as each is judged")
    source.add_argument("--train", type=Path, help="folder of sets to learn from")
    parser.add_argument("--test", type=Path, help="folder of sets to judge on, with --train")
    parser.add_argument("--only", action="append", help="a set's name; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="of the trees")
    parser.add_argument("--plots", type=Path, help="folder for reliability plots")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        tasks = tasks_of(given.data or given.train, given.test)
        wanted = {k: v for k, v in tasks.items() if not given.only or k in given.only}
        report = _report(wanted, seed=given.seed, plots=given.plots)
    except OnwardError as error:
        print(f"next_task: {error.message}", file=sys.stderr)
        return 2
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(_by_set(report)), indent=2).decode())
    else:
        _show(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
