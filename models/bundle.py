"""What a published version holds: the manifest beside its files.

A bundle is a folder. Its ``manifest.json`` names the history and the features that it was made
from, its figures, and the hash of each file, so that a bundle that was cut in half is seen before
it is used. This file imports nothing heavy: serving reads bundles with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from onward.data.errors import BundleError
from onward.features.fold import NAMES, VERSION

__all__ = [
    "APPROVAL",
    "CALIBRATION",
    "CARD",
    "CONFIDENCE",
    "FOLD",
    "MANIFEST",
    "ONLINE",
    "PARITY",
    "Manifest",
    "PartFacts",
    "check_bundle",
    "file_hash",
    "hashes",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "manifest.json"
CONFIDENCE = "confidence.onnx"
APPROVAL = "approval.onnx"
CALIBRATION = "calibration.json"
FOLD = "fold.msgpack"
ONLINE = "online.json"
PARITY = "parity.npz"
CARD = "card.md"


class PartFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a published version holds of one learned system beside decisions.

    Its files are ``NAME.onnx``, ``NAME.json`` (what its model's ``facts`` gave) and ``NAME.npz``
    (rows, and what the fitted model said to them).
    """

    names: tuple[str, ...]
    """Its columns, in order."""
    features: str = ""
    """The version of what they mean."""
    beats_peer: bool
    """Whether it surely beat the best of its trivial peers; where not, the peer answers."""
    ruling: str
    """The gate's word, as one sentence."""
    metrics: dict[str, float] = {}
    """Held-out figures: ``loss``, and ``loss.PEER`` of each peer."""
    card: dict[str, Any] = {}
    """What it is and what it was fitted on."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of one published version."""

    version: str
    """Its name, also that of its folder."""
    created: float
    """Unix seconds."""
    features: str
    """`onward.features.fold.VERSION` that it was fitted with."""
    names: tuple[str, ...]
    """The features' names, in order."""
    history: str
    """Digest of the history that it was trained on."""
    last_seq: int
    """The last event that was trained on; serving folds from here."""
    steps: int = 0
    """Steps that it was trained on."""
    alias: str = ""
    """``champion`` or ``challenger``, as the gate said."""
    metrics: dict[str, float] = {}
    """Held-out figures: ``auc``, ``brier``, ``ece`` and those of the peers."""
    calibration: str = ""
    """The method that was chosen."""
    risk: dict[str, float] = {}
    """Error rate (as text) -> the execute threshold that keeps it; absent = none does."""
    files: dict[str, str] = {}
    """File name -> SHA-256."""
    libraries: dict[str, str] = {}
    """Library -> the version that fitted and exported it."""
    facts: dict[str, Any] = {}
    """Anything else worth keeping: settings, cards."""
    parts: dict[str, PartFacts] = {}
    """The learned systems beside decisions, by name."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle; raises `BundleError` where it is missing or damaged."""
    path = folder / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise BundleError(f"The bundle has no readable manifest: {path}", path=str(path)) from error
    except msgspec.DecodeError as error:
        raise BundleError(f"The bundle's manifest is damaged: {error}", path=str(path)) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest; the last thing to be written into a bundle."""
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(body)


def check_bundle(folder: Path) -> Manifest:
    """The manifest of a bundle that is whole and fits this version's features.

    Raises
    ------
    BundleError
        A file is missing or is not what was published, or the features are others.
    """
    manifest = read_manifest(folder)
    if manifest.features != VERSION or manifest.names != NAMES:
        raise BundleError(
            "The bundle was made with other features; train again.",
            found=manifest.features,
            wanted=VERSION,
        )
    for name, wanted in manifest.files.items():
        if file_hash(folder / name) != wanted:
            raise BundleError(f"The bundle's file {name} is damaged.", path=str(folder / name))
    return manifest


def file_hash(path: Path) -> str:
    """SHA-256 of a file; raises `BundleError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(
            f"The bundle's file {path.name} cannot be read.", path=str(path)
        ) from error


def hashes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of several files of a bundle."""
    return {name: file_hash(folder / name) for name in names}
