"""One contract, every learned system: each must keep it whole.

The rows come from the start of the bundled history; where that holds too few, from made logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("lightgbm")
pytest.importorskip("sklearn")

from tests.mending import mending_log
from tests.models.test_affected import a_run
from tests.models.test_causes import SAYINGS, cases
from tests.models.test_memory import history
from tests.talking import talk

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Event
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import resources_path, sample_path
from onward.models import affected, causes, forecast
from onward.models.base import Learned, Rows
from onward.models.parity import MAX_PARITY_GAP, parity_gap
from onward.serving.onnx import OnnxPart
from onward.training.catalogue import all_systems
from onward.training.parity import Exported
from onward.training.systems import System

EVENTS = 3_000
"""Of the bundled history: enough for all that are learned from it."""
READINGS = 600
ALONE = 40
"""Rows that are also predicted one by one."""
BATCH = 1e-12
"""How far a row alone may be from the same row in a batch: the sums of a regression are added up
in another order."""
SEED = 3
MADE: dict[str, Callable[[], list[tuple[int, Any]]]] = {
    "memory": lambda: history(300),
    "transient": lambda: [*mending_log(150)],
    "intent": lambda: [*talk(250)],
}
"""Logs for those of which the bundled history holds too few."""
PROBABILITIES = {"forecast": [3]}
"""The columns of a prediction that are probabilities, where not all are."""
CARDED = {"rows", "pairs", "questions", "cases"}
"""What a card calls that which was fitted on."""


@dataclass(frozen=True)
class Fitted:
    """One learned system, with rows and two models that were fitted alike."""

    make: Callable[[], Any]
    said: Callable[[Any, NDArray[np.float32]], NDArray[Any]]
    rows: Rows
    model: Any
    twin: Any


@cache
def log() -> list[tuple[int, Event]]:
    """The start of the bundled history."""
    return [*enumerate(whole(sample_path(), EVENTS), 1)]


def whole(path: Path, most: int) -> Iterator[Event]:
    """The first events of a file."""
    return (one for one in islice(read_path(path), most) if not isinstance(one, BrokenLine))


def rows_of(system: System, name: str) -> Rows:
    """What a system learns from."""
    if name == "forecast":
        return forecast.rows(enumerate(whole(resources_path(), READINGS), 1))
    return system.rows(MADE[name]() if name in MADE else log())


def beside() -> dict[str, tuple[Callable[[], Any], Callable[[], Rows]]]:
    """The two that no history teaches."""
    known = cases(*SAYINGS)
    return {
        "causes": (lambda: causes.Causes(causes.labels_of(known)), lambda: causes.rows(known)),
        "affected": (
            affected.Affected,
            lambda: affected.rows(a_run(n, project=f"p{n % 4}") for n in range(1, 60)),
        ),
    }


def systems() -> dict[str, System]:
    """Those that a history teaches, made anew: some keep what they read of the first log."""
    return {system.model().name: system for system in all_systems(None)}


@pytest.fixture(scope="module", params=[*systems(), *beside()])
def fitted(request: pytest.FixtureRequest) -> Fitted:
    """Each learned system in turn, fitted twice with one seed."""
    name = request.param
    if name in systems():
        system = systems()[name]
        make, rows, said = system.model, rows_of(system, name), system.said
    else:
        make, fold = beside()[name]
        rows, said = fold(), lambda model, X: model.predict(X)
    return Fitted(make, said, rows, make().fit(rows, seed=SEED), make().fit(rows, seed=SEED))


def wide(native: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """A prediction as wide as the exported model's output."""
    if native.ndim == 2:
        return native
    return np.stack([1.0 - native, native], axis=1) if columns == 2 else native[:, np.newaxis]


def probabilities(fitted: Fitted, said: NDArray[Any]) -> NDArray[Any]:
    """Those of a prediction's numbers that are probabilities."""
    columns = PROBABILITIES.get(fitted.model.name)
    return said if columns is None else said[:, columns]


def test_rows_are_as_the_contract_says(fitted: Fitted) -> None:
    """Rows have the model's columns, float32, stand in the order of the log, and are as many."""
    rows = fitted.rows

    assert isinstance(fitted.model, Learned)
    assert rows.X.dtype == np.float32
    assert rows.X.shape == (len(rows), len(fitted.model.names))
    assert len(rows.y) == len(rows.group) == len(rows) > ALONE
    assert (np.diff(rows.seq) >= 0).all()
    assert len(set(fitted.model.names)) == len(fitted.model.names)


def test_the_seed_decides(fitted: Fitted) -> None:
    """Fitted twice with one seed it is the same model, byte for byte, with the same facts."""
    model, twin = fitted.model, fitted.twin

    assert model.to_onnx() == twin.to_onnx()
    assert model.facts() == twin.facts()
    assert model.card() == twin.card()
    assert np.array_equal(model.predict(fitted.rows.X), twin.predict(fitted.rows.X))


def test_predicting_changes_nothing(fitted: Fitted) -> None:
    """A prediction leaves model and rows as they were, and comes out the same again."""
    X = fitted.rows.X.copy()
    before = fitted.model.to_onnx()
    first = fitted.model.predict(X)

    assert np.array_equal(first, fitted.model.predict(X))
    assert np.array_equal(X, fitted.rows.X, equal_nan=True)
    assert fitted.model.to_onnx() == before


def test_rows_are_predicted_alone_as_together(fitted: Fitted) -> None:
    """A row gets the same numbers alone as in a batch, natively and exported."""
    X = fitted.rows.X[:ALONE]
    served = Exported(fitted.model.to_onnx())
    for predict, most in ((fitted.model.predict, BATCH), (served.output, 1e-6)):
        alone = np.concatenate([predict(X[row : row + 1]) for row in range(len(X))])
        assert np.abs(alone - predict(X)).max() <= most


def test_probabilities_are_probabilities(fitted: Fitted) -> None:
    """Each lies between 0 and 1, as predicted and as served, and classes add up to 1."""
    X = fitted.rows.X
    native = fitted.model.predict(X)
    for said in (native, np.asarray(fitted.said(fitted.model, X))):
        p = probabilities(fitted, said)
        assert np.isfinite(said).all()
        assert p.min() >= 0.0
        assert p.max() <= 1.0
        if p.ndim == 2 and p.shape[1] > 1:
            assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-9)
    assert len(native) == len(X)


def test_the_exported_model_is_the_fitted_one(fitted: Fitted, tmp_path: Path) -> None:
    """As it is served, it says what the fitted model says to 1e-5, also where little is known."""
    model = fitted.model
    X = _with_odd_rows(fitted.rows.X)
    served = Exported(model.to_onnx()).output(X)
    native = wide(model.predict(X), served.shape[1])
    assert parity_gap(served, native) <= MAX_PARITY_GAP

    (tmp_path / f"{model.name}.onnx").write_bytes(model.to_onnx())
    np.savez(tmp_path / f"{model.name}.npz", X=X[-64:], p=native[-64:].astype(np.float32))
    said = OnnxPart(tmp_path, model.name)(X)
    assert said.dtype == np.float32
    assert np.array_equal(said, served.astype(np.float32))


def _with_odd_rows(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows, some with holes where the system's own have any, one of zeros, one of large."""
    odd = np.stack([np.zeros(X.shape[1]), np.full(X.shape[1], 1e9)]).astype(np.float32)
    holes = X[:300].copy()
    if np.isnan(X).any():
        holes[::3, ::4] = np.nan
        odd = np.vstack([odd, np.full((1, X.shape[1]), np.nan, np.float32)])
    return np.concatenate([X, holes, odd])


def test_another_model_is_never_served(fitted: Fitted, tmp_path: Path) -> None:
    """A file that does not say what was stored beside it raises before it answers."""
    model = fitted.model
    X = fitted.rows.X[:8]
    off = wide(model.predict(X), Exported(model.to_onnx()).output(X).shape[1]) + 1e-3
    np.savez(tmp_path / f"{model.name}.npz", X=X, p=off.astype(np.float32))
    (tmp_path / f"{model.name}.onnx").write_bytes(model.to_onnx())

    with pytest.raises(BundleError, match="differs"):
        OnnxPart(tmp_path, model.name)(X)


def test_other_columns_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    """A row that is too short raises a typed error, no stranger's."""
    (tmp_path / "odd.onnx").write_bytes(fitted.model.to_onnx())
    X = np.zeros((1, fitted.rows.X.shape[1]), np.float32)
    np.savez(tmp_path / "odd.npz", X=X[:0], p=X[:0])

    with pytest.raises(BundleError, match="other columns"):
        OnnxPart(tmp_path, "odd")(X[:, :-1])


def test_facts_are_plain_json(fitted: Fitted) -> None:
    """What serving needs beside the ONNX file goes through JSON without loss."""
    facts = fitted.model.facts()
    assert msgspec.json.decode(msgspec.json.encode(facts)) == facts


def test_the_card_says_what_it_was_fitted_on(fitted: Fitted) -> None:
    """The card names the system, its kind and target, and how much it was fitted on, as JSON."""
    card = fitted.model.card()
    known = CARDED & card.keys()

    assert card["name"] == fitted.model.name
    assert card["kind"]
    assert card["target"]
    assert known
    assert all(0 < card[name] <= len(fitted.rows) for name in known)
    assert msgspec.json.encode(card)


@pytest.mark.parametrize("few", [0, 3])
def test_too_few_rows_are_told(fitted: Fitted, few: int) -> None:
    """No rows, or hardly any, raise a typed error."""
    with pytest.raises(NotEnoughData):
        fitted.make().fit(fitted.rows[:few])


def test_a_model_must_be_fitted_first(fitted: Fitted) -> None:
    """Without a fit it neither predicts nor leaves."""
    with pytest.raises(NotEnoughData):
        fitted.make().predict(fitted.rows.X[:1])
    with pytest.raises(NotEnoughData):
        fitted.make().to_onnx()
