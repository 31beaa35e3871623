"""What comes next, as it is answered: with a model, without one, and after a restart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.data.events import Outcome, Prompt, Step
from onward.features.next_task.fold import NAMES
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.next_task import NextTaskAnswerer
from onward.serving.questions.next_task import NextAnswer, NextRequest

ROUND = ("cat a.py", "sed -i s/a/b/ a.py", "git push", "ls src")


def rounds(count: int = 120) -> list[Step]:
    """A fixed round of commands."""
    return [
        Step(
            id=str(n),
            session="s",
            tool="Bash",
            input={"command": ROUND[n % 4]},
            agent="a",
            project="p",
            cwd="/work",
            outcome=Outcome.OK,
        )
        for n in range(count)
    ]


def answerer(count: int = 120) -> NextTaskAnswerer:
    """One that learned a fixed round of commands."""
    found = NextTaskAnswerer()
    found.learn(Prompt(id="p", session="s", text="Go on", at=1.0))
    for step in rounds(count):
        found.learn(step)
    return found


def part(*, beats_peer: bool = True) -> Part:
    """A model that trusts the running weights alone."""

    def run(X: np.ndarray) -> np.ndarray:
        p = np.exp(X[:, NAMES.index("log_weights")])
        return np.stack((1 - p, p), 1)

    facts = {"sharpness": {"trees": 1.0, "weights": 0.0, "sure": 0.7}}
    return Part("v7", facts, run, beats_peer)


REQUEST = NextRequest(session="s", agent="a", project="p")


def test_it_is_an_answerer() -> None:
    """It keeps the contract of what is predicted beside decisions."""
    assert isinstance(NextTaskAnswerer(), Answerer)


def test_a_model_says_what_comes_with_its_evidence() -> None:
    """The next label of a round comes first, with a call, its counts, and the steps after it."""
    found = answerer()
    found.use(part())
    said = found.answer(REQUEST)
    first = said.steps[0]

    assert (first.label, said.after) == ("cat", "ls")
    assert said.confident
    assert (said.model, said.note) == ("v7", "")
    assert first.example == "cat a.py"
    seen, times = first.followed.session
    assert 0 < seen == times
    nearest = {one.ahead: one.label for one in reversed(said.later)}
    assert nearest == {2: "sed", 3: "git push"}
    assert sum(step.probability for step in said.steps) <= 1.0 + 1e-6


def test_only_what_reads_may_be_started_before_it_is_asked_for() -> None:
    """Of a read, an edit and a push, only the read may start early."""
    found = answerer()
    found.use(part())
    said = found.answer(NextRequest(session="s", agent="a", project="p", most=10))
    may = {step.label: (step.may_start, step.reversible) for step in said.steps}

    assert may["cat"] == (True, "read_only")
    assert may["sed"] == (False, "guardable")
    assert may["git push"] == (False, "irreversible")


def test_without_a_model_counts_answer_and_say_so() -> None:
    """No model, or one that did not beat counting, is a full answer with a note."""
    found = answerer()
    bare = found.answer(REQUEST)
    found.use(part(beats_peer=False))
    beaten = found.answer(REQUEST)

    assert bare.steps[0].label == beaten.steps[0].label == "cat"
    assert "No model" in bare.note
    assert "did not beat" in beaten.note
    assert bare.model == beaten.model == ""
    assert not bare.confident
    assert not beaten.confident


def test_before_the_first_step_it_knows_nothing_and_says_nothing() -> None:
    """An empty history gives an empty answer, no error."""
    said = NextTaskAnswerer().answer(NextRequest(session="new"))
    assert (said.steps, said.later, said.confident) == ([], [], False)


def test_after_a_restart_it_goes_on_the_same() -> None:
    """What was dumped and loaded answers alike, and so it does after the next step."""
    found, other = answerer(), NextTaskAnswerer()
    other.load(found.dump())
    found.use(part())
    other.use(part())
    assert other.answer(REQUEST) == found.answer(REQUEST)
    step = Step(id="x", session="s", tool="Read", input={"file_path": "b"}, outcome=Outcome.OK)
    found.learn(step)
    other.learn(step)
    assert other.answer(REQUEST) == found.answer(REQUEST)
    assert other.dump() == found.dump()


def test_damaged_states_and_models_are_refused() -> None:
    """Neither rubbish nor a model without its exponents is taken in."""
    found = answerer(8)
    before = found.dump()
    with pytest.raises(BundleError):
        found.load(b"rubbish")
    with pytest.raises(BundleError):
        found.use(part()._replace(facts={}))
    assert found.dump() == before


@pytest.mark.parametrize("body", ['{"most": 0}', '{"steps": 4}', '{"session": 3}', '{"odd": 1}'])
def test_requests_out_of_bounds_are_refused(body: str) -> None:
    """A request is checked when it is read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=NextRequest)


def test_long_calls_are_shown_cut_and_not_judged() -> None:
    """A call that was not kept whole has an example, and may not be started."""
    found = NextTaskAnswerer()
    for n in range(12):
        command = "cat " + "a" * 900
        found.learn(
            Step(id=str(n), session="s", tool="Bash", input={"command": command},
                 outcome=Outcome.OK)
        )  # fmt: skip
    first = found.answer(NextRequest(session="s")).steps[0]
    assert first.label == "cat"
    assert len(first.example) == 300
    assert (first.reversible, first.may_start) == ("", False)


def test_answers_are_plain_json() -> None:
    """An answer goes through JSON without loss."""
    said = answerer().answer(REQUEST)
    assert msgspec.json.decode(msgspec.json.encode(said), type=NextAnswer) == said
