"""The one order: what is logged and what is folded, in step.

Training folds the log from its first event. So that the numbers that answered a call are the
numbers that training will compute for it, serving must learn events in exactly the order in
which they come to lie in the log. One lock gives both: under it an event takes its place on
the way to the disk *and* is learned.

Learning does not wait for the disk; acknowledging does. Nor does the disk wait for learning: a
long batch is learned behind the acknowledgement, in its place and by a thread of its own, and
until that is done answers say that they are behind. Three things can part the state from
the log, all rare: a commit fails, another process writes, or the state on disk misses a
part. Each marks the ledger ``stale`` and is repaired the same way: fold a new state from
what was last saved and the log, beside the running one, and exchange them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from time import monotonic, sleep

from onward.data.events import Decision, Event, Step
from onward.data.store import History
from onward.features.action import action_of
from onward.serving.answers.desk import FILLING, Answers
from onward.serving.futures import then
from onward.serving.outbox import Outbox
from onward.serving.past import Past
from onward.serving.refill import Refill
from onward.serving.state import Scores, State

__all__ = ["Ledger", "Stored"]

log = logging.getLogger(__name__)

GROUP = 500
"""Decisions that are handed on without waiting for the clock."""
PART = 64
"""A batch up to this long is learned at once, a longer one behind its acknowledgement."""
SIP = 8
"""Events of a long batch that are learned under one hold of the lock; a decision waits for no
more."""
MAX_UNLEARNED = 100_000
"""Events whose learning may be owed; with more, whoever records learns them himself."""
QUIET_S = 0.2
"""Learning of long batches waits until nothing was recorded for so long."""
AT_START = 2_000
"""With more events than this to fold, a server answers first, flagged, and folds beside."""
CHUNK = 500
"""With fewer events left to fold than this, a repair folds the rest under the lock."""
SETTLE_S = 0.25
"""How long a repair may hold the lock for commits under way."""

Stored = tuple[list[int], int]
"""The seq of each event, and how many were new."""


class Ledger:
    """The log, the state folded from it, and the lock that orders both.

    Parameters
    ----------
    history
        The log.
    base
        Gives the last saved state, from which repairs start; True asks for a whole one.
    commit_s
        Seconds that a decision may wait for company on its way to the disk.

    Attributes
    ----------
    lock
        Whoever reads `state` for an answer holds it, and whoever adds.
    state
        What answers are made from.
    stale
        Why the state is not that of the log; empty = it is.
    """

    def __init__(self, history: History, base: Callable[[bool], State], *, commit_s: float) -> None:
        self.lock = threading.Lock()
        self.stale = ""
        self._history = history
        self._base = base
        self._commit_s = commit_s
        self._decisions: list[Decision] = []
        self._late: deque[Decision] = deque()  # made without the lock
        self._has_decisions = threading.Event()
        self._unlearned: deque[Event] = deque()  # guarded by the lock
        self._has_unlearned = threading.Event()
        self._recorded_at = 0.0
        self._bulk_at = 0.0  # when a long batch was last recorded
        self._closing = False
        self.state = base(False)
        last = history.last_seq()
        if last - self.state.seq > AT_START:
            self.stale = "The history is still being folded."
        else:
            self._catch_up(self.state)
            last = self.state.seq
        self._uncounted = "The records of past steps are still being counted."
        if not self.state.partial:
            self._uncounted = ""
        self._due: Answers | None = None  # to be filled
        self._refill: Refill | None = None  # what is being filled
        self._outbox = Outbox(history, committed=last, astray=self._go_astray)
        self._flusher = threading.Thread(target=self._flush, name="onward-flush", daemon=True)
        self._flusher.start()
        self._student = threading.Thread(target=self._study, name="onward-learn", daemon=True)
        self._student.start()

    @property
    def failing(self) -> str:
        """Why nothing can be stored just now; empty = it can."""
        return self._outbox.failing

    @property
    def waiting(self) -> int:
        """Events on their way to the disk."""
        return self._outbox.waiting + len(self._decisions)

    @property
    def folded(self) -> int:
        """The newest event of the log that is known to be in the state."""
        return max(self._outbox.committed - len(self._unlearned), 0)

    @property
    def behind(self) -> str:
        """Why the state does not hold all that was recorded; empty = it does."""
        count = len(self._unlearned)
        owed = f"{count} recorded events are still being learned." if count else ""
        return self.stale or self._uncounted or owed

    @property
    def loading(self) -> bool:
        """Whether long batches are coming in: what need not be learned now can wait."""
        return monotonic() - self._bulk_at < QUIET_S

    # -- adding; `add` under the lock, `record` outside of it

    def add(self, decision: Decision, scores: Scores | None) -> None:
        """Log a decision and the scores it was made from, without waiting, under the lock.

        Raises
        ------
        StoreBusy
            Too much waits for the disk already; the decision is not logged.
        """
        self._outbox.check_room(len(self._decisions) + 1)
        self._learn(decision, scores)
        self._decisions.append(decision)
        count = len(self._decisions)
        if count == 1 or count == GROUP:  # noqa: PLR1714 -- twice as fast as a set
            self._has_decisions.set()

    def add_late(self, decision: Decision) -> None:
        """Log a decision that was made without the lock: at the next chance, in that place."""
        self._late.append(decision)
        self._has_decisions.set()

    def _learn(self, event: Event, scores: Scores | None = None) -> None:
        """Learn an event now, or after those that are owed; the caller holds the lock."""
        if self._unlearned:
            self._unlearned.append(event)  # scored again in its place, as training will
        else:
            self.state.learn(event, scores)

    def record(self, events: Sequence[Event]) -> Future[Stored]:
        """Log events, all or none, and learn those that are new.

        The future tells when they are on disk.

        Raises
        ------
        Conflict
            An id is already there with other content; nothing was changed.
        StoreBusy, StoreError
            The history cannot be read, or too much waits for the disk already.
        """
        self._outbox.check_room(len(events))
        self._recorded_at = monotonic()
        if len(events) > PART:
            self._bulk_at = self._recorded_at
        else:
            for event in events:
                if isinstance(event, Step):
                    action_of(event)  # parsed and remembered, before the lock is taken
        try:
            return self._record(events)
        finally:
            self._outbox.pump()
            self._recorded_at = monotonic()

    def _record(self, events: Sequence[Event]) -> Future[Stored]:
        while True:
            new = self._history.fresh(events)
            keys = frozenset((type(event), event.id) for event in new)
            with self.lock:
                clash = self._outbox.holds(keys)
                if not clash and len(self._history.fresh(new)) == len(new):
                    return self._put(events, new, keys)
            if clash:  # the same events are on their way: what becomes of them decides
                self._outbox.settle()

    def _put(
        self, events: Sequence[Event], new: Sequence[Event], keys: frozenset[tuple[type, str]]
    ) -> Future[Stored]:
        self._put_decisions()
        learn = bool(new) and not self.stale  # else the repair will find them in the log
        landed = self._outbox.put(events, keys, learned=learn)
        if learn and len(new) > PART:
            self._owe(new)
        elif learn:
            for event in new:
                self._learn(event)
        return then(landed, lambda seqs: (seqs, len(new)))

    def _put_decisions(self) -> None:
        while self._late:
            decision = self._late.popleft()
            self._learn(decision)
            self._decisions.append(decision)
        if self._decisions:
            batch, self._decisions = self._decisions, []
            self._outbox.put(batch, learned=False)

    # -- learning behind

    def _owe(self, events: Sequence[Event]) -> None:
        self._unlearned.extend(events)
        while len(self._unlearned) > MAX_UNLEARNED:
            self._sip()
        self._has_unlearned.set()

    def _sip(self) -> None:
        """Learn some of what is owed, oldest first; the caller holds the lock."""
        for _ in range(min(SIP, len(self._unlearned))):
            self.state.learn(self._unlearned.popleft())

    def _study(self) -> None:
        """Learn what is owed, when nobody is recording."""
        while not self._closing:
            self._has_unlearned.wait()
            while (rest := self._recorded_at + QUIET_S - monotonic()) > 0 and not self._closing:
                sleep(rest)
            with self.lock:
                self._sip()
                if not self._unlearned:
                    self._has_unlearned.clear()

    # -- the flusher

    def _flush(self) -> None:
        """Hand decisions on, a group at a time."""
        tick = threading.Event()
        while not self._closing:
            self._has_decisions.wait()
            if len(self._decisions) < GROUP:
                tick.wait(self._commit_s)
            self._has_decisions.clear()
            with self.lock:
                self._put_decisions()
            self._outbox.pump()

    def hand_on(self) -> None:
        """Send what was decided to the disk, and give it a moment to get there."""
        with self.lock:
            self._put_decisions()
        self._outbox.settle(SETTLE_S)

    def flush(self) -> None:
        """Wait until everything that was added is learned, and on disk or lost on the way."""
        with self.lock:
            self._put_decisions()
            while self._unlearned:
                self._sip()
        self._outbox.settle()

    # -- repair

    def _go_astray(self, why: str) -> None:
        self.stale = self.stale or why

    def refresh(self) -> bool:
        """Bring the state in line with the log where it is not; True if it changed.

        Called now and then by one thread. What other processes wrote comes in here.
        """
        behind, saved = self._behind(), None
        if behind > CHUNK:
            saved = self.dump()  # before it is called stale: the repair need not begin earlier
            self._go_astray("Another process wrote events.")
        if self.stale:
            return self._rebuild(saved)
        self._refill = self._refill or self._to_refill()
        if self._refill is not None:
            if not self._go_on(self._refill):
                return False
            self._refill = None
            return True
        if not behind:
            return False
        with self.lock:
            # What was decided meanwhile comes to lie behind those events, but was learned before
            # them: once it is stored that is seen, and the state is folded anew.
            if self.waiting or self._late or self._unlearned or self.stale:
                return False
            self.state.seq = self._outbox.committed
            self._catch_up(self.state)
            self._outbox.committed = self.state.seq
        return True

    def _behind(self) -> int:
        """How many events of other processes are in the log and not in the state."""
        with self.lock:
            if self.stale or self._outbox.waiting or self._unlearned:
                return 0
            return self._history.last_seq() - self._outbox.committed

    def _rebuild(self, saved: bytes | None) -> bool:
        """Fold a state beside the running one, then exchange them."""
        log.info("folding anew: %s", self.stale)
        state = self._base(True) if saved is None else self._again(saved)
        return self.exchange(state)

    def _again(self, saved: bytes) -> State:
        return State.load(saved, self.state.scorer, self.state.answers.fresh())

    def exchange(self, state: State) -> bool:
        """Bring a state up to date beside the running one, then let it answer.

        False where the disk was too slow to hold still for; then nothing was changed.
        """
        while self._history.last_seq() - state.seq > CHUNK:
            self._catch_up(state)
        state.answers.catch_up()  # what took long is done before the lock is held
        with self.lock:
            self._put_decisions()
            if not self._outbox.settle(SETTLE_S):
                return False
            self._catch_up(state)
            self._due, self._refill = state.answers if state.answers.behind else None, None
            if self._due and not (self.stale or self._unlearned):
                state.answers = self.state.answers  # they answer until the new ones are filled
            self._unlearned.clear()  # all of it is in the log, and so in this state
            self.state = state
            self._outbox.committed = state.seq
            self.stale = self._uncounted = ""
        return True

    def _to_refill(self) -> Refill | None:
        """What has to learn the log from its first event, if anything has."""
        if self._uncounted:
            past = Past()
            return Refill(self._history, past.learn, take=partial(self._take_past, past))
        if self._due is None and self.state.answers.behind:
            self._due = self.state.answers
        if self._due is None:
            return None
        answers = self._due.fresh()
        answers.behind = FILLING
        if self.state.answers.behind:  # nobody knows more meanwhile
            with self.lock:
                self.state.answers = answers
        take = partial(self._take_answers, answers)
        return Refill(self._history, answers.fill, take=take, settle=answers.absorb)

    def _take_past(self, past: Past) -> None:
        self.state.past, self.state.partial, self._uncounted = past, False, ""

    def _take_answers(self, answers: Answers) -> None:
        answers.behind = ""
        self.state.answers, self._due = answers, None

    def _go_on(self, refill: Refill) -> bool:
        """Bring what is refilled up to date beside the running state, then put it in its place.

        False where the disk was too slow to hold still for, or long batches come in: the next
        look goes on with it.
        """
        while self._outbox.committed - refill.learned > CHUNK:
            refill.go_on(self._outbox.committed)
        refill.settle()
        with self.lock:
            self._put_decisions()
            if self._unlearned or not self._outbox.settle(SETTLE_S) or self.stale:
                return False
            refill.go_on(self._outbox.committed)
            refill.take()
        return True

    def _catch_up(self, state: State) -> None:
        """Fold the log from where a state stands to the newest event."""
        for seq, event in self._history.scan(after=state.seq):
            state.learn(event)
            state.seq = seq

    # -- saving and closing

    def dump(self) -> bytes | None:
        """The state as bytes, or None where it is not just that of the log right now."""
        with self.lock:
            self._put_decisions()
            if self.behind or self._due or self.state.answers.waiting > PART:
                return None  # learning all of that would keep decisions waiting
            if not self._outbox.settle(SETTLE_S) or self.stale:
                return None
            self.state.seq = self._outbox.committed
            body = self.state.dump()
            return None if self.state.answers.behind else body  # opening them may have shown it

    def close(self) -> None:
        """Store what waits, then stop."""
        self._closing = True
        self._has_decisions.set()
        self._has_unlearned.set()
        self._flusher.join()
        self._student.join()
        with self.lock:
            self._put_decisions()
        self._outbox.close()
