"""The measures agree with their definitions, are blind to order, and their intervals hold."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onward.data.errors import InputError
from onward.training.metrics import (
    auc,
    bootstrap,
    bootstrap_gain,
    brier,
    ece,
    reliability,
    risk_coverage,
    selective,
)

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.31, 0.5, 0.8, 0.99, 1.0])),
    min_size=1,
    max_size=60,
)


def split(pairs: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and probabilities of rows."""
    return np.array([float(y) for y, _ in pairs]), np.array([p for _, p in pairs])


@given(rows)
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[bool, float]]) -> None:
    """AUC counts the pairs of a success above a failure, ties half."""
    y, p = split(pairs)
    assume(0 < y.sum() < y.size)

    above = p[y == 1][:, None] - p[y == 0][None, :]

    assert auc(y, p) == pytest.approx(float(((above > 0) + 0.5 * (above == 0)).mean()))


def test_auc_of_one_outcome_is_no_number() -> None:
    """Where nothing failed there is nothing to rank."""
    assert np.isnan(auc([1, 1], [0.2, 0.9]))


@given(rows, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(pairs: list[tuple[bool, float]], random: Random) -> None:
    """Every measure gives the same for the same rows in another order."""
    y, p = split(pairs)
    order = list(range(y.size))
    random.shuffle(order)

    for metric in (auc, brier, ece):
        assert metric(y[order], p[order]) == pytest.approx(metric(y, p), nan_ok=True)


def test_ece_of_honest_numbers_is_small_and_of_shifted_ones_the_shift() -> None:
    """Honest probabilities score near zero; a constant excess scores that excess."""
    random = np.random.default_rng(0)
    p = random.uniform(0.1, 0.8, 60_000)
    y = (random.random(p.size) < p).astype(float)

    assert ece(y, p) < 0.01
    assert ece(y, p + 0.1) == pytest.approx(0.1, abs=0.01)


def test_reliability_has_equal_masses() -> None:
    """The points of the plot stand for equally many rows and hold all of them."""
    p = np.linspace(0, 1, 300) ** 3

    points = reliability(p > 0.2, p)

    assert [n for _, _, n in points] == [20] * 15
    assert [said for said, _, _ in points] == sorted(said for said, _, _ in points)


def test_saying_the_base_rate_scores_its_variance() -> None:
    """The trivial peer's Brier score is the variance of the outcomes, its ECE zero."""
    y = np.array([1, 1, 1, 0] * 30)
    p = np.full(y.size, 0.75)

    assert brier(y, p) == pytest.approx(0.75 * 0.25)
    assert ece(y, p) == pytest.approx(0.0)


@given(rows)
def test_curve_ends_at_everything(pairs: list[tuple[bool, float]]) -> None:
    """Coverage rises along the curve to 1, where the risk is the rate of failures."""
    y, p = split(pairs)

    curve = risk_coverage(y, p)

    assert curve.coverage == sorted(curve.coverage)
    assert curve.coverage[-1] == 1.0
    assert curve.risk[-1] == pytest.approx(float(1 - y.mean()))
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        assert np.allclose(selective(y, p, threshold), (coverage, risk))


def test_long_curve_is_thinned() -> None:
    """A curve of many thresholds keeps as many points as asked for."""
    p = np.linspace(0, 1, 5000)

    assert len(risk_coverage(p > 0.5, p, points=50).risk) == 50


def grouped(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, probabilities and groups, with a failure rate that differs by group."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), 25)
    p = random.uniform(0.5, 1.0, groups.size)
    lean = random.normal(0.0, 0.15, 40)[groups]
    return (random.random(groups.size) < p + lean).astype(float), p, groups


def test_bootstrap_by_group_is_wider_than_by_row() -> None:
    """Rows that depend on each other give a wider interval when whole groups are drawn."""
    y, p, groups = grouped(0)

    by_row = bootstrap(brier, y, p, draws=200)
    by_group = bootstrap(brier, y, p, groups=groups, draws=200)

    assert by_row.low < by_row.value < by_row.high
    assert by_group.high - by_group.low > by_row.high - by_row.low
    assert by_group == bootstrap(brier, y, p, groups=groups, draws=200)


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Over repeated samples 90 % intervals of the Brier score hold the true one nearly as often."""
    truth = float(np.mean([brier(*grouped(seed)[:2]) for seed in range(1000, 1400)]))

    held = 0
    for seed in range(60):
        y, p, groups = grouped(seed)
        interval = bootstrap(brier, y, p, groups=groups, draws=120, level=0.9)
        held += int(interval.low <= truth <= interval.high)

    assert held >= 0.75 * 60


def test_paired_gain_sees_what_single_intervals_cannot() -> None:
    """A small but steady gain is told from chance when both are measured on the same draws."""
    y, p, groups = grouped(1)
    worse = np.clip(p - 0.04, 0, 1)

    gain = bootstrap_gain(brier, y, worse, p, groups=groups, draws=200)
    one = bootstrap(brier, y, worse, groups=groups, draws=200)
    two = bootstrap(brier, y, p, groups=groups, draws=200)

    assert gain.value == pytest.approx(one.value - two.value)
    assert gain.high - gain.low < (one.high - one.low) / 2
    assert one.low < two.high


@pytest.mark.parametrize(("y", "p"), [([], []), ([1, 0], [0.5])])
def test_rows_that_do_not_match_are_refused(y: list[float], p: list[float]) -> None:
    """No rows, or outcomes without probabilities, are a typed error."""
    with pytest.raises(InputError):
        brier(y, p)


def test_every_row_needs_its_group() -> None:
    """Groups of another length than the rows are a typed error."""
    with pytest.raises(InputError):
        bootstrap(brier, [1, 0], [0.5, 0.5], groups=["a"])
