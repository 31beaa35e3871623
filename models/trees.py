"""Gradient-boosted trees, fitted by LightGBM and served by ONNX Runtime.

Two outcomes (``binary``), several (``multiclass``) or an amount (``regression``, ``quantile``), as
the settings' ``objective`` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.features.fold import NAMES
from onward.models.base import Matrix, Probabilities

__all__ = ["OUTPUT", "Trees", "contributions"]

OUTPUT = "p"
"""Name of the ONNX output, float32: (n, 2) for two outcomes, the second column being the
probability of a 1; (n, classes) for several; (n, 1) for an amount."""
_OPSET = 15
_LEAST = 20
"""Fewer rows of either outcome than this teach nothing."""


class Trees:
    """A LightGBM booster that leaves as ONNX.

    Parameters
    ----------
    settings
        LightGBM's parameters; ``rounds`` is the number of trees (for each class).
    names
        The columns, in order.
    """

    def __init__(self, settings: Mapping[str, Any], *, names: Sequence[str] = NAMES) -> None:
        self._settings = dict(settings)
        self._names = tuple(names)
        self._booster: Any = None

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.float64],
        *,
        weight: NDArray[np.float64] | None = None,
        seed: int = 0,
    ) -> None:
        """Fits to rows and what came of them.

        Raises
        ------
        NotEnoughData
            Fewer than 20 rows; with two outcomes, fewer than 20 of each.
        """
        self._check(y)
        import lightgbm

        settings = {**self._settings, "seed": seed, "deterministic": True}
        rounds = settings.pop("rounds")
        rows = lightgbm.Dataset(X, y, weight=weight, feature_name=list(self._names))
        self._booster = _single_precision(lightgbm.train(settings, rows, rounds))

    def _check(self, y: NDArray[np.float64]) -> None:
        good, bad = int((y > 0).sum()), int((y <= 0).sum())
        least = min(good, bad) if self._settings["objective"] == "binary" else len(y)
        if least < _LEAST:
            raise NotEnoughData(
                f"A model needs at least {_LEAST} good and {_LEAST} bad outcomes to learn from.",
                good=good,
                bad=bad,
            )

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) the probability of a 1, or the amount; (n, classes) with several outcomes."""
        return np.asarray(self._fitted().predict(X, **self._threads()), np.float64)

    def to_onnx(self) -> bytes:
        """The trees as ONNX, opset 15, output `OUTPUT`."""
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        columns = FloatTensorType([None, len(self._names)])
        onnx = convert_lightgbm(
            self._fitted(),
            name="onward",  # else the graph gets a random name, and the same model other bytes
            initial_types=[("X", columns)],
            target_opset=_OPSET,
            zipmap=False,
        )
        _keep_output(onnx.graph)
        body: bytes = onnx.SerializeToString()
        return body

    def gains(self) -> dict[str, float]:
        """How much each feature lowered the loss, as shares of 1, largest first."""
        booster = self._fitted()
        gain = booster.feature_importance("gain")
        shares = gain / max(gain.sum(), 1e-12)
        order = np.argsort(-shares, kind="stable")
        return {self._names[i]: float(shares[i]) for i in order if shares[i] > 0}

    def contributions(self, X: Matrix) -> NDArray[np.float64]:
        """(n, d + 1) additive shares of each feature in the log odds; the last is the base."""
        booster = self._fitted()
        return np.asarray(booster.predict(X, pred_contrib=True, **self._threads()), np.float64)

    def _threads(self) -> dict[str, int]:
        """As many as it was fitted with; the booster that is kept does not know it any more."""
        return {"num_threads": int(self._settings.get("num_threads", 0))}

    def _fitted(self) -> Any:
        if self._booster is None:
            raise NotEnoughData("The model was not fitted yet; call fit first.")
        return self._booster


def _single_precision(booster: Any) -> Any:
    """The same trees with thresholds that a float32 can hold.

    Features are float32. Rounding a threshold down to float32 sends each of them the same way as
    before; rounding it to the nearest, as ONNX would, does not.
    """
    import lightgbm

    text = booster.model_to_string()
    lines = [line for line in text.split("\n") if not line.startswith("tree_sizes=")]
    for place, line in enumerate(lines):
        if line.startswith("threshold="):
            wide = np.array(line[len("threshold=") :].split(), np.float64)
            lines[place] = "threshold=" + " ".join(map(repr, _rounded_down(wide).tolist()))
    return lightgbm.Booster(model_str="\n".join(lines))


def _rounded_down(wide: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 not above each number.

    >>> _rounded_down(np.array([0.5, 0.1]))
    array([0.5       , 0.09999999])
    """
    near = wide.astype(np.float32)
    low = np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near)
    return low.astype(np.float64)


def _keep_output(graph: Any) -> None:
    """Names the probabilities, or the amount, `OUTPUT` and drops the labels."""
    found = graph.output[-1].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == found else name for name in node.output]
    graph.output[-1].name = OUTPUT
    del graph.output[:-1]
    wanted, kept = {OUTPUT}, list[Any]()
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.insert(0, node)
    del graph.node[:]
    graph.node.extend(kept)


def contributions(names: tuple[str, ...], shares: NDArray[np.float64]) -> list[tuple[str, float]]:
    """Names and shares of one row, the strongest first."""
    order = np.argsort(-np.abs(shares[: len(names)]), kind="stable")
    return [(names[i], float(shares[i])) for i in order]
