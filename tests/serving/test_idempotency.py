"""Keys of requests that come twice, at once or later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from onward.data.errors import Conflict, StoreBusy
from onward.serving.idempotency import Keys
from onward.serving.wire import Recorded

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps

STORED = Recorded([1], 1, 0)


def stored() -> Future[Recorded]:
    """What a disk that is quick gives."""
    done: Future[Recorded] = Future()
    done.set_result(STORED)
    return done


def full() -> Future[Recorded]:
    """What a disk that has no room gives."""
    raise StoreBusy("Too much waits.")


class Slow:
    """A disk that makes its caller wait."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> Future[Recorded]:
        """Wait for leave, then store."""
        self.asked.set()
        self.go_on.wait(60)
        return stored()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Others who send requests."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_keys_do_not_wait_for_each_other(threads: ThreadPoolExecutor) -> None:
    """While one key waits for its disk, another is answered."""
    keys, slow = Keys(), Slow()
    first = threads.submit(keys.once, "slow", [], slow)
    assert slow.asked.wait(60)
    try:
        assert threads.submit(keys.once, "quick", [], stored).result(60).result(60) == STORED
        assert not first.done()
    finally:
        slow.go_on.set()
    assert first.result(60).result(60) == STORED


def test_the_same_key_at_once_is_one_request(threads: ThreadPoolExecutor, steps: MakeSteps) -> None:
    """A key that comes again while the first waits gets the first's answer, or is a conflict."""
    keys, slow = Keys(), Slow()
    first = threads.submit(keys.once, "k", [], slow)
    assert slow.asked.wait(60)
    try:
        again = threads.submit(keys.once, "k", [], full).result(60)
        assert not again.done()
        with pytest.raises(Conflict):
            keys.once("k", steps(1), stored)
    finally:
        slow.go_on.set()
    assert again is first.result(60)
    assert again.result(60) == STORED


def test_a_key_that_failed_is_free() -> None:
    """After an error, raised or answered, the same key may come again, with whatever events."""
    keys = Keys()
    refused: Future[Recorded] = Future()
    refused.set_exception(StoreBusy("Too much waits."))
    with pytest.raises(StoreBusy):
        keys.once("k", [], full)
    with pytest.raises(StoreBusy):
        keys.once("k", [], lambda: refused).result(0)

    assert keys.once("k", [], stored).result(0) == STORED
