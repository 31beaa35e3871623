"""Running weights of labels: a softmax regression that learns from each step as it comes.

What is known before a step is a handful of slots in a hashed table; each slot has a weight for
each label, and a label's score is the sum of its weights. Scores are made before the step is
learned, so as features they are as honest in training as in serving.

Updates are AdaGrad steps on the log loss (Duchi et al., 2011), one rate a weight; slots are shared
by hashing (Weinberger et al., *Feature hashing for large scale multitask learning*, ICML 2009).
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.labels import MAX_LABELS

__all__ = ["SLOTS", "LabelWeights"]

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
        z[:known] = self._weight[slots].sum(0)[:known] + self._bias[:known]
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
        seen = self._seen[slots] + slope * slope
        self._seen[slots] = seen
        step = slope * np.float32(_RATE / max(len(slots), 1) ** 0.5)
        self._weight[slots] -= step / np.sqrt(np.float32(_CALM) + seen)
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

    def dump(self) -> tuple[bytes, bytes, bytes]:
        """Bias, weights and squared slopes, bit for bit."""
        return self._bias.tobytes(), _packed(self._weight), _packed(self._seen)

    def load(self, state: tuple[bytes, bytes, bytes]) -> None:
        """Takes back what `dump` gave; raises `ValueError` or `zlib.error` where it is damaged."""
        bias = np.frombuffer(state[0], np.float32).copy()
        weight, seen = (_unpacked(part, len(bias)) for part in state[1:])
        self._bias, self._weight, self._seen = bias, weight, seen


def _packed(table: Floats) -> bytes:
    """A table byte by byte of its numbers, the lowest first; the last ones are compressed.

    Sign and exponent are much the same all over; the other bytes are noise, which costs time to
    compress and does not get smaller.
    """
    planes = np.ascontiguousarray(table.astype("<f4", copy=False).view(np.uint8).reshape(-1, 4).T)
    return planes[:3].tobytes() + zlib.compress(planes[3].tobytes(), 1)


def _unpacked(packed: bytes, labels: int) -> Floats:
    size = SLOTS * labels
    table = np.empty((size, 4), np.uint8)
    table[:, :3] = np.frombuffer(packed, np.uint8, 3 * size).reshape(3, size).T
    table[:, 3] = np.frombuffer(zlib.decompress(packed[3 * size :]), np.uint8)
    return table.view("<f4").astype(np.float32, copy=False).reshape(SLOTS, labels)
