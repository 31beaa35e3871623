"""P(a test fails | what changed): the contract, the peers and the fold behind it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from onward.data.errors import BundleError, NotEnoughData
from onward.data.testing.runs import TestRun, Verdicts
from onward.features.affected.fold import GROUND_PRIORS, NAMES, VERSION, TestFold, by_counts, ground
from onward.models.affected import Affected, calibrated, peers, rows
from onward.models.base import Learned, Rows
from onward.serving.answers.affected import live_part

RAN, MUST, RARE = (NAMES.index(name) for name in ("ran", "must", "rarest"))


def a_run(number: int, *, tests: int = 40, project: str = "p") -> TestRun:
    """A run in which tests that ran what changed fail in half of the cases."""
    random = np.random.default_rng(number)
    X = np.zeros((tests, len(NAMES)), np.float32)
    X[:, RAN] = random.random(tests) < 0.3
    X[:, MUST] = X[:, RAN]
    X[:, RARE] = X[:, RAN] * random.random(tests)
    failed = (X[:, RAN] > 0) & (random.random(tests) < 0.5 * X[:, RARE] + 0.2)
    return TestRun(
        id=number,
        project=project,
        changed=["a.py"],
        verdicts=Verdicts(
            nodes=[f"t::{n}" for n in range(tests)],
            failed=failed.tolist(),
            fresh=failed.tolist(),
            width=len(NAMES),
            vectors=X.tobytes(),
            seconds=[0.1] * tests,
            version=VERSION,
        ),
    )


@pytest.fixture(scope="module")
def table() -> Rows:
    """Pairs from many runs."""
    return rows(a_run(number, project=f"p{number % 4}") for number in range(1, 60))


@pytest.fixture(scope="module")
def model(table: Rows) -> Affected:
    """A fitted model."""
    pytest.importorskip("lightgbm")
    return Affected().fit(table)


def test_it_keeps_the_contract(model: Affected, table: Rows) -> None:
    """It is a learned system: probabilities from its columns, facts as JSON, a card."""
    p = model.predict(table.X)

    assert isinstance(model, Learned)
    assert p.shape == (len(table),)
    assert 0.0 < p.min() < p.max() < 1.0
    assert msgspec.json.decode(msgspec.json.encode(model.facts())) == model.facts()
    assert model.card()["pairs"] == len(table)


def test_it_is_repeatable_and_pure(model: Affected, table: Rows) -> None:
    """The same seed gives the same model; rows alone and together get the same number."""
    again = Affected().fit(table)

    assert again.to_onnx() == model.to_onnx()
    few = table.X[:50]
    alone = np.concatenate([model.predict(row[None]) for row in few])
    assert np.array_equal(alone, model.predict(few))


def test_the_exported_model_is_the_same(model: Affected, table: Rows) -> None:
    """ONNX and native probabilities differ by less than 1e-5, also calibrated."""
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    p = np.asarray(session.run(["p"], {"X": table.X})[0], np.float64)[:, 1]

    assert np.abs(p - model.predict(table.X)).max() < 1e-5
    served = calibrated(p, model.facts())
    assert np.abs(served - model.calibrated(table.X)).max() < 1e-4


def test_a_published_model_answers(model: Affected, table: Rows, tmp_path: Path) -> None:
    """What lies in the live bundle is used as it was fitted; where nothing lies, nothing is."""
    assert live_part(tmp_path) is None
    folder = tmp_path / "bundles" / "v1"
    folder.mkdir(parents=True)
    (tmp_path / "bundles" / "current").write_text("v1")
    (folder / "affected.onnx").write_bytes(model.to_onnx())
    (folder / "affected.json").write_bytes(msgspec.json.encode(model.facts()))

    part = live_part(tmp_path)
    assert part is not None
    assert np.abs(part.run(table.X)[:, 1] - model.predict(table.X)).max() < 1e-5
    (folder / "affected.json").write_bytes(msgspec.json.encode({"features": "other"}))
    assert live_part(tmp_path) is None


def test_few_failures_teach_nothing() -> None:
    """Without runs, or with too few failures, it says so."""
    with pytest.raises(NotEnoughData):
        rows([])
    few = rows([a_run(1)])
    with pytest.raises(NotEnoughData):
        Affected().fit(few[few.y == 0])


def test_peers_rank_every_pair(table: Rows) -> None:
    """Each trivial way scores every pair, and what ran a change ranks above chance."""
    found = peers(table[:1000], table[1000:])

    assert {"counts", "base", "random", "recency", "distance", "executed"} == set(found)
    y = table[1000:].y > 0
    for p in found.values():
        assert p.shape == (len(y),)
    assert found["counts"][y].mean() > found["counts"][~y].mean()


def test_counts_follow_what_happened(table: Rows) -> None:
    """Without any run the priors answer; after many, the rate of each ground."""
    fold = TestFold()
    vector = table.X[table.X[:, RAN] > 0][:1]
    before = by_counts(vector, fold.grounds)[0]
    for number in range(1, 60):
        fold.learn(a_run(number))

    assert 0.0 < before < 1.0
    assert by_counts(vector, fold.grounds)[0] > before
    assert set(map(ground, table.X.tolist())) <= GROUND_PRIORS.keys()


def test_the_fold_goes_on_after_dump_and_load() -> None:
    """A loaded fold answers and learns as the one that was dumped; a damaged one is an error."""
    fold = TestFold()
    for number in range(1, 10):
        fold.learn(a_run(number))
    other = TestFold.load(fold.dump())
    for one in (fold, other):
        one.learn(a_run(11))

    assert other.dump() == fold.dump()
    assert other.numbers("t::1", ["a.py"]) == fold.numbers("t::1", ["a.py"])
    with pytest.raises(BundleError):
        TestFold.load(b"nothing")


def test_a_test_that_flips_without_cause_is_called_flaky() -> None:
    """Flips without a touching change raise the posterior; failures after a change do not."""
    flips, breaks = TestFold(), TestFold()
    for number in range(20):
        run = a_run(1, tests=1)
        run.verdicts.failed = [number % 2 == 0]
        for fold, must in ((flips, 0.0), (breaks, 1.0)):
            X = np.zeros((1, len(NAMES)), np.float32)
            X[0, MUST] = must
            run.verdicts.vectors = X.tobytes()
            fold.learn(run)

    assert flips.flake("t::0") > 0.3
    assert breaks.flake("t::0") < 0.02


def test_the_fold_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a long stream of ever new tests and files its size stops growing."""
    monkeypatch.setattr("onward.features.affected.fold.MAX_TESTS", 50)
    monkeypatch.setattr("onward.features.affected.fold.MAX_FILES", 20)
    monkeypatch.setattr("onward.features.affected.fold.MAX_PARTNERS", 10)
    fold, sizes = TestFold(), []
    for number in range(1, 200):
        run = a_run(number, tests=20)
        run.changed = [f"file{number}.py"]
        run.verdicts.nodes = [f"t{number}::{n}" for n in range(20)]
        fold.learn(run)
        sizes.append(len(fold.dump()))

    assert max(sizes[100:]) < 1.2 * max(sizes[40:80])
