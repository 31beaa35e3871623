"""The ranker of memories keeps the contract of a learned system, and ranks."""

from __future__ import annotations

import msgspec
import numpy as np
import onnxruntime
import pytest

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Feedback, Note
from onward.features.memory.fold import NAMES
from onward.models.base import Learned, Rows
from onward.models.memory import Ranker, fixed, peers, rows

WORDS = [f"topic{n}" for n in range(12)]


def made(count: int = 400, seed: int = 0) -> Rows:
    """Pairs that are relevant the likelier, the nearer they lie."""
    random = np.random.default_rng(seed)
    X = random.random((count, len(NAMES))).astype(np.float32)
    odds = 4.0 * X[:, NAMES.index("cosine")] + 3.0 * X[:, NAMES.index("tfidf")] - 4.0
    y = (random.random(count) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64)
    X[random.random(X.shape) < 0.05] = np.nan
    group = np.repeat(np.arange(count // 10).astype(str), 10).astype(object)
    return Rows(X, y, group, np.arange(count))


def history(count: int = 120) -> list[tuple[int, Event]]:
    """Notes on topics, and feedback: those on the topic that was asked helped."""
    random = np.random.default_rng(0)
    events: list[Event] = [
        Note(id=f"n-{n}", session="s", text=f"about {word} one thing{n}", at=1e9 + n)
        for n, word in enumerate(WORDS)
    ]
    for number in range(count):
        asked, told = random.integers(len(WORDS), size=2)
        told = asked if number % 2 else told
        query = f"what of {WORDS[asked]} now{number % 7}"
        events.append(
            Feedback(
                id=f"f-{number}",
                session="s",
                note=f"n-{told}",
                helped=bool(asked == told),
                query=query,
                at=2e9 + number,
            )
        )
    return list(enumerate(events, 1))


def test_it_keeps_the_contract() -> None:
    """It is a learned system, says what it is, and its facts are plain JSON."""
    model = Ranker().fit(made())

    assert isinstance(model, Learned)
    assert msgspec.json.decode(msgspec.json.encode(model.facts())) == model.facts()
    assert model.card()["weights"]["cosine"] > 0


def test_fitting_and_predicting_repeat() -> None:
    """Fitting twice gives the same model, byte for byte, and predicting changes nothing."""
    train = made()
    one, two = Ranker().fit(train, seed=1), Ranker().fit(train, seed=2)

    assert one.to_onnx() == two.to_onnx()
    assert np.array_equal(one.predict(train.X), one.predict(train.X))
    alone = np.concatenate([one.predict(train.X[row : row + 1]) for row in range(30)])
    assert alone == pytest.approx(one.predict(train.X[:30]), abs=1e-12)
    assert ((one.predict(train.X) > 0) & (one.predict(train.X) < 1)).all()


def test_onnx_gives_the_same() -> None:
    """ONNX Runtime gives the native probabilities to 1e-5, also where columns are unknown."""
    train, test = made(), made(seed=1)
    model = Ranker().fit(train)
    session = onnxruntime.InferenceSession(model.to_onnx())

    (p,) = session.run(["p"], {"X": test.X})

    assert p.shape == (len(test), 2)
    assert np.abs(p[:, 1] - model.predict(test.X)).max() <= 1e-5
    assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_evidence_is_never_turned_around() -> None:
    """Even where the rows say the opposite, a nearer note is not ranked lower."""
    train = made()
    turned = Rows(train.X, 1.0 - train.y, train.group, train.seq)

    weights = Ranker().fit(turned).weights()

    assert all(weight >= 0.0 for weight in weights.values())


def test_what_misled_sinks_even_where_rows_had_no_feedback() -> None:
    """Feedback weighs its own log-odds until rows say better."""
    train = made()
    train.X[:, NAMES.index("useful")] = 0.0

    assert Ranker().fit(train).weights()["useful"] == pytest.approx(1.0)


def test_too_few_rows_are_said() -> None:
    """With fewer than 20 of either kind nothing is fitted, and nothing is predicted."""
    few = made(20)
    with pytest.raises(NotEnoughData):
        Ranker().fit(few)
    with pytest.raises(NotEnoughData):
        Ranker().predict(few.X)


def test_rows_know_nothing_of_their_own_outcome() -> None:
    """A row is what was known before its feedback: turning the outcome leaves it as it was."""
    log = history()
    turned = [
        (seq, msgspec.structs.replace(event, helped=not event.helped))
        if seq == len(log) and isinstance(event, Feedback)
        else (seq, event)
        for seq, event in log
    ]
    one, two = rows(log), rows(turned)

    assert np.array_equal(one.X[-1], two.X[-1], equal_nan=True)
    assert one.y[-1] != two.y[-1]
    assert (np.diff(one.seq) > 0).all()


def test_it_learns_from_a_history() -> None:
    """From feedback in a log it learns to put what helps first, and its peers have scores."""
    table = rows(history())
    model = Ranker().fit(table)
    p = model.predict(table.X)

    assert p[table.y == 1].mean() > p[table.y == 0].mean() + 0.3
    assert {"bm25", "tfidf", "dense", "fused"} == peers(table, table).keys()
    assert all(score.shape == table.y.shape for score in peers(table, table).values())


def test_fixed_weights_need_no_vectors() -> None:
    """Without a cosine words alone count, and feedback moves either."""
    X = np.zeros((3, len(NAMES)), np.float32)
    X[:, NAMES.index("tfidf")] = 0.5
    X[:, NAMES.index("cosine")] = [0.9, np.nan, np.nan]
    X[2, NAMES.index("useful")] = -2.0
    p = fixed(X)

    assert p[0] > 0.9
    assert p[1] > 0.7
    assert p[2] < p[1]
