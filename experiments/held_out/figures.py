"""Figures of streams that were predicted before they were learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from experiments.held_out.walk import Judged

from onward.training.metrics import auc, bootstrap, brier, ece

__all__ = ["METRICS", "measure", "together"]

METRICS = {"auc": auc, "brier": brier, "ece": ece}


def together(parts: Sequence[Judged]) -> Judged:
    """Several streams as one; bands are weighed by their steps."""
    sizes = np.array([len(part.y) for part in parts])
    whole = Judged(
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.groups for part in parts]),
        {name: np.concatenate([part.said[name] for part in parts]) for name in parts[0].said},
    )
    for name in parts[0].bands:
        bands = whole.bands[name] = {}
        for rate in parts[0].bands[name]:
            through = np.array([part.bands[name][rate][0] for part in parts]) * sizes
            wrong = np.array([part.bands[name][rate][1] for part in parts]) * through
            share = float(wrong.sum() / max(through.sum(), 1.0))
            bands[rate] = float(through.sum() / sizes.sum()), share
    return whole


def measure(found: Judged, *, draws: int = 200) -> dict[str, dict[str, float]]:
    """Method -> figures; ``auc_low`` and ``auc_high`` and their like are 95 % intervals."""
    result = {}
    for name, p in found.said.items():
        figures: dict[str, float] = {}
        for metric, function in METRICS.items():
            interval = bootstrap(function, found.y, p, groups=found.groups, draws=draws)
            figures[metric] = interval.value
            figures[f"{metric}_low"], figures[f"{metric}_high"] = interval.low, interval.high
        for rate, band in found.bands.get(name, {}).items():
            percent = round(100 * rate)
            figures[f"coverage_at_{percent}"], figures[f"error_at_{percent}"] = band
        figures["n"] = len(found.y)
        result[name] = figures
    return result
