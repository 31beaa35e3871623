"""Texts as vectors: the exported sentence model against the one it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.features.sentences import Embedder, open_embedder
from onward.training.sentences import bundled_model, export

TEXTS = (
    "The cat sits on the mat.",
    "A cat is sitting on a rug.",
    "ModuleNotFoundError: No module named numpy",
    "",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model, exported."""
    folder = tmp_path_factory.mktemp("sentences")
    export(folder)
    return folder


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Embedder:
    """The exported model, opened as serving does."""
    return open_embedder(folder)


def test_exported_vectors_are_those_of_the_model(embedder: Embedder) -> None:
    """The int8 export stays within a cosine of .98 of sentence-transformers' own vectors."""
    from sentence_transformers import SentenceTransformer

    whole = SentenceTransformer(bundled_model(), device="cpu", local_files_only=True)
    native = whole.encode(list(TEXTS), normalize_embeddings=True, show_progress_bar=False)

    assert (np.sum(embedder.embed(TEXTS) * native, axis=1) > 0.975).all()


def test_a_vector_depends_on_its_text_alone(embedder: Embedder) -> None:
    """Texts give the same vectors together as one by one, and each has length 1."""
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])

    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert embedder.embed([]).shape == (0, embedder.about.dim)


def test_like_texts_lie_near(embedder: Embedder) -> None:
    """Two sentences on one thing are nearer than two on different things."""
    vectors = embedder.embed(TEXTS)

    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3


def test_a_text_of_any_length_is_taken(embedder: Embedder) -> None:
    """What lies beyond the limit of tokens is cut."""
    assert embedder.embed(["word " * 20_000]).shape == (1, embedder.about.dim)


def test_a_damaged_folder_is_named(folder: Path, tmp_path: Path) -> None:
    """A folder that is none, or whose model was cut in half, raises a typed error."""
    with pytest.raises(BundleError, match="holds no sentence model"):
        open_embedder(tmp_path)
    for path in folder.iterdir():
        body = path.read_bytes()
        cut = body[: len(body) // 2] if path.name == "model.onnx" else body
        (tmp_path / path.name).write_bytes(cut)
    with pytest.raises(BundleError, match="cannot be loaded"):
        open_embedder(tmp_path)
