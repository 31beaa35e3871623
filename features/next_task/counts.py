"""What followed: counts of the next label under contexts that go from wide to narrow.

A context that was met often speaks for itself, one that was met seldom leans on the wider one
before it. The weight of the wider one grows with the number of different labels that the narrow
one saw, as in Witten & Bell, *The zero-frequency problem*, IEEE Transactions on Information
Theory 1991.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Counts"]

Floats = NDArray[np.float64]

_BITS = 16
_LABEL = (1 << _BITS) - 1
_ONE = 1 << _BITS
"""A single label with its count is one number: the count above the label's 16 bits."""
_NARROW = 10
"""Labels that a context keeps in a dict; where there are more, a whole row costs no more."""
_BLOCK = 32


class _Wide:
    """The counts of a context that saw many labels, as a row over all of them."""

    __slots__ = ("row", "seen", "total")

    def __init__(self, found: dict[int, float]) -> None:
        self.row = np.zeros(-(-(max(found) + 1) // _BLOCK) * _BLOCK)
        self.row[list(found)] = list(found.values())
        self.seen = sum(1 << label for label in found)
        self.total = float(self.row.sum())

    def learn(self, label: int, keep: float) -> None:
        """A label came."""
        if label >= len(self.row):
            more = -(-(label + 1) // _BLOCK) * _BLOCK - len(self.row)
            self.row = np.append(self.row, np.zeros(more))
        if keep < 1.0:
            self.row *= keep
        self.row[label] += 1.0
        self.seen |= 1 << label
        self.total = float(self.row.sum()) if keep < 1.0 else self.total + 1.0

    def items(self) -> dict[int, float]:
        """Label's number -> count."""
        row, seen = self.row.tolist(), self.seen
        return {label: count for label, count in enumerate(row) if seen >> label & 1}


Found = int | dict[int, float] | _Wide


class _Packed(msgspec.Struct, array_like=True):
    """Counts on disk: contexts, how many labels each has, and all labels and counts in a row."""

    capacity: int
    keep: float
    contexts: bytes
    sizes: bytes
    labels: bytes
    counts: bytes


class Counts:
    """Counts of labels by context; the contexts least recently learned are forgotten.

    Most contexts only ever see one label; those are kept as a single number.

    Parameters
    ----------
    capacity
        Contexts that are kept, some 110 bytes each for those with one label, 300 with a few,
        and 1,000 with more than ten.
    keep
        What is left of a context's counts at each new label of it; below 1 it follows change.

    >>> counts = Counts()
    >>> counts.learn([7], 1)
    >>> counts.chain([7], np.array([0.5, 0.5])).tolist()
    [0.25, 0.75]
    """

    __slots__ = ("capacity", "keep", "table")

    def __init__(self, capacity: int = 40_000, keep: float = 1.0) -> None:
        self.capacity = capacity
        self.keep = keep
        self.table: dict[int, Found] = {}
        """Context -> its counts, in the order of forgetting."""

    def learn(self, contexts: Iterable[int], label: int) -> None:
        """A label came in each of these contexts."""
        table, keep = self.table, self.keep
        for context in contexts:
            found = table.pop(context, None)
            if found is None:
                table[context] = {label: 1.0} if keep < 1.0 else _ONE | label
            elif isinstance(found, int):
                known = found & _LABEL
                same = known == label
                table[context] = found + _ONE if same else {known: found >> _BITS, label: 1}
            elif isinstance(found, dict):
                table[context] = _one_more(found, label, keep)
            else:
                found.learn(label, keep)
                table[context] = found
        while len(table) > self.capacity:
            del table[next(iter(table))]

    def chain(self, contexts: Iterable[int], p: Floats) -> Floats:
        """(labels,) probabilities after leaning each context on those before it.

        ``p`` (labels,) is what is said where nothing was met.
        """
        get = self.table.get
        for context in contexts:
            found = get(context)
            if found is None:
                continue
            if isinstance(found, int):
                count = found >> _BITS
                share = 1.0 / (count + 1.0)
                p = p * share
                p[found & _LABEL] += count * share
            elif isinstance(found, dict):
                lean = 0.5 * len(found) + 0.5
                share = 1.0 / (sum(found.values()) + lean)
                p = p * (lean * share)
                for label, each in found.items():
                    p[label] += each * share
            else:
                lean = 0.5 * found.seen.bit_count() + 0.5
                share = 1.0 / (found.total + lean)
                p = p * (lean * share)
                row = found.row[: len(p)]
                p[: len(row)] += row * share
        return p

    def met(self, context: int, label: int) -> tuple[int, int]:
        """How often a label came in a context, of how many times."""
        found = self.table.get(context)
        if found is None:
            return 0, 0
        if isinstance(found, int):
            times = found >> _BITS
            return times * (found & _LABEL == label), times
        if isinstance(found, dict):
            return round(found.get(label, 0.0)), round(sum(found.values()))
        count = found.row.item(label) if label < len(found.row) else 0.0
        return round(count), round(found.total)

    # -- on disk -----------------------------------------------------------------------------------

    def dump(self) -> object:
        """All of it, in a few pieces."""
        tables = [*map(_items, self.table.values())]
        sizes, labels = array("H", map(len, tables)), array("H", chain.from_iterable(tables))
        each = (count for table in tables for count in table.values())
        counts = array("d", each) if self.keep < 1.0 else array("I", map(int, each))
        contexts = array("q", self.table)
        parts = (part.tobytes() for part in (contexts, sizes, labels, counts))
        return _Packed(self.capacity, self.keep, *parts)

    @classmethod
    def load(cls, state: Any) -> Counts:
        """Back from what `dump` gave, after msgspec; raises `ValueError` where it is damaged."""
        packed = msgspec.convert(state, _Packed)
        found = cls(packed.capacity, packed.keep)
        single = packed.keep >= 1.0
        labels = np.frombuffer(packed.labels, np.uint16).tolist()
        kind = np.uint32 if single else np.float64
        counts = np.frombuffer(packed.counts, kind).tolist()
        sizes = np.frombuffer(packed.sizes, np.uint16).tolist()
        if len(labels) != len(counts) or len(labels) != sum(sizes) or 0 in sizes:
            raise ValueError("The counts of labels are not as many as their contexts.")
        at = 0
        contexts = np.frombuffer(packed.contexts, np.int64).tolist()
        for context, size in zip(contexts, sizes, strict=True):
            if single and size == 1:
                found.table[context] = counts[at] << _BITS | labels[at]
            else:
                table = dict(zip(labels[at : at + size], counts[at : at + size], strict=True))
                found.table[context] = table if size <= _NARROW else _Wide(table)
            at += size
        return found


def _one_more(found: dict[int, float], label: int, keep: float) -> Found:
    """Counts with one label more, decayed before it; a row where they grew too many."""
    if keep < 1.0:
        for one in found:
            found[one] *= keep
    found[label] = found.get(label, 0) + 1
    return found if len(found) <= _NARROW else _Wide(found)


def _items(found: Found) -> dict[int, float]:
    """Label's number -> count."""
    if isinstance(found, int):
        return {found & _LABEL: found >> _BITS}
    return found if isinstance(found, dict) else found.items()
