"""How far an exported model may be from the fitted one; training and serving hold it alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PARITY_GAP", "parity_gap"]

MAX_PARITY_GAP = 1e-5
"""How far what an ONNX model says may be from the native one; float32 sums leave some 1e-7."""


def parity_gap(served: NDArray[Any], native: NDArray[Any]) -> float:
    """The largest difference, relative where numbers are larger than 1; NaN where one is none."""
    scale = np.maximum(np.abs(native), 1.0)
    return float(np.max(np.abs(served - native) / scale, initial=0.0))
