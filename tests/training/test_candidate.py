"""What a candidate promises."""

from __future__ import annotations

import numpy as np

from onward.decisions.policy import GUARD
from onward.features.examples import Examples
from onward.features.fold import NAMES
from onward.training.candidate import fitted, parts_of, promised, refitted
from onward.training.split import by_time


def test_promise_begins_where_the_policy_does() -> None:
    """A rate that would hold far down is promised from the guard floor on, with what lies there."""
    n = 2000
    p = np.linspace(0.0, 1.0, n)
    rows = Examples(
        X=np.zeros((n, len(NAMES)), np.float32),
        outcome=np.zeros(n, np.int8),
        project=np.full(n, "", object),
        agent=np.full(n, "", object),
        session=np.arange(n).astype(str).astype(object),
        at=np.zeros(n),
        seq=np.arange(n, dtype=np.int64),
    )
    (promise,) = promised(p, rows, rates=[0.3], confidence=0.95)

    assert promise.value == GUARD
    assert promise.coverage == np.mean(p >= GUARD)
    assert promise.error == 0.0


def test_ships_what_learned_from_the_newest_steps() -> None:
    """What ships has learned from every step; its calibration knows the first fit's unseen ones."""
    n = 1000
    X = np.random.default_rng(0).random((n, len(NAMES))).astype(np.float32)
    rows = Examples(
        X=X,
        outcome=(X[:, 0] < 0.3).astype(np.int8),
        project=np.full(n, "", object),
        agent=np.full(n, "", object),
        session=np.arange(n).astype(str).astype(object),
        at=np.zeros(n),
        seq=np.arange(n, dtype=np.int64),
    )
    judged = fitted(rows, rows, parts_of(by_time(n)), seed=0)

    shipped = refitted(judged, rows, rows, seed=0)

    assert judged.confidence.card()["rows"] == 600
    assert shipped.confidence.card()["rows"] == n
    assert shipped.choice is judged.choice
