"""Nearest vectors: one small interface, three ways behind it.

Vectors are unit vectors, each in a *slot*, a small number that the caller chooses. `Nearest` keeps
them as rows of one matrix and searches this matrix exactly while there are few; with more it keeps
a FAISS index beside it, whose finds are scored again from the matrix, so that a cosine is exact
whichever way it was found. Where FAISS is not installed the exact search answers at any size.

Measured for one query among real sentence vectors of 384 numbers, one thread
(``python experiments/memory.py --speed``): exact wins below some 3,000; HNSW, which needs no
training, serves to 20,000; beyond that an inverted file with 8 bits a number is as quick, takes
half the memory and finds more: .98 of the true ten at 100,000, where HNSW finds .74.

References
----------
Douze et al., *The Faiss library*, 2024; Malkov & Yashunin, *Efficient and robust approximate
nearest neighbor search using hierarchical navigable small world graphs*, TPAMI 2020; Jégou, Douze &
Schmid, *Product quantization for nearest neighbor search*, TPAMI 2011 (inverted files).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, InputError

__all__ = ["Found", "Index", "Limits", "Nearest"]

ROWS = "rows.npy"
TAKEN = "slots.npy"
GRAPH = "graph.faiss"
PLACES = "places.npy"
_FIRST = 256
"""Rows that there is room for at first."""
_LINKS = 32
_BUILD, _SEARCH = 80, 64
"""How many neighbours HNSW looks at when it builds and when it searches."""
_PROBES = 16
_PER_LIST = 39
"""FAISS asks for so many vectors for each list of an inverted file."""
_SPARE = 16

Slots = NDArray[np.intp]
Vectors = NDArray[np.float32]


class Found(NamedTuple):
    """What is nearest, best first."""

    slots: Slots
    cosines: NDArray[np.float32]


@runtime_checkable
class Index(Protocol):
    """Vectors that come and go, and the nearest of them."""

    def add(self, slot: int, vector: Vectors) -> None:
        """Put a unit vector into a slot; what was there goes."""

    def remove(self, slot: int) -> None:
        """Empty a slot; nothing where it is empty."""

    def search(self, query: Vectors, most: int) -> Found:
        """The nearest by cosine, best first; fewer where there are not so many."""

    def __len__(self) -> int: ...


class Limits(NamedTuple):
    """Up to how many vectors each way serves."""

    exact: int = 3_000
    hnsw: int = 20_000


class Nearest:
    """The matrix of all vectors, and what finds the nearest rows in it.

    Parameters
    ----------
    dim
        Numbers in a vector.
    limits
        From when on which way is taken.

    >>> index = Nearest(2)
    >>> index.add(7, np.array([1.0, 0.0], np.float32))
    >>> index.search(np.array([0.6, 0.8], np.float32), 3)
    Found(slots=array([7]), cosines=array([0.6], dtype=float32))
    """

    def __init__(self, dim: int, *, limits: Limits = Limits()) -> None:  # noqa: B008  # immutable
        self.dim = dim
        self._limits = limits
        self._rows = np.zeros((_FIRST, dim), np.float32)
        self._taken = np.zeros(_FIRST, np.bool_)
        self._size = 0
        self._top = 0  # slots below which all vectors are
        self._graph: _Graph | None = None
        self._faiss = find_spec("faiss") is not None

    def __len__(self) -> int:
        return self._size

    def __contains__(self, slot: object) -> bool:
        return isinstance(slot, int) and 0 <= slot < self._top and bool(self._taken[slot])

    @property
    def kind(self) -> str:
        """``exact``, ``hnsw`` or ``ivf``."""
        return "exact" if self._graph is None else self._graph.kind

    def add(self, slot: int, vector: Vectors) -> None:
        """Put a unit vector into a slot; what was there goes."""
        self.remove(slot)
        if vector.shape != (self.dim,):
            raise InputError(f"a vector has {self.dim} numbers here", shape=list(vector.shape))
        while slot >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._taken = np.concatenate([self._taken, np.zeros_like(self._taken)])
        self._rows[slot] = vector
        self._taken[slot] = True
        self._size += 1
        self._top = max(self._top, slot + 1)
        if self._graph is not None:
            self._graph.add(slot, vector)
        self._keep_up()

    def remove(self, slot: int) -> None:
        """Empty a slot; nothing where it is empty."""
        if slot not in self:
            return
        self._taken[slot] = False
        self._rows[slot] = 0.0
        self._size -= 1
        if self._graph is not None:
            self._graph.remove(slot)
            self._keep_up()

    def search(self, query: Vectors, most: int) -> Found:
        """The nearest by cosine, best first; fewer where there are not so many."""
        if not self._size or most < 1:
            return Found(np.zeros(0, np.intp), np.zeros(0, np.float32))
        if self._graph is not None:
            slots = self._graph.search(query, most)
            slots = slots[self._taken[slots]]
            cosines = self._rows[slots] @ query
        else:
            cosines = np.asarray(self._rows[: self._top] @ query)
            cosines[~self._taken[: self._top]] = -2.0
            slots = np.argpartition(-cosines, min(most, self._top) - 1)[:most]
            slots = slots[self._taken[slots]]
            cosines = cosines[slots]
        order = np.argsort(-cosines, kind="stable")[:most]
        return Found(slots[order], cosines[order])

    def cosines(self, query: Vectors, slots: Slots) -> NDArray[np.float32]:
        """(n,) the cosines of a query with the vectors in some slots; NaN where there is none."""
        inside = slots < self._top
        found = np.full(len(slots), np.nan, np.float32)
        taken = inside.copy()
        taken[inside] = self._taken[slots[inside]]
        found[taken] = self._rows[slots[taken]] @ query
        return found

    def slots(self) -> list[int]:
        """The slots that hold a vector, ascending."""
        return [int(slot) for slot in np.flatnonzero(self._taken[: self._top])]

    def vector(self, slot: int) -> Vectors:
        """The vector in a slot; raises `KeyError` where it is empty."""
        if slot not in self:
            raise KeyError(slot)
        return np.asarray(self._rows[slot])

    # -- which way ---------------------------------------------------------------------------------

    def _wanted(self) -> str:
        if not self._faiss or self._size <= self._limits.exact:
            return "exact"
        return "hnsw" if self._size <= self._limits.hnsw else "ivf"

    def _keep_up(self) -> None:
        """Change the way where the size asks for it, and build anew where too much was removed."""
        wanted = self._wanted()
        if wanted == "exact" and self.kind != "exact" and self._size > self._limits.exact // 2:
            return  # a size that goes up and down across the limit builds nothing
        if wanted != self.kind or (self._graph is not None and self._graph.worn):
            self._build(wanted)

    def _build(self, kind: str) -> None:
        self._graph = None
        if kind != "exact":
            slots = np.flatnonzero(self._taken[: self._top])
            self._graph = _Graph.build(kind, slots, self._rows[slots])

    # -- on disk -----------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write all vectors, and FAISS's own file where there is one, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        slots = np.flatnonzero(self._taken[: self._top])
        _write(folder / ROWS, self._rows[slots])
        _write(folder / TAKEN, slots)
        if self._graph is None:
            (folder / GRAPH).unlink(missing_ok=True)
        else:
            self._graph.save(folder)

    @classmethod
    def load(cls, folder: Path, *, limits: Limits = Limits()) -> Nearest:  # noqa: B008
        """What `save` wrote; raises `BundleError` where it is damaged."""
        try:
            rows = np.load(folder / ROWS, allow_pickle=False)
            slots = np.load(folder / TAKEN, allow_pickle=False)
            if rows.ndim != 2 or len(rows) != len(slots) or (slots < 0).any():
                raise ValueError("rows and slots do not belong together")
        except (OSError, ValueError) as error:
            raise BundleError(f"the vectors in {folder} cannot be read: {error}") from error
        index = cls(rows.shape[1], limits=limits)
        index._put(slots, rows)
        index._graph = _Graph.load(folder, slots) if index._wanted() != "exact" else None
        index._keep_up()  # builds what could not be read
        return index

    def fill(self, slots: Slots, rows: Vectors) -> None:
        """Put many vectors in at once, which is much faster than one by one."""
        self._put(slots, rows)
        self._build(self._wanted())

    def _put(self, slots: Slots, rows: Vectors) -> None:
        if not len(slots):
            return
        top = int(slots.max()) + 1
        while top > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._taken = np.concatenate([self._taken, np.zeros_like(self._taken)])
        self._rows[slots] = rows
        self._taken[slots] = True
        self._size = int(self._taken.sum())
        self._top = max(self._top, top)


class _Graph:
    """A FAISS index over some of the rows. It only grows: what is removed is passed over."""

    def __init__(self, kind: str, index: Any, slot_of: Slots) -> None:
        self.kind = kind
        self._index = index
        self._slot_of = slot_of  # by the place in FAISS's index; -1 = gone, or not there yet
        self._count = int(index.ntotal)
        there = slot_of[: self._count]
        self._place = {slot: place for place, slot in enumerate(there.tolist()) if slot >= 0}
        self._gone = self._count - len(self._place)

    @classmethod
    def build(cls, kind: str, slots: Slots, rows: Vectors) -> _Graph:
        index = _made(kind, rows)
        index.add(rows)
        return cls(kind, index, slots.copy())

    def save(self, folder: Path) -> None:
        import faiss

        draft = folder / f".{GRAPH}.{os.getpid()}"
        try:
            faiss.write_index(self._index, str(draft))
            _write(folder / PLACES, self._slot_of[: self._count])
            draft.replace(folder / GRAPH)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path, slots: Slots) -> _Graph | None:
        """What `save` wrote; None where it cannot be read or is of other vectors."""
        import faiss

        try:
            slot_of = np.load(folder / PLACES, allow_pickle=False)
            index = faiss.read_index(str(folder / GRAPH))
        except (OSError, ValueError, RuntimeError):
            return None
        there = np.sort(slot_of[slot_of >= 0])
        if index.ntotal != len(slot_of) or not np.array_equal(there, np.sort(slots)):
            return None
        return cls("ivf" if hasattr(index, "nprobe") else "hnsw", index, slot_of)

    @property
    def worn(self) -> bool:
        """Whether a third of it is gone."""
        return self._gone * 3 > self._count

    def add(self, slot: int, vector: Vectors) -> None:
        if self._count == len(self._slot_of):
            more = np.full(max(len(self._slot_of), _FIRST), -1, np.intp)
            self._slot_of = np.concatenate([self._slot_of, more])
        self._index.add(vector[None])
        self._slot_of[self._count] = slot
        self._place[slot] = self._count
        self._count += 1

    def remove(self, slot: int) -> None:
        self._slot_of[self._place.pop(slot)] = -1
        self._gone += 1

    def search(self, query: Vectors, most: int) -> Slots:
        """Slots of about the nearest; more than asked for, since those gone are passed over."""
        extra = min(self._gone, most + _SPARE)
        _, places = self._index.search(query[None], min(most + extra, self._count))
        found = places[0][places[0] >= 0]
        slots: Slots = self._slot_of[found]
        return slots[slots >= 0]


def _made(kind: str, rows: Vectors) -> Any:
    import faiss

    dim = rows.shape[1]
    eight: Any = faiss.ScalarQuantizer.QT_8bit
    inner: Any = faiss.METRIC_INNER_PRODUCT
    if kind == "hnsw":
        index: Any = faiss.IndexHNSWSQ(dim, eight, _LINKS, inner)
        index.hnsw.efConstruction, index.hnsw.efSearch = _BUILD, _SEARCH
    else:
        lists = max(1, min(4 * int(len(rows) ** 0.5), len(rows) // _PER_LIST))
        coarse = faiss.IndexFlat(dim, inner)
        index = faiss.IndexIVFScalarQuantizer(coarse, dim, lists, eight, inner)
        index.nprobe = _PROBES
    index.train(rows)
    return index


def _write(path: Path, values: NDArray[Any]) -> None:
    """A file that appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.npy")
    try:
        np.save(draft, values, allow_pickle=False)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
