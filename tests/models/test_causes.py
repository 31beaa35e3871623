"""Causes of failed builds: a classifier that knows what it does not know."""

from __future__ import annotations

import msgspec
import numpy as np
import onnxruntime
import pytest

pytest.importorskip("sklearn")

from onward.data.errors import NotEnoughData
from onward.features.errors.causes import SLOTS, Case, cause_vector
from onward.models.base import Learned
from onward.models.calibrate import Calibrator
from onward.models.causes import UNKNOWN, Causes, by_words, labels_of, peers, rows

SAYINGS = {
    "COMPILE": "cannot find symbol while compiling class",
    "TEST": "tests failed assertion expected but was",
    "RESOLVE": "artifact could not be resolved from repository",
}


def cases(*kinds: str) -> list[Case]:
    """Logs of six projects that say what their kind says, in words of their own."""
    random = np.random.default_rng(0)
    made = []
    for number in range(30 * len(kinds)):
        kind, project = kinds[number % len(kinds)], f"p{number % 6}"
        words = SAYINGS[kind].split()
        said = " ".join(random.permutation(words)[: random.integers(4, len(words) + 1)])
        made.append(
            Case(f"[INFO] start\n[ERROR] {said} {project}x{'ab'[number % 2]}", kind, project)
        )
    return made


@pytest.fixture(scope="module")
def known() -> list[Case]:
    """Cases of all kinds."""
    return cases(*SAYINGS)


@pytest.fixture(scope="module")
def model(known: list[Case]) -> Causes:
    """A model of them."""
    return Causes(labels_of(known)).fit(rows(known))


def test_the_contract_is_kept(model: Causes, known: list[Case]) -> None:
    """It is a learned model: shares that add up to 1, plain facts, a card; the same bits twice."""
    X = rows(known).X
    p = model.predict(X)
    again = Causes(labels_of(known)).fit(rows(known)).predict(X)

    assert isinstance(model, Learned)
    assert p.shape == (len(known), len(SAYINGS) + 1)
    assert np.allclose(p.sum(axis=1), 1.0)
    assert np.array_equal(again, p)
    assert np.array_equal(model.predict(X), p)
    assert msgspec.json.decode(msgspec.json.encode(model.facts()))["labels"][-1] == UNKNOWN
    assert model.card()["projects"] == 6


def test_kinds_are_told_apart_on_other_projects(known: list[Case]) -> None:
    """A project that was never seen is judged by the words that all projects share."""
    labels = labels_of(known)
    rest = [case for case in known if case.project != "p0"]
    asked = [case for case in known if case.project == "p0"]
    p = Causes(labels).fit(rows(rest, labels)).predict(rows(asked, labels).X)

    right = p[:, :-1].argmax(axis=1) == rows(asked, labels).y
    assert right.mean() > 0.95


def test_what_was_never_seen_is_unknown(known: list[Case]) -> None:
    """A kind that was left out of the training, and a log without words, are unknown."""
    labels = ("COMPILE", "TEST")
    model = Causes(labels).fit(rows(cases(*labels), labels))
    strange = [case for case in known if case.category == "RESOLVE"]
    p = model.predict(rows(strange, labels).X)

    assert (p.argmax(axis=1) == len(labels)).mean() > 0.9
    assert model.predict(cause_vector("")[None, :]).argmax() == len(labels)


def test_few_of_the_known_are_called_unknown(model: Causes, known: list[Case]) -> None:
    """Nearly all cases of a known kind keep their kind."""
    p = model.predict(rows(known).X)

    assert (p.argmax(axis=1) == len(SAYINGS)).mean() <= 0.05


def test_onnx_says_what_the_model_says(model: Causes, known: list[Case]) -> None:
    """Served and native answers differ by at most 1e-5, rows together as one by one."""
    session = onnxruntime.InferenceSession(model.to_onnx())
    X = np.concatenate([rows(known).X, np.zeros((1, SLOTS), np.float32)])
    served = session.run(["p"], {"X": X})[0]
    alone = np.concatenate([session.run(["p"], {"X": X[i : i + 1]})[0] for i in range(len(X))])

    assert np.abs(served - model.predict(X)).max() <= 1e-5
    assert np.abs(served - alone).max() <= 1e-6
    assert Calibrator.from_json(model.facts()["calibration"]).apply_one(0.99) > 0.5


def test_too_few_cases_are_told(known: list[Case]) -> None:
    """One kind, hardly a case, one project, or an unfitted model raise a typed error."""
    for few in (known[:6], cases("TEST"), [case for case in known if case.project == "p0"]):
        with pytest.raises(NotEnoughData):
            Causes(labels_of(few)).fit(rows(few))
    with pytest.raises(NotEnoughData, match="fit first"):
        Causes(("A", "B")).predict(np.zeros((1, SLOTS), np.float32))


def test_peers_answer_for_every_case(known: list[Case]) -> None:
    """The trivial peers give one label a case."""
    said = peers(known, known)

    assert {len(labels) for labels in said.values()} == {len(known)}
    assert by_words("[ERROR] There are test failures.") == "TEST_FAILURE"
    assert by_words("fine") == UNKNOWN
