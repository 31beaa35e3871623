"""P(approve): would the user let the step through?

A rejection or an interrupt is a no, a step that ran is a yes. Refused verdicts, changes that were
taken back and words of correction reach it through the running approval rates among its features.
Whether a step then succeeds is another question, which `onward.models.confidence` answers.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.features.examples import Examples
from onward.models.confidence import SETTINGS as CONFIDENCE_SETTINGS
from onward.models.head import Head, weights

__all__ = ["SETTINGS", "Approval"]

SETTINGS: dict[str, Any] = {
    **{name: value for name, value in CONFIDENCE_SETTINGS.items() if "monotone" not in name},
    "rounds": 80,
    "num_leaves": 5,
}
"""Rejections are rare: fewer and smaller trees than for confidence."""


class Approval(Head):
    """Probability that the user would approve a step."""

    name = "approval"
    target = "the user let the step through"
    settings = SETTINGS

    def fit(self, train: Examples, *, seed: int = 0) -> Self:
        """Learns from steps that were let through and from those that were not."""
        rows = train[train.judged]
        approved: NDArray[np.float64] = rows.ran.astype(np.float64)
        self.trees.fit(rows.X, approved, weight=weights(rows), seed=seed)
        self._facts = {"rows": len(rows), "refused": float(1.0 - approved.mean()), "seed": seed}
        return self
