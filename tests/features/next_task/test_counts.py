"""Counts of labels after contexts: shares that lean on each other, however they are kept."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.features.next_task.counts import Counts


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=4), st.integers(0, 5)), max_size=40),
    st.lists(st.integers(0, 6), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_chained_counts_stay_a_distribution(
    learned: list[tuple[list[int], int]], asked: list[int]
) -> None:
    """Whatever was counted, leaning contexts on each other gives shares of 1."""
    counts = Counts(capacity=8, keep=0.9)
    for contexts, label in learned:
        counts.learn(contexts, label)
    p = counts.chain(asked, np.full(6, 1 / 6))
    assert p.sum() == pytest.approx(1.0)
    assert (p > 0).all()
    assert len(counts.table) <= 8


def plainly(learned: list[tuple[int, int]], context: int, keep: float) -> np.ndarray:
    """What a context says of 40 labels from nothing else, as it is defined."""
    counts: dict[int, float] = {}
    for one, label in learned:
        if one == context:
            counts = {other: count * keep for other, count in counts.items()}
            counts[label] = counts.get(label, 0.0) + 1.0
    lean = 0.5 * len(counts) + 0.5 if counts else 1.0
    share = 1.0 / (sum(counts.values()) + lean)
    p = np.full(40, 1 / 40) * lean * share
    for label, count in counts.items():
        p[label] += count * share
    return p


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 39)), max_size=120),
    st.sampled_from([1.0, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_counts_are_the_same_however_they_are_kept(
    learned: list[tuple[int, int]], keep: float
) -> None:
    """With one label, a few or many, a context says what it is defined to, on disk and back too."""
    counts = Counts(keep=keep)
    for context, label in learned:
        counts.learn([context], label)
    flat, packed = np.full(40, 1 / 40), msgspec.msgpack.encode(counts.dump())
    back = Counts.load(msgspec.msgpack.decode(packed))
    assert [*back.table] == [*counts.table]
    for context in range(3):
        p = counts.chain([context], flat)
        assert p == pytest.approx(plainly(learned, context, keep), abs=1e-12)
        assert np.array_equal(p, back.chain([context], flat))
        if keep == 1.0:
            came = [label for one, label in learned if one == context]
            assert counts.met(context, 7) == (came.count(7), len(came))
