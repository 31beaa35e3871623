"""Running weights: they learn which slots speak for a label, and come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from onward.features.next_task.weights import LabelWeights


def test_running_weights_come_back_bit_for_bit() -> None:
    """Weights are the same after a dump, those of unused slots and labels too."""
    weights, back = LabelWeights(), LabelWeights()
    for n in range(30):
        slots = np.array([n % 5, 7, 32_767])
        weights.learn(slots, weights.predict(slots, 3 + n), n % 7)
    back.load(weights.dump())
    assert back.dump() == weights.dump()
    slots = np.arange(0, 32_768, 7)
    assert np.array_equal(back.predict(slots, 40), weights.predict(slots, 40))


def test_running_weights_learn_what_slots_tell() -> None:
    """After some steps the slot of a label speaks for it, and predicting changes nothing."""
    weights = LabelWeights()
    for n in range(60):
        slots = np.array([n % 2, 7])
        weights.learn(slots, weights.predict(slots, 3), n % 2)
    before = weights.dump()
    first = weights.predict(np.array([0, 7]), 3)
    assert first.argmax() == 0
    assert weights.predict(np.array([1, 7]), 3).argmax() == 1
    assert np.array_equal(first, weights.predict(np.array([0, 7]), 3))
    assert weights.predict(np.array([0]), 90).sum() == pytest.approx(1.0, abs=1e-5)
    assert weights.dump() == before
