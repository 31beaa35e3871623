"""The answers about fixes: with a model and without, known and unknown."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from tests.mending import ERRORS, mending_log, shell

from onward.data.errors import BundleError, NotFound
from onward.features.fixes.changes import FIXES
from onward.features.fixes.mined import mine
from onward.models import attempts, fixes, transient
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.fixes import FixAnswers
from onward.serving.questions.fixes import AttemptRequest, FixRequest


def runner(onnx: bytes) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Rows to the output of an ONNX model."""
    session = onnxruntime.InferenceSession(onnx)
    return lambda X: np.asarray(session.run(["p"], {"X": X})[0])


@pytest.fixture(scope="module")
def parts() -> tuple[Part, Part, Part]:
    """The three models, fitted on made-up sessions."""
    pytest.importorskip("lightgbm")
    mined = list(mine(mending_log(220)))
    models = (
        fixes.FixRanker().fit(fixes.rows_of(mined)),
        attempts.Attempts().fit(attempts.rows_of(mined)),
        transient.Transient().fit(transient.rows_of(mined)),
    )
    one, two, three = (Part("v1", model.facts(), runner(model.to_onnx())) for model in models)
    return one, two, three


def learned(sessions: int = 120) -> FixAnswers:
    """Answers that saw made-up sessions, and then one that failed."""
    answers = FixAnswers()
    for _, event in mending_log(sessions, seed=1):
        answers.learn(event)
    answers.learn(shell(0, "now", "python run.py", ok=False, output=ERRORS["own"].format(n=4)))
    return answers


def test_the_fix_that_worked_comes_first(parts: tuple[Part, Part, Part]) -> None:
    """For an error that was mended before the answer names the fix, its record and its steps."""
    answers = learned()
    for part in (None, parts[0]):
        answers.use(part)
        said = answers.answer(FixRequest(session="now"))

        assert said.known, said.reason
        assert said.fixes[0].fix == "edit@own"
        assert said.fixes[0].files == ["run.py"]
        assert said.fixes[0].worked > 5
        assert said.fixes[0].steps
        assert said.fixes[0].lower <= said.fixes[0].p
        assert [f.lower for f in said.fixes] == sorted((f.lower for f in said.fixes), reverse=True)
        assert bool(said.note) is (part is None)
    assert isinstance(answers, Answerer)


def test_it_says_when_it_does_not_know(parts: tuple[Part, Part, Part]) -> None:
    """An error that was never mended is unknown, and a session without failures is not found."""
    answers = learned()
    answers.use(parts[0])
    said = answers.answer(FixRequest(session="new", command="zig build", output="panic: odd thing"))

    assert not said.known
    assert said.reason
    with pytest.raises(NotFound):
        answers.answer(FixRequest(session="new"))
    assert not FixAnswers().answer(FixRequest(session="s", command="make", output="")).known


def test_reruns_are_advised_by_history_and_by_the_text(parts: tuple[Part, Part, Part]) -> None:
    """What passes by itself may be run again, what never did may not; a header's time holds."""
    answers = learned()
    for part in (None, parts[2]):
        answers.use_transient(part)
        refused = FixRequest(
            session="t", command="curl http://box/health", output=ERRORS["outside"].format(n=1)
        )
        broken = FixRequest(session="t", command="python run.py", output=ERRORS["own"].format(n=1))
        told = FixRequest(session="t", command="curl http://box/x", output="Retry-After: 40")

        again, never = answers.answer(refused).retry, answers.answer(broken).retry
        assert again.p_transient > never.p_transient
        assert again.advice != "do not retry"
        assert again.reruns > 0
        assert answers.answer(told).retry.wait == 40.0


def test_attempts_are_told_before_they_run(parts: tuple[Part, Part, Part]) -> None:
    """A right change makes the next run likelier to pass than a wrong one; no check, no attempt."""
    said = {}
    for change in ("sed -i '3s/total/sum/' run.py", "sed -i 's/a/b/' other.json"):
        answers = learned()
        answers.use_attempts(parts[1])
        answers.learn(shell(1, "now", change, ok=True))
        call = AttemptRequest(session="now", tool="bash", input={"command": "python run.py"})
        said[change] = answers.attempt(call)

    right, wrong = said.values()
    assert right.p_pass > wrong.p_pass
    assert (right.fix, wrong.fix) == ("edit@own", "edit@settings")
    nothing = AttemptRequest(session="now", tool="bash", input={"command": "ls"})
    assert not answers.attempt(nothing).attempt


def test_asking_changes_nothing_and_state_goes_on(parts: tuple[Part, Part, Part]) -> None:
    """Questions leave the state as it was; dumped and loaded it answers the same."""
    answers = learned(40)
    answers.use(parts[0])
    before = answers.dump()
    first = answers.answer(FixRequest(session="now"))
    again = FixAnswers()
    again.use(parts[0])
    again.load(before)

    assert answers.dump() == before
    assert again.answer(FixRequest(session="now")) == first
    with pytest.raises(BundleError):
        again.load(b"nothing")
    with pytest.raises(BundleError):
        again.use(Part("v", {"fixes": [*FIXES[1:]]}, parts[0].run))
