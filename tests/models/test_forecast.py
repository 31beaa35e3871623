"""What the forecast of resources promises."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Event, Sample
from onward.features.resources.series import Series
from onward.models.base import Learned, Rows
from onward.models.blend import Blend
from onward.models.forecast import SETTINGS, Forecast, losses, peers, rows
from onward.models.outlook import STEP_BORDERS, Ahead, Head, Outlook, exhaustion_minutes
from onward.training.catalogue import all_systems

pytest.importorskip("lightgbm")

LIMIT = 1000.0


def leaks(count: int = 24, *, seed: int = 0) -> Iterator[tuple[int, Event]]:
    """Samples of hosts that leak, each at its own pace, and of some that do not."""
    draw, seq = random.Random(seed), 0
    for host in range(count):
        pace = draw.uniform(5.0, 20.0) if host % 2 else 0.0
        for minute in range(90):
            seq += 1
            used = min(LIMIT, 200.0 + pace * max(0, minute - 20) + draw.gauss(0.0, 4.0))
            values = {"mem_available_bytes": LIMIT - used, "mem_total_bytes": LIMIT}
            yield seq, Sample(id=f"{seq}", at=60.0 * minute, host=f"h{host}", values=values)


def small() -> dict[str, dict[str, object]]:
    """Fewer trees than are shipped."""
    return {name: {**given, "rounds": 25} for name, given in SETTINGS.items()}


@pytest.fixture(scope="module")
def table() -> Rows:
    """Rows of the leaks."""
    return rows(leaks())


@pytest.fixture(scope="module")
def model(table: Rows) -> Forecast:
    """A model of them."""
    return Forecast(small()).fit(table)


def test_it_keeps_the_contract(model: Forecast) -> None:
    """It is a learned system, and its facts are plain JSON."""
    assert isinstance(model, Learned)
    assert msgspec.json.decode(msgspec.json.encode(model.facts())) == model.facts()
    assert model.card()["series"] == 24


def test_the_same_seed_gives_the_same_model(table: Rows, model: Forecast) -> None:
    """Fitting twice predicts the same to the last bit."""
    again = Forecast(small()).fit(table)

    assert np.array_equal(model.predict(table.X), again.predict(table.X))
    assert model.facts() == again.facts()


def test_rows_are_predicted_alone_as_together(table: Rows, model: Forecast) -> None:
    """A row's prediction does not depend on its neighbours, and predicting changes nothing."""
    whole = model.predict(table.X[:20])
    alone = np.concatenate([model.predict(table.X[i : i + 1]) for i in range(20)])

    assert np.array_equal(whole, alone)
    assert np.array_equal(whole, model.predict(table.X[:20]))


def test_onnx_gives_what_the_model_gives(table: Rows, model: Forecast) -> None:
    """The exported graph has one output of four columns, equal to the native ones to 1e-5."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["p"], {"X": table.X})

    assert found.shape == (len(table), 4)
    assert np.abs(found - model.predict(table.X)).max() <= 1e-5


def test_where_nothing_was_exhausted_nothing_is_foreseen(table: Rows) -> None:
    """Without an exhaustion among the rows the last column is 0, natively and as ONNX."""
    onnxruntime = pytest.importorskip("onnxruntime")
    calm = Rows(table.X, table.y * [1.0, 0.0, 0.0], table.group, table.seq)
    model = Forecast(small()).fit(calm)
    session = onnxruntime.InferenceSession(model.to_onnx(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["p"], {"X": table.X[:50]})

    assert not found[:, 3].any()
    assert np.abs(found - model.predict(table.X[:50])).max() <= 1e-5


def test_nothing_is_learned_from_too_little() -> None:
    """No readings are a clear error."""
    with pytest.raises(NotEnoughData):
        Forecast().fit(rows([]))


def test_rows_tell_the_truth(table: Rows) -> None:
    """Exhaustion is told apart, unknown ends are unknown, and a leak is exhausted ever later."""
    ends = table.y[:, 1]
    leaking = np.array([int(group[1:].split("|")[0]) % 2 == 1 for group in table.group])

    assert set(np.unique(ends[np.isfinite(ends)])) == {0.0, 1.0}
    assert np.nansum(ends[~leaking]) == 0.0
    assert np.isnan(table.y[:, 0]).any()
    assert (np.diff(table.seq) >= 0).all()


def test_it_beats_its_peers(table: Rows, model: Forecast) -> None:
    """On new leaks its loss is below that of each trivial peer."""
    fresh = rows(leaks(seed=1))
    ours = losses(fresh.y, model.predict(fresh.X)).mean()

    assert all(ours < losses(fresh.y, said).mean() for said in peers(table, fresh).values())


def head(model: Forecast) -> Head:
    """The model as it is asked."""
    return Head.of(model.predict, msgspec.json.decode(msgspec.json.encode(model.facts())))


def test_what_is_judged_is_what_is_served(table: Rows, model: Forecast) -> None:
    """Served intervals are stretched and P(exhausted) calibrated, each by the published facts."""
    X = table.X[:200]
    head = Head.of(model.predict, model.facts())
    low, middle, high, p = model.predict(X).T
    steps = np.exp2(X[:, 0]).round().astype(int)
    below, above = np.array([head.stretch[bisect_left(STEP_BORDERS, k)] for k in steps]).T

    served = model.served(X)

    assert served[:, 0] == pytest.approx(middle - below * (middle - low))
    assert np.array_equal(served[:, 1], middle)
    assert served[:, 2] == pytest.approx(middle + above * (high - middle))
    assert served[:, 3] == pytest.approx([head.calibrator.apply_one(one) for one in p])
    (system,) = all_systems(wanted=lambda name: name == "forecast")
    assert np.array_equal(system.said(model, X), served)


def test_a_leak_is_announced_ahead(model: Forecast) -> None:
    """The alarm is raised well before a leak hits its limit, and P rises with the horizon."""
    outlook, raised = Outlook(Series()), math.inf
    for minute in range(100):
        used = 200.0 + 12.0 * max(0, minute - 20)
        if used >= LIMIT:
            break
        ahead = outlook.learn(60.0 * minute, used, LIMIT, head=head(model))
        assert ahead is not None
        assert list(ahead.p) == sorted(ahead.p)
        if outlook.alarm:
            raised = min(raised, minute)

    assert minute - 30 <= raised <= minute - 5


def test_without_a_model_the_trend_answers() -> None:
    """A leak is announced by its trend where nothing was learned."""
    outlook = Outlook(Series())
    for minute in range(40):
        ahead = outlook.learn(60.0 * minute, 20.0 * minute, LIMIT)

    assert ahead is not None
    assert ahead.p[0] < 0.5 < ahead.p[3]


def test_minutes_left_are_a_distribution() -> None:
    """Quantiles of the time left rise, and are unknown beyond the last horizon."""
    ahead = Ahead(0.0, (5.0, 10.0, 15.0, 30.0), (), (0.0, 0.2, 0.6, 0.8))

    assert exhaustion_minutes(ahead, 0.1) == 7.5
    assert exhaustion_minutes(ahead, 0.6) == 15.0
    assert exhaustion_minutes(ahead, 0.9) is None


def test_facts_that_are_none_are_refused(model: Forecast) -> None:
    """A calibration that is damaged is an error before anything is answered."""
    with pytest.raises(BundleError):
        Head.of(model.predict, model.facts() | {"calibrator": {"method": 1}})


# -- the online layer -----------------------------------------------------------------------------


def test_the_better_forecaster_wins() -> None:
    """Weight goes to the forecaster that errs least, though the model began with more trust."""
    blend = Blend()
    for tick in range(100):
        blend.forecast([5.0, 0.0, -5.0], below=1.0, above=1.0, due=tick)
        blend.learn(tick, 0.0)

    assert blend.weights(3)[1] > 0.9


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 30.0))
def test_intervals_find_their_width(seed: int, spread: float) -> None:
    """However wrong the model's spread is, some 80 % of the truths come to lie inside."""
    draw, blend, inside = random.Random(seed), Blend(), 0
    for tick in range(1500):
        span = blend.forecast([0.0], below=spread, above=spread, due=tick)
        truth = draw.gauss(0.0, 1.0)
        inside += tick >= 500 and span.low <= truth <= span.high
        blend.learn(tick, truth)

    assert 0.75 <= inside / 1000 <= 0.85


def test_a_stored_blend_goes_on_the_same() -> None:
    """After dump and load the mixture is the same, with what was waiting for its truth."""
    blend = Blend()
    for tick in range(20):
        blend.forecast([1.0 * tick, 2.0], below=1.0, above=2.0, due=tick + 5)
        blend.learn(tick, 1.5)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(blend), type=Blend)
    for one in (blend, again):
        one.learn(21, 3.0)

    assert blend == again
