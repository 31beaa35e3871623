"""What is said of a prompt: what it rests on, when it goes ahead, with a model and without."""

from __future__ import annotations

import onnxruntime
import pytest
from tests.talking import talk

from onward.data.errors import BundleError
from onward.features.intent.work import KINDS
from onward.models.intent import Intent, rows
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.intent import IntentAnswerer
from onward.serving.questions.intent import IntentRequest


@pytest.fixture(scope="module")
def model() -> Intent:
    """Fitted to four hundred prompts."""
    return Intent().fit(rows(talk(400)), seed=1)


def _part(model: Intent) -> Part:
    session = onnxruntime.InferenceSession(model.to_onnx())
    return Part("v1", model.facts(), lambda X: session.run(["p"], {"X": X})[0])


def test_an_answer_says_what_it_rests_on(model: Intent) -> None:
    """The likeliest kind comes first, with like prompts and what was then done."""
    desk = IntentAnswerer()
    for _, event in talk(200):
        desk.learn(event)
    desk.use(_part(model))
    asked = IntentRequest(text="fix the broken parser in src/p1.py")
    answer = desk.answer(asked)

    assert isinstance(desk, Answerer)
    assert answer == desk.answer(asked)
    assert answer.intents[0].kind == "fix"
    assert sum(intent.probability for intent in answer.intents) == pytest.approx(1.0)
    assert answer.like[0].kind == "fix"
    assert answer.model == "v1"
    assert answer.note == ""


def test_it_goes_ahead_where_its_readings_were_right_often_enough(model: Intent) -> None:
    """Sure readings of work that can be undone go ahead, and the answer says what that rests on."""
    desk = IntentAnswerer()
    desk.use(_part(model))
    before = desk.answer(IntentRequest(text="fix the broken parser in src/p1.py"))
    for _, event in talk(400):
        desk.learn(event)
    fix = desk.answer(IntentRequest(text="fix the broken parser in src/p1.py"))
    push = desk.answer(IntentRequest(text="push it all, take 5"))

    assert not before.go_ahead
    assert before.ahead_from is None
    assert fix.go_ahead
    assert fix.sure >= (fix.ahead_from or 1.0)
    assert "80% right" in fix.rests_on
    assert push.intents[0].kind == "commit"
    assert not push.go_ahead


def test_a_desk_that_was_saved_goes_on_the_same(model: Intent) -> None:
    """Dump and load change no later answer, what was read and is not judged yet included."""
    log = [event for _, event in talk(120)]
    whole, half = IntentAnswerer(), IntentAnswerer()
    for event in log[:171]:
        whole.learn(event)
    half.load(whole.dump())
    for desk in (whole, half):
        desk.use(_part(model))
        for event in log[171:]:
            desk.learn(event)
    asked = IntentRequest(text="create a module called m7")

    assert whole.answer(asked) == half.answer(asked)
    with pytest.raises(BundleError):
        half.load(b"cut")


def test_without_a_model_the_peer_answers_and_never_goes_ahead() -> None:
    """Before the first prompt and without a model there is an answer, and it says so."""
    desk = IntentAnswerer()
    empty = desk.answer(IntentRequest(text="hello"))
    for _, event in talk(100):
        desk.learn(event)
    answer = desk.answer(IntentRequest(text="push it all, take 7"))

    assert len(empty.intents) == len(KINDS)
    assert answer.intents[0].kind == "commit"
    assert not answer.go_ahead
    assert "No model" in answer.note
