"""The hazard model: one contract, and what its alarm promises."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime
import pytest

from onward.data.errors import NotEnoughData
from onward.data.events import Outcome, Step
from onward.features.progress.fold import NAMES
from onward.models.base import Learned, Rows, stacked
from onward.models.hazard import ALARMS, Hazard, Windows, peers, rows

WORDS = ("ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")


@cache
def log() -> list[tuple[int, Step]]:
    """Sessions that now and then get stuck: once three steps were idle, more are likely."""
    random = np.random.default_rng(0)
    events: list[tuple[int, Step]] = []
    for session in range(70):
        idle = 0
        for n in range(30):
            stuck = random.random() < (0.15 if idle < 2 else 0.75)
            idle = idle + 1 if stuck else 0
            words = " ".join(random.choice(WORDS, 4))
            step = Step(
                id=f"{session}-{n}",
                session=f"s{session}",
                tool="bash",
                input={"command": "make deploy" if stuck else f"cat {words.split()[0]}.txt"},
                agent="a",
                project=f"p{session % 5}",
                outcome=Outcome.ERROR if stuck else Outcome.OK,
                output="boom" if stuck else words,
            )
            events.append((len(events) + 1, step))
    return events


@pytest.fixture(scope="module")
def table() -> Windows:
    """Its windows."""
    return rows(log())


@pytest.fixture(scope="module")
def model(table: Windows) -> Hazard:
    """A model of them."""
    return Hazard().fit(table, seed=1)


def test_one_session_does_not_suffice(table: Windows) -> None:
    """Windows of a single session leave none that the trees have not seen to calibrate on."""
    one = replace(table, group=np.full(len(table), "only", object))

    with pytest.raises(NotEnoughData, match="2 sessions"):
        Hazard().fit(one)


def test_windows_are_rows(table: Windows) -> None:
    """A row a step whose next three are known: a standstill where all of them were idle."""
    assert table.X.shape == (70 * 27, len(NAMES))
    assert np.array_equal(table.y == 1, table.idle == 3)
    assert 0 < table.y.mean() < 0.5
    assert (np.diff(table.seq) > 0).all()
    assert isinstance(table[:5], Windows)
    assert len(stacked([table[:5], table[5:9]])) == 9


def test_it_keeps_the_contract(model: Hazard, table: Windows) -> None:
    """It fits, predicts probabilities, says what it is, and ranks far better than chance."""
    p = model.probability(table.X)

    assert isinstance(model, Learned)
    assert (p > 0).all()
    assert (p < 1).all()
    assert abs(p.mean() - table.y.mean()) < 0.05
    assert model.card()["standstills"] == int(table.y.sum())


def test_the_same_seed_gives_the_same_model(model: Hazard, table: Windows) -> None:
    """Fitting is repeatable, and predicting changes nothing."""
    again = Hazard().fit(table, seed=1)

    assert np.array_equal(again.predict(table.X), model.predict(table.X))
    assert np.array_equal(model.predict(table.X), model.predict(table.X))
    assert again.facts() == model.facts()


def test_onnx_says_what_the_model_says(model: Hazard, table: Windows) -> None:
    """Served and native answers differ by at most 1e-5, alone and together, also with nothing."""
    session = onnxruntime.InferenceSession(model.to_onnx())
    X = np.concatenate([table.X, np.full((1, len(NAMES)), np.nan, np.float32)])
    served = session.run(["p"], {"X": X})[0][:, 1]
    alone = session.run(["p"], {"X": X[7:8]})[0][0, 1]

    assert np.abs(served - model.predict(X)).max() <= 1e-5
    assert alone == pytest.approx(served[7], abs=1e-7)


def test_more_idle_steps_never_lower_it(model: Hazard, table: Windows) -> None:
    """A longer standstill cannot make progress more likely."""
    X = table.X[:200].copy()
    longer = X.copy()
    longer[:, NAMES.index("since_gain")] += 4

    assert (model.predict(longer) >= model.predict(X)).all()


def test_the_alarm_is_fixed_in_training(model: Hazard, table: Windows) -> None:
    """Few steps of the training rows reach the threshold that was found on held-out ones."""
    assert 0.0 < model.alarm < 1.0
    assert (model.probability(table.X) >= model.alarm).mean() < 20 * ALARMS


def test_plain_rows_teach_as_well(table: Windows) -> None:
    """Rows that do not know their idle steps are learned from as yes and no."""
    plain = Rows(table.X, table.y, table.group, table.seq)

    assert Hazard().fit(plain).predict(table.X[:5]).shape == (5,)


def test_too_few_standstills_are_said_so(table: Windows) -> None:
    """A handful of standstills teach nothing."""
    with pytest.raises(NotEnoughData):
        Hazard().fit(table[table.y == 0])


def test_peers_are_probabilities(table: Windows) -> None:
    """Every trivial peer says a probability of each row."""
    said = peers(table[:1000], table[1000:])

    assert set(said) == {"base", "repeat_3", "repeat_4", "repeat_5", "since_gain", "counts"}
    for p in said.values():
        assert p.shape == (len(table) - 1000,)
        assert (p >= 0).all()
        assert (p <= 1).all()
