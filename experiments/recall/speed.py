"""What a recall costs beside a bare embedding and a bare search, and where each index pays.

The notes are mixed from the lines of the recorded sample history; their vectors are those of real
texts, moved at random, for embedding so many would take long. All times are medians of one run in
one thread, of the processor's time, taken in turns: judge the ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter, process_time

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Note, Step
from onward.data.importers.parquet import read_parquet
from onward.data.samples import sample_path
from onward.features.memory.fold import VERSION
from onward.features.memory.index import Limits, Nearest
from onward.features.memory.kept import Kept
from onward.features.memory.lexical import terms
from onward.features.sentences import Embedder
from onward.serving.answers.memory import Recaller
from onward.serving.questions.memory import MemoryRequest

__all__ = ["sentences_of_sample", "speed"]

Figures = dict[str, dict[str, float]]
QUERIES = 60
_SEEDS = 300
"""Real texts whose vectors the others are made of."""
_SPREAD = 0.6
"""How far a made vector lies from a real one, in lengths of it."""
_WAYS = {
    "exact": Limits(1 << 60, 1 << 60),
    "hnsw": Limits(0, 1 << 60),
    "ivf": Limits(0, 0),
}
_INDEX_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)


def speed(size: int, embedders: dict[str, Embedder]) -> dict[str, Figures]:
    """Times by set: a recall by embedder and length of the question, and indexes by size."""
    sentences = sentences_of_sample()
    random = np.random.default_rng(0)
    figures: dict[str, Figures] = {}
    for name, embedder in embedders.items():
        recaller = _filled(embedder, size, sentences, random)
        for tokens in (20, 100):
            queries = _queries(sentences, tokens, random)
            figures[f"recall/{name}/{tokens}_tokens"] = _recall(recaller, embedder, queries)
    sizes = [each for each in _INDEX_SIZES if each <= max(size, 1_000)]
    figures["index"] = _indexes(embedders["dense"], sizes, sentences, random)
    return figures


# -- material --------------------------------------------------------------------------------------


def sentences_of_sample() -> list[str]:
    """Lines of real outputs, of some words each."""
    lines: dict[str, None] = {}
    for event in read_parquet(sample_path()):
        if isinstance(event, Step):
            lines.update((line.strip(), None) for line in event.output.splitlines())
    return [line for line in lines if 3 <= len(line.split()) <= 25]


def _text(sentences: Sequence[str], words: int, random: np.random.Generator) -> str:
    text: list[str] = []
    while len(text) < words:
        text += sentences[int(random.integers(len(sentences)))].split()
    return " ".join(text[:words])


def _queries(sentences: Sequence[str], tokens: int, random: np.random.Generator) -> list[str]:
    """Questions of about so many tokens; a word of such texts has some two."""
    return [_text(sentences, max(2, tokens // 2), random) for _ in range(QUERIES)]


def _vectors(
    embedder: Embedder, count: int, sentences: Sequence[str], random: np.random.Generator
) -> NDArray[np.float32]:
    seeds = embedder.embed([_text(sentences, 20, random) for _ in range(_SEEDS)])
    rows = seeds[random.integers(len(seeds), size=count)]
    moved = random.standard_normal(rows.shape, np.float32) * (_SPREAD / np.sqrt(rows.shape[1]))
    rows = rows + moved.astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _filled(
    embedder: Embedder, size: int, sentences: Sequence[str], random: np.random.Generator
) -> Recaller:
    """A recaller with so many notes, as after a start: loaded, with vectors from the cache."""
    notes = (Note(id=f"n-{n}", session="s", text=_text(sentences, 20, random)) for n in range(size))
    state = {"version": VERSION, "now": 0.0, "kept": dict(enumerate(map(Kept, notes)))}
    recaller = Recaller(embedder, capacity=max(size, 1))
    recaller.load(msgspec.msgpack.encode(state))
    rows = _vectors(embedder, size, sentences, random)
    recaller.memory.place_all(np.arange(size), rows)
    return recaller


# -- times -----------------------------------------------------------------------------------------


def _recall(recaller: Recaller, embedder: Embedder, queries: Sequence[str]) -> Figures:
    memory = recaller.memory
    vectors = [embedder.embed([query])[0] for query in queries]
    nearest = memory.nearest
    assert nearest is not None  # noqa: S101  # it has an embedder
    words = [terms(query) for query in queries]
    ways: dict[str, Callable[[int], object]] = {
        "embed": lambda n: embedder.embed([queries[n]]),
        "search": lambda n: nearest.search(vectors[n], 10),
        "bm25": lambda n: memory.words.search(memory.words.query(words[n]), 10),
        "onward": lambda n: recaller.answer(MemoryRequest(query=queries[n])),
    }
    times = _in_turns(ways, len(queries))
    bare = times["embed"] + times["search"]
    figures: Figures = {way: {"ms": value} for way, value in times.items()}
    figures["onward"] |= {"ratio_to_bare": times["onward"] / bare, "notes": float(len(memory))}
    return figures


def _in_turns(ways: dict[str, Callable[[int], object]], count: int) -> dict[str, float]:
    """Median milliseconds of each way, of the processor's time: others' load does not count."""
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(count):
        for way, run in ways.items():
            start = process_time()
            run(number)
            times[way].append(1e3 * (process_time() - start))
    return {way: float(np.median(values[len(values) // 10 :])) for way, values in times.items()}


def _indexes(
    embedder: Embedder,
    sizes: Sequence[int],
    sentences: Sequence[str],
    random: np.random.Generator,
) -> Figures:
    figures: Figures = {}
    rows = _vectors(embedder, max(sizes), sentences, random)
    queries = _vectors(embedder, QUERIES, sentences, random)
    for size in sizes:
        slots = np.arange(size)
        built: dict[str, Nearest] = {}
        for way, limits in _WAYS.items():
            start = perf_counter()
            built[way] = Nearest(rows.shape[1], limits=limits)
            built[way].fill(slots, rows[:size])
            figures[f"{way}/{size}"] = {"build_s": perf_counter() - start}
        ways = {way: _searching(index, queries) for way, index in built.items()}
        for way, value in _in_turns(ways, QUERIES).items():
            recall = [_shared(built[way], built["exact"], query) for query in queries]
            figures[f"{way}/{size}"] |= {"ms": value, "recall_at_10": float(np.mean(recall))}
    return figures


def _searching(index: Nearest, queries: NDArray[np.float32]) -> Callable[[int], object]:
    return lambda n: index.search(queries[n], 10)


def _shared(index: Nearest, exact: Nearest, query: NDArray[np.float32]) -> float:
    found, true = (set(each.search(query, 10).slots.tolist()) for each in (index, exact))
    return len(found & true) / max(len(true), 1)
