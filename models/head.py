"""What the heads behind a decision have in common: trees over the step's own vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from onward.features.fold import VERSION
from onward.models.base import Matrix, Probabilities
from onward.models.trees import Trees

__all__ = ["Head"]


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
