"""The online layer: says before it learns, exact state, bounded memory, better than its parts."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onward.data.errors import BundleError
from onward.data.events import Call
from onward.models import online as module
from onward.models.online import Online, Prior
from onward.models.traits import MAX_NAMES, traits_of
from onward.training.metrics import brier, ece

probabilities = st.floats(0.0, 1.0, allow_nan=False)
steps = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    probabilities,
    probabilities,
    st.lists(st.integers(0, 12), max_size=6, unique=True).map(tuple),
    st.booleans(),
)


def teach(online: Online, rows: list[tuple[str, float, float, tuple[int, ...], bool]]) -> None:
    """Learn the rows in order."""
    for agent, model, counts, traits, success in rows:
        online.learn(agent, model=model, counts=counts, traits=traits, success=success)


def replay(online: Online, model: np.ndarray, counts: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Say, then learn, row by row."""
    said = np.empty(y.size)
    for i, (m, c, good) in enumerate(zip(model.tolist(), counts.tolist(), y.tolist(), strict=True)):
        said[i] = online.predict("agent", model=m, counts=c)
        online.learn("agent", model=m, counts=c, success=good > 0)
    return said


@given(st.lists(steps, max_size=40), steps)
def test_prediction_is_a_probability_and_changes_nothing(
    rows: list[tuple[str, float, float, tuple[int, ...], bool]],
    probe: tuple[str, float, float, tuple[int, ...], bool],
) -> None:
    """Whatever was learned, a prediction lies in [0, 1] and leaves the state as it was."""
    online = Online()
    teach(online, rows)
    before = online.dump()
    agent, model, counts, traits, _ = probe

    said = online.predict(agent, model=model, counts=counts, traits=traits)

    assert 0.0 <= said <= 1.0
    assert online.dump() == before


@given(st.lists(steps, max_size=40), st.lists(steps, max_size=20))
def test_state_survives_json_to_the_last_bit(
    rows: list[tuple[str, float, float, tuple[int, ...], bool]],
    more: list[tuple[str, float, float, tuple[int, ...], bool]],
) -> None:
    """A layer that was stored and read back goes on exactly as one that never stopped."""
    straight = Online(Prior(trait=0.2))
    teach(straight, rows)
    restored = Online.load(json.loads(json.dumps(straight.dump())))

    teach(straight, more)
    teach(restored, more)

    assert json.dumps(restored.dump()) == json.dumps(straight.dump())


def test_state_of_earlier_versions_is_read() -> None:
    """A state that was saved with the second regression of earlier versions loses only that."""
    online = Online()
    teach(online, [("a", 0.9, 0.8, (1, 2), True), ("a", 0.9, 0.8, (2,), False)])
    saved = online.dump()
    earlier = {
        "prior": {**saved["prior"], "trims": [0.05, 0.02], "trim_drifts": [1e-5, 1e-6]},
        "agents": [
            [name, weights, {"ss": 0.05, "kk": 0.02}, *traits]
            for name, weights, *traits in saved["agents"]
        ],
    }

    assert Online.load(earlier).dump() == saved


def test_frozen_model_becomes_calibrated_on_another_agent() -> None:
    """A model that ranks but misjudges the failure rate is put right within a few hundred steps."""
    random = np.random.default_rng(0)
    z = random.normal(0.5, 1.5, 6000)
    y = (random.random(6000) < 1.0 / (1.0 + np.exp(-z))).astype(float)
    model = 1.0 / (1.0 + np.exp(-(0.6 * z + 2.0)))  # too sure, and too flat
    counts = np.clip(y.mean() + random.normal(0.0, 0.02, 6000), 0.01, 0.99)

    said = replay(Online(), model, counts, y)

    assert ece(y[500:], model[500:]) > 0.15
    assert ece(y[500:], said[500:]) < 0.03
    assert brier(y[500:], said[500:]) < min(
        brier(y[500:], model[500:]), brier(y[500:], counts[500:])
    )


def test_trait_that_fails_is_learned_apart_from_the_rest() -> None:
    """A program that always fails is soon expected to, and the others are not blamed for it."""
    online = Online()
    for step in range(600):
        trait, success = (1, True) if step % 4 else (2, False)
        online.learn("a", model=0.8, counts=0.8, traits=(trait,), success=success)

    good = online.predict("a", model=0.8, counts=0.8, traits=(1,))
    bad = online.predict("a", model=0.8, counts=0.8, traits=(2,))

    assert bad < 0.3
    assert good > 0.85


@given(st.lists(steps, max_size=30), st.lists(probabilities, min_size=2, max_size=8))
def test_new_agent_ranks_as_the_model_does(
    rows: list[tuple[str, float, float, tuple[int, ...], bool]], scores: list[float]
) -> None:
    """For an agent never met, a higher probability of model and counts never lowers the answer."""
    online = Online()
    teach(online, [row for row in rows if row[0] != "c"])
    if min(online.weights("c")[1:]) < 0.0:
        return  # the agents met so far say that the model errs the other way round

    said = [online.predict("c", model=p, counts=p) for p in sorted(scores)]

    assert all(low <= high + 1e-12 for low, high in pairwise(said))


def test_new_agent_starts_from_the_agents_that_are_known() -> None:
    """What one agent taught about trust in model and counts is where the next one begins."""
    online = Online()
    for step in range(400):
        online.learn("known", model=0.5 + 0.4 * (step % 2), counts=0.7, success=step % 2 == 1)

    assert online.weights("new")[1] > Prior().weights[1]
    assert online.seen("known") == 400
    assert online.seen("new") == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many agents and traits come, only so many are kept."""
    monkeypatch.setattr(module, "MAX_TRAITS", 50)
    monkeypatch.setattr(module, "MAX_AGENTS", 3)
    online = Online()
    for step in range(1000):
        online.learn(
            f"agent {step // 250}", model=0.9, counts=0.9, traits=(step, -step), success=True
        )

    agents = online.dump()["agents"]

    assert [name for name, *_ in agents] == ["agent 1", "agent 2", "agent 3"]
    assert all(len(young) <= 50 and len(old) <= 50 for *_, young, old in agents)


@pytest.mark.parametrize(
    "state", [{}, {"prior": {}, "agents": [["a"]]}, {"prior": 3, "agents": []}]
)
def test_damaged_state_is_a_typed_error(state: dict[str, object]) -> None:
    """A state that is none is refused with a bundle error."""
    with pytest.raises(BundleError):
        Online.load(state)


@given(st.text(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_traits_are_few_and_stable(command: str, tool: str, session: str) -> None:
    """Any call has at least three traits and at most its names and three more, always the same."""
    call = Call(session=session, tool=tool, input={"command": command})

    traits = traits_of(call)

    assert 3 <= len(set(traits)) == len(traits) <= MAX_NAMES + 3
    assert traits_of(call) == traits


def test_absurdly_large_input_has_traits() -> None:
    """A call of ten megabytes is looked at in its beginning only."""
    call = Call(session="s", tool="Write", input={"content": "word " * 2_000_000, "n": [1] * 1000})

    assert len(traits_of(call)) < MAX_NAMES
