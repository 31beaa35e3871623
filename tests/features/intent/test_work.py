"""What steps say of the kind of work."""

from __future__ import annotations

import pytest
from tests.talking import ASKS

from onward.data.events import Outcome, Step
from onward.features.intent.work import Work


@pytest.mark.parametrize("kind", list(ASKS))
def test_the_kind_of_work_follows_from_the_steps(kind: str) -> None:
    """Steps of one kind make work of that kind; no step at all was an answer in words."""
    work = Work()
    assert work.kind == "ask"
    _, tool, given = ASKS[kind]
    step = Step(id="a", session="s", tool=tool, input=given, outcome=Outcome.OK)
    work.add(step)

    assert work.kind == kind


def test_steps_that_were_not_let_through_tell_nothing() -> None:
    """A rejected step is no work."""
    step = Step(id="a", session="s", tool="Bash", input={"command": "ls"}, outcome=Outcome.REJECTED)
    work = Work()
    work.add(step)

    assert work == Work()
