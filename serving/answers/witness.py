"""What an answer rests on: the row that a model was given, kept for whoever explains it.

An answerer asks its model as a function and knows of nobody who watches. What watches stands in
the function's place, and costs an answer a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ground", "Run", "Witness"]

Rows = NDArray[np.float32]
Run = Callable[[Rows], Rows]
"""A model as a function: rows (n, d) to its outputs (n, k)."""


class Ground(NamedTuple):
    """The row behind an answer."""

    system: str
    """The learned system whose model was asked."""
    version: str
    """The bundle that it came with."""
    names: tuple[str, ...]
    """The row's columns."""
    row: Rows
    """(d,) what it was given."""
    column: int
    """Which of its outputs counts."""


class Witness:
    """A model as a function, with what it was asked last.

    Parameters
    ----------
    run
        Rows (n, d) to outputs (n, k).
    classes
        Whether the outputs are the probabilities of classes, of which the likeliest counts; else
        the last output does.

    >>> seen = Witness(lambda X: np.hstack([1 - X, X]))
    >>> _ = seen(np.array([[0.2], [0.9]], np.float32))
    >>> seen.last()[0].tolist()
    [0.8999999761581421]
    >>> seen.lead(0)
    >>> seen.last()[0].tolist()
    [0.20000000298023224]
    """

    def __init__(self, run: Run, *, classes: bool = False) -> None:
        self._run, self._classes = run, classes
        self._asked: tuple[Rows, Rows] | None = None
        self._lead: int | None = None

    def __call__(self, X: Rows) -> Rows:
        """What the model says."""
        said = self._run(X)
        self._asked, self._lead = (X, said), None
        return said

    def asked_before(self, X: Rows, said: Rows) -> None:
        """An answer rests on what was said then: it was remembered, and the first row led."""
        self._asked, self._lead = (X, said), 0

    def lead(self, row: int) -> None:
        """Name the row that the answer puts first; unless named it is the one with the most."""
        self._lead = row

    def forget(self) -> None:
        """What was asked before does not count."""
        self._asked = None

    def last(self) -> tuple[Rows, int] | None:
        """The row that led (d,), and the output that counts; None = nothing was asked."""
        if self._asked is None or not len(self._asked[0]):
            return None
        X, said = self._asked
        row = int(said[:, -1].argmax()) if self._lead is None else self._lead
        return X[row].copy(), int(said[row].argmax()) if self._classes else said.shape[1] - 1
