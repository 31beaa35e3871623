"""Idempotency keys: the same request twice is one request.

A key is remembered with a digest of what came with it and the answer that it got, or will
get. The newest keys are kept in memory only; what makes recording safe to repeat for good is the
id of each event, which the history keeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from hashlib import blake2b

import msgspec

from onward.data.errors import Conflict
from onward.data.events import Event
from onward.features.bounded import shed
from onward.serving.futures import then
from onward.serving.wire import Recorded

__all__ = ["Keys"]

MAX_KEYS = 8_192
"""Keys that are remembered; the oldest are forgotten."""


class Keys:
    """What each key stands for.

    >>> keys, answer = Keys(), Future()
    >>> keys.once("k", [], lambda: answer) is keys.once("k", [], lambda: Future())
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[bytes, Future[Recorded]]] = {}

    def once(
        self, key: str, events: Sequence[Event], act: Callable[[], Future[Recorded]]
    ) -> Future[Recorded]:
        """The answer that the key has, or the one that `act` begins.

        A key whose answer is an error is free again, so that it can be tried again.

        Raises
        ------
        Conflict
            The key came before with other events.
        """
        digest = blake2b(msgspec.json.encode(events), digest_size=16).digest()
        with self._lock:
            known = self._known.get(key)
            new = known is None or _failed(known[1])
            if known is None or new:
                known = digest, Future()
                self._known[key] = known
                shed(self._known, MAX_KEYS)
        if known[0] != digest:
            raise Conflict("This idempotency key came before with other events.", key=key)
        if new:  # without the lock: it may wait for the disk, and other keys need not
            _begin(act, known[1])
        return known[1]


def _begin(act: Callable[[], Future[Recorded]], answer: Future[Recorded]) -> None:
    """Give an answer what `act` comes to; whoever came with the same key meanwhile waits for it."""
    try:
        then(act(), lambda recorded: recorded, into=answer)
    except BaseException as error:
        answer.set_exception(error)
        raise


def _failed(answer: Future[Recorded]) -> bool:
    return answer.done() and answer.exception() is not None
