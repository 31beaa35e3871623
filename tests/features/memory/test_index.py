"""Nearest vectors: whichever way is taken, the same interface and nearly the same finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from onward.data.errors import BundleError, InputError
from onward.features.memory.index import Index, Limits, Nearest

DIM = 16
EXACT = Limits(1 << 40, 1 << 40)
WAYS = {"exact": EXACT, "hnsw": Limits(50, 1 << 40), "ivf": Limits(50, 100)}


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors around some centres, as texts' are."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((12, DIM))
    rows = centres[random.integers(12, size=count)] + 0.5 * random.standard_normal((count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def filled(limits: Limits, rows: NDArray[np.float32]) -> Nearest:
    """An index with these rows, added one by one."""
    index = Nearest(DIM, limits=limits)
    for slot, row in enumerate(rows):
        index.add(slot, row)
    return index


@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_what_the_exact_search_finds(way: str) -> None:
    """Of the true ten nearest at least nine are found, with their exact cosines, best first."""
    rows, queries = unit_rows(600), unit_rows(40, seed=1)
    index, exact = filled(WAYS[way], rows), filled(EXACT, rows)

    assert isinstance(index, Index)
    assert index.kind == way
    shares = []
    for query in queries:
        found, true = index.search(query, 10), exact.search(query, 10)
        assert np.allclose(found.cosines, rows[found.slots] @ query, atol=1e-6)
        assert (np.diff(found.cosines) <= 0).all()
        shares.append(len(set(found.slots.tolist()) & set(true.slots.tolist())) / 10)
    assert np.mean(shares) >= 0.9


@pytest.mark.parametrize("way", WAYS)
def test_what_was_removed_is_not_found(way: str) -> None:
    """Removed vectors are never found, those put in their place are, however often it happens."""
    rows = unit_rows(400)
    index = filled(WAYS[way], rows)
    for slot in range(0, 400, 2):
        index.remove(slot)
    for query in rows[:40]:
        assert all(slot % 2 for slot in index.search(query, 10).slots.tolist())
    index.add(0, rows[7])

    assert {0, 7} <= set(index.search(rows[7], 2).slots.tolist())
    assert len(index) == 201


@pytest.mark.parametrize("way", WAYS)
def test_saved_is_loaded_the_same(way: str, tmp_path: Path) -> None:
    """An index that was saved and loaded finds the same, slot by slot."""
    rows = unit_rows(300)
    index = filled(WAYS[way], rows)
    index.remove(3)
    index.save(tmp_path)
    again = Nearest.load(tmp_path, limits=WAYS[way])

    assert (len(again), again.kind) == (len(index), index.kind)
    for query in rows[:30]:
        assert np.array_equal(again.search(query, 5).slots, index.search(query, 5).slots)


def test_a_lost_graph_is_built_anew(tmp_path: Path) -> None:
    """Without FAISS's own file, or with one that is damaged, the vectors alone suffice."""
    rows = unit_rows(200)
    filled(WAYS["hnsw"], rows).save(tmp_path)
    (tmp_path / "graph.faiss").write_bytes(b"none")

    again = Nearest.load(tmp_path, limits=WAYS["hnsw"])

    assert (again.kind, len(again)) == ("hnsw", 200)
    assert again.search(rows[5], 1).slots.tolist() == [5]


def test_without_faiss_the_exact_search_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where FAISS is not installed any number of vectors is searched exactly."""
    monkeypatch.setattr("onward.features.memory.index.find_spec", lambda name: None)
    rows = unit_rows(400)

    index = filled(WAYS["hnsw"], rows)

    assert index.kind == "exact"
    assert index.search(rows[9], 1).slots.tolist() == [9]


def test_damaged_vectors_are_named(tmp_path: Path) -> None:
    """Vectors that cannot be read raise a typed error."""
    filled(EXACT, unit_rows(20)).save(tmp_path)
    (tmp_path / "rows.npy").write_bytes(b"\x93NUMPY")

    with pytest.raises(BundleError, match="cannot be read"):
        Nearest.load(tmp_path)
    with pytest.raises(InputError):
        Nearest(3).add(0, np.zeros(4, np.float32))


@given(
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 59)), max_size=60)
)
@settings(max_examples=40, deadline=None)
def test_it_holds_what_a_dictionary_would(moves: list[tuple[bool, int, int]]) -> None:
    """After any adding and removing, the finds are those of the vectors that are left."""
    rows = unit_rows(60)
    index, plain = Nearest(DIM, limits=Limits(8, 20)), dict[int, NDArray[np.float32]]()
    for add, slot, row in moves:
        if add:
            index.add(slot, rows[row])
            plain[slot] = rows[row]
        else:
            index.remove(slot)
            plain.pop(slot, None)

    found = index.search(rows[0], 100)

    assert len(index) == len(plain)
    assert index.slots() == sorted(plain)
    assert set(found.slots.tolist()) <= plain.keys()
    if index.kind == "exact":
        assert set(found.slots.tolist()) == plain.keys()
