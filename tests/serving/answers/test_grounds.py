"""What an answer is said to rest on: of the rows that a model was given, that of the first entry.

The rows are folded a second time here, so that nothing rests on the answerer's own order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.mending import ERRORS, mending_log, shell
from tests.serving.answers.asking import seat_of
from tests.serving.answers.test_errors import Letters
from tests.serving.answers.test_errors import step as failed
from tests.serving.answers.test_forecast import FACTS, sample
from tests.serving.answers.test_memory import DECIDED, NOW, filled, told
from tests.serving.answers.test_next_task import REQUEST, rounds

from onward.data.events import Event
from onward.features.errors.pairs import NAMES as PAIR_NAMES
from onward.features.fixes.changes import FIXES
from onward.features.fixes.fold import Fixes
from onward.features.memory.fold import NAMES as MEMORY_NAMES
from onward.features.memory.fold import VERSION
from onward.features.next_task.fold import NAMES as NEXT_NAMES
from onward.features.next_task.fold import NextFold
from onward.features.resources.series import HORIZONS_MIN, Series
from onward.serving.answers.base import Part, Seat, Use
from onward.serving.answers.catalogue import seats
from onward.serving.answers.desk import Desk
from onward.serving.questions.errors import ErrorRequest
from onward.serving.questions.fixes import FixRequest
from onward.serving.questions.forecast import ForecastRequest
from onward.serving.questions.memory import MemoryRequest

Rows = NDArray[np.float32]


def asked(
    seat: Seat,
    system: str,
    run: Callable[[Rows], Rows],
    *,
    facts: dict[str, Any],
    events: Iterable[Event],
    request: Any,
) -> tuple[Any, Rows]:
    """The answer with a made model, and the row that it is said to rest on."""
    use = seat.uses[system]
    part = Part("v1", facts, run, names=use.names, features=use.features)
    desk = Desk(seat, {system: part}.get)
    for event in events:
        desk.put(event)
    said = desk.ask("answer", request, patience_s=60.0)
    (ground,) = said.grounds
    assert (ground.system, ground.version, said.owed) == (system, "v1", 0)
    return said.answer, ground.row


def of(p: NDArray[Any]) -> Rows:
    """(n, 2) outputs with this probability in the last one."""
    return np.column_stack([1 - p, p]).astype(np.float32)


def same(one: Rows, other: Rows) -> bool:
    """Whether two rows are the same, with what is not known in the same places."""
    return np.array_equal(one, other, equal_nan=True)


def test_the_next_step() -> None:
    """Where the running weights put another step first than the model does, it is that step's."""
    events = rounds()
    weights = NEXT_NAMES.index("log_weights")
    said, row = asked(
        seat_of("next_task"),
        "next_task",
        lambda X: of(1.0 - np.exp(X[:, weights])),  # likes best what comes least
        facts={"sharpness": {"trees": 0.0, "weights": 1.0}},
        events=events,
        request=REQUEST,
    )
    fold = NextFold()
    for event in events:
        fold.learn(event)
    again = fold.ask(REQUEST.session, agent=REQUEST.agent, project=REQUEST.project)

    assert len(said.steps) > 1
    assert same(row, again.X[again.labels.index(said.steps[0].label)])


@pytest.mark.parametrize("liked", [0, 3, len(FIXES) - 1])
def test_the_fix(liked: int) -> None:
    """Whichever fix the model likes, it is that fix's row."""
    events = [event for _, event in mending_log(20)]
    events.append(shell(0, "now", "python run.py", ok=False, output=ERRORS["own"].format(n=4)))
    said, row = asked(
        seat_of("fixes"),
        "fixes",
        lambda X: of(np.where(np.arange(len(X)) == liked, 0.9, 0.1)),
        facts={"fixes": list(FIXES)},
        events=events,
        request=FixRequest(session="now"),
    )
    fold = Fixes()
    for event in events:
        fold.learn(event)
    failing = fold.failing("now")
    assert failing is not None
    rows = fold.remedies("now", failing)

    assert said.fixes[0].fix == FIXES[liked]
    assert [same(row, one) for one in rows] == [fix == liked for fix in range(len(FIXES))]


def test_the_note() -> None:
    """Where a note that the model likes best misled before, it is the row of the next one."""
    answerer = filled()
    query = " ".join(about for about, _ in DECIDED)
    tfidf = MEMORY_NAMES.index("tfidf")
    found = answerer.memory.candidates(query, None, now=NOW)
    liked = answerer.memory[int(found.slots[found.X[:, tfidf].argmax()])].note
    said, row = asked(
        Seat(answerer, {"memory": Use(answerer.use, MEMORY_NAMES, VERSION)}),
        "memory",
        lambda X: of(0.5 + X[:, tfidf] / 4),
        facts={},
        events=[told(n, liked.id, query, helped=False) for n in range(6)],
        request=MemoryRequest(query=query),
    )
    again = answerer.memory.candidates(query, None, now=NOW)
    notes = [answerer.memory[int(slot)].note.id for slot in again.slots]

    assert len(said.notes) > 1
    assert said.notes[0].note.id != liked.id
    assert same(row, again.X[notes.index(said.notes[0].note.id)])


def test_the_near_error() -> None:
    """The nearest error stands first, also where the model finds another one likelier."""
    cosine = PAIR_NAMES.index("cosine")
    said, row = asked(
        next(seat for seat in seats(Letters()) if seat.answerer.name == "errors"),
        "clusters",
        lambda X: of(1.0 - X[:, cosine]),
        facts={"threshold": 0.9},
        events=[
            failed(1, "Traceback\nKeyError: 'ann'"),
            failed(2, "fatal: remote ann refused the push", "git push"),
            failed(3, "make: nothing to be done for zebra", "make zebra"),
        ],
        request=ErrorRequest(output="fatal: remote went away", command="git pull"),
    )

    assert len({near.cosine for near in said.nearest}) > 1
    assert row[cosine] == np.float32(said.nearest[0].cosine)


def test_the_resource() -> None:
    """Of two resources it is the more urgent one's, at the horizon that alarms look at."""
    series = Series()
    events = [sample(minute, 100.0 + 20.0 * minute) for minute in range(30)]
    for minute in range(30):
        series.learn(60.0 * minute, 100.0 + 20.0 * minute, 1000.0)
    rows = np.array([-0.1, 0.05, 0.2, 0.9], np.float32)
    said, row = asked(
        seat_of("forecast"),
        "forecast",
        lambda X: np.repeat(rows[None], len(X), axis=0),
        facts=FACTS,
        events=events,
        request=ForecastRequest(),
    )

    assert [one.resource for one in said.resources] == ["memory", "cpu"]
    assert same(row, series.view().X[HORIZONS_MIN.index(10)])
