"""What a model of the next step must beat: counting, and LightGBM as it comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from experiments.held_out.sets import Floats, Log
from experiments.next_step.streams import Task

from onward.data.events import Outcome, Step
from onward.features.next_task.label import OTHER, label_of

__all__ = ["Question", "peers", "questions", "truth_of"]

LAST = 5
"""Labels that LightGBM is shown."""


class Question(NamedTuple):
    """One step that is asked for, and what a simple peer knows before it."""

    past: list[str]
    """The session's labels before it."""
    good: bool
    """Whether the session's last step went well."""
    truth: str
    group: str


def truth_of(task: Task, label: str) -> str:
    """A label as it is told apart here: itself, or `OTHER`."""
    return label if label in task.vocabulary else OTHER


def questions(task: Task, log: Log) -> Iterator[Question]:
    """What is asked of a log, in its order; ``past`` is to be read before the next one."""
    before: dict[str, list[str]] = defaultdict(list)
    good: dict[str, bool] = {}
    for _, event in log:
        if not isinstance(event, Step):
            continue
        past = before[event.session]
        if label := label_of(event):
            truth = truth_of(task, label)
            if len(past) >= task.least or log is task.train:
                group = event.project if task.by_project else event.session
                yield Question(past, good.get(event.session, True), truth, group)
            past.append(truth)
        good[event.session] = event.outcome is Outcome.OK


def peers(task: Task, names: Sequence[str]) -> dict[str, Floats]:
    """Peer -> (n, labels) probabilities of each question of the judged stream."""
    ngram, often = _ngram(task, names)
    return {
        "ngram": ngram,
        "lightgbm": _lightgbm(task, names),
        "frequent": np.broadcast_to(often, ngram.shape),
    }


def _ngram(task: Task, names: Sequence[str]) -> tuple[Floats, Floats]:
    """(n, labels) by the longest of the last three labels that was met, and (labels,) by none."""
    tables: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for past, _, truth, _ in questions(task, task.train):
        for order in range(min(len(past), 3) + 1):
            tables[tuple(past[len(past) - order :])][truth] += 1
    often = _back_off(tables, [], names)
    return np.array(
        [_back_off(tables, one.past, names) for one in questions(task, task.test)]
    ), often


def _back_off(
    tables: Mapping[tuple[str, ...], Counter[str]], past: Sequence[str], names: Sequence[str]
) -> Floats:
    """Shares under the longest context; what it never saw gets a little of the shorter one's."""
    p = np.full(len(names), 1.0 / len(names))
    for order in range(min(len(past), 3) + 1):
        table = tables.get(tuple(past[len(past) - order :]))
        if table:
            counts = np.array([table[name] for name in names], float)
            p = (counts + 0.01 * p) / (counts.sum() + 0.01)
    return p


def _lightgbm(task: Task, names: Sequence[str]) -> Floats:
    """(n, labels) LightGBM as it comes, over what a first attempt would give it."""
    if len(names) < 2:
        return np.ones((sum(1 for _ in questions(task, task.test)), len(names)))
    import lightgbm

    number = {name: at for at, name in enumerate(names)}
    X, y = _plain(task, task.train, number)
    settings = {"objective": "multiclass", "num_class": len(names), "verbose": -1, "seed": 0}
    settings |= {"num_threads": 1, "deterministic": True}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 100)
    return np.asarray(booster.predict(_plain(task, task.test, number)[0]))


def _plain(task: Task, log: Log, number: Mapping[str, int]) -> tuple[Floats, Floats]:
    """(n, 5 + 1 + labels) the last five labels, the last outcome, the session's counts; truths."""
    X, y = [], []
    for past, good, truth, _ in questions(task, log):
        last = [number[label] for label in past[: -LAST - 1 : -1]]
        counts = Counter(past)
        X.append([*last, *[-1] * (LAST - len(last)), good, *(counts[name] for name in number)])
        y.append(number[truth])
    return np.array(X, float), np.array(y, float)
