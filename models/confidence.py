"""P(success): will the step come out well if it runs?

Gradient-boosted trees over the fold's features. Steps that did not run (rejected, interrupted,
unknown) are not failures and teach nothing here; `onward.models.approval` learns from those.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from onward.features.examples import Examples
from onward.features.fold import NAMES
from onward.models.head import Head, weights

__all__ = ["SETTINGS", "Confidence"]

_UP = (
    *("rate_", "here_", "words_score", "state_score", "body_score", "exact_ok", "exact_last_ok"),
    *("template_last_ok", "program_last_ok", "script_last_ok", "needs_known", "needs_seen"),
    *("looks_seen", "looks_all_seen", "looks_found", "looks_in_file", "old_lines_seen"),
)
"""More of these never makes success less likely; a name that ends in _ stands for all with it."""
_DOWN = ("needs_unknown", "needs_gone", "needs_missing", "looks_not_found", "exact_bad")
"""More of these never makes it more likely."""


def _direction(name: str) -> int:
    if name in _DOWN:
        return -1
    return int(any(name == up or (up.endswith("_") and name.startswith(up)) for up in _UP))


SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 200,
    "learning_rate": 0.04,
    "num_leaves": 9,
    "min_data_in_leaf": 80,
    "lambda_l2": 10.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 127,
    "monotone_constraints": [_direction(name) for name in NAMES],
    "num_threads": 1,
    "verbose": -1,
}
"""Chosen by cross-validation over repositories and over time; small trees carry over best."""


class Confidence(Head):
    """Probability that a step succeeds, given that it runs."""

    name = "confidence"
    target = "the step came out well, given that it ran"
    settings = SETTINGS

    def fit(self, train: Examples, *, seed: int = 0) -> Self:
        """Learns from the steps that ran; raises `NotEnoughData` where they are too few."""
        rows = train[train.ran]
        self.trees.fit(rows.X, rows.succeeded, weight=weights(rows), seed=seed)
        steps = np.unique(rows.seq, return_index=True)[1]  # a step that was rehearsed counts once
        self._facts = {
            "rows": len(steps),
            "failures": float(1.0 - rows.succeeded[steps].mean()),
            "projects": len(np.unique(rows.project.astype(str))),
            "agents": sorted(set(rows.agent.tolist())),
            "seed": seed,
        }
        return self
