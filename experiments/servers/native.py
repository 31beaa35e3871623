"""LightGBM itself, as fast as it scores one row."""

from __future__ import annotations

import ctypes
from itertools import islice
from pathlib import Path

import numpy as np

from onward.data.store import History
from onward.features.fold import Fold

__all__ = ["CRow", "native_model"]


class CRow:
    """LightGBM's fastest way to score one row: its C interface, without its Python package."""

    def __init__(self, model: Path, columns: int) -> None:
        import importlib.util

        spec = importlib.util.find_spec("lightgbm")
        if spec is None or spec.origin is None:
            raise SystemExit("The in-process section needs lightgbm: pip install 'onward[train]'.")
        self._lib = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "lib_lightgbm.so"))
        self._handle, rounds = ctypes.c_void_p(), ctypes.c_int()
        self._lib.LGBM_BoosterCreateFromModelfile(
            str(model).encode(), ctypes.byref(rounds), ctypes.byref(self._handle)
        )
        self._config = ctypes.c_void_p()
        self._lib.LGBM_BoosterPredictForMatSingleRowFastInit(
            self._handle, 0, 0, 0, 0, columns, b"num_threads=1", ctypes.byref(self._config)
        )
        self._out, self._size = (ctypes.c_double * 1)(), ctypes.c_int64()

    def __call__(self, row: np.ndarray) -> float:
        """Score one row of float32."""
        self._lib.LGBM_BoosterPredictForMatSingleRowFast(
            self._config,
            row.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(self._size),
            self._out,
        )
        return self._out[0]


def native_model(home: Path, folder: Path) -> Path:
    """A LightGBM model of the shape of the published one, in LightGBM's own format."""
    from onward.features.examples import examples
    from onward.models.confidence import Confidence

    with History.open(home / "history.db", read_only=True) as history:
        rows = examples(islice(history.scan(), 20_000), Fold())
    path = folder / "model.txt"
    Confidence().fit(rows).trees._booster.save_model(str(path))
    return path
