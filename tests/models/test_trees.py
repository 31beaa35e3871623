"""The two heads: one contract, one test suite for both; bundles; counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Call, Outcome, Step
from onward.features.examples import OUTCOMES, Examples, joined
from onward.features.fold import NAMES, VERSION, Fold
from onward.models import bundle
from onward.models.approval import Approval
from onward.models.base import Model
from onward.models.confidence import Confidence
from onward.models.counts import Counts, lower_bound
from onward.training.metrics import auc

OK, ERROR, REJECTED = map(OUTCOMES.index, (Outcome.OK, Outcome.ERROR, Outcome.REJECTED))
HEADS = (Confidence, Approval)


@pytest.fixture(scope="module")
def table() -> Examples:
    """Rows whose outcome follows from two columns, with holes in all of them."""
    random = np.random.default_rng(0)
    n = 1500
    X = random.normal(size=(n, len(NAMES))).astype(np.float32)
    X[random.random(X.shape) < 0.2] = np.nan
    good = np.nan_to_num(X[:, NAMES.index("rate_exact")]) + random.normal(size=n) > -0.5
    outcome = np.where(good, OK, ERROR)
    refused = np.nan_to_num(X[:, NAMES.index("approve_exact")]) < -1.0
    return Examples(
        X=X,
        outcome=np.where(refused, REJECTED, outcome).astype(np.int8),
        project=np.full(n, "p", object),
        agent=np.full(n, "a", object),
        session=np.full(n, "s", object),
        at=np.zeros(n),
        seq=np.arange(n),
    )


@pytest.mark.parametrize("head", HEADS)
def test_heads_keep_the_contract(head: type[Confidence | Approval], table: Examples) -> None:
    """A head is a model: it fits, predicts probabilities, and says what it is."""
    model = head().fit(table)
    p = model.predict(table.X)

    assert isinstance(model, Model)
    assert p.shape == (len(table),)
    assert 0.0 < p.min() < p.max() < 1.0
    assert model.card()["features"] == VERSION


@pytest.mark.parametrize("head", HEADS)
def test_the_same_seed_gives_the_same_model(
    head: type[Confidence | Approval], table: Examples
) -> None:
    """Fitting is repeatable."""
    first, second = (head().fit(table, seed=3).predict(table.X) for _ in range(2))

    assert np.array_equal(first, second)


@pytest.mark.parametrize("head", HEADS)
def test_onnx_says_what_the_model_says(head: type[Confidence | Approval], table: Examples) -> None:
    """Served and native answers differ by at most 1e-5, also where nothing is known."""
    model = head().fit(table)
    session = onnxruntime.InferenceSession(model.to_onnx())
    nothing = np.full((1, len(NAMES)), np.nan, np.float32)
    X = np.concatenate([table.X, nothing, np.zeros_like(nothing)])
    served = session.run(["p"], {"X": X})[0][:, 1]

    assert np.abs(served - model.predict(X)).max() <= 1e-5


def test_a_row_alone_and_among_others_is_the_same(table: Examples) -> None:
    """Predicting one row gives what predicting all of them gives for it."""
    model = Confidence().fit(table)
    alone = np.concatenate([model.predict(table.X[row : row + 1]) for row in range(20)])

    assert np.array_equal(alone, model.predict(table.X)[:20])


def test_contributions_add_up_to_the_answer(table: Examples) -> None:
    """Each feature's share in the log odds, and the base, sum to the model's log odds."""
    model = Confidence().fit(table)
    shares = model.trees.contributions(table.X[:50])
    p = model.predict(table.X[:50])

    assert np.allclose(shares.sum(axis=1), np.log(p / (1 - p)), atol=1e-6)


def test_refusals_are_no_failures(table: Examples) -> None:
    """Rejected steps teach P(success) nothing."""
    ran = table[table.ran]

    assert np.array_equal(
        Confidence().fit(table).predict(table.X), Confidence().fit(ran).predict(table.X)
    )


def test_better_rates_never_lower_confidence(table: Examples) -> None:
    """A higher running rate of the same class cannot make success less likely."""
    model = Confidence().fit(table)
    low, high = table.X[:200].copy(), table.X[:200].copy()
    low[:, NAMES.index("rate_exact")] = 0.1
    high[:, NAMES.index("rate_exact")] = 0.9

    assert (model.predict(high) >= model.predict(low)).all()


def by(agent: str, rows: Examples) -> Examples:
    """The same rows, of another agent."""
    return dataclasses.replace(rows, agent=np.full(len(rows), agent, object))


@pytest.mark.parametrize("head", HEADS)
def test_lent_steps_alone_weigh_in_full(head: type[Confidence | Approval], table: Examples) -> None:
    """Where nobody has steps of their own, the bundled ones teach as anybody's would."""
    lent = head().fit(by("recorder/bash", table)).predict(table.X)

    assert np.array_equal(lent, head().fit(table).predict(table.X))


def test_own_steps_lead(table: Examples) -> None:
    """Where the bundled history says the opposite, a tenth as many own steps are believed."""
    ran = table[table.ran]
    against = dataclasses.replace(ran, outcome=np.where(ran.succeeded, ERROR, OK).astype(np.int8))
    lent = by("recorder/bash", joined([against] * 10))

    p = Confidence().fit(joined([lent, ran])).predict(ran.X)

    assert auc(ran.succeeded, p) > 0.6


@pytest.mark.parametrize("head", HEADS)
def test_too_little_is_said_so(head: type[Confidence | Approval], table: Examples) -> None:
    """A few rows teach nothing, and an unfitted model answers nothing."""
    with pytest.raises(NotEnoughData):
        head().fit(table[:10])
    with pytest.raises(NotEnoughData):
        head().predict(table.X)


# -- counts -----------------------------------------------------------------------------------


def teach(fold: Fold, command: str, outcome: Outcome, times: int) -> None:
    """Learn a command's outcome several times."""
    for number in range(times):
        fold.learn(
            Step(
                id=f"{number}",
                session="s",
                tool="Bash",
                input={"command": command},
                outcome=outcome,
            )
        )


def said(fold: Fold, command: str) -> tuple[float, float]:
    """Mean and lower bound of a command."""
    found = Counts(fold).estimate(Call(session="t", tool="Bash", input={"command": command}))
    return found.mean, found.lower


def test_confidence_grows_with_repeats() -> None:
    """The more often a class went well, the higher its mean and its lower bound."""
    fold, bounds = Fold(), []
    for _ in range(4):
        teach(fold, "make build", Outcome.OK, 5)
        bounds.append(said(fold, "make build"))

    assert bounds == sorted(bounds)
    assert all(lower < mean for mean, lower in bounds)


def test_a_class_never_met_leans_on_its_kin() -> None:
    """A new command of a program that fails is trusted less than one of a program that works."""
    fold = Fold()
    teach(fold, "make a", Outcome.OK, 20)
    teach(fold, "cmake b", Outcome.ERROR, 20)

    assert said(fold, "make new")[0] > said(fold, "cmake new")[0]


def test_a_failure_moves_a_well_known_class_down() -> None:
    """One failure lowers the lower bound by more than one success raised it."""
    fold = Fold()
    teach(fold, "make a", Outcome.OK, 20)
    before = said(fold, "make a")[1]
    teach(fold, "make a", Outcome.OK, 1)
    up = said(fold, "make a")[1] - before
    teach(fold, "make a", Outcome.ERROR, 1)

    assert before - said(fold, "make a")[1] > up


def test_bounds_stay_within_reason() -> None:
    """A bound is between 0 and the mean, and narrows with weight."""
    assert 0.0 <= lower_bound(0.0, 1.0) <= lower_bound(0.5, 5.0) < lower_bound(0.5, 500.0) < 0.5


# -- bundles ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle of one file."""
    (tmp_path / bundle.CARD).write_text("a model")
    manifest = bundle.Manifest(
        version="v1",
        created=1.0,
        features=VERSION,
        names=NAMES,
        history="abc",
        last_seq=7,
        files=bundle.hashes(tmp_path, [bundle.CARD]),
    )
    bundle.write_manifest(tmp_path, manifest)
    return tmp_path


def test_a_whole_bundle_is_read_back(folder: Path) -> None:
    """What was written is what is read, and it passes its check."""
    assert bundle.check_bundle(folder) == bundle.read_manifest(folder)


def test_a_bundle_that_was_cut_is_seen(folder: Path) -> None:
    """A file that is not what was published is an error before anything is used."""
    (folder / bundle.CARD).write_text("a mod")

    with pytest.raises(BundleError, match="damaged"):
        bundle.check_bundle(folder)


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_a_damaged_manifest_is_seen(folder: Path, body: bytes) -> None:
    """A manifest that is cut or is none is a clear error."""
    (folder / bundle.MANIFEST).write_bytes(body)

    with pytest.raises(BundleError):
        bundle.read_manifest(folder)


def test_a_bundle_of_other_features_is_refused(folder: Path) -> None:
    """A bundle that was made with other features cannot be used."""
    other = msgspec.structs.replace(bundle.read_manifest(folder), features="other")
    bundle.write_manifest(folder, other)

    with pytest.raises(BundleError, match="other features"):
        bundle.check_bundle(folder)
