"""Intent as a learned system: its rows, its contract, its peers."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from tests.talking import talk

from onward.data.errors import NotEnoughData
from onward.data.events import Prompt
from onward.features.intent.fold import NAMES
from onward.features.intent.work import KINDS
from onward.models.base import Learned, Rows
from onward.models.intent import Intent, peers, rows
from onward.serving.answers.base import Part


@pytest.fixture(scope="module")
def table() -> Rows:
    """Four hundred prompts as rows."""
    return rows(talk(400))


@pytest.fixture(scope="module")
def model(table: Rows) -> Intent:
    """Fitted to them."""
    return Intent().fit(table, seed=1)


def _part(model: Intent) -> Part:
    session = onnxruntime.InferenceSession(model.to_onnx())
    return Part("v1", model.facts(), lambda X: session.run(["p"], {"X": X})[0])


def test_a_prompt_is_known_before_its_steps_only(table: Rows) -> None:
    """What a prompt led to does not change its own row: no peeking."""
    log = list(talk(60))
    last = max(place for place, (_, event) in enumerate(log) if isinstance(event, Prompt))
    cut = rows(log[: last + 1])
    whole = rows(log)

    assert np.array_equal(cut.X[-1], whole.X[-1], equal_nan=True)
    assert cut.y[-1] == KINDS.index("ask") != whole.y[-1]


def test_the_model_keeps_the_contract(model: Intent, table: Rows) -> None:
    """It is a learned system, gives a distribution over the kinds, and says what it is."""
    p = model.predict(table.X)

    assert isinstance(model, Learned)
    assert p.shape == (len(table), len(KINDS))
    assert np.allclose(p.sum(axis=1), 1.0)
    assert np.array_equal(p, model.predict(table.X))
    assert model.card()["rows"] == len(table)


def test_fitting_is_repeatable_and_rows_are_predicted_alike(model: Intent, table: Rows) -> None:
    """The same seed gives the same model; together and one by one it says the same."""
    again = Intent().fit(table, seed=1)
    alone = np.concatenate([model.predict(table.X[n : n + 1]) for n in range(20)])

    assert np.array_equal(again.predict(table.X), model.predict(table.X))
    assert np.allclose(alone, model.predict(table.X[:20]), atol=1e-12)


def test_onnx_says_what_the_model_says(model: Intent, table: Rows) -> None:
    """The export differs by at most 1e-5, also where nothing is known."""
    nothing = np.zeros((1, len(NAMES)), np.float32)
    X = np.concatenate([table.X, nothing])

    assert np.abs(_part(model).run(X) - model.predict(X)).max() <= 1e-5


def test_it_beats_its_peers_where_words_tell(table: Rows) -> None:
    """On later prompts it is never right less often than a peer, and more often than the dumb."""
    train, test = table[:300], table[300:]
    right = (Intent().fit(train).predict(test.X).argmax(axis=1) == test.y).mean()

    said = peers(train, test)
    hits = {name: (p.argmax(axis=1) == test.y).mean() for name, p in said.items()}

    assert all(np.allclose(p.sum(axis=1), 1.0) for p in said.values())
    assert right >= max(hits.values())
    assert right > max(hits["most frequent"], hits["last prompt"])


def test_too_few_prompts_are_said() -> None:
    """With a handful of prompts nothing is learned."""
    with pytest.raises(NotEnoughData, match="too few"):
        Intent().fit(rows(talk(30)))
