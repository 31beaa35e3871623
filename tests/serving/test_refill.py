"""What learns the whole log anew takes in every event once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from onward.data.errors import StoreBusy
from onward.data.events import Event
from onward.data.store import History
from onward.serving.refill import Refill

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps


class Breaks:
    """A history whose scan is cut off after some events, as by a locked database."""

    def __init__(self, history: History, after: int) -> None:
        self._history, self._after = history, after

    def scan(self, **where: Any) -> Iterator[tuple[int, Event]]:
        """The events, until it breaks; the next scan goes on to the end."""
        for count, pair in enumerate(self._history.scan(**where)):
            if count == self._after:
                self._after = 1_000_000
                raise StoreBusy("The history is locked.")
            yield pair


@pytest.fixture
def history(tmp_path: Path, steps: MakeSteps) -> Iterator[History]:
    """A history of ten steps."""
    with History.open(tmp_path / "h.db") as opened:
        opened.append(steps(10))
        yield opened


def test_a_scan_that_breaks_goes_on_where_it_was(history: History) -> None:
    """After a disk that was busy in the middle no event is taken in twice, and none is missed."""
    learned: list[Event] = []
    refill = Refill(Breaks(history, 5), learned.append)  # type: ignore[arg-type]
    with pytest.raises(StoreBusy):
        refill.go_on(10)
    refill.go_on(10)

    assert learned == [event for _, event in history.scan()]
    assert refill.learned == 10


def test_one_odd_event_keeps_none_out(history: History) -> None:
    """What cannot be learned is passed over, once."""
    learned: list[str] = []

    def learn(event: Event) -> None:
        if event.id == odd:
            raise ValueError(event.id)
        learned.append(event.id)

    ids = [event.id for _, event in history.scan()]
    odd = ids[3]
    Refill(history, learn).go_on(10)

    assert learned == [one for one in ids if one != odd]
