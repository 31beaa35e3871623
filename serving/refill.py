"""What learns the whole log anew, beside the state that answers meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from onward.data.events import Event
from onward.data.store import History

__all__ = ["Refill"]


class Refill:
    """A part of the state that is filled from the log's first event.

    A second state beside the running one would leave holes in memory; only the part that is
    missing is made anew.

    Parameters
    ----------
    history
        The log.
    learn
        Takes in one event; nobody else calls it.
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
        take: Callable[[], None],
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self.learned = 0
        self.take, self.settle = take, settle
        self._history, self._learn = history, learn

    def go_on(self, until: int) -> None:
        """Take in the log up to an event."""
        for _, event in self._history.scan(after=self.learned, until=until):
            self._learn(event)
        self.learned = until
