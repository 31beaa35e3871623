"""What is held out of a set is never learned from."""

from __future__ import annotations

import pytest
from experiments.held_out.each import each
from experiments.held_out.sets import History, split
from hypothesis import given
from hypothesis import strategies as st

from onward.data.errors import NotEnoughData
from onward.data.events import Outcome, Prompt, Step


def a_set(*, timed: bool, sessions: int = 10, projects: int = 5) -> History:
    """Ninety steps of some repositories in turn."""
    steps = [
        Step(
            id=str(n),
            session=f"s{n % sessions}",
            project=f"p{n % sessions % projects}",
            tool="Bash",
            outcome=Outcome.OK,
        )
        for n in range(90)
    ]
    return History("made", list(enumerate(steps, start=1)), timed)


def test_every_repository_is_judged_once_by_what_never_saw_it() -> None:
    """Without times the parts share no repository, and together they judge each step once."""
    one = a_set(timed=False)
    parts = list(split(one))

    for train, test in parts:
        assert {step.project for step in train.steps}.isdisjoint(s.project for s in test.steps)
        assert sorted([*train.log, *test.log], key=lambda pair: pair[0]) == one.log
    judged = [seq for _, test in parts for seq, _ in test.log]
    assert sorted(judged) == [seq for seq, _ in one.log]


@given(sessions=st.integers(2, 9), projects=st.integers(1, 2))
def test_sessions_are_held_out_where_one_repository_is_all(sessions: int, projects: int) -> None:
    """Whatever the number of repositories, each step is judged once, its session never parted."""
    one = a_set(timed=False, sessions=sessions, projects=projects)
    parts = list(split(one))

    for train, test in parts:
        assert {step.session for step in train.steps}.isdisjoint(s.session for s in test.steps)
        assert train.home == test.home == ("session" if projects == 1 else "project")
    assert sorted(seq for _, test in parts for seq, _ in test.log) == [seq for seq, _ in one.log]


def test_a_prompt_goes_with_its_session() -> None:
    """A prompt that names no repository is no repository of its own."""
    one = a_set(timed=False, projects=1)
    prompt = Prompt(id="p", session="s3", text="go on")
    prompted = History("made", [(0, prompt), *one.log], timed=False)

    assert prompted.home == "session"
    ((_, test),) = [pair for pair in split(prompted) if pair[1].log[0][1] is prompt]
    assert "s3" in {step.session for step in test.steps}


@pytest.mark.parametrize("timed", [True, False])
def test_what_cannot_be_parted_is_named(timed: bool) -> None:
    """A set of which nothing can be held out is an error that names it."""
    step = Step(id="1", session="s", tool="Bash", outcome=Outcome.OK)

    with pytest.raises(NotEnoughData, match="made"):
        list(split(History("made", [(1, step)], timed)))


def test_one_set_costs_the_others_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A set that holds too little is named on stderr; that none is left is an error."""

    def judge(size: int) -> int:
        if size < 5:
            raise NotEnoughData("Five are needed.")
        return size

    assert each({"a": 9, "b": 2, "c": 7}, judge, script="made") == {"a": 9, "c": 7}
    assert capsys.readouterr().err == "made: b is left out: Five are needed.\n"
    with pytest.raises(NotEnoughData, match="No set"):
        each({"b": 2}, judge, script="made")


def test_later_steps_are_judged_by_earlier_ones() -> None:
    """With times the last fifth is judged by all that came before."""
    one = a_set(timed=True)
    ((train, test),) = split(one)

    assert train.log + test.log == one.log
    assert len(test.log) == 18
