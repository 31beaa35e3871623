"""Credits: what each column did to what a model says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from onward.serving.credits import credits_of

Rows = NDArray[np.float32]
Says = NDArray[np.float64]
NAN = float("nan")


def table(seed: int, n: int, d: int) -> Rows:
    """Rows of small numbers, some of them unknown."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, d)).astype(np.float32)
    rows[random.random(size=(n, d)) < 0.2] = NAN
    return rows


def bent(X: Rows) -> Says:
    """A function in which columns need each other."""
    known = np.nan_to_num(X.astype(np.float64))
    said: Says = np.tanh(known[:, 0] * known[:, 1] + known.sum(axis=1) - np.isnan(X).sum(axis=1))
    return said


@given(st.integers(0, 1_000), st.integers(1, 9), st.integers(2, 8))
def test_credits_add_up(seed: int, n: int, d: int) -> None:
    """Baseline and effects of all columns are what the model says of the row, always."""
    rows = table(seed, n + 1, d)
    baseline, effects = credits_of(bent, rows[0], rows[1:], walks=6)

    assert baseline + effects.sum() == pytest.approx(bent(rows[:1])[0], abs=1e-9)


@given(st.integers(0, 1_000))
def test_what_a_model_does_not_look_at_gets_nothing(seed: int) -> None:
    """A column that changes no answer has no effect, nor has one that equals all stored rows."""
    rows = table(seed, 6, 5)
    rows[:, 4] = rows[0, 4]
    _, effects = credits_of(lambda X: bent(X[:, [0, 1, 4]]), rows[0], rows[1:], walks=4)

    assert effects[[2, 3, 4]].tolist() == [0.0, 0.0, 0.0]


def test_columns_that_tell_the_same_share_the_credit() -> None:
    """Of two columns either of which suffices, each gets half: walks go both ways."""
    row, others = np.ones(2, np.float32), np.zeros((1, 2), np.float32)
    _, effects = credits_of(lambda X: X.max(axis=1).astype(np.float64), row, others)

    assert effects.tolist() == [0.5, 0.5]


def test_the_same_question_gets_the_same_credits() -> None:
    """Nothing is left to chance that differs from call to call."""
    rows = table(3, 20, 6)
    first, again = (credits_of(bent, rows[0], rows[1:]) for _ in range(2))

    assert first[0] == again[0]
    assert first[1].tolist() == again[1].tolist()


def test_credits_are_near_the_exact_ones() -> None:
    """Sampled credits of trees come near those that the fitting library works out exactly."""
    lightgbm = pytest.importorskip("lightgbm")
    random = np.random.default_rng(0)
    X = random.normal(size=(2_000, 6)).astype(np.float32)
    y = X[:, 0] - 2.0 * X[:, 1] * (X[:, 2] > 0) + 0.1 * random.normal(size=2_000)
    settings = {"objective": "regression", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 40)
    row = X[7]
    exact = booster.predict(row[None], pred_contrib=True)[0]
    _, effects = credits_of(booster.predict, row, X, walks=512)

    assert np.abs(effects - exact[:-1]).max() < 0.15 * np.abs(exact[:-1]).max() + 0.05
    assert np.argsort(-np.abs(effects))[0] == np.argsort(-np.abs(exact[:-1]))[0]
