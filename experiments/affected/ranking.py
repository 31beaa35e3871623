"""Pairs of change and test in order of P(fail), by a model of the other projects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from experiments.affected.choosing import DRAWS, Floats
from experiments.affected.measured import Measured
from experiments.affected.replay import Step
from numpy.typing import NDArray

from onward.models.affected import Affected, peers
from onward.models.base import Rows, stacked
from onward.training.metrics import auc, brier, ece

__all__ = ["rank", "rows_of"]


def rows_of(project: str, steps: Iterable[Step]) -> Rows:
    """Pairs of change and test, with whether the test failed; ``seq`` numbers the steps."""
    tables = []
    for number, step in enumerate(steps, start=1):
        n = len(step.tests)
        y = np.array([node in step.failed for node in step.tests], np.float64)
        group = np.full(n, f"{project}:{step.label}:{number}", object)
        tables.append(Rows(step.table, y, group, np.full(n, number, np.int64)))
    return stacked(tables)


def rank(measured: dict[str, Measured]) -> dict[str, dict[str, Any]]:
    """Project -> method -> figures; each project by a model of all the others.

    Under ``all`` stand, over the steps of all projects, each method's APFD and how much the model's
    lies above it.
    """
    found: dict[str, dict[str, Any]] = {}
    scores: dict[str, list[float]] = {}
    tables = {name: rows_of(name, one.steps) for name, one in measured.items()}
    for name, one in measured.items():
        others = [table for other, table in tables.items() if other != name]
        if not others:
            return {}
        train, test = stacked(others), tables[name]
        model = Affected().fit(train)
        said = {"onward": model.calibrated(test.X), **peers(train, test)}
        found[name] = {method: _ranked(one.steps, test, p) for method, p in said.items()}
        for method, p in said.items():
            scores.setdefault(method, []).extend(score[0] for score in _scores(one.steps, test, p))
    found["all"] = {method: _gain(scores["onward"], peer) for method, peer in scores.items()}
    return found


def _gain(ours: Sequence[float], peer: Sequence[float]) -> dict[str, float]:
    """A peer's APFD, and the model's less the peer's with its interval over steps."""
    less = np.array(ours) - np.array(peer)
    random = np.random.default_rng(0)
    draws = [less[random.integers(len(less), size=len(less))].mean() for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "apfd": float(np.mean(peer)),
        "gain": float(less.mean()),
        "gain_low": float(low),
        "gain_high": float(high),
        "steps": len(less),
    }


def _ranked(steps: Sequence[Step], test: Rows, p: Floats) -> dict[str, float]:
    figures: dict[str, float] = {}
    if p.min() >= 0.0 and p.max() <= 1.0:
        figures = {"auc": auc(test.y, p), "brier": brier(test.y, p), "ece": ece(test.y, p)}
    else:
        figures = {"auc": auc(test.y, p)}
    scores = _scores(steps, test, p)
    if scores:
        table = np.array(scores)
        random = np.random.default_rng(0)
        draws = [table[random.integers(len(table), size=len(table))].mean(0) for _ in range(DRAWS)]
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        for at, metric in enumerate(("apfd", "found_at_10", "recall_at_90", "time_at_90")):
            figures[metric] = float(table[:, at].mean())
            figures[f"{metric}_low"], figures[f"{metric}_high"] = float(low[at]), float(high[at])
    figures["steps"] = len(scores)
    return figures


def _scores(steps: Sequence[Step], test: Rows, p: Floats) -> list[tuple[float, ...]]:
    """Of each step with a fresh failure: APFD, found in the first tenth, and the cut at .9."""
    scores: list[tuple[float, ...]] = []
    for number, step in enumerate(steps, start=1):
        said = p[test.seq == number]
        fresh = np.array([node in step.fresh for node in step.tests])
        if fresh.any() and not fresh.all():
            cut = _cut(fresh, said, np.array(step.seconds))
            scores.append((_apfd(fresh, said), _found(fresh, said, 0.1), *cut))
    return scores


def _cut(fresh: NDArray[np.bool_], p: Floats, seconds: Floats) -> tuple[float, float]:
    """Recall and share of the time where 90 % of the expected failures are to be held."""
    weight = p - min(p.min(), 0.0)  # a score that is no probability is taken as a weight
    order = np.argsort(-weight, kind="stable")
    last = int(np.searchsorted(np.cumsum(weight[order]), 0.9 * weight.sum()))
    kept = order[: last + 1]
    return float(fresh[kept].sum() / fresh.sum()), float(seconds[kept].sum() / seconds.sum())


def _apfd(fresh: NDArray[np.bool_], p: Floats) -> float:
    """Average percentage of faults detected (Rothermel et al., 1999); ties count as half."""
    n, m = len(fresh), int(fresh.sum())
    above = np.array([(p > one).sum() + ((p == one).sum() - 1) / 2.0 for one in p[fresh]])
    return float(1.0 - (above + 1).sum() / (n * m) + 1.0 / (2 * n))


def _found(fresh: NDArray[np.bool_], p: Floats, share: float) -> float:
    """Share of failing tests among the first; as many places as there are failures at least."""
    first = max(int(np.ceil(share * len(p))), 1)
    jitter = np.random.default_rng(0).random(len(p))
    order = np.lexsort((jitter, -p))[:first]
    return float(fresh[order].sum() / min(fresh.sum(), first))
