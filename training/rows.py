"""The history as rows to learn from, folded once and kept.

Folding is most of the work of a retraining, and the past does not change: the rows of what was
folded lie in a cache, and only what is new is folded. The cache is derived and may be deleted at
any time. Its ``state.msgpack`` is replaced in one go, once the rows that it counts are on the disk,
so a cache that a crash cut short loses its last part and no more. One whose files hold fewer rows
than it counts is folded anew::

    cache/<history>-<features>/
      X.f32 outcome.i1 at.f8 seq.i8 project.i4 agent.i4 session.i4    a row each, appended
      traits.u4 traited.i8                  their traits in one line, and where each row's end
      state.msgpack      rows, last event, the fold after it, the texts behind the numbers
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Step
from onward.data.store import History
from onward.features.examples import Decided, Examples, examples
from onward.features.fold import NAMES, VERSION, Fold
from onward.models.traits import traits_of
from onward.training.disk import to_disk
from onward.training.locking import locked

__all__ = ["Folded", "RowCache", "Traits", "folded"]

CHUNK = 2_000
"""Events that are folded together; bounds the memory."""
_LAYOUT = 1  # raise it when the files or the meaning of a trait change
_FLAT: dict[str, Any] = {"outcome": np.int8, "at": np.float64, "seq": np.int64}
_TEXTS = ("project", "agent", "session")


@dataclass(frozen=True, slots=True)
class Traits:
    """What each row shares with others, for the online layer.

    Parameters
    ----------
    flat
        All traits, row after row.
    ends
        (n,) where each row's end.
    """

    flat: NDArray[np.uint32]
    ends: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> list[tuple[int, ...]]:
        """The traits of some rows, as `onward.models.traits.traits_of` gave them."""
        starts = np.where(rows > 0, self.ends[rows - 1], 0)
        spans = zip(starts.tolist(), self.ends[rows].tolist(), strict=True)
        return [tuple(self.flat[start:end].tolist()) for start, end in spans]


@dataclass(frozen=True, slots=True)
class Folded:
    """A history up to one event."""

    table: Examples
    """Every step."""
    traits: Traits
    """Of every step."""
    fold: Fold
    """The state after the last event."""
    last_seq: int
    digest: str
    """Hash of the history up to *last_seq*."""


class _State(msgspec.Struct):
    """What the cache holds so far."""

    rows: int = 0
    traits: int = 0
    last_seq: int = 0
    fold: bytes = b""
    decided: dict[str, bytes] = {}
    names: dict[str, list[str]] = {}
    """Column -> its texts; a row holds the place of its own."""


class RowCache:
    """The rows of one history, for one version of the features.

    Parameters
    ----------
    folder
        Holds the caches of all histories; older versions' are removed.
    identity
        The history's name of its own.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder / f"{identity}-{VERSION}-{_LAYOUT}"
        for other in folder.glob(f"{identity}-*"):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._state = self._read()
        self._places = {
            column: {text: place for place, text in enumerate(self._state.names.get(column, []))}
            for column in _TEXTS
        }

    @property
    def last_seq(self) -> int:
        """The last event that was folded."""
        return self._state.last_seq

    def clear(self) -> None:
        """Forget everything."""
        (self._folder / "state.msgpack").unlink(missing_ok=True)
        self._state = _State()
        self._places = {column: {} for column in _TEXTS}

    def extend(self, history: History, until: int, tell: Callable[[float], None]) -> Fold:
        """Fold what is new up to an event; gives the state after it."""
        state = self._state
        fold = Fold.load(state.fold) if state.fold else Fold()
        decided: Decided = {k: np.frombuffer(v, np.float32) for k, v in state.decided.items()}
        first = state.last_seq
        events = history.scan(after=first, until=until)
        while chunk := list(islice(events, CHUNK)):
            part = examples(iter(chunk), fold, decided=decided)
            self._append_traits([traits_of(e) for _, e in chunk if isinstance(e, Step)])
            self._append(part)
            state.last_seq = chunk[-1][0]
            tell((state.last_seq - first) / max(until - first, 1))
        if state.last_seq > first:
            state.fold = fold.dump()
            state.decided = {k: v.tobytes() for k, v in decided.items()}
            state.names = {column: list(self._places[column]) for column in _TEXTS}
            self._write()
        return fold

    def table(self) -> Examples:
        """All rows; the matrix is mapped from disk, not copied."""
        n = self._state.rows
        if not n:
            return examples(())
        X = np.memmap(self._folder / "X.f32", np.float32, mode="r", shape=(n, len(NAMES)))
        flat: dict[str, Any] = {
            name: np.fromfile(self._folder / _file(name), _FLAT[name], n) for name in _FLAT
        }
        flat |= {name: self._texts(name, n) for name in _TEXTS}
        return Examples(X=X, **flat)

    def traits(self) -> Traits:
        """The traits of all rows."""
        state = self._state
        if not state.rows:
            return Traits(np.empty(0, np.uint32), np.empty(0, np.int64))
        flat = np.memmap(self._folder / "traits.u4", np.uint32, mode="r", shape=(state.traits,))
        return Traits(flat, np.fromfile(self._folder / "traited.i8", np.int64, state.rows))

    def _texts(self, column: str, n: int) -> NDArray[np.object_]:
        """(n,) the texts of a column."""
        places = np.fromfile(self._folder / _file(column), np.int32, n)
        return np.array(self._state.names[column], object)[places]

    def _append(self, part: Examples) -> None:
        """Put rows behind those that count."""
        columns: dict[str, NDArray[Any]] = {"X": part.X}
        columns |= {name: getattr(part, name) for name in _FLAT}
        for name in _TEXTS:
            places = self._places[name]
            codes = [places.setdefault(text, len(places)) for text in getattr(part, name)]
            columns[name] = np.array(codes, np.int32)
        for name, values in columns.items():
            self._extend(_file(name), values, after=self._state.rows)
        self._state.rows += len(part)

    def _append_traits(self, traits: list[tuple[int, ...]]) -> None:
        """Put the traits of new rows behind those that count; before the rows themselves."""
        flat = np.fromiter(chain.from_iterable(traits), np.uint32)
        ends = self._state.traits + np.cumsum([len(each) for each in traits], dtype=np.int64)
        self._extend("traits.u4", flat, after=self._state.traits)
        self._extend("traited.i8", ends, after=self._state.rows)
        self._state.traits += len(flat)

    def _extend(self, name: str, values: NDArray[Any], *, after: int) -> None:
        """Write behind the entries of a file that count; whatever else is there goes."""
        path = self._folder / name
        with path.open("r+b" if path.exists() else "w+b") as out:
            out.truncate(after * _width(values))
            out.seek(0, os.SEEK_END)
            out.write(np.ascontiguousarray(values).data)

    def _read(self) -> _State:
        """The state; a fresh one where there is none, it cannot be read, or rows of it are gone."""
        try:
            body = (self._folder / "state.msgpack").read_bytes()
            state = msgspec.msgpack.decode(body, type=_State)
            sizes = {name: (self._folder / name).stat().st_size for name in _FILES}
        except (FileNotFoundError, msgspec.DecodeError):
            return _State()
        short = any(sizes[name] < _count(state, name) * width for name, width in _FILES.items())
        return _State() if short else state

    def _write(self) -> None:
        """Let what was appended count; the rows are on the disk before the state says so."""
        for name in _FILES:
            to_disk(self._folder / name)
        draft = self._folder / f".state.{os.getpid()}"
        draft.write_bytes(msgspec.msgpack.encode(self._state))
        to_disk(draft)
        draft.replace(self._folder / "state.msgpack")
        to_disk(self._folder)


def _width(values: NDArray[Any]) -> int:
    """Bytes of one row."""
    return int(values.dtype.itemsize * np.prod(values.shape[1:], dtype=int))


def _file(name: str) -> str:
    """The file of a column."""
    if name == "X":
        return "X.f32"
    kind = np.dtype(_FLAT.get(name, np.int32))
    return f"{name}.{kind.kind}{kind.itemsize}"


_FILES = {_file(name): np.dtype(kind).itemsize for name, kind in _FLAT.items()}
_FILES |= {_file(name): np.dtype(np.int32).itemsize for name in _TEXTS}
_FILES |= {"X.f32": 4 * len(NAMES), "traits.u4": 4, "traited.i8": 8}
"""File -> bytes of one of its entries."""


def _count(state: _State, name: str) -> int:
    """How many entries of a file count."""
    return state.traits if name == "traits.u4" else state.rows


def folded(
    history: History, *, cache: Path, tell: Callable[[float], None] = lambda share: None
) -> Folded:
    """Fold a history up to its newest event; only what is new since the last time is folded.

    Parameters
    ----------
    history
        The log.
    cache
        Where rows are kept.
    tell
        Told the share that is done.
    """
    until = history.last_seq()
    with locked(cache):
        rows = RowCache(cache, history.identity)
        if rows.last_seq > until:  # the history was put back to an earlier copy of itself
            rows.clear()
        fold = rows.extend(history, until, tell)
        table, traits = rows.table(), rows.traits()
    return Folded(table, traits, fold, until, history.digest(until))
