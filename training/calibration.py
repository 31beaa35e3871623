"""Which calibration to ship: measured on rows it was not fitted on, as the future will come.

A model that will meet new repositories is judged on held-out groups, one that will meet later
weeks on later rows. The folds say which; the measure is the same.

References
----------
Breiman et al., *Classification and regression trees*, 1984, section 3.4.3 (of methods that are
within one standard error of the best, the simplest).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from onward.models.calibrate import FITS, Calibrator, fit
from onward.training.metrics import brier, ece

__all__ = ["Choice", "Score", "choose", "forward_folds", "group_folds"]

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]
Folds = Sequence[tuple[Rows, Rows]]
_CLIP = 1e-3


class Score(msgspec.Struct, frozen=True):
    """How a method did on rows it was not fitted on."""

    method: str
    brier: float
    log_loss: float
    ece: float
    n: int


class Choice(msgspec.Struct, frozen=True):
    """The chosen calibrator, fitted on all rows, and the figures of every method."""

    calibrator: Calibrator
    scores: list[Score]


def group_folds(groups: ArrayLike, *, folds: int = 5, seed: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """Row numbers (fit, held out) that never part a group."""
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    kinds = int(index.max()) + 1
    parts = min(folds, kinds)
    part = (np.random.default_rng(seed).permutation(kinds) % parts)[index]
    for fold in range(parts):
        yield np.flatnonzero(part != fold), np.flatnonzero(part == fold)


def forward_folds(n: int, *, folds: int = 5) -> Iterator[tuple[Rows, Rows]]:
    """Row numbers (fit, held out), all that is held out coming after all that is fitted on."""
    borders = np.linspace(0, n, folds + 2).astype(int)
    for fold in range(1, folds + 1):
        yield np.arange(borders[fold]), np.arange(borders[fold], borders[fold + 1])


def choose(
    p: ArrayLike, y: ArrayLike, folds: Folds, *, methods: Sequence[str] = tuple(FITS)
) -> Choice:
    """Measure the methods on held-out rows and fit the one to ship on all.

    The measure is the log loss over all held-out rows together. It is a proper score, so it
    cannot be had by saying the base rate, and it minds sure mistakes the most. The first method
    within one standard error of the best is taken: the least of eight noisy figures is often the
    luckiest, and a table of steps that won by luck makes ties where the scores ranked.

    Parameters
    ----------
    p, y
        Scores (n,) of rows that the model was not fitted on, and their outcomes (n,).
    folds
        From `group_folds` where the model will meet new groups, from `forward_folds` where it
        will meet later times.
    methods
        Keys of `onward.models.calibrate.FITS`, the simplest first.
    """
    said, seen = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64)
    outcomes = np.concatenate([seen[test] for _, test in folds])
    heard = [_held_out(method, said, seen, folds) for method in methods]
    losses = np.stack([_losses(outcomes, held) for held in heard])
    scores = [
        Score(method, brier(outcomes, held), float(loss.mean()), ece(outcomes, held), held.size)
        for method, held, loss in zip(methods, heard, losses, strict=True)
    ]
    return Choice(fit(methods[_simplest(losses)], said, seen), scores)


def _held_out(method: str, p: Floats, y: Floats, folds: Folds) -> Floats:
    """What one method says of the held-out rows, fold after fold."""
    return np.concatenate([fit(method, p[train], y[train]).apply(p[test]) for train, test in folds])


def _losses(y: Floats, p: Floats) -> Floats:
    """Log loss of each row; clipped, for one sure mistake of a table must not decide alone."""
    sure = np.clip(p, _CLIP, 1.0 - _CLIP)
    return -np.log(np.where(y > 0, sure, 1.0 - sure))


def _simplest(losses: Floats) -> int:
    """The first method (row) that is no worse than the best by more than one standard error."""
    behind = losses - losses[np.argmin(losses.mean(axis=1))]
    error = behind.std(axis=1) / np.sqrt(losses.shape[1])
    return int(np.argmax(behind.mean(axis=1) <= error))
