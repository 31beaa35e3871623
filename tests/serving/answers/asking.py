"""Every answerer, what can be asked of it, and logs with something for everyone."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from tests.mending import ERRORS, mending_log, shell

from onward.data.errors import NotFound
from onward.data.events import Event, Feedback, Note, Outcome, Prompt, Sample, Step
from onward.serving.answers.base import Seat
from onward.serving.answers.catalogue import seats
from onward.serving.questions import QUESTIONS, Question
from onward.serving.questions.errors import ErrorListRequest, ErrorRequest
from onward.serving.questions.fixes import AttemptRequest, FixRequest
from onward.serving.questions.forecast import ForecastRequest
from onward.serving.questions.hazard import HazardRequest
from onward.serving.questions.intent import IntentRequest
from onward.serving.questions.memory import MemoryRequest
from onward.serving.questions.next_task import NextRequest

NAMES = [seat.answerer.name for seat in seats(None)]
NOW = "now"
"""The session that is asked about."""
REQUESTS: dict[str, msgspec.Struct] = {
    "next": NextRequest(session=NOW, agent="made-up", project="p0"),
    "hazard": HazardRequest(session=NOW),
    "errors": ErrorRequest(output=ERRORS["own"].format(n=4), command="python run.py"),
    "errors/list": ErrorListRequest(),
    "fixes": FixRequest(session=NOW),
    "attempt": AttemptRequest(session=NOW, input={"command": "python run.py"}),
    "memory": MemoryRequest(query="how are numbers rounded in reports?"),
    "intent": IntentRequest(text="fix the parser in src/p3.py", session=NOW),
    "forecast": ForecastRequest(command="make"),
}


def seat_of(name: str) -> Seat:
    """A fresh seat."""
    return next(seat for seat in seats(None) if seat.answerer.name == name)


def questions(name: str) -> list[Question]:
    """What can be asked of an answerer."""
    return [one for one in QUESTIONS if one.system == name]


def ask(answerer: Any, question: Question) -> Any:
    """The answer as plain JSON, its numbers to 6 digits (ages move while a test runs); or None."""
    try:
        said = getattr(answerer, question.method)(REQUESTS[question.name])
    except NotFound:
        return None
    assert isinstance(said, question.answer)
    return plain(said)


def plain(said: Any) -> Any:
    """An answer as plain JSON, its numbers to 6 digits."""
    return _rounded(msgspec.json.decode(msgspec.json.encode(said)))


def _rounded(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _rounded(one) for name, one in said.items()}
    if isinstance(said, list):
        return [_rounded(one) for one in said]
    return float(f"{said:.6g}") if isinstance(said, float) else said


def content(dump: bytes) -> Counter[int]:
    """What a dump holds, however sets are ordered in it."""
    try:
        return Counter(zlib.decompress(dump))
    except zlib.error:
        return Counter(dump)


def ask_all(answerer: Any) -> list[Any]:
    """The answers to all that can be asked of an answerer."""
    return [ask(answerer, question) for question in questions(answerer.name)]


def mixed(sessions: int = 30) -> list[Event]:
    """A log with something for everyone; the session `NOW` ends it with a failing check."""
    events: list[Event] = []
    for n, (_, step) in enumerate(mending_log(sessions)):
        events += [step, _prompt(n), _note(n % 12), _feedback(n), sample(n)]
    failed = shell(0, NOW, "python run.py", ok=False, output=ERRORS["own"].format(n=4))
    edit = shell(1, NOW, "sed -i '3s/total/sum/' run.py", ok=True)
    return [*events, Prompt(id="asked", session=NOW, text="make run.py work"), failed, edit]


def _prompt(n: int) -> Prompt:
    words = ("fix the parser in src/p{}.py", "describe step {} in the readme", "look at f{}")[n % 3]
    return Prompt(id=f"p{n}", session=f"s{n // 9}", text=words.format(n), at=1e9 + n)


def _note(n: int) -> Note:
    text = f"numbers of kind {n} are rounded half to even in reports"
    return Note(id=f"n{n}", session="s", text=text, at=1e9 + n)


def _feedback(n: int) -> Feedback:
    return Feedback(
        id=f"f{n}", session="s", note=f"n{n % 12}", helped=n % 3 > 0, at=1e9 + n, query="rounding"
    )


def sample(n: int, host: str = "a") -> Sample:
    """A sample of a machine whose memory runs out."""
    values = {"mem_available_bytes": 1e9 - 1e6 * (n % 200), "mem_total_bytes": 1e9}
    tree = {f"proc.{n % 7}.x.rss_bytes": 5e5 * n}
    return Sample(id=f"r{n}", at=1e9 + 60.0 * n, host=host, values=values | tree)


def learned(name: str, events: list[Event] | None = None) -> Any:
    """An answerer that learned a log."""
    answerer = seat_of(name).answerer
    for event in mixed() if events is None else events:
        answerer.learn(event)
    return answerer


COMMANDS = (
    "cat src/m{n}.py",
    "python run_{n}.py",
    "pytest -q tests/test_{n}.py",
    "git status",
    "sed -i s/a/b/ src/m{n}.py",
    "make t{n}",
)


def steps() -> Iterator[Event]:
    """Ever new sessions, projects, files and errors."""
    for n in range(10_000):
        bad = n % 3 == 0
        yield Step(
            id=f"e{n}",
            session=f"s{n // 40}",
            tool="Bash",
            input={"command": COMMANDS[n % len(COMMANDS)].format(n=n)},
            at=1e9 + 10 * n,
            agent=f"a{n // 2000}",
            project=f"p{n // 300}",
            outcome=Outcome.ERROR if bad else Outcome.OK,
            output=f"ValueError: thing{n} is not in w{n * 7919 % 10007}q" if bad else f"line {n}",
        )
