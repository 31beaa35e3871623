"""Whether a session is getting anywhere: the answer, with and without a model."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Outcome, Step
from onward.models.calibrate import Calibrator
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.hazard import PEER_ALARM, HazardAnswers
from onward.serving.questions.hazard import HazardRequest

ASKED = HazardRequest(session="s")
FACTS = {
    "calibration": Calibrator.identity().to_json(),
    "alarm": 0.4,
}


def step(n: int, command: str, output: str = "", *, ok: bool = True, session: str = "s") -> Step:
    """A shell step."""
    return Step(
        id=f"{session}-{n}",
        session=session,
        tool="bash",
        input={"command": command},
        outcome=Outcome.OK if ok else Outcome.ERROR,
        output=output,
    )


def constant(p: float) -> Part:
    """A model that always says the same."""

    def run(X: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([1 - p, p], np.float32), (len(X), 1))

    return Part("v1", FACTS, run)


def after(*steps: Step) -> HazardAnswers:
    """An answerer that learned some steps."""
    answers = HazardAnswers()
    for one in steps:
        answers.learn(one)
    return answers


def test_it_is_an_answerer() -> None:
    """It keeps the contract of all answerers."""
    assert isinstance(HazardAnswers(), Answerer)


def test_a_session_never_met_is_no_alarm() -> None:
    """Without a step the share of all sessions answers, and it says so."""
    said = HazardAnswers().answer(ASKED)

    assert not said.alarm
    assert said.standstill == ""
    assert "No step" in said.note


def test_without_a_model_idle_steps_raise_the_alarm() -> None:
    """The peer counts steps without gain, names the standstill, and says that it is the peer."""
    fails = [step(n, "make x", "boom", ok=False) for n in range(1, 2 + PEER_ALARM)]
    answers = after(step(0, "ls", "a.py"), *fails)
    said = answers.answer(ASKED)

    assert said.alarm
    assert (said.standstill, said.idle, said.since) == ("repeat", PEER_ALARM, 3)
    assert any("make" in line for line in said.evidence)
    assert "no model" in said.note
    assert not said.hint.learned


def test_a_model_answers_with_its_threshold() -> None:
    """The published threshold decides about the alarm; a model that lost to its peer is silent."""
    answers = after(step(0, "ls", "a.py"))
    answers.use(constant(0.5))
    loud = answers.answer(ASKED)
    answers.use(constant(0.3))
    calm = answers.answer(ASKED)
    answers.use(constant(0.9)._replace(beats_peer=False))
    lost = answers.answer(ASKED)

    assert loud.alarm
    assert loud.model == "v1"
    assert loud.note == ""
    assert not calm.alarm
    assert calm.probability == pytest.approx(0.3, abs=1e-3)
    assert not lost.alarm
    assert lost.model == ""
    assert "beat" in lost.note


@pytest.mark.parametrize("facts", [{}, {**FACTS, "alarm": "x"}])
def test_facts_of_another_kind_are_refused(facts: dict[str, object]) -> None:
    """A model whose facts do not fit is refused by name, and the old one goes on answering."""
    answers = after(step(0, "ls", "a.py"))
    answers.use(constant(0.5))
    with pytest.raises(BundleError):
        answers.use(constant(0.9)._replace(facts=facts))

    assert answers.answer(ASKED).probability == pytest.approx(0.5, abs=1e-3)


def test_a_question_changes_nothing() -> None:
    """Asking leaves the state as it was, bit for bit, and gives the same again."""
    answers = after(*[step(n, "make x", "boom", ok=False) for n in range(6)])
    before = answers.dump()

    assert answers.answer(ASKED) == answers.answer(ASKED)
    assert answers.dump() == before


def test_what_was_saved_goes_on_the_same() -> None:
    """After dump and load it answers as before; what is damaged is refused."""
    answers = after(*[step(n, "make x", "boom", ok=False) for n in range(5)])
    again = HazardAnswers()
    again.load(answers.dump())

    assert again.answer(ASKED) == answers.answer(ASKED)
    with pytest.raises(BundleError):
        again.load(b"nothing")


def test_the_hint_is_what_helped_before() -> None:
    """Where reading a file that was not read yet ended such standstills, that is the advice."""
    answers = HazardAnswers()
    for number in range(26):
        session = f"old{number}"
        answers.learn(step(0, "ls", f"{'x' * number}.py", session=session))
        for n in range(1, 4):
            answers.learn(step(n, "make x", "boom", ok=False, session=session))
        if number % 2:  # one more try of the same goes on failing
            tail = [step(n, "make x", "boom", ok=False, session=session) for n in range(4, 9)]
        else:
            lines = {n: f"{'ab' * n} line" for n in (4, 5, 6, 7)}
            tail = [step(n, f"cat f{n}.py", line, session=session) for n, line in lines.items()]
        for one in tail:
            answers.learn(one)
    answers.learn(step(0, "ls", "b.py"))
    for n in range(1, 4):
        answers.learn(step(n, "make x", "boom", ok=False))
    hint = answers.answer(ASKED).hint

    assert hint.learned
    assert "not looked at" in hint.text
    assert 0.0 < hint.lower <= hint.gained <= 1.0


@pytest.mark.parametrize("body", [b"{}", b'{"session":""}', b'{"session":"a","x":1}'])
def test_a_request_is_checked(body: bytes) -> None:
    """A request without a session, or with a field that does not exist, is refused."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=HazardRequest)
