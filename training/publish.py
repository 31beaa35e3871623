"""From a candidate to a bundle on the shelf, proven before it is there.

The exported models must give what the fitted ones give (`onward.training.parity`) on rows that go
into the bundle, so that whoever loads it can prove the same again.
"""

from __future__ import annotations

import io
import time
from importlib.metadata import version as installed
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.fold import NAMES, VERSION
from onward.models.bundle import (
    APPROVAL,
    CALIBRATION,
    CARD,
    CONFIDENCE,
    FOLD,
    ONLINE,
    PARITY,
    Manifest,
    check_bundle,
    hashes,
    write_manifest,
)
from onward.training.candidate import Candidate
from onward.training.card import card
from onward.training.draft import Draft
from onward.training.parity import check_parity
from onward.training.shelf import Shelf
from onward.training.systems import PartDraft

__all__ = ["PARITY_ROWS", "new_version", "publish"]

PARITY_ROWS = 256
"""Rows that go into a bundle to prove it by."""

_LIBRARIES = ("lightgbm", "onnx", "onnxmltools", "onnxruntime", "numpy")


def new_version(digest: str, *, now: float | None = None) -> str:
    """A version's name: when it was made (UTC), and of which history.

    >>> new_version("3f2a9c77", now=0.0)
    '19700101T000000-3f2a9c'
    """
    made = time.gmtime(time.time() if now is None else now)
    return f"{time.strftime('%Y%m%dT%H%M%S', made)}-{digest[:6]}"


def publish(draft: Draft, shelf: Shelf) -> Manifest:
    """Prove the exported models and put the bundle on the shelf; it does not answer yet.

    Raises
    ------
    BundleError
        An exported model is not the fitted one, or what was written cannot be read back; nothing is
        left behind.
    StoreFull, StoreError
        The disk did not take it; nothing is left behind.
    """
    X = draft.rows.X[-PARITY_ROWS:]
    bodies, native = _exported(draft.candidate, X)
    for name, body in bodies.items():
        check_parity(name, body, X=X, native=native[name])
    manifest = _manifest(draft)
    files = {
        CONFIDENCE: bodies["confidence"],
        CALIBRATION: msgspec.json.encode(draft.candidate.choice.calibrator.to_json()),
        FOLD: draft.fold.dump(),
        ONLINE: msgspec.json.encode(draft.online.dump()),
        CARD: card(draft).encode(),
    }
    if "approval" in bodies:
        files[APPROVAL] = bodies["approval"]
    for part in draft.parts:
        files |= _part_files(part)

    def fill(folder: Path) -> None:
        for name, body in files.items():
            (folder / name).write_bytes(body)
        np.savez_compressed(folder / PARITY, allow_pickle=False, X=X, **native)
        done = msgspec.structs.replace(manifest, files=hashes(folder, [*files, PARITY]))
        write_manifest(folder, done)
        check_bundle(folder)

    shelf.put(draft.version, fill)
    return manifest


def _part_files(part: PartDraft) -> dict[str, bytes]:
    """File name -> content, for one learned system."""
    rows = io.BytesIO()
    np.savez_compressed(rows, allow_pickle=False, X=part.X, p=part.native)
    return {
        f"{part.name}.onnx": part.onnx,
        f"{part.name}.json": msgspec.json.encode(
            part.facts | {"beats_peer": part.about.beats_peer}
        ),
        f"{part.name}.npz": rows.getvalue(),
    }


def _exported(
    candidate: Candidate, X: NDArray[np.float32]
) -> tuple[dict[str, bytes], dict[str, NDArray[np.float64]]]:
    """Each head as ONNX, and what the fitted one says to the rows."""
    heads = [head for head in (candidate.confidence, candidate.approval) if head is not None]
    bodies = {head.name: head.to_onnx() for head in heads}
    return bodies, {head.name: head.predict(X) for head in heads}


def _manifest(draft: Draft) -> Manifest:
    """The facts of the version, but for the files' hashes."""
    kept = {f"{p.rate:g}": p.value for p in draft.promises if np.isfinite(p.value)}
    return Manifest(
        version=draft.version,
        created=time.time(),
        features=VERSION,
        names=NAMES,
        history=draft.history,
        last_seq=draft.last_seq,
        steps=len(draft.rows),
        alias=draft.ruling.alias,
        metrics={k: v for k, v in draft.metrics().items() if np.isfinite(v)},
        calibration=draft.candidate.choice.calibrator.method,
        risk=kept,
        libraries={name: installed(name) for name in _LIBRARIES},
        facts={"settings": dict(draft.settings), "ruling": draft.ruling.text},
        parts={part.name: part.about for part in draft.parts},
    )
