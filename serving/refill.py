"""What learns the whole log anew, beside the state that answers meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

from onward.data.events import Event
from onward.data.store import History

__all__ = ["Refill"]

log = logging.getLogger(__name__)


class Refill:
    """A part of the state that is filled from the log's first event.

    A second state beside the running one would leave holes in memory; only the part that is
    missing is made anew.

    Parameters
    ----------
    history
        The log.
    learn
        Takes in one event; nobody else calls it. An event that it fails on is passed over.
    take
        Puts the part in its place; it is called under the ledger's lock.
    settle
        Does what takes long, before the lock is held.

    Attributes
    ----------
    learned
        The last event that was taken in.
    """

    def __init__(
        self,
        history: History,
        learn: Callable[[Event], None],
        *,
        take: Callable[[], None] = lambda: None,
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self.learned = 0
        self.take, self.settle = take, settle
        self._history, self._learn = history, learn

    def go_on(self, until: int) -> None:
        """Take in the log up to an event."""
        for seq, event in self._history.scan(after=self.learned, until=until):
            self.learned = seq  # whatever ends the scan, no event is taken in twice
            try:
                self._learn(event)
            except Exception:  # one odd event must not keep all later ones out
                log.exception("event %s cannot be learned", event.id)
        self.learned = until
