"""What the heads behind a decision have in common: trees over the step's own vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from onward.features.examples import Examples
from onward.features.fold import VERSION
from onward.models.base import Matrix, Probabilities
from onward.models.trees import Trees

__all__ = ["LENT", "Head", "weights"]

LENT = 0.05
"""What a step of the bundled history weighs beside one of the user's own: the likelihood of what
others left behind, raised to this power (Ibrahim & Chen, *Power prior distributions for regression
models*, 2000). So it fills in where a user has little, and fades as the user's own steps come."""


def weights(rows: Examples) -> NDArray[np.float64] | None:
    """(n,) what each row weighs in a fit; None = all the same, as where all are of one kind."""
    lent = rows.lent
    return np.where(lent, LENT, 1.0) if lent.any() and not lent.all() else None


class Head:
    """A head, but for what it learns from: that is its ``fit``.

    Parameters
    ----------
    settings
        LightGBM's parameters; those of the head's own file where not given.
    """

    name: str
    target: ClassVar[str]
    """What a 1 means, in words."""
    settings: ClassVar[Mapping[str, Any]]

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = dict(settings or self.settings)
        self.trees = Trees(self._settings)
        self._facts: dict[str, Any] = {}

    def predict(self, X: Matrix) -> Probabilities:
        """The probability of a 1 for each row, not yet calibrated."""
        return self.trees.predict(X)

    def to_onnx(self) -> bytes:
        """The model as ONNX."""
        return self.trees.to_onnx()

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM)",
            "target": self.target,
            "features": VERSION,
            "settings": self._settings,
            **self._facts,
        }
