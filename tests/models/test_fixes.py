"""The three models of fixes: one contract, one suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.mending import mending_log

from onward.data.errors import NotEnoughData
from onward.features.fixes.changes import FIXES
from onward.features.fixes.mined import Mined, mine
from onward.models import attempts, fixes, transient
from onward.models.base import Learned, Rows
from onward.models.fixes import PRECISION, shares, speaks_from
from onward.models.logistic import Logistic

pytest.importorskip("lightgbm")
SYSTEMS: tuple[tuple[Callable[[], Any], Any], ...] = (
    (attempts.Attempts, attempts.rows_of),
    (fixes.FixRanker, fixes.rows_of),
    (transient.Transient, transient.rows_of),
)


@pytest.fixture(scope="module")
def mined() -> list[Mined]:
    """Attempts of made-up sessions."""
    return list(mine(mending_log(220)))


@pytest.mark.parametrize(("make", "rows_of"), SYSTEMS)
def test_models_keep_the_contract(make: Any, rows_of: Any, mined: list[Mined]) -> None:
    """Fitting repeats, predicting is pure and alike alone or in a batch, ONNX agrees to 1e-5."""
    rows: Rows = rows_of(mined)
    model, twin = make().fit(rows, seed=3), make().fit(rows, seed=3)
    p = model.predict(rows.X)

    assert isinstance(model, Learned)
    assert rows.X.shape == (len(rows), len(model.names))
    assert p.min() >= 0.0
    assert p.max() <= 1.0
    np.testing.assert_array_equal(p, twin.predict(rows.X))
    np.testing.assert_array_equal(p, model.predict(rows.X))
    np.testing.assert_allclose(p[:5], [model.predict(rows.X[i : i + 1])[0] for i in range(5)])
    assert model.to_onnx() == twin.to_onnx()
    holes = rows.X.copy()
    holes[::3, ::4] = np.nan
    session = onnxruntime.InferenceSession(model.to_onnx())
    for X in (rows.X, holes):
        (said,) = session.run(["p"], {"X": X})
        assert said.shape == (len(X), 2)
        np.testing.assert_allclose(said[:, 1], model.predict(X), atol=1e-5)
    assert model.card()["name"] == model.name


@pytest.mark.parametrize(("make", "rows_of"), SYSTEMS)
def test_too_few_rows_are_said_as_such(make: Any, rows_of: Any, mined: list[Mined]) -> None:
    """Where there is too little to learn from, fitting says so."""
    with pytest.raises(NotEnoughData):
        make().fit(rows_of(mined[:3]))


def test_models_beat_their_peers(mined: list[Mined]) -> None:
    """On later sessions with a pattern, each system does better than its trivial peers."""
    early, late = mined[:300], mined[300:]
    train, judged = attempts.rows_of(early), attempts.rows_of(late)
    ours = attempts.Attempts().fit(train).calibrated(judged.X)
    miss = {n: np.mean((p - judged.y) ** 2) for n, p in attempts.peers(train, judged).items()}

    assert np.mean((ours - judged.y) ** 2) < min(miss.values())
    ranked = fixes.rows_of(late)
    table = shares(fixes.FixRanker().fit(fixes.rows_of(early)).predict(ranked.X))
    fix = ranked.y.reshape(-1, len(FIXES)).argmax(axis=1)
    overall = fixes.peers(late)["overall"]
    assert (table.argmax(axis=1) == fix).mean() > (overall.argmax(axis=1) == fix).mean() + 0.1


def test_it_speaks_only_where_it_was_right() -> None:
    """The threshold lets through what was right often enough, and nothing where that never was."""
    random = np.random.default_rng(0)
    said = shares(random.random((400, len(FIXES))).ravel())
    said[:200, 3] += 1.0
    fix = np.where(np.arange(400) < 200, 3, random.integers(len(FIXES), size=400))

    heard = said.max(axis=1) >= speaks_from(said, fix)
    assert heard.sum() >= 200
    assert (said.argmax(axis=1) == fix)[heard].mean() >= PRECISION
    assert speaks_from(said[200:], fix[200:]) > 1.0


def test_a_regression_finds_a_line() -> None:
    """The ridge regression recovers which column matters, holes or not."""
    random = np.random.default_rng(0)
    X = random.normal(size=(800, 4)).astype(np.float32)
    y = (X[:, 2] + 0.3 * random.normal(size=800) > 0).astype(np.float64)
    X[random.random(X.shape) < 0.1] = np.nan
    model = Logistic()
    model.fit(X, y)

    assert np.abs(model.weights[:-1]).argmax() == 2
    assert np.mean((model.predict(X) > 0.5) == y) > 0.85
