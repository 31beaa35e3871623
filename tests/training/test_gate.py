"""The gate: only what surely beats today's answer becomes the champion."""

from __future__ import annotations

import numpy as np
import pytest

from onward.training.gate import CHALLENGER, CHAMPION, judge

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.beta(4, 1, 3000)
Y = (RANDOM.random(3000) < TRUE).astype(np.float64)
GROUPS = np.arange(3000) // 30
RATE = np.full(3000, Y.mean())


def test_surely_better_becomes_champion() -> None:
    """A gain whose whole interval lies above zero passes."""
    ruling = judge(Y, TRUE, {"base rate": RATE}, groups=GROUPS)

    assert ruling.alias == CHAMPION
    assert ruling.gain.low > 0
    assert "beats base rate" in ruling.text


def test_same_is_not_better() -> None:
    """A copy of the champion stays a challenger."""
    ruling = judge(Y, TRUE.copy(), {"champion": TRUE}, groups=GROUPS)

    assert ruling.alias == CHALLENGER
    assert not ruling.passed


def test_rounding_is_not_better() -> None:
    """A gain that is smaller than what an export may lose does not pass."""
    closer = TRUE + (Y - TRUE) * 1e-7

    assert judge(Y, closer, {"champion": TRUE}, groups=GROUPS).alias == CHALLENGER


def test_chance_is_not_better() -> None:
    """A gain that could be chance does not pass."""
    jitter = np.clip(TRUE + RANDOM.normal(0, 0.002, len(TRUE)), 0, 1)

    assert judge(Y, jitter, {"champion": TRUE}, groups=GROUPS).alias == CHALLENGER


@pytest.mark.parametrize("sessions", [1, 8])
def test_few_sessions_pass_nothing_by_chance(sessions: int) -> None:
    """On a few sessions, of a hundred versions no better than the champion at most ten pass."""
    groups = np.arange(500) * sessions // 500
    passed = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        true = np.clip(random.beta(9, 1, 500), 0.02, 0.98)
        y = (random.random(500) < true).astype(np.float64)
        one, two = (np.clip(true + random.normal(0, 0.03, 500), 0.01, 0.99) for _ in range(2))
        passed += judge(y, one, {"champion": two}, groups=groups, seed=seed).passed

    assert passed <= 10


def test_one_session_shows_what_is_better() -> None:
    """On a single session, a version that is clearly better passes."""
    assert judge(Y, TRUE, {"base rate": RATE}, groups=np.zeros(3000)).passed
    assert judge(Y[:1000], TRUE[:1000], {"base rate": RATE[:1000]}, groups=np.zeros(1000)).passed


def test_the_best_rival_counts() -> None:
    """Of several peers the best one must be beaten, not the worst."""
    ruling = judge(Y, RATE, {"coin": np.full(3000, 0.5), "counts": TRUE}, groups=GROUPS)

    assert ruling.against == "counts"
    assert ruling.alias == CHALLENGER


def test_unproven_champion_yields_to_a_tie() -> None:
    """What never proved itself on such steps yields where the new version is not surely worse."""
    jitter = np.clip(TRUE + np.random.default_rng(1).normal(0, 0.002, len(TRUE)), 0, 1)

    tie = judge(Y, jitter, {"champion": TRUE}, groups=GROUPS, proven=False)
    worse = judge(Y, RATE, {"champion": TRUE}, groups=GROUPS, proven=False)

    assert tie.gain.low < 0 < tie.gain.high
    assert tie.alias == CHAMPION
    assert "is no worse than champion" in tie.text
    assert worse.alias == CHALLENGER
