"""Which tests run, in which order, and what is left owed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onward.data.errors import InputError
from onward.decisions.selection import Candidate, select

candidates = st.lists(
    st.builds(
        Candidate,
        node=st.sampled_from("abc").flatmap(
            lambda f: st.integers(0, 99).map(lambda n: f"{f}::{n}")
        ),
        tier=st.sampled_from(["must", "may", "none"]),
        p_fail=st.floats(0.001, 0.999),
        seconds=st.floats(0.0, 10.0),
    ),
    max_size=30,
    unique_by=lambda one: one.node,
)


@given(candidates, st.booleans(), st.none() | st.floats(0, 60), st.none() | st.floats(0.01, 1))
def test_every_test_runs_or_is_owed(
    found: list[Candidate], affected: bool, budget: float | None, recall: float | None
) -> None:
    """Each test is chosen or left out, once; the touched come first; a budget is kept."""
    chosen = select(found, affected=affected, budget_s=budget, recall=recall)

    assert sorted(chosen.run + chosen.skipped) == sorted(one.node for one in found)
    tier = {one.node: one.tier for one in found}
    touched = [tier[node] == "must" for node in chosen.run]
    assert touched == sorted(touched, reverse=True)
    assert chosen.owed == sum(tier[node] != "none" for node in chosen.skipped)
    if budget is not None:
        assert chosen.seconds <= budget + 1e-6


@given(candidates, st.floats(0.01, 1))
def test_a_recall_is_reached(found: list[Candidate], recall: float) -> None:
    """The chosen hold at least the share of expected failures that was asked for."""
    assert select(found, recall=recall).recall >= recall - 1e-9


@given(candidates)
def test_without_a_cut_everything_runs(found: list[Candidate]) -> None:
    """An order alone leaves nothing out, and keeps untouched tests in the order they came."""
    chosen = select(found)

    assert chosen.skipped == []
    rest = [one.node for one in found if one.tier != "must"]
    assert chosen.run[len(found) - len(rest) :] == rest


@pytest.mark.parametrize("wrong", [{"budget_s": -1.0}, {"recall": 0.0}, {"recall": 1.5}])
def test_a_wrong_cut_is_said(wrong: dict[str, float]) -> None:
    """A budget below zero or a share that is none is an error that says what is possible."""
    with pytest.raises(InputError):
        select([], **wrong)  # type: ignore[arg-type]
