"""One contract, every seat: each answerer must keep it whole, and so must the desks around it."""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.mending import ERRORS, mending_log, shell

from onward.data.errors import BundleError, NotFound, Unavailable
from onward.data.events import (
    Band,
    Call,
    Decision,
    Event,
    Feedback,
    Note,
    Outcome,
    Prompt,
    Sample,
    Step,
    Verdict,
)
from onward.serving.answers.base import Answerer, Part, Seat
from onward.serving.answers.catalogue import seats
from onward.serving.answers.desk import MAX_WAITING, Answers, Desk
from onward.serving.answers.memory import Recaller
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
        events += [step, _prompt(n), _note(n % 12), _feedback(n), _sample(n)]
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


def _sample(n: int, host: str = "a") -> Sample:
    values = {"mem_available_bytes": 1e9 - 1e6 * (n % 200), "mem_total_bytes": 1e9}
    tree = {f"proc.{n % 7}.x.rss_bytes": 5e5 * n}
    return Sample(id=f"r{n}", at=1e9 + 60.0 * n, host=host, values=values | tree)


def learned(name: str, events: list[Event] | None = None) -> Any:
    """An answerer that learned a log."""
    answerer = seat_of(name).answerer
    for event in mixed() if events is None else events:
        answerer.learn(event)
    return answerer


# -- every answerer --------------------------------------------------------------------------------


def test_every_question_has_a_seat() -> None:
    """Whom a question is asked of sits at a desk, and everyone who sits there can be asked."""
    assert {question.system for question in QUESTIONS} == set(NAMES)
    assert {question.name for question in QUESTIONS} == REQUESTS.keys()
    assert all(isinstance(seat.answerer, Answerer) for seat in seats(None))
    taken = [system for seat in seats(None) for system in seat.uses]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("name", NAMES)
def test_it_answers_before_the_first_event(name: str) -> None:
    """With nothing learned each question is answered, or its subject is not found."""
    answerer = seat_of(name).answerer
    before = answerer.dump()

    assert len(ask_all(answerer)) == len(questions(name)) > 0
    assert answerer.dump() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_question_changes_nothing(name: str) -> None:
    """The state after all questions is the state before, and they get the same answers again."""
    answerer = learned(name)
    before = answerer.dump()
    first = ask_all(answerer)

    assert all(said is not None for said in first)
    assert ask_all(answerer) == first
    assert answerer.dump() == before


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_the_same_after_dump_and_load(name: str) -> None:
    """Loaded in the middle of a log it ends with the answers and the state of one that went on."""
    events = mixed()
    half = len(events) // 2
    whole, other = learned(name, events[:half]), seat_of(name).answerer
    other.load(whole.dump())
    assert ask_all(other) == ask_all(whole)
    for event in events[half:]:
        whole.learn(event)
        other.learn(event)

    assert ask_all(other) == ask_all(whole)
    assert content(other.dump()) == content(whole.dump())


@pytest.mark.parametrize("name", NAMES)
def test_the_log_alone_decides(name: str) -> None:
    """Two that learned the same log have the same state, byte for byte."""
    assert learned(name).dump() == learned(name).dump()


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_dump_is_refused(name: str) -> None:
    """What is no dump, or half of one, raises a typed error and leaves the state as it was."""
    answerer = learned(name)
    whole = answerer.dump()
    damaged = (b"", b"\x00", b"{}", b"\x80", b"\xc1nothing", whole[: len(whole) // 2], whole[:-1])
    for body in damaged:
        with pytest.raises(BundleError):
            answerer.load(body)
    assert answerer.dump() == whole


@pytest.mark.parametrize("name", NAMES)
def test_a_dump_with_a_flipped_byte_never_breaks_it(name: str) -> None:
    """Whatever one wrong byte does, loading gives a typed error or a state that can be asked."""
    whole = learned(name).dump()
    random = np.random.default_rng(0)
    for place in random.integers(len(whole), size=60).tolist():
        body = bytearray(whole)
        body[place] ^= 1 << int(random.integers(8))
        answerer = seat_of(name).answerer
        try:
            answerer.load(bytes(body))
        except BundleError:
            continue
        ask_all(answerer)


# -- a long stream ---------------------------------------------------------------------------------

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


STREAMS: dict[str, Callable[[], Iterator[Event]]] = {
    "memory": lambda: (
        Note(id=f"n{n}", session="s", text=f"w{n} because q{n * 7} since {n % 100}", at=1e9 + n)
        for n in range(4_000)
    ),
    "intent": lambda: (
        Prompt(id=f"p{n}", session=f"s{n}", text=f"fix w{n} for q{n * 7} in t{n}.py", at=1e9 + n)
        for n in range(10_000)
    ),
    "forecast": lambda: (_sample(n, host=f"h{n // 50}") for n in range(4_000)),
}
"""What fills those that steps do not."""
SMALL: dict[str, Callable[[], Any]] = {"memory": lambda: Recaller(capacity=500)}
"""Those whose bound lies beyond the stream, with a lower one."""
MOST = 3_000_000
"""Bytes that a dump may take at the end of its stream."""


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_bounded(name: str) -> None:
    """On a stream where everything is new its dump stays small and grows ever less."""
    answerer = SMALL[name]() if name in SMALL else seat_of(name).answerer
    events = [*STREAMS.get(name, steps)()]
    quarter, sizes = len(events) // 4, [len(answerer.dump())]
    for start in range(0, len(events), quarter):
        for event in events[start : start + quarter]:
            answerer.learn(event)
        sizes.append(len(answerer.dump()))
    grown = np.diff(sizes)

    assert sizes[-1] < MOST
    assert grown[-1] < 0.6 * grown[0]


# -- odd events ------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")
INPUTS: tuple[dict[str, Any], ...] = (
    {},
    {"command": ""},
    {"command": None},
    {"command": 7},
    {"command": ["ls", 3, None]},
    {"command": {"a": [1]}},
    {"command": "   \n\t"},
    {"command": "'"},
    {"command": "a" * 50_000},
    {"command": "cat \x00 \ufffd \u202e"},
    {"command": "if then ( | && ;; << EOF"},
    {"file_path": None},
    {"file_path": ""},
    {"file_path": "/\x00//../../" + "x/" * 3_000},
    {"file_path": ["a"], "old_string": 3, "new_string": None},
    {"edits": "none", "paths": [{}, 1], "path": -1},
)
OUTPUTS = ("", "error", "E" * 300_000, "Error: \x00\ufffd\n" * 500, "Traceback (most recent call l")


def odd_steps() -> Iterator[Event]:
    """Steps as no agent should make them."""
    tools = ("Bash", "", "no such tool", "Edit", "mcp____", "Read", "\x00", "T" * 5_000)
    outcomes = [*Outcome]
    for n, given in enumerate(INPUTS):
        for place, tool in enumerate(tools):
            turn = n + place
            yield Step(
                id=f"odd{n}.{place}" if turn % 5 else "",
                session="" if turn % 7 == 0 else f"o{turn % 3}",
                tool=tool,
                input=given,
                at=(0.0, -1e18, 1e18, NAN, INF)[turn % 5],
                agent="\ufffd" * (turn % 2),
                project="/" * (turn % 4),
                cwd="\x00" * (turn % 2),
                outcome=outcomes[turn % len(outcomes)],
                exit_code=(None, 0, -9, 2**40)[turn % 4],
                duration=(None, -1.0, NAN, INF)[turn % 4],
                output=OUTPUTS[turn % len(OUTPUTS)],
                usage={"rss_peak_bytes": (NAN, -1.0, INF)[turn % 3], "": 1.0},
            )


def odd_others() -> Iterator[Event]:
    """All other events, likewise."""
    for n, text in enumerate(("", " ", "\x00\ufffd", "w " * 60_000, "?!", "\u202e" * 9)):
        at = (0.0, -5.0, NAN, INF, 1e18, 1.0)[n]
        for role in ("prompt", "interrupt", "continuation", "command", "no such role"):
            yield Prompt(id=f"q{n}{role}", session="", text=text, at=at, role=role)
        yield Note(id="", session="", text=text, at=at, about=text, reasons=[text], tags=[""])
        yield Feedback(id="", session="", note="no such note", helped=n % 2 == 0, at=at, query=text)
        yield Feedback(id="", session="", note="", helped=n % 2 == 0, at=at, text=text)
        yield Verdict(id="", session="", decision="none", approved=False, at=at, text=text)
        values = {"": NAN, "cpu_percent": -INF, "mem_available_bytes": at, "proc..": 1.0, text: 0.0}
        yield Sample(id="", at=at, host=text[:99], values=values)


@pytest.mark.parametrize("name", NAMES)
def test_odd_events_do_no_harm(name: str) -> None:
    """Empty, huge, unknown and broken events are learned without a word; answers still come."""
    answerer = learned(name, [*odd_steps(), *odd_others()])
    ask_all(answerer)
    other = seat_of(name).answerer
    other.load(answerer.dump())
    for event in mixed(6):
        other.learn(event)

    assert all(said is not None for said in ask_all(other))


# -- desks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_rests_on_all_that_was_put_before_it(name: str) -> None:
    """Events wait until a question comes, and then all of them count."""
    desk = Desk(seat_of(name).answerer)
    events = mixed()
    for event in events:
        desk.put(event)
    assert desk.waiting == len(events)
    said = [desk.ask(one.method, REQUESTS[one.name]) for one in questions(name)]

    assert desk.waiting == 0
    assert [_rounded(msgspec.json.decode(msgspec.json.encode(one))) for one in said] == ask_all(
        learned(name, events)
    )


def test_decisions_tell_the_desks_nothing() -> None:
    """Events are put down at every desk, onward's own decisions at none; a dump goes on."""
    answers, other = Answers(lambda: seats(None)), Answers(lambda: seats(None))
    call = Call(session=NOW, tool="Bash")
    before = answers.dump()
    answers.put(
        Decision(id="d", call=call, at=1.0, band=Band.EXECUTE, shadow=True, p_success=1.0,
                 p_approve=1.0, reversible="read_only")
    )  # fmt: skip
    assert answers.dump() == before
    for event in mixed(8):
        answers.put(event)
    answers.catch_up()
    other.load(answers.dump())

    dumps = answers.dump()
    assert dumps != before
    assert {name: content(dump) for name, dump in other.dump().items()} == {
        name: content(dump) for name, dump in dumps.items()
    }
    assert answers.fresh().dump() == before


@pytest.mark.parametrize("saved", [{}, dict.fromkeys(NAMES, b"no")])
def test_a_damaged_dump_leaves_the_desks_behind(saved: dict[str, bytes]) -> None:
    """Desks whose dump is missing or damaged say that they are behind, until they are filled."""
    answers = Answers(lambda: seats(None))
    answers.load(saved)
    answers.put(mixed(1)[0])
    with pytest.raises(Unavailable, match="still being folded"):
        answers.ask("hazard", "answer", REQUESTS["hazard"])

    again = answers.fresh()
    for event in mixed(2):
        again.put(event)
    assert again.ask("hazard", "answer", REQUESTS["hazard"]) is not None


def test_desks_are_opened_when_they_are_needed() -> None:
    """Events that came before the desks were opened count like those that came after."""
    made = []

    def make() -> list[Seat]:
        made.append(True)
        return seats(None)

    answers, events = Answers(make), mixed(6)
    for event in events:
        answers.put(event)
    assert not made
    said = answers.ask("next_task", "answer", REQUESTS["next"])

    assert made == [True]
    assert said == learned("next_task", events).answer(REQUESTS["next"])


class Slow:
    """An answerer that says how many events it had learned when it was asked, and takes its time.

    >>> Slow().name
    'slow'
    """

    name = "slow"

    def __init__(self) -> None:
        self.count = 0
        self.asked, self.go_on = threading.Event(), threading.Event()

    def use(self, part: Part | None) -> None:
        """Has no model."""

    def learn(self, event: Event) -> None:
        """Counts; one kind of event it cannot bear."""
        if isinstance(event, Verdict):
            raise ValueError(event.id)
        self.count += 1

    def dump(self) -> bytes:
        """The count."""
        return str(self.count).encode()

    def load(self, body: bytes) -> None:
        """The count again."""
        self.count = int(body)

    def answer(self, request: None) -> int:
        """The count, once it may."""
        self.asked.set()
        assert self.go_on.wait(60.0)
        return self.count


def test_what_is_put_while_a_question_is_answered_comes_later() -> None:
    """Putting never waits for an answer; the next answer rests on it."""
    slow = Slow()
    desk, said = Desk(slow), list[int]()
    for event in islice(steps(), 5):
        desk.put(event)
    asking = threading.Thread(target=lambda: said.append(desk.ask("answer", None)))
    asking.start()
    assert slow.asked.wait(60.0)
    for event in islice(steps(), 3):
        desk.put(event)
    assert desk.waiting == 3
    slow.go_on.set()
    asking.join(60.0)

    assert said == [5]
    assert desk.ask("answer", None) == 8


def test_one_event_that_cannot_be_learned_keeps_none_out() -> None:
    """What an answerer fails on is passed over, and those behind it are learned."""
    desk = Desk(Slow())
    for event in islice(steps(), 4):
        desk.put(event)
        desk.put(Verdict(id="v", session="s", decision="d", approved=True))
    desk.catch_up()

    assert desk.dump() == b"4"


def test_what_waits_is_bounded() -> None:
    """Whoever puts one too many takes them in."""
    desk = Desk(Slow())
    event = next(steps())
    for _ in range(MAX_WAITING + 1):
        desk.put(event)

    assert desk.waiting == 0


USES = {system: use for seat in seats(None) for system, use in seat.uses.items()}
"""Learned system -> how its answerer takes a model."""


def _refuses(X: NDArray[np.float32]) -> NDArray[np.float32]:
    raise BundleError(f"The file is damaged; {len(X)} rows were asked.")


def _answers(part: Callable[[str], Part | None]) -> Answers:
    answers = Answers(lambda: seats(None), part)
    for event in mixed():
        answers.put(event)
    return answers


def _asked(answers: Answers, question: Question) -> Any:
    said = answers.ask(question.system, question.method, REQUESTS[question.name])
    return _rounded(msgspec.json.decode(msgspec.json.encode(said)))


@pytest.mark.parametrize(
    "facts",
    [
        {},
        dict.fromkeys(
            ("calibration", "calibrator", "labels", "kinds", "fixes", "sharpness", "threshold"), 7
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_passed_over(facts: dict[str, Any]) -> None:
    """A model without its facts, or with others, leaves the peer to answer."""
    refused = _answers(
        lambda name: Part("v9", facts, _refuses, True, USES[name].names, USES[name].features)
    )
    bare = _answers(lambda name: None)
    for question in QUESTIONS:
        assert _asked(refused, question) == _asked(bare, question), question.name


@pytest.mark.parametrize("system", USES)
def test_a_model_of_other_features_is_refused(system: str) -> None:
    """No answerer takes a model whose columns, or what they mean, are not those it is given."""
    use = USES[system]
    for names, features in ((use.names[1:], use.features), (use.names, "of another version")):
        with pytest.raises(BundleError, match="train again"):
            use(Part("v9", {}, _refuses, True, names, features))


def test_a_model_that_cannot_be_read_is_passed_over() -> None:
    """Where the bundle's file is damaged the peer answers."""

    def part(name: str) -> Part | None:
        raise BundleError(f"{name}.json cannot be read.")

    broken, bare = _answers(part), _answers(lambda name: None)
    for question in QUESTIONS:
        assert _asked(broken, question) == _asked(bare, question), question.name
