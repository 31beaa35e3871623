"""The desks around the answerers: what waits, what is behind, which models are taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.serving.answers.asking import (
    NAMES,
    NOW,
    REQUESTS,
    ask_all,
    content,
    learned,
    mixed,
    plain,
    questions,
    seat_of,
    steps,
)

from onward.data.errors import BundleError, NotFound, Unavailable
from onward.data.events import Band, Call, Decision, Event, Verdict
from onward.serving.answers.base import Part, Seat
from onward.serving.answers.catalogue import seats
from onward.serving.answers.desk import (
    FILLING,
    LITTLE,
    MAX_WAITING,
    SIP,
    Answers,
    Desk,
    Told,
)
from onward.serving.questions import QUESTIONS, Question
from onward.serving.questions.fixes import FixRequest


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_rests_on_all_that_was_put_before_it(name: str) -> None:
    """Events wait until a question comes, and then all of them count."""
    desk = Desk(seat_of(name))
    events = mixed()
    for event in events:
        desk.put(event)
    assert desk.waiting == len(events)
    said = [desk.ask(one.method, REQUESTS[one.name]).answer for one in questions(name)]

    assert desk.waiting == 0
    assert [plain(one) for one in said] == ask_all(learned(name, events))


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
    """Desks whose dump is missing or damaged answer with nothing learned, and say so."""
    answers, bare = Answers(lambda: seats(None)), Answers(lambda: seats(None))
    answers.load(saved)
    answers.put(mixed(1)[0])
    said = answers.ask("hazard", "answer", REQUESTS["hazard"]).answer

    assert answers.behind == FILLING
    assert said.note.startswith(FILLING)
    assert said.probability == bare.ask("hazard", "answer", REQUESTS["hazard"]).answer.probability


def test_desks_that_are_filled_answer_from_the_part_that_is_there() -> None:
    """While they are behind only whoever fills them adds to them; then they are like others."""
    answers, other, events = Answers(lambda: seats(None)), Answers(lambda: seats(None)), mixed(6)
    answers.behind = FILLING
    for event in events[: len(events) // 2]:
        answers.fill(event)
        answers.put(event)  # comes from the log once more
    answers.absorb()
    early = answers.ask("next_task", "answer", REQUESTS["next"]).answer
    for event in events[len(events) // 2 :]:
        answers.fill(event)
    answers.behind = ""
    for event in events:
        other.put(event)

    assert early.note.startswith(FILLING)
    assert early.steps
    assert answers.dump() == other.dump()


def test_desks_that_are_behind_are_left_to_whoever_fills_them() -> None:
    """Catching up learns nothing at desks that are filled; whoever fills them learns it."""
    answers = Answers(lambda: [Seat(Slow(), {})])
    answers.behind = FILLING
    for event in islice(steps(), 3):
        answers.fill(event)
    answers.catch_up()
    left = answers.waiting
    answers.absorb()

    assert (left, answers.waiting) == (3, 0)


def test_what_may_be_in_the_missing_part_is_not_called_unknown() -> None:
    """Behind, a subject that is not found may still come: ask again, not never."""
    answers = Answers(lambda: seats(None))
    request = FixRequest(session="nobody")
    with pytest.raises(NotFound):
        answers.ask("fixes", "answer", request)
    answers.behind = FILLING

    with pytest.raises(Unavailable, match="No failing check"):
        answers.ask("fixes", "answer", request)


def test_a_question_does_not_wait_for_ever() -> None:
    """With more waiting than can be learned in time the answer comes without it, and says so."""
    slow = Slow()
    slow.go_on.set()
    desk, answers = Desk(Seat(slow, {})), Answers(lambda: seats(None))
    for event in islice(steps(), 3 * SIP):
        desk.put(event)
    told = desk.ask("answer", None, patience_s=0.0)
    for event in mixed():
        answers.put(event)

    assert (told.answer, told.owed) == (0, 3 * SIP)
    assert desk.ask("answer", None) == Told(3 * SIP, [], 0)
    assert not answers.ask("hazard", "answer", REQUESTS["hazard"]).owed


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
    said = answers.ask("next_task", "answer", REQUESTS["next"]).answer

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
    desk, said = Desk(Seat(slow, {})), list[int]()
    for event in islice(steps(), 5):
        desk.put(event)
    asking = threading.Thread(target=lambda: said.append(desk.ask("answer", None).answer))
    asking.start()
    assert slow.asked.wait(60.0)
    for event in islice(steps(), 3):
        desk.put(event)
    assert desk.waiting == 3
    slow.go_on.set()
    asking.join(60.0)

    assert said == [5]
    assert desk.ask("answer", None).answer == 8


def test_one_event_that_cannot_be_learned_keeps_none_out() -> None:
    """What an answerer fails on is passed over, and those behind it are learned."""
    desk = Desk(Seat(Slow(), {}))
    for event in islice(steps(), 4):
        desk.put(event)
        desk.put(Verdict(id="v", session="s", decision="d", approved=True))
    desk.catch_up()

    assert desk.dump() == b"4"


def test_what_waits_is_bounded() -> None:
    """Whoever puts one too many takes a few in, and no more: nobody is kept waiting for long."""
    desk = Desk(Seat(Slow(), {}))
    event = next(steps())
    for _ in range(MAX_WAITING + 1):
        desk.put(event)

    assert MAX_WAITING - LITTLE < desk.waiting <= MAX_WAITING


def test_catching_up_stops_where_there_is_something_better_to_do() -> None:
    """Learning what waits goes on only as long as it may."""
    desk, looks = Desk(Seat(Slow(), {})), iter((True, False))
    for event in islice(steps(), 3 * SIP):
        desk.put(event)
    desk.catch_up(lambda: next(looks))

    assert desk.waiting == 2 * SIP


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
    told = answers.ask(question.system, question.method, REQUESTS[question.name])
    note = told.answer.note.removeprefix(told.fault).lstrip()
    return plain(msgspec.structs.replace(told.answer, note=note))


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


def test_it_says_which_model_was_passed_over() -> None:
    """A model that is refused is told with every answer that it might have given."""
    old = _answers(lambda name: Part("v9", {}, _refuses, True, USES[name].names, "of old"))
    said = old.ask("hazard", "answer", REQUESTS["hazard"]).answer

    assert said.note.startswith("The hazard model is passed over: The model was made with other")


def test_a_model_that_cannot_be_read_is_passed_over() -> None:
    """Where the bundle's file is damaged the peer answers."""

    def part(name: str) -> Part | None:
        raise BundleError(f"{name}.json cannot be read.")

    broken, bare = _answers(part), _answers(lambda name: None)
    for question in QUESTIONS:
        assert _asked(broken, question) == _asked(bare, question), question.name
