"""What is on its way from the ledger to the disk.

A batch takes its place with `put`, which is quick and happens under the ledger's lock; `pump`
hands batches to the journal in that order, and may wait. The two are apart so that nobody who
decides waits for a thread that writes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from onward.data.errors import Conflict, OnwardError, StoreBusy, StoreError
from onward.data.events import Event
from onward.data.store import History, Journal

__all__ = ["Key", "Outbox"]

log = logging.getLogger(__name__)

Key = tuple[type, str]
"""Kind and id of an event."""

MAX_WAITING = 20_000
"""Events on their way; with more, new ones are refused."""


class _Parcel(NamedTuple):
    events: Sequence[Event]
    keys: frozenset[Key]
    learned: bool
    done: Future[list[int]]


class Outbox:
    """Batches in order, and what became of them.

    Parameters
    ----------
    history
        Where they go.
    committed
        The newest event of the log that is known.
    astray
        Called with a reason where the log turns out to differ from what was learned: a
        batch was lost, or another process wrote in between.

    Attributes
    ----------
    committed
        The newest event of the log that is known.
    failing
        Why nothing can be stored just now; empty = it can.
    """

    def __init__(self, history: History, *, committed: int, astray: Callable[[str], None]) -> None:
        self.committed = committed
        self.failing = ""
        self._astray = astray
        self._journal = Journal(history)
        self._parcels: deque[_Parcel] = deque()
        self._sending = threading.Lock()  # one thread at a time hands over, so order is kept
        self._landed = threading.Condition()  # guards the two below
        self._flying: set[Key] = set()
        self.waiting = 0

    def check_room(self, count: int) -> None:
        """Refuse where too much is on its way already; raises `StoreBusy`."""
        if self.waiting and self.waiting + count > MAX_WAITING:
            raise StoreBusy(
                "Too many events wait to be stored; try again soon, or look after the disk.",
                waiting=self.waiting,
            )

    def holds(self, keys: frozenset[Key]) -> bool:
        """Whether any of these is on its way."""
        with self._landed:
            return not self._flying.isdisjoint(keys)

    def put(
        self, events: Sequence[Event], keys: frozenset[Key] = frozenset(), *, learned: bool
    ) -> Future[list[int]]:
        """Give a batch its place; the future has its seqs once they are on disk.

        Parameters
        ----------
        events
            The batch, which is stored whole or not at all.
        keys
            Those of its events that must not be stored twice at once.
        learned
            Whether the state learned from it, so that losing it matters there.
        """
        parcel = _Parcel(events, keys, learned, Future())
        with self._landed:
            self._flying |= keys
            self.waiting += len(events)
        self._parcels.append(parcel)
        return parcel.done

    def pump(self) -> None:
        """Hand all batches to the journal; waits where it is full."""
        while self._parcels:
            with self._sending:
                if self._parcels:
                    self._send(self._parcels.popleft())

    def _send(self, parcel: _Parcel) -> None:
        try:
            future = self._journal.submit(parcel.events)
        except StoreError as error:
            self._land(parcel, error, [])
            return
        future.add_done_callback(
            lambda done: self._land(
                parcel, done.exception(), [] if done.exception() else done.result()
            )
        )

    def _land(self, parcel: _Parcel, error: BaseException | None, seqs: list[int]) -> None:
        """A commit ended; runs on the journal's thread, in the order of the log."""
        if error is not None:
            self._fail(parcel, error)
        elif parcel.events:  # a batch of none never met the disk
            self.failing = ""
            self._count({seq for seq in seqs if seq > self.committed})
        with self._landed:
            self._flying -= parcel.keys
            self.waiting -= len(parcel.events)
            self._landed.notify_all()
        if error is None:
            parcel.done.set_result(seqs)
        else:
            own = isinstance(error, OnwardError)
            parcel.done.set_exception(error if own else StoreError(str(error)))

    def _fail(self, parcel: _Parcel, error: BaseException) -> None:
        if not isinstance(error, Conflict):  # which says nothing of the disk
            if not self.failing:
                log.warning("events cannot be stored: %s", error)
            self.failing = str(error)
        if parcel.learned:
            self._astray("Events that were learned could not be stored.")

    def _count(self, new: set[int]) -> None:
        if not new:
            return
        if max(new) != self.committed + len(new):
            self._astray("Another process wrote events in between.")
        self.committed = max(new)

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is on its way; False where that took too long."""
        self.pump()
        with self._landed:
            return self._landed.wait_for(lambda: not self.waiting, timeout)

    def close(self) -> None:
        """Store what is on its way, then stop."""
        self.pump()
        self._journal.close()
