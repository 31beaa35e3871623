"""Pairs of errors: a model that joins two clusters only where it is sure."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import onnxruntime
import pytest

pytest.importorskip("lightgbm")

from onward.data.errors import NotEnoughData
from onward.data.events import Outcome, Step
from onward.features.errors.masks import masked
from onward.features.errors.pairs import NAMES, Side, pair_vector
from onward.models.base import Learned, Rows
from onward.models.clusters import Pairs, joined, labelled, peers, rows

WORDS = ("disk", "line", "port", "card", "node", "fan", "bus", "core")


def system(name: str, seed: int) -> Rows:
    """Messages of a system: the same event in other words at its end, other events elsewhere."""
    random = np.random.default_rng(seed)
    messages, events = [], []
    for event in range(8):
        stem = " ".join(random.permutation(WORDS)[:5])
        for ending in ("up", "down", "off", "on"):
            messages.append(f"{stem} went {ending}")
            events.append(f"E{event}")
    return labelled(messages, events, name)


@pytest.fixture(scope="module")
def table() -> Rows:
    """Pairs of three systems."""
    return joined([system(name, seed) for seed, name in enumerate("abc")])


@pytest.fixture(scope="module")
def model(table: Rows) -> Pairs:
    """A model of them."""
    return Pairs().fit(table)


def test_the_contract_is_kept(model: Pairs, table: Rows) -> None:
    """It is a learned model: probabilities, plain facts, a card; the same bits twice."""
    p = model.predict(table.X)

    assert isinstance(model, Learned)
    assert p.shape == (len(table),)
    assert 0.0 <= p.min() <= p.max() <= 1.0
    assert np.array_equal(Pairs().fit(table).predict(table.X), p)
    assert msgspec.json.decode(msgspec.json.encode(model.facts())) == model.facts()
    assert model.card()["pairs"] == len(table)
    assert set(peers(table)) == {"cosine", "words_shared", "ends_shared"}


def test_pairs_of_one_event_rank_above_others(model: Pairs) -> None:
    """On a system that was not learned, messages of one event are more probably the same."""
    other = system("d", 9)
    p = model.predict(other.X)

    assert p[other.y == 1].mean() > p[other.y == 0].mean() + 0.3


def test_onnx_says_what_the_model_says(model: Pairs, table: Rows) -> None:
    """Served and native answers differ by at most 1e-5, also where nothing is known."""
    session = onnxruntime.InferenceSession(model.to_onnx())
    X = np.concatenate([table.X, np.full((1, len(NAMES)), np.nan, np.float32)])

    assert np.abs(session.run(["p"], {"X": X})[0][:, 1] - model.predict(X)).max() <= 1e-5


def test_a_pair_has_no_order() -> None:
    """Which of the two is named first makes no difference, and a message is like itself."""
    one = Side(masked("no space left on device 3"), frozenset({"cp"}), frozenset())
    two = Side(masked("the device has no space"), frozenset({"mv"}), frozenset())
    seen = {"space": 2}

    first = pair_vector(one, two, cosine=0.5, seen=seen)
    assert np.array_equal(first, pair_vector(two, one, cosine=0.5, seen=seen), equal_nan=True)
    assert pair_vector(one, one, cosine=1.0, seen=seen)[1] == 1.0


def test_history_teaches_without_labels() -> None:
    """Patterns that the templates made one cluster of are pairs that say the same."""
    steps = [
        Step(
            id=str(number),
            session="s",
            tool="Bash",
            input={"command": "git push"},
            outcome=Outcome.ERROR,
            output=f"fatal: remote {name} {verb} the push",
        )
        for number, (name, verb) in enumerate(
            (name, verb) for verb in ("refused", "lost") for name in WORDS
        )
    ]
    table = rows(enumerate(steps))

    assert 0 < table.y.sum() < len(table)
    with pytest.raises(NotEnoughData):
        Pairs().fit(table[:10])


def test_a_pair_belongs_where_its_later_text_came_first() -> None:
    """A cut by time parts texts: after it, every pair has one that no pair before it has."""
    steps = [
        Step(
            id=str(number),
            session=f"s{number // 4}",
            tool="Bash",
            input={"command": "git push"},
            outcome=Outcome.ERROR,
            output=f"fatal: remote {name} refused the push {'at last' if number % 2 else ''}",
        )
        for number, name in enumerate((*WORDS, *WORDS))  # each comes again
    ]
    table = rows(enumerate(steps))

    assert len(table) == len(WORDS) * (len(WORDS) - 1) // 2
    assert table.seq.tolist() == [later for later in range(len(WORDS)) for _ in range(later)]
    assert table.group.tolist() == [f"s{seq // 4}" for seq in table.seq]


def test_earlier_pairs_speak_of_later_ones(table: Rows) -> None:
    """Forward, what the first half of the pairs teaches joins nothing if it fails on the second."""
    later = np.arange(len(table)) >= len(table) // 2
    turned = replace(table, y=np.where(later, 1.0 - table.y, table.y))

    assert Pairs(forward=True).fit(table).threshold <= 1.0
    assert Pairs(forward=True).fit(turned).threshold > 1.0
