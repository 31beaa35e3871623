"""What is held out of a set is never learned from."""

from __future__ import annotations

from experiments.held_out.sets import History, split

from onward.data.events import Outcome, Step


def a_set(*, timed: bool) -> History:
    """Ninety steps of five repositories in turn."""
    steps = [
        Step(
            id=str(n),
            session=f"s{n % 10}",
            project=f"p{n % 5}",
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


def test_later_steps_are_judged_by_earlier_ones() -> None:
    """With times the last fifth is judged by all that came before."""
    one = a_set(timed=True)
    ((train, test),) = split(one)

    assert train.log + test.log == one.log
    assert len(test.log) == 18
