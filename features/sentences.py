"""Texts as unit vectors: a sentence model without the library that trained it.

An embedder is a folder with ``sentences.json`` (what it is), ``tokenizer.json`` and either
``model.onnx`` (a transformer, pooled and normalised in the graph) or ``table.npy`` (a static
embedder: the mean of one vector a token, some thirty times as fast and less exact). Training
makes such folders (`onward.training.sentences`).

A text's vector depends on nothing but the text: texts go through the transformer one by one, for
an int8 model scales its activations by all that is in a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, Unavailable

__all__ = [
    "About",
    "Embedder",
    "StaticEmbedder",
    "TransformerEmbedder",
    "lazy_embedder",
    "open_embedder",
]

ABOUT = "sentences.json"
TOKENIZER = "tokenizer.json"
MODEL = "model.onnx"
TABLE = "table.npy"

Vectors = NDArray[np.float32]
"""(n, dim), each of length 1; a text without a known token is all zeros where it is static."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What an embedder's folder holds."""

    kind: str
    """``transformer`` or ``static``."""
    model: str
    """The sentence model that it was made from."""
    dim: int
    max_tokens: int
    """Longer texts are cut."""


@runtime_checkable
class Embedder(Protocol):
    """Texts in, unit vectors out."""

    about: About

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) one unit vector a text."""


class TransformerEmbedder:
    """The transformer, by ONNX Runtime; use `open_embedder`."""

    def __init__(self, folder: Path, about: About) -> None:
        import onnxruntime

        self.about = about
        self._encode = _tokenizer(folder, about.max_tokens).encode
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                (folder / MODEL).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors have no common base
            raise BundleError(f"{folder / MODEL} cannot be loaded: {error}") from error

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) one unit vector a text."""
        rows = [self._one(text) for text in texts]
        return np.concatenate(rows) if rows else np.empty((0, self.about.dim), np.float32)

    def _one(self, text: str) -> Vectors:
        ids = np.array([self._encode(text).ids], np.int64)
        vectors: Vectors = self._session.run(["v"], {"ids": ids})[0]
        return vectors


class StaticEmbedder:
    """The mean of the tokens' own vectors; use `open_embedder`."""

    def __init__(self, folder: Path, about: About) -> None:
        self.about = about
        self._tokenizer = _tokenizer(folder, about.max_tokens)
        try:
            self._table = np.load(folder / TABLE, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder / TABLE} cannot be read: {error}") from error

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) one unit vector a text."""
        out = np.zeros((len(texts), self.about.dim), np.float32)
        for row, text in enumerate(texts):
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids
            if ids:
                total = self._table[ids].sum(axis=0, dtype=np.float32)
                out[row] = total / max(float(np.linalg.norm(total)), 1e-12)
        return out


class _Lazy:
    """An embedder that is opened when it is first used."""

    def __init__(self, folder: Path) -> None:
        self.about = _about(folder)
        self._folder = folder
        self._opened: Embedder | None = None
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) one unit vector a text."""
        if self._opened is None:
            with self._lock:
                self._opened = self._opened or open_embedder(self._folder)
        return self._opened.embed(texts)


def lazy_embedder(folder: Path) -> Embedder:
    """The embedder of a folder, whose model is not loaded before it is needed.

    Raises
    ------
    BundleError
        The folder is none. What else `open_embedder` raises comes with the first text.
    """
    return _Lazy(folder)


def open_embedder(folder: Path) -> Embedder:
    """The embedder that lies in a folder.

    Raises
    ------
    BundleError
        The folder is none, or damaged.
    Unavailable
        The package ``tokenizers`` is missing.
    """
    about = _about(folder)
    if about.kind not in {"transformer", "static"}:
        raise BundleError(f"{folder} holds a sentence model of an unknown kind: {about.kind}.")
    kind = TransformerEmbedder if about.kind == "transformer" else StaticEmbedder
    return kind(folder, about)


def _about(folder: Path) -> About:
    try:
        return msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError) as error:
        raise BundleError(f"{folder} holds no sentence model: {error}") from error


def _tokenizer(folder: Path, max_tokens: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise Unavailable(
            "The package tokenizers is missing; install it with: pip install 'onward[text]'",
            missing="tokenizers",
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # tokenizers raises plain Exception
        raise BundleError(f"{folder / TOKENIZER} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
