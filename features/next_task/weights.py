"""Running weights of labels: a softmax regression that learns from each step as it comes.

What is known before a step is a handful of slots in a hashed table; each slot has a weight for
each label, and a label's score is the sum of its weights. Scores are made before the step is
learned, so as features they are as honest in training as in serving.

Updates are AdaGrad steps on the log loss (Duchi et al., 2011), one rate a weight; slots are shared
by hashing (Weinberger et al., *Feature hashing for large scale multitask learning*, ICML 2009).
"""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.labels import MAX_LABELS

__all__ = ["SLOTS", "LabelWeights", "PackedTable"]

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]

SLOTS = 1 << 15
"""Slots of the table; a power of two. Half as many cost about half a percent of hits."""
_BLOCK = 16
"""Columns are added in blocks, so that few labels take little memory."""
_FULL = MAX_LABELS + 1
"""Columns that are never many too many: no more labels have a number."""
_RATE = 0.4
"""Length of a step that a single slot takes; of n slots together it is this over sqrt(n)."""
_CALM = 1.0
"""Squared slopes that every weight is taken to have seen: higher follows new slots slower."""
_BIAS_RATE = 0.02


class PackedTable(msgspec.Struct, array_like=True):
    """A table on disk, byte by byte of its numbers.

    The highest bytes, sign and exponent, are much the same all over. The others are noise, which
    costs time to compress and does not get smaller.
    """

    width: int
    """Columns up to the last that is used."""
    rows: bytes
    """A bit for each row: whether there is anything in it."""
    low: bytes
    """The three lower bytes of the numbers in those rows."""
    high: bytes
    """The highest byte, compressed."""


class LabelWeights:
    """A weight for each slot and label, learned online; memory is ``SLOTS`` x labels x 8 bytes."""

    __slots__ = ("_bias", "_seen", "_weight")

    def __init__(self) -> None:
        self._bias = np.zeros(0, np.float32)
        self._weight = np.zeros((SLOTS, 0), np.float32)
        self._seen = np.zeros((SLOTS, 0), np.float32)

    def predict(self, slots: Slots, labels: int) -> Floats:
        """(labels,) probabilities of the labels 0, 1, ... before the step is known."""
        z = np.zeros(labels, np.float32)
        known = min(labels, len(self._bias))
        z[:known] = self._weight.take(slots, 0).sum(0)[:known] + self._bias[:known]
        e = np.exp(z - z.max())
        return np.asarray(e / e.sum(), np.float32)

    def learn(self, slots: Slots, said: Floats, label: int) -> None:
        """The step came.

        Parameters
        ----------
        slots
            (n,) different slots.
        said
            What `predict` gave for them.
        label
            The number of the label that came.
        """
        self._grow(max(len(said), label + 1))
        slope = np.zeros(self._weight.shape[1], np.float32)
        slope[: len(said)] = said
        slope[label] -= 1.0
        seen = self._seen.take(slots, 0)
        seen += slope * slope
        self._seen[slots] = seen
        step = slope * np.float32(_RATE / max(len(slots), 1) ** 0.5)
        seen += np.float32(_CALM)
        np.sqrt(seen, out=seen)
        np.divide(step, seen, out=seen)
        self._weight[slots] = self._weight.take(slots, 0) - seen
        self._bias -= np.float32(_BIAS_RATE) * slope

    def _grow(self, labels: int) -> None:
        have = self._weight.shape[1]
        if labels <= have:
            return
        more = -(-(labels - have) // _BLOCK) * _BLOCK
        if have < _FULL < have + more:
            more = max(_FULL, labels) - have
        blank = np.zeros((SLOTS, more), np.float32)
        self._weight = np.hstack((self._weight, blank))
        self._seen = np.hstack((self._seen, blank))
        self._bias = np.append(self._bias, np.zeros(more, np.float32))

    def dump(self) -> tuple[bytes, PackedTable, PackedTable]:
        """Bias, weights and squared slopes, bit for bit."""
        return self._bias.tobytes(), _packed(self._weight), _packed(self._seen)

    def load(self, state: tuple[bytes, PackedTable, PackedTable]) -> None:
        """Takes back what `dump` gave; raises `ValueError` or `zlib.error` where it is damaged."""
        bias = np.frombuffer(state[0], np.float32).copy()
        weight, seen = (_unpacked(part, len(bias)) for part in state[1:])
        self._bias, self._weight, self._seen = bias, weight, seen


def _packed(table: Floats) -> PackedTable:
    rows, columns = table.any(1), np.flatnonzero(table.any(0))
    width = int(columns[-1]) + 1 if len(columns) else 0
    used = np.ascontiguousarray(table[rows, :width], "<f4")
    planes = np.ascontiguousarray(used.view(np.uint8).reshape(-1, 4).T)
    high = zlib.compress(planes[3].tobytes(), 1)
    return PackedTable(width, np.packbits(rows).tobytes(), planes[:3].tobytes(), high)


def _unpacked(packed: PackedTable, labels: int) -> Floats:
    rows = np.unpackbits(np.frombuffer(packed.rows, np.uint8)).astype(bool)
    used = np.empty((int(rows.sum()) * packed.width, 4), np.uint8)
    used[:, :3] = np.frombuffer(packed.low, np.uint8).reshape(3, -1).T
    used[:, 3] = np.frombuffer(zlib.decompress(packed.high), np.uint8)
    table = np.zeros((SLOTS, labels), np.float32)
    if packed.width:
        table[rows, : packed.width] = used.view("<f4").reshape(-1, packed.width)
    return table
