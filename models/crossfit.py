"""What a model says of rows that it was not fitted on, for calibration and thresholds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from onward.data.errors import NotEnoughData
from onward.models.base import Probabilities, Rows

__all__ = ["out_of_fold"]


def out_of_fold(
    rows: Rows, fit_and_predict: Callable[[Rows, Rows], Probabilities], *, folds: int = 4
) -> Probabilities:
    """(n,) predictions of each row by a model of other groups; NaN where there were too few.

    Parameters
    ----------
    rows
        All rows.
    fit_and_predict
        Fits on the first rows and predicts the second.
    folds
        Parts that the groups are dealt into, in the order of their first rows.
    """
    _, first, index = np.unique(rows.group.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    part = order[index] % folds
    said = np.full(len(rows), np.nan)
    for fold in range(folds):
        held = part == fold
        with suppress(NotEnoughData):
            if held.any():
                said[held] = fit_and_predict(rows[~held], rows[held])
    return said
