"""Vectors kept on disk beside the state: derived from the texts, and free to be lost."""

from __future__ import annotations

from pathlib import Path

import msgspec

from onward.data.errors import BundleError
from onward.features.memory.index import Limits, Nearest
from onward.features.sentences import About

__all__ = ["load_vectors", "save_vectors"]

TEXTS = "texts.json"


class _Texts(msgspec.Struct):
    about: About
    """The embedder that made the vectors."""
    digests: dict[str, str]
    """By slot: the digest of the text that the vector is of."""


def save_vectors(folder: Path, vectors: Nearest, *, about: About, digests: dict[int, str]) -> None:
    """Write vectors, and which text each is of."""
    vectors.save(folder)
    texts = {str(slot): digests[slot] for slot in vectors.slots() if slot in digests}
    (folder / TEXTS).write_bytes(msgspec.json.encode(_Texts(about, texts)))


def load_vectors(
    folder: Path, *, about: About, digests: dict[int, str], limits: Limits
) -> Nearest | None:
    """The vectors whose slots still hold the texts that they were made of.

    None where there is no such cache, it cannot be read, or another embedder made it.
    """
    try:
        texts = msgspec.json.decode((folder / TEXTS).read_bytes(), type=_Texts)
        vectors = Nearest.load(folder, limits=limits)
    except (OSError, msgspec.DecodeError, BundleError):
        return None
    if texts.about != about or vectors.dim != about.dim:
        return None
    for slot in vectors.slots():
        if slot not in digests or texts.digests.get(str(slot)) != digests[slot]:
            vectors.remove(slot)
    return vectors
