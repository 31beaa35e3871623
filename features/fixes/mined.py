"""A log walked for its failing checks: every attempt with what was known before it came out.

All three systems that learn from attempts take their rows from here, so that a log is folded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onward.data.events import Event, Step
from onward.features.fixes.fold import Fixes
from onward.features.fixes.mending import word_slots
from onward.features.fixes.remedies import backed_off
from onward.features.fixes.transient import unchanged

__all__ = ["Mined", "mine"]


class Mined(NamedTuple):
    """An attempt: what was known before its run, and how the run came out."""

    seq: int
    step: Step
    """The run that judged it."""
    passed: bool
    fix: int
    """Index into `onward.features.fixes.changes.FIXES`."""
    attempt: NDArray[np.float32]
    """(d,) named by `onward.features.fixes.fold.NAMES`."""
    remedies: NDArray[np.float32]
    """(fixes, d) named by `REMEDY_NAMES`, for the check as it failed before the attempt."""
    backed_off: list[float]
    """(fixes,) shares by error template, then program, then overall: the peer."""
    retry: NDArray[np.float32] | None
    """(d,) named by `TRANSIENT_NAMES`, where the very same command ran again with nothing changed;
    else None."""
    slots: tuple[int, ...]
    """Slots of the words of the error, of the fix and of the changes."""


def mine(events: Iterable[tuple[int, Event]], fixes: Fixes | None = None) -> Iterator[Mined]:
    """Walks a log: predict, then learn, step by step.

    Parameters
    ----------
    events
        The log with its sequence numbers.
    fixes
        The state before the first of these events; it is carried on. None = a fresh one.
    """
    fixes = fixes if fixes is not None else Fixes()
    for seq, event in events:
        asked = fixes.attempt(event) if isinstance(event, Step) else None
        if asked is None or not isinstance(event, Step):
            fixes.learn(event)
            continue
        failing = asked.attempt.failing
        remedies = fixes.remedies(event.session, failing)
        shares = backed_off(fixes.known, fixes.narrow(event.session, failing))
        again = unchanged(asked.attempt)
        retry = fixes.transient(event.session, failing) if again else None
        tried = fixes.learn(event)
        if tried is not None:
            yield Mined(
                seq=seq,
                step=event,
                passed=tried.passed,
                fix=asked.attempt.fix,
                attempt=asked.X,
                remedies=remedies,
                backed_off=shares,
                retry=retry,
                slots=word_slots(asked.attempt),
            )
