"""One contract, every seat: each answerer must keep it whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.serving.answers.asking import (
    NAMES,
    REQUESTS,
    ask_all,
    content,
    learned,
    mixed,
    questions,
    sample,
    seat_of,
    steps,
)

from onward.data.errors import BundleError
from onward.data.events import Event, Note, Prompt
from onward.serving.answers.base import Answerer
from onward.serving.answers.catalogue import seats
from onward.serving.answers.memory import Recaller
from onward.serving.questions import QUESTIONS


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


STREAMS: dict[str, Callable[[], Iterator[Event]]] = {
    "memory": lambda: (
        Note(id=f"n{n}", session="s", text=f"w{n} because q{n * 7} since {n % 100}", at=1e9 + n)
        for n in range(4_000)
    ),
    "intent": lambda: (
        Prompt(id=f"p{n}", session=f"s{n}", text=f"fix w{n} for q{n * 7} in t{n}.py", at=1e9 + n)
        for n in range(10_000)
    ),
    "forecast": lambda: (sample(n, host=f"h{n // 50}") for n in range(4_000)),
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
