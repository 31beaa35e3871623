"""Logistic regression with a ridge: what is left to fit where rows are few.

Columns are brought to mean 0 and deviation 1; what is not known counts as the mean. Newton's method
finds the weights in a few steps. Nothing but numpy is needed, and the ONNX graph is five nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.models.base import Matrix, Probabilities

__all__ = ["Logistic"]

_STEPS = 25
_LEAST = 10
"""Fewer rows of either outcome than this teach nothing."""
_FAR = 6.0
"""Deviations beyond which a number counts as this far."""


class Logistic:
    """P(1) of rows from a weighted sum.

    Parameters
    ----------
    ridge
        Pull of every weight to zero, as the inverse variance of its prior. Higher trusts the rows
        less.
    """

    def __init__(self, ridge: float = 20.0) -> None:
        self._ridge = ridge
        self._mean = np.empty(0)
        self._scale = np.empty(0)
        self.weights = np.empty(0)
        """(d + 1,) of the scaled columns, the last one the bias; empty = not fitted."""

    def fit(
        self, X: Matrix, y: NDArray[np.float64], *, weight: NDArray[np.float64] | None = None
    ) -> None:
        """Fits to rows (n, d) and outcomes (n,); raises `NotEnoughData` below 10 of either."""
        good, bad = int((y > 0).sum()), int((y <= 0).sum())
        if min(good, bad) < _LEAST:
            msg = f"A regression needs at least {_LEAST} outcomes of either kind."
            raise NotEnoughData(msg, good=good, bad=bad)
        w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
        wide = X.astype(np.float64)
        known = np.where(np.isnan(wide), 0.0, 1.0) * w[:, None]
        total = np.maximum(known.sum(0), 1e-9)
        filled = np.nan_to_num(wide)
        self._mean = (filled * known).sum(0) / total
        spread = np.sqrt(((filled - self._mean) ** 2 * known).sum(0) / total)
        self._scale = np.where(spread > 1e-6, spread, 1e9)  # a constant column says nothing
        self._newton(self._scaled(X), y, w)

    def _newton(
        self, Z: NDArray[np.float64], y: NDArray[np.float64], w: NDArray[np.float64]
    ) -> None:
        ones = np.hstack([Z, np.ones((len(Z), 1))])
        pull = np.full(ones.shape[1], self._ridge)
        pull[-1] = 1e-6
        weights = np.zeros(ones.shape[1])
        for _ in range(_STEPS):
            p = 1.0 / (1.0 + np.exp(-np.clip(ones @ weights, -30.0, 30.0)))
            slope = ones.T @ (w * (y - p)) - pull * weights
            curve = (ones * (w * p * (1.0 - p))[:, None]).T @ ones + np.diag(pull)
            step = np.linalg.solve(curve, slope)
            weights += step
            if np.abs(step).max() < 1e-9:
                break
        self.weights = weights

    def _scaled(self, X: Matrix) -> NDArray[np.float64]:
        Z = (X.astype(np.float64) - self._mean) / self._scale
        return np.clip(np.nan_to_num(Z, nan=0.0), -_FAR, _FAR)

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) the probability of a 1."""
        self._check_fitted()
        z = self._scaled(X) @ self.weights[:-1] + self.weights[-1]
        return np.asarray(1.0 / (1.0 + np.exp(-z)), np.float64)

    def _check_fitted(self) -> None:
        if not self.weights.size:
            raise NotEnoughData("The model was not fitted yet; call fit first.")

    def nodes(self, output: str) -> tuple[list[Any], list[Any]]:
        """ONNX nodes from ``X`` to (n, 2) probabilities, and their constants."""
        self._check_fitted()
        from onnx import helper, numpy_helper

        constants = {
            "l_mean": self._mean[None, :],
            "l_scale": self._scale[None, :],
            "l_zero": np.zeros(1),
            "l_low": np.array(-_FAR),
            "l_high": np.array(_FAR),
            "l_weights": self.weights[:-1, None],
            "l_bias": self.weights[-1:],
            "l_one": np.ones(1),
        }
        tensors = [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
        ]
        chain = [
            helper.make_node("Sub", ["X", "l_mean"], ["l_centred"]),
            helper.make_node("Div", ["l_centred", "l_scale"], ["l_z"]),
            helper.make_node("IsNaN", ["l_z"], ["l_unknown"]),
            helper.make_node("Where", ["l_unknown", "l_zero", "l_z"], ["l_filled"]),
            helper.make_node("Clip", ["l_filled", "l_low", "l_high"], ["l_clipped"]),
            helper.make_node("MatMul", ["l_clipped", "l_weights"], ["l_sum"]),
            helper.make_node("Add", ["l_sum", "l_bias"], ["l_logit"]),
            helper.make_node("Sigmoid", ["l_logit"], ["l_good"]),
            helper.make_node("Sub", ["l_one", "l_good"], ["l_bad"]),
            helper.make_node("Concat", ["l_bad", "l_good"], [output], axis=1),
        ]
        return chain, tensors

    def to_onnx(self) -> bytes:
        """The regression as ONNX, opset 15, input ``X`` (n, d), output ``p`` (n, 2)."""
        from onnx import TensorProto, helper

        chain, tensors = self.nodes("p")
        d = len(self.weights) - 1
        graph = helper.make_graph(
            chain,
            "onward",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, d])],
            [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])],
            tensors,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
        model.ir_version = 8
        body: bytes = model.SerializeToString(deterministic=True)
        return body
