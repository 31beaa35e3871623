"""A published bundle, loaded and proven before it answers anything.

Loading checks every file's hash, that the features are ours, and that the ONNX models give what
the native ones gave on the rows stored with them. A bundle that fails is never used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.store import History
from onward.features.fold import Fold
from onward.models.bundle import (
    APPROVAL,
    CALIBRATION,
    CONFIDENCE,
    FOLD,
    ONLINE,
    PARITY,
    Manifest,
    check_bundle,
)
from onward.models.calibrate import Calibrator
from onward.models.online import Online
from onward.models.parity import MAX_PARITY_GAP, parity_gap
from onward.serving.answers.base import Part
from onward.serving.answers.witness import Run
from onward.serving.onnx import OnnxPart, session

__all__ = ["Bundle", "load"]


class _Trees:
    """An ONNX model of one row in, one probability out."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._session = session(path)
        self._ort = onnxruntime
        self._bound = threading.local()  # a bound row belongs to one thread

    def one(self, vector: NDArray[np.float32]) -> float:
        """Probability of a row (d,); what is bound once is not allocated at every call."""
        try:
            row, out, run = self._bound.one
        except AttributeError:
            row, out, run = self._bound.one = self._bind(len(vector))
        row[0] = vector
        run()
        p: float = out.item(1)
        return p

    def _bind(
        self, width: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Callable[[], None]]:
        """Arrays that a run reads and writes in place, and the run."""
        row, out = np.zeros((1, width), np.float32), np.zeros((1, 2), np.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("X", self._ort.OrtValue.ortvalue_from_numpy(row))
        binding.bind_ortvalue_output("p", self._ort.OrtValue.ortvalue_from_numpy(out))
        return row, out, partial(self._session.run_with_iobinding, binding)

    def rows(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (n, 2) of rows (n, d)."""
        p: NDArray[np.float32] = self._session.run(["p"], {"X": X})[0]
        return p


class Bundle:
    """A model that answers: `onward.serving.state.Scorer`, and where its state begins.

    Made by `load`.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, calibrator: Calibrator, *, error_rate: float
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.version = manifest.version
        self.last_seq = manifest.last_seq
        self.rate, self.threshold = _promise(manifest, error_rate)
        self._confidence = _Trees(folder / CONFIDENCE)
        approval = folder / APPROVAL
        self._approval = _Trees(approval) if APPROVAL in manifest.files else None
        self._calibrate = calibrator.apply_one

    def success(self, vector: NDArray[np.float32]) -> float:
        """Calibrated probability that a step succeeds."""
        return self._calibrate(self._confidence.one(vector))

    def approve(self, vector: NDArray[np.float32]) -> float:
        """Probability that the user would approve it."""
        return 1.0 if self._approval is None else self._approval.one(vector)

    def fold(self) -> Fold:
        """The features' state after `last_seq`, to go on from."""
        return Fold.load(self._read(FOLD))

    def online(self) -> Online:
        """The online layer's state after `last_seq`; fresh where the bundle has none."""
        if ONLINE not in self.manifest.files:
            return Online()
        try:
            state = msgspec.json.decode(self._read(ONLINE), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise BundleError(f"{ONLINE} of {self.version} cannot be read: {error}") from error
        return Online.load(state)

    def part(self, name: str) -> Part | None:
        """The model of a learned system beside decisions; None where the bundle has none."""
        facts = self.manifest.parts.get(name)
        if facts is None:
            return None
        try:
            table = msgspec.json.decode(self._read(f"{name}.json"), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise BundleError(f"{name}.json of {self.version} cannot be read: {error}") from error
        run = OnnxPart(self.folder, name)
        return Part(self.version, table, run, facts.beats_peer, facts.names, facts.features)

    def folds(self, history: History) -> bool:
        """Whether the bundle's state was folded from this very history."""
        return self.last_seq <= history.last_seq() and (
            history.digest(self.last_seq) == self.manifest.history
        )

    def check_parity(self) -> None:
        """Ask the ONNX models about the stored rows.

        Raises
        ------
        BundleError
            A probability is farther than `MAX_PARITY_GAP` from the native model's.
        """
        rows = self.reference()
        for name, trees in (("confidence", self._confidence), ("approval", self._approval)):
            if trees is None or name not in rows:
                continue
            gap = parity_gap(trees.rows(rows["X"])[:, 1], rows[name])
            if not gap <= MAX_PARITY_GAP:
                raise BundleError(
                    f"The {name} model of {self.version} differs from the fitted one by {gap:.2g}; "
                    "publish it again.",
                    gap=gap,
                )

    def ask(self, system: str) -> tuple[Run, NDArray[np.float32]]:
        """A head's or a learned system's model as it is served, and rows that it was asked about.

        Raises
        ------
        BundleError
            The bundle has no such model, or it cannot be read.
        """
        head = {"confidence": self._confidence, "approval": self._approval}.get(system)
        if head is not None:
            return head.rows, self.reference()["X"]
        part = self.part(system)
        if part is None:
            raise BundleError(f"{self.version} has no model called {system}.")
        return part.run, self._rows(f"{system}.npz")["X"]

    @property
    def heads(self) -> tuple[str, ...]:
        """The models behind a decision."""
        return ("confidence",) if self._approval is None else ("confidence", "approval")

    def reference(self) -> dict[str, NDArray[Any]]:
        """Rows stored for the parity check: ``X`` (n, d) and the native ``confidence`` (n,)."""
        return self._rows(PARITY)

    def _rows(self, name: str) -> dict[str, NDArray[Any]]:
        try:
            with np.load(self.folder / name, allow_pickle=False) as rows:
                return {column: rows[column] for column in rows.files}
        except (OSError, ValueError) as error:
            raise BundleError(f"{name} of {self.version} cannot be read: {error}") from error

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{name} of {self.version} cannot be read: {error}") from error


def load(folder: Path, *, error_rate: float) -> Bundle:
    """Load a bundle and prove that it is sound.

    Parameters
    ----------
    folder
        Where it lies.
    error_rate
        The share of the execute band that may fail; picks the threshold.

    Raises
    ------
    BundleError
        It is damaged, made for other features, or not the model that was fitted.
    """
    manifest = check_bundle(folder)
    try:
        table = msgspec.json.decode((folder / CALIBRATION).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{CALIBRATION} of {manifest.version} cannot be read: {error}") from error
    bundle = Bundle(folder, manifest, Calibrator.from_json(table), error_rate=error_rate)
    bundle.check_parity()
    return bundle


def _promise(manifest: Manifest, error_rate: float) -> tuple[float, float]:
    """The largest listed rate that is not above the stated one, and its threshold."""
    kept = {float(rate): value for rate, value in manifest.risk.items()}
    rate = max((rate for rate in kept if rate <= error_rate + 1e-9), default=None)
    return (error_rate, inf) if rate is None else (rate, kept[rate])
