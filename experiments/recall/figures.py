"""Figures of a ranking by method, each with its interval over questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from experiments.recall.methods import Scores, Tables, scored
from experiments.recall.tables import Floats, Table

from onward.training.metrics import Interval

__all__ = ["average_precision", "crossed", "mean_ap", "rank_figures", "recall_figures"]

_KIND = {"onward_static": "static", "fused_static": "static", "onward_words": "words"}


def rank_figures(scores: dict[str, Scores], tables: list[Table]) -> dict[str, dict[str, float]]:
    """MAP with its interval, and by how much ``onward`` is above each, on the same draws."""
    each = {
        method: [average_precision(s, t.y) for s, t in zip(found, tables, strict=True)]
        for method, found in scores.items()
    }
    ours = np.array(each["onward"])
    figures = {}
    for method, values in each.items():
        figures[method] = _figures("map", values)
        if method != "onward":
            figures[method] |= _figures("onward_gain", (ours - np.array(values)).tolist())
    figures["ceiling"] = {"map": float(np.mean([table.relevant > 0 for table in tables]))}
    return figures


def recall_figures(scores: dict[str, Scores], tables: Tables) -> dict[str, dict[str, float]]:
    """Recall at 1, 5, 10, MRR, and the share of questions whose first note is relevant."""
    figures: dict[str, dict[str, float]] = {}
    for method, found in scores.items():
        kind = _KIND.get(method, method if method == "static" else "dense")
        rows = [_hits(s, t) for s, t in zip(found, tables[kind], strict=True) if t.relevant]
        figures[method] = {}
        for place, name in enumerate(("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "hit")):
            figures[method] |= _figures(name, [row[place] for row in rows])
    return figures


def crossed(tables: list[Table], **how: Any) -> float:
    """MAP of the ranker by five-fold cross-validation over questions, the mean of four deals."""
    found = []
    for seed in range(4):
        part = np.random.default_rng(seed).permutation(len(tables)) % 5
        scores: Scores = [np.zeros(0)] * len(tables)
        for held in range(5):
            train = [table for table, p in zip(tables, part, strict=True) if p != held]
            inside = np.flatnonzero(part == held)
            for place, score in zip(
                inside, scored(train, [tables[place] for place in inside], **how), strict=True
            ):
                scores[place] = score
        found.append(mean_ap(scores, tables))
    return float(np.mean(found))


def _hits(score: Floats, table: Table) -> tuple[float, ...]:
    ranked = table.y[np.argsort(-score, kind="stable")]
    first = float(1.0 / (1.0 + np.argmax(ranked))) if ranked.any() else 0.0
    shares = [float(ranked[:most].sum() / table.relevant) for most in (1, 5, 10)]
    return (*shares, first, float(ranked[:1].sum()))


def _figures(name: str, values: Sequence[float]) -> dict[str, float]:
    found = interval(values)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def interval(values: Sequence[float], *, draws: int = 1000, seed: int = 0) -> Interval:
    """A mean over questions with its 95 % bootstrap interval."""
    each = np.asarray(values, np.float64)
    random = np.random.default_rng(seed)
    means = each[random.integers(len(each), size=(draws, len(each)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(each.mean()), float(low), float(high))


def average_precision(score: Floats, y: Floats) -> float:
    """Of one ranking; 0 where nothing is relevant, as the task's own scorer has it.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    0.8333333333333333
    """
    ranked = y[np.argsort(-score, kind="stable")]
    if not ranked.any():
        return 0.0
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked > 0].mean())


def mean_ap(scores: Sequence[Floats], tables: Sequence[Table]) -> float:
    """Mean average precision over questions."""
    pairs = zip(scores, tables, strict=True)
    return float(np.mean([average_precision(score, table.y) for score, table in pairs]))
