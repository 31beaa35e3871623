"""Splits part rows by time and by group, and nothing is in two parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onward.data.errors import NotEnoughData, SettingsError
from onward.training.split import (
    OWN,
    Fractions,
    Split,
    by_group,
    by_own_time,
    by_time,
    time_blocks,
)

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=3, max_size=200)


def all_rows(split: Split) -> list[int]:
    """Every row of the split, sorted."""
    return sorted([*split.fit, *split.calibrate, *split.test])


@given(n=st.integers(10, 5000))
def test_time_keeps_order(n: int) -> None:
    """By time, every fitted row is older than every calibrated one, and these than the judged."""
    split = by_time(n)

    assert split.fit.max() < split.calibrate.min()
    assert split.calibrate.max() < split.test.min()
    assert all_rows(split) == list(range(n))


@given(before=st.integers(0, 3000), own=st.integers(OWN, 3000), after=st.integers(0, 50))
def test_lent_steps_never_judge_beside_own(before: int, own: int, after: int) -> None:
    """Of a user's own steps the newest calibrate and judge, and what was lent before is fitted."""
    lent = np.repeat([True, False, True], [before, own, after])

    split, alone = by_own_time(lent), by_time(own)

    assert np.array_equal(split.fit, np.arange(before + len(alone.fit)))
    assert np.array_equal(split.calibrate, before + alone.calibrate)
    assert np.array_equal(split.test, before + alone.test)


@given(lent=st.integers(10, 3000), own=st.integers(0, OWN - 1))
def test_too_few_own_steps_change_nothing(lent: int, own: int) -> None:
    """While the user's own steps are few, all steps are split by time alike."""
    split, plain = by_own_time(np.arange(lent + own) < lent), by_time(lent + own)

    assert np.array_equal(split.fit, plain.fit)
    assert np.array_equal(split.calibrate, plain.calibrate)
    assert np.array_equal(split.test, plain.test)


@given(groups=GROUPS, seed=st.integers(0, 5))
def test_groups_are_never_parted(groups: list[str], seed: int) -> None:
    """By group, a group is in one of four parts only, every row in exactly one, in log order."""
    if len(set(groups)) < 4:
        with pytest.raises(NotEnoughData):
            by_group(groups, seed=seed)
        return

    split = by_group(groups, seed=seed)

    rows = (split.fit, split.calibrate, split.promise, split.test)
    parts = [{groups[row] for row in part} for part in rows]
    assert all(parts)
    assert set().union(*parts) == set(groups)
    assert sum(map(len, parts)) == len(set(groups))
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(len(groups)))
    assert np.array_equal(split.later, np.setdiff1d(np.arange(len(groups)), split.fit))


def test_groups_meet_their_shares() -> None:
    """With many small groups, the parts are close to the wanted shares."""
    groups = [f"g{i % 100}" for i in range(10_000)]

    split = by_group(groups, Fractions(calibrate=0.2, test=0.3), seed=3)

    assert len(split.test) == pytest.approx(3000, abs=100)
    assert len(split.calibrate) == pytest.approx(1000, abs=100)
    assert len(split.promise) == pytest.approx(1000, abs=100)


def test_same_seed_same_split() -> None:
    """The seed alone decides which groups go where."""
    groups = [f"g{i % 40}" for i in range(400)]

    first, again, other = (by_group(groups, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_too_few_rows() -> None:
    """Rows that cannot be split in three are refused with their number."""
    with pytest.raises(NotEnoughData) as caught:
        by_time(2)

    assert caught.value.facts == {"steps": 2}


@pytest.mark.parametrize(("calibrate", "test"), [(0.0, 0.2), (0.5, 0.5), (0.2, 1.0)])
def test_shares_must_leave_something(calibrate: float, test: float) -> None:
    """Shares that leave nothing to fit on are a settings error."""
    with pytest.raises(SettingsError):
        Fractions(calibrate=calibrate, test=test)


@given(n=st.integers(20, 3000), blocks=st.integers(1, 12))
def test_blocks_walk_forward(n: int, blocks: int) -> None:
    """Each block follows what is known before it, and together they reach the end."""
    walked = list(time_blocks(n, blocks))

    assert all(known.max() + 1 == block.min() for known, block in walked)
    assert np.concatenate([block for _, block in walked])[-1] == n - 1
    assert sum(len(block) for _, block in walked) == n - len(walked[0][0])
