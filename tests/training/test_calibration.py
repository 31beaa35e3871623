"""The choice of a calibration is made on rows that it was not fitted on."""

from __future__ import annotations

import numpy as np

from onward.training.calibration import choose, forward_folds, group_folds


def test_group_folds_never_part_a_group_and_hold_each_row_out_once() -> None:
    """Every row is held out exactly once, and never while its group is fitted on."""
    groups = np.array(list("aabbbcddddeeffg"))

    held: list[int] = []
    for train, test in group_folds(groups, folds=3):
        assert not set(groups[train]) & set(groups[test])
        held += test.tolist()

    assert sorted(held) == list(range(groups.size))


def test_forward_folds_never_look_ahead() -> None:
    """All that is held out comes after all that is fitted on, up to the last row."""
    folds = list(forward_folds(103, folds=4))

    assert all(train.max() < test.min() for train, test in folds)
    assert folds[-1][1][-1] == 102


def test_choice_mends_scores_that_are_too_sure() -> None:
    """For scores twice too sure the choice is a formula near one half, and better than none."""
    random = np.random.default_rng(0)
    z = random.normal(0.0, 2.0, 4000)
    y = (random.random(z.size) < 1.0 / (1.0 + np.exp(-z))).astype(float)

    choice = choose(1.0 / (1.0 + np.exp(-2.0 * z)), y, list(forward_folds(z.size)))

    by_name = {score.method: score for score in choice.scores}
    assert choice.calibrator.method in ("temperature", "platt", "beta")
    assert by_name[choice.calibrator.method].log_loss < by_name["identity"].log_loss
    assert by_name[choice.calibrator.method].ece < 0.03 < by_name["identity"].ece
    assert abs(choice.calibrator.apply_one(1.0 / (1.0 + np.exp(-2.0))) - 0.731) < 0.03


def test_choice_leaves_good_scores_alone() -> None:
    """Scores that hold already are hardly moved, whichever method wins."""
    random = np.random.default_rng(1)
    p = random.uniform(0.05, 0.95, 4000)
    y = (random.random(p.size) < p).astype(float)

    choice = choose(p, y, list(group_folds(np.arange(p.size) // 40)))

    assert np.abs(choice.calibrator.apply(p) - p).max() < 0.08


def test_choice_prefers_the_simpler_of_two_that_are_as_good() -> None:
    """Scores that hold already keep their ranking: no table wins by a difference that is luck."""
    random = np.random.default_rng(2)
    p = random.beta(9.0, 1.0, 1500)
    y = (random.random(p.size) < p).astype(float)

    choice = choose(p, y, list(group_folds(np.arange(p.size) // 30)))

    assert choice.calibrator.method == "identity"
    assert np.unique(choice.calibrator.apply(p)).size == p.size
