"""The running choice: what it learns, and that it keeps it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from onward.features.intent.choice import Choice

NUMBER = st.floats(-50.0, 50.0)


def outcomes(count: int, *, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Three alternatives of which the one with the larger first number comes, mostly."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        evidence = random.normal(size=(3, 2))
        chosen = int((evidence[:, 0] + 0.3 * random.normal(size=3)).argmax())
        rows.append((evidence, np.array([1.0, random.random()]), chosen))
    return rows


def test_it_learns_what_tells() -> None:
    """After some outcomes the evidence that tells is trusted, and the other is not."""
    choice = Choice([0.0, 0.0], contexts=2, alternatives=3)
    for evidence, context, chosen in outcomes(400):
        choice.learn(evidence, context, chosen)
    later = outcomes(200, seed=1)
    right = [int(choice.probabilities(e, c).argmax()) == chosen for e, c, chosen in later]

    assert np.mean(right) > 0.8


@given(st.lists(NUMBER, min_size=6, max_size=6), st.lists(NUMBER, min_size=2, max_size=2))
def test_it_always_gives_a_distribution(evidence: list[float], context: list[float]) -> None:
    """Whatever the evidence, before and after learning, the probabilities add up to 1."""
    choice = Choice([1.0, 0.5], contexts=2, alternatives=3)
    rows, here = np.reshape(evidence, (3, 2)), np.array(context)
    for _ in range(3):
        p = choice.probabilities(rows, here)
        assert np.isclose(p.sum(), 1.0)
        assert (p >= 0.0).all()
        choice.learn(rows, here, 2)


def test_what_was_saved_goes_on_the_same() -> None:
    """Dump and load change no later probability by a bit."""
    whole = Choice([1.0, 0.5], contexts=2, alternatives=3)
    half = Choice([1.0, 0.5], contexts=2, alternatives=3)
    rows = outcomes(60)
    for row in rows[:30]:
        whole.learn(*row)
    half.load(whole.dump())
    for row in rows[30:]:
        whole.learn(*row)
        half.learn(*row)

    assert whole.dump() == half.dump()
