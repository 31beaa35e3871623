"""The exported model must be the fitted one: the same probabilities, row for row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.models.parity import MAX_PARITY_GAP, parity_gap
from onward.models.trees import OUTPUT

__all__ = ["Exported", "check_gap", "check_parity"]

Floats = NDArray[np.float64]


class Exported:
    """A model as it is served: ONNX.

    Parameters
    ----------
    body
        What ``to_onnx`` gave.

    Raises
    ------
    BundleError
        It cannot be run.
    """

    def __init__(self, body: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                body, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors have no common base
            raise BundleError(f"The exported model cannot be run: {error}") from error

    def output(self, X: NDArray[np.float32]) -> Floats:
        """(n, k) what the model gives for each row."""
        return np.asarray(self._session.run([OUTPUT], {"X": X})[0], np.float64)

    def predict(self, X: NDArray[np.float32]) -> Floats:
        """(n,) the probability of each row."""
        return self.output(X)[:, 1]

    def one(self, vector: NDArray[np.float32]) -> float:
        """The probability of one row (d,)."""
        return float(self.predict(vector[np.newaxis])[0])


def check_parity(name: str, body: bytes, *, X: NDArray[np.float32], native: Floats) -> float:
    """Compare an export with the native model; gives the largest difference.

    Raises
    ------
    BundleError
        A row differs by more than `MAX_PARITY_GAP`: the export must not be published.
    """
    return check_gap(name, Exported(body).predict(X), native)


def check_gap(name: str, exported: Floats, native: Floats) -> float:
    """The largest difference, relative where numbers are larger than 1.

    Raises
    ------
    BundleError
        It is above `MAX_PARITY_GAP`.
    """
    gap = parity_gap(exported, native)
    if not gap <= MAX_PARITY_GAP:
        raise BundleError(
            f"The exported {name} model differs from the fitted one by {gap:.2g}; "
            "nothing was published.",
            gap=gap,
        )
    return gap
