"""The model of the next step: repeatable, pure, the same through ONNX, and better than counting."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("lightgbm")

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Event, Outcome, Step
from onward.features.next_task.fold import NAMES, NextFold
from onward.models.base import Learned, Rows
from onward.models.next_task import NextTask, Sharpness, peers, rows

LABELS = ("read", "change", "check", "look")


def log(count: int, *, seed: int = 0) -> list[tuple[int, Event]]:
    """After a check that failed comes a change; else mostly the next of a round."""
    random = np.random.default_rng(seed)
    found: list[tuple[int, Event]] = []
    at, good = 0, True
    for n in range(count):
        at = 1 if not good else int(random.integers(4)) if random.random() < 0.2 else (at + 1) % 4
        good = LABELS[at] != "check" or bool(random.random() < 0.5)
        step = Step(
            id=str(n),
            session=f"s{n // 40}",
            tool=LABELS[at],
            input={"file_path": "a.py"},
            outcome=Outcome.OK if good else Outcome.ERROR,
            output="fine" if good else "FAILED",
        )
        found.append((n + 1, step))
    return found


@pytest.fixture(scope="module")
def table() -> Rows:
    """Questions of a made log."""
    return rows(log(900))


@pytest.fixture(scope="module")
def model(table: Rows) -> NextTask:
    """A model of them."""
    return NextTask().fit(table, seed=1)


def test_it_keeps_the_contract(model: NextTask, table: Rows) -> None:
    """It is a learned system: columns, facts, card, rows by question in the order of the log."""
    assert isinstance(model, Learned)
    assert table.X.shape[1] == len(NAMES)
    assert (np.diff(table.seq) >= 0).all()
    assert set(np.unique(table.y)) <= {0.0, 1.0}
    assert np.bincount(table.seq, table.y).max() == 1
    assert model.card()["name"] == "next_task"
    assert 0.9 < model.card()["among_candidates"] <= 1.0


def test_the_same_seed_gives_the_same_model(model: NextTask, table: Rows) -> None:
    """Fitting again changes no bit of the ONNX file nor of the facts."""
    again = NextTask().fit(table, seed=1)
    assert again.to_onnx() == model.to_onnx()
    assert again.facts() == model.facts()


def test_predicting_is_pure_and_one_by_one(model: NextTask, table: Rows) -> None:
    """Rows are predicted alone or together alike, and twice the same."""
    X = table.X[:60]
    whole = model.predict(X)
    assert np.array_equal(whole, model.predict(X))
    assert np.array_equal(whole, np.concatenate([model.predict(row[None]) for row in X]))
    assert ((whole >= 0) & (whole <= 1)).all()


def test_onnx_says_the_same(model: NextTask, table: Rows) -> None:
    """The exported trees give the native probabilities to 1e-5."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"X": table.X})
    assert np.abs(said[:, 1] - model.predict(table.X)).max() <= 1e-5


def test_it_beats_counting_where_the_outcome_decides(model: NextTask) -> None:
    """What follows a failed check is known from its outcome, which labels alone do not have."""
    fold = NextFold()
    rows(log(900), fold=fold)
    later = rows([(n + 901, event) for n, event in log(400, seed=5)], fold=fold)
    hits = {"model": _hits(later, model.predict(later.X))}
    hits |= {name: _hits(later, p) for name, p in peers(later, later).items()}
    assert hits["model"] > hits["ngram"] + 0.05 > hits["frequent"]


def _hits(table: Rows, p: np.ndarray) -> float:
    """Share of the questions whose likeliest row came."""
    ends = np.flatnonzero(np.diff(table.seq, append=-1)) + 1
    return float(
        np.mean([y[said.argmax()] for y, said in _questions(table.y, p, ends)]),
    )


def _questions(
    y: np.ndarray, p: np.ndarray, ends: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(np.split(y, ends[:-1]), np.split(p, ends[:-1]), strict=True))


def test_too_little_is_said_so() -> None:
    """Few steps, or none, are not enough to learn from."""
    with pytest.raises(NotEnoughData):
        NextTask().fit(rows(log(30)))
    with pytest.raises(NotEnoughData):
        NextTask().fit(rows([]))


def test_shares_sum_to_what_the_candidates_hold() -> None:
    """Shares are ranked as the trees rank, leave room for other labels, and skip gaps."""
    shares = Sharpness(1.0, 0.0).shares(
        np.array([[0.5, 0.3, np.nan], [0.1, 0.1, 0.2]]),
        np.log(np.array([[0.4, 0.4, np.nan], [0.2, 0.3, 0.5]])),
    )
    assert shares.sum(1) == pytest.approx([0.8, 1.0])
    assert shares[0, 2] == 0.0
    assert shares[1].argmax() == 2


def test_exponents_sharpen_what_is_too_careful() -> None:
    """Where the trees are right more often than they say, their exponent is above 1."""
    random = np.random.default_rng(0)
    truth = random.integers(3, size=3000)
    said = np.where(random.random(3000) < 0.9, truth, (truth + 1) % 3)
    p = np.full((3000, 3), 0.25)
    p[np.arange(3000), said] = 0.5
    found = Sharpness.fit(p, np.log(np.full((3000, 3), 1 / 3)), truth[:, None] == np.arange(3))
    first = found.shares(p[0], np.log(np.full(3, 1 / 3))).max()
    assert first == pytest.approx(0.9, abs=0.03)


def test_confidence_holds_what_it_promises() -> None:
    """Of the first labels whose share is above the threshold, 70 % come true or more."""
    random = np.random.default_rng(0)
    p = random.uniform(0.3, 1.0, 5000)
    table = np.stack((p, 1.0 - p), 1)
    came = random.random(5000) < p
    hit = np.stack((came, ~came), 1)
    found = Sharpness.fit(table, np.log(np.full((5000, 2), 0.5)), hit)
    first = found.shares(table, np.log(np.full((5000, 2), 0.5))).max(1)
    right = hit[np.arange(5000), table.argmax(1)]
    assert 0.5 <= found.sure <= 0.7
    assert right[first >= found.sure].mean() >= 0.7


def test_confidence_promises_nothing_that_was_not_shown() -> None:
    """Where first labels come true too seldom, however sure they were said, none is said so."""
    random = np.random.default_rng(0)
    top = random.uniform(0.5, 1.0, 3000)
    came = random.random(3000) < 0.6
    table, flat = np.stack((top, 1.0 - top), 1), np.log(np.full((3000, 2), 0.5))
    found = Sharpness.fit(table, flat, np.stack((came, ~came), 1))

    assert found.sure > 1.0
    assert Sharpness().sure > 1.0


def test_facts_that_cannot_be_read_are_refused(model: NextTask) -> None:
    """Serving takes exponents back as they were, and refuses others."""
    assert Sharpness.from_facts(model.facts()) == model.sharpness
    with pytest.raises(BundleError):
        Sharpness.from_facts({**model.facts(), "sharpness": {"trees": "x"}})
