"""Figures of attempts, fixes and reruns by method, with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from experiments.held_out.sets import Floats
from experiments.mending.judging import Judged

from onward.training.metrics import Interval, Metric, auc, bootstrap, bootstrap_gain, brier, ece

__all__ = ["measure"]

DRAWS = 300


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
