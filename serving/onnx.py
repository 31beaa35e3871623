"""ONNX models as functions: opened when they are first asked, proven before they answer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.models.parity import MAX_PARITY_GAP, parity_gap

__all__ = ["OnnxPart", "session"]


def session(path: Path) -> Any:
    """An ONNX Runtime session of one thread; raises `BundleError` where there can be none."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # a row needs no arena; this saves megabytes
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own errors have no common base
        raise BundleError(f"{path.name} cannot be loaded: {error}", path=str(path)) from error


class OnnxPart:
    """The model of one learned system: rows (n, d) to its output ``p`` (n, k).

    Nothing is opened before it is asked for the first time: what nobody asks costs no memory.

    Parameters
    ----------
    folder
        The bundle's.
    name
        The learned system's; the files are ``NAME.onnx`` and ``NAME.npz``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._session: Any = None
        self._lock = threading.Lock()

    def __call__(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model says; raises `BundleError` where it is not the fitted one, or cannot."""
        if self._session is None:
            with self._lock:
                self._session = self._session or self._proven()
        try:
            answer: NDArray[np.float32] = self._session.run(["p"], {"X": X})[0]
        except Exception as error:  # onnxruntime's own errors have no common base
            raise BundleError(
                f"The {self._name} model was made for other columns; train again: {error}"
            ) from error
        return answer

    def _proven(self) -> Any:
        opened = session(self._folder / f"{self._name}.onnx")
        try:
            with np.load(self._folder / f"{self._name}.npz", allow_pickle=False) as rows:
                X, native = rows["X"], rows["p"]
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(f"{self._name}.npz cannot be read: {error}") from error
        gap = parity_gap(opened.run(["p"], {"X": X})[0], native) if len(X) else 0.0
        if not gap <= MAX_PARITY_GAP:
            raise BundleError(
                f"The {self._name} model differs from the fitted one by {gap:.2g}; "
                "publish it again.",
                gap=gap,
            )
        return opened
