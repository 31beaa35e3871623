"""What every learned model promises.

A model learns from rows folded from the history, predicts from the same columns, and leaves as
ONNX, for serving imports no training library. Fitting twice with the same seed gives the same
model; predicting changes nothing; rows are predicted alone or together alike.

Two shapes keep this promise. The heads behind a decision (`Model`) learn from `Examples`, the
step's own vector. Every other learned system (`Learned`) has columns of its own and learns from
`Rows`; what serving needs beside the ONNX file (labels, calibration, tables) are its ``facts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onward.features.examples import Examples

__all__ = ["Learned", "Matrix", "Model", "Probabilities", "Rows", "stacked"]

Matrix = NDArray[np.float32]
"""(n, d) features; NaN = not known."""
Probabilities = NDArray[np.float64]
"""(n,) or (n, classes) numbers between 0 and 1."""


@runtime_checkable
class Model(Protocol):
    """A head behind a decision.

    Attributes
    ----------
    name
        What it is called in bundles and in MLflow: ``confidence``, ``approval``.
    """

    name: str

    def fit(self, train: Examples, *, seed: int = 0) -> Self:
        """Learns from examples; raises `NotEnoughData` where they do not suffice."""

    def predict(self, X: Matrix) -> Probabilities:
        """The probability for each row."""

    def to_onnx(self) -> bytes:
        """The fitted model as ONNX: input ``X`` (n, d) float32, output ``p`` (n, 2) float32."""

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on and with which settings."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one learned system learns from, in the order of the log.

    Parameters
    ----------
    X
        (n, d) float32, columns as the system's ``names``; NaN = not known.
    y
        (n,) what came of it: 0 or 1, the number of a class, or an amount.
    group
        (n,) texts; rows of one group (session, project, series) depend on each other, and splits
        by group never part them.
    seq
        (n,) place in the log of the event that asked; ascending.
    """

    X: Matrix
    y: NDArray[np.float64]
    group: NDArray[np.object_]
    seq: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.seq)

    @property
    def groups(self) -> int:
        """How many groups they are of."""
        return len(np.unique(self.group.astype(str)))

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Rows:
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))


def stacked(parts: Sequence[Rows]) -> Rows:
    """Several tables as one, row after row."""
    columns = [[getattr(part, field.name) for part in parts] for field in fields(Rows)]
    return Rows(*map(np.concatenate, columns))


@runtime_checkable
class Learned(Protocol):
    """A learned system with columns of its own.

    Attributes
    ----------
    name
        What it is called in bundles and in MLflow: ``next_task``, ``hazard`` ...
    names
        Its columns, in order.
    features
        The version of what they mean; a model of another one is not served.
    """

    name: str
    names: tuple[str, ...]
    features: str

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from rows; raises `NotEnoughData` where they do not suffice."""

    def predict(self, X: Matrix) -> Probabilities:
        """What the exported model gives: (n,) for two outcomes or an amount, else (n, classes)."""

    def to_onnx(self) -> bytes:
        """The fitted model as ONNX: input ``X`` (n, d) float32, output ``p`` float32.

        The output is (n, 2) for two outcomes, (n, classes) for more, (n, 1) for an amount.
        """

    def facts(self) -> dict[str, Any]:
        """What serving needs beside the ONNX file, as plain JSON: labels, calibration, tables."""

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on and with which settings."""
