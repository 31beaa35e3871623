"""Embedders of texts: the sentence model, the one distilled from it, and vectors made once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onward.features.sentences import Embedder, open_embedder

__all__ = ["cached", "embedders"]


class _Cached:
    """An embedder that makes each vector once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, NDArray[np.float32]] = {}
        self.about = embedder.about

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._embedder.embed(new), strict=True))
        rows = [self._known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.about.dim), np.float32)


def cached(embedder: Embedder) -> Embedder:
    """The same embedder, which makes each vector once."""
    return _Cached(embedder)


def embedders(home: Path | None) -> dict[str, Embedder]:
    """The sentence model and the one distilled from it, made where they are not there yet."""
    from onward.training.sentences import distil, prepared

    home = home or Path(tempfile.gettempdir(), "onward-experiments")
    static = home / "sentences" / "static"
    if not (static / "sentences.json").exists():
        static.mkdir(parents=True, exist_ok=True)
        distil(static)
    return {"dense": open_embedder(prepared(home)), "static": open_embedder(static)}
