"""Which fixes worked: failing checks, attempts and their success, mined from history as it comes.

`Fixes.learn` takes in one event. Between a failing run of a check and its next run lies an
attempt; whether that run passes is the attempt's label, and the last change of a passing one is
the fix that worked. `Fixes.attempt` gives the numbers of an attempt before its run is known, and
`Fixes.remedies` one row of numbers for each fix that could be tried for a failing check.

Memory is bounded: sessions, checks, steps and classes are kept in tables of fixed capacity.
"""

from __future__ import annotations

from math import expm1, log1p
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Call, Event, Outcome, Step
from onward.features.action.types import WORD_SLOTS
from onward.features.dumps import packed, unpacked, version_of
from onward.features.fixes.attempt_numbers import ATTEMPT_NAMES, attempt_numbers
from onward.features.fixes.attempts import Attempt, Failing
from onward.features.fixes.changes import FIXES
from onward.features.fixes.checks import Check, check_of, failed, passed, same_check
from onward.features.fixes.faults import signature
from onward.features.fixes.mending import (
    HISTORY_NAMES,
    Session,
    attempt_keys,
    attempt_of,
    check_key,
    failing_of,
    fresh_slots,
    history_rates,
    match_of,
    note_done,
    remedy_slots,
    state_slots,
    word_slots,
)
from onward.features.fixes.remedies import REMEDY_NAMES, Known, contexts, remedy_rows
from onward.features.fixes.transient import (
    TRANSIENT_NAMES,
    retry_keys,
    transient_numbers,
    unchanged,
)
from onward.features.rates import Rates
from onward.features.words import WordWeights

__all__ = [
    "NAMES",
    "REMEDY_NAMES",
    "TRANSIENT_NAMES",
    "VERSION",
    "Asked",
    "Fixes",
    "Tried",
    "example_keys",
    "signature",
]

NAMES: tuple[str, ...] = (*ATTEMPT_NAMES, *HISTORY_NAMES)
"""Names of the numbers of an attempt, in order."""
_MEANING = 1
VERSION = version_of(_MEANING, (*NAMES, *REMEDY_NAMES, *TRANSIENT_NAMES, *FIXES))
"""Changes whenever the meaning of a number changes."""

MAX_SESSIONS = 64
MAX_FAILING = 16
MAX_HEADS = 200
MAX_WAITS = 2000
MAX_EXAMPLES = 4000
MAX_EXAMPLES_EACH = 3
_START_ATTEMPT = 0.6
_START_REMEDY = -2.5


class Tried(NamedTuple):
    """An attempt whose outcome became known."""

    attempt: Attempt
    passed: bool
    step: Step


class Asked(NamedTuple):
    """What is known when an attempt is about to be judged."""

    attempt: Attempt
    X: NDArray[np.float32]
    """(d,) named by `NAMES`."""


def example_keys(failing: Failing, fix: int) -> tuple[str, str]:
    """What examples of a fix are kept under, the narrow one first."""
    return f"s{failing.fault.signature}|{fix}", f"k{failing.fault.kind}|{fix}"


class Fixes:
    """The state of everything that was mined, and the rows that it gives.

    >>> fixes = Fixes()
    >>> run = Call(session="s", tool="Bash", input={"command": "make"})
    >>> fixes.attempt(run) is None
    True
    """

    def __init__(self) -> None:
        self.tries = Rates(keep=0.995)
        """Attempts by class: passed or not."""
        self.retries = Rates(keep=0.995)
        """Reruns of a failing command with nothing changed: passed or not."""
        self.runs = Rates()
        """Runs of the very same command in its project."""
        self.waits: dict[str, tuple[float, float]] = {}
        """Error -> decayed count of reruns that passed, and the sum of the logs of their waits."""
        self.known = Known()
        """Fixes that worked, by context."""
        self._words = _weights(_START_ATTEMPT)
        self._state = _weights(_START_ATTEMPT)
        self._new = _weights(_START_ATTEMPT)
        self._remedy = _weights(_START_REMEDY)
        self._sessions: dict[str, Session] = {}
        self.examples: dict[str, list[str]] = {}
        """Signature and fix -> steps that did it and worked, the newest last."""

    # -- asking ----------------------------------------------------------------------------------

    def failing(self, session: str, command: Call | None = None) -> Failing | None:
        """The check of a session that failed last, or the one that a call would run."""
        known = self._sessions.get(session)
        if known is None or not known.failing:
            return None
        if command is None:
            return known.failing[-1]
        check = check_of(command)
        return match_of(known, check) if check is not None else None

    def imagine(self, call: Call, output: str) -> Failing | None:
        """A check as if it had just failed with this output; None where a call checks nothing."""
        check = check_of(call)
        if check is None:
            return None
        known = self._sessions.get(call.session) or Session()
        step = Step(
            **{name: getattr(call, name) for name in call.__struct_fields__},
            id="",
            outcome=Outcome.ERROR,
            output=output,
        )
        return failing_of(known, check, step, None, None)

    def attempt(self, call: Call) -> Asked | None:
        """The attempt that a call would judge, with its numbers; None where it judges none."""
        session = self._sessions.get(call.session)
        check = check_of(call)
        if session is None or check is None:
            return None
        attempt = attempt_of(session, check, call)
        if attempt is None:
            return None
        X = np.array([*self._numbers(session, attempt), *self._history(session, attempt)])
        return Asked(attempt, X.astype(np.float32))

    def remedies(self, session: str, failing: Failing) -> NDArray[np.float32]:
        """(fixes, d) numbers of each fix of `FIXES` for a failing check, as `REMEDY_NAMES`."""
        known = self._sessions.get(session) or Session()
        marks = contexts(failing, known.project, known.agent)
        table = np.frombuffer(self._remedy.weight)
        scores = self._remedy.bias + table[remedy_slots(failing)].sum(axis=1)
        made = any(p.rsplit("/", 1)[-1] in failing.check.targets for p in known.made)
        return remedy_rows(
            failing, marks, self.known, self.tries, scores=scores, made=made, last=known.last_fix
        )

    def narrow(self, session: str, failing: Failing) -> tuple[str, str, str]:
        """What the trivial peer counts under: overall, program, error template."""
        known = self._sessions.get(session) or Session()
        keys = contexts(failing, known.project, known.agent)
        return keys[0], keys[6], keys[8]

    def evidence(self, session: str, failing: Failing) -> float:
        """How many mended checks gave this error, or one of its kind with this program."""
        known = self._sessions.get(session) or Session()
        keys = contexts(failing, known.project, known.agent)
        return max(sum(self.known.counts(keys[7])), sum(self.known.counts(keys[8])))

    def transient(self, session: str, failing: Failing) -> NDArray[np.float32]:
        """(d,) numbers of a failing command as `TRANSIENT_NAMES`."""
        known = self._sessions.get(session) or Session()
        runs = self.runs.counts(f"{known.project}|{failing.check.exact}")
        passes = known.heads.get(check_key(failing.check), (0, 0))[0]
        numbers = transient_numbers(
            failing, self.retries, runs, passes=passes, sounds=failing.sounds
        )
        return np.array(numbers, np.float32)

    def wait(self, failing: Failing) -> tuple[float, float]:
        """Seconds that reruns of such an error waited before they passed, and how many they were.

        The geometric mean over the narrowest class that was met; (0, 0) where none was.
        """
        for key in reversed(retry_keys(failing)):
            count, logs = self.waits.get(key, (0.0, 0.0))
            if count:
                return expm1(logs / count), count
        return 0.0, 0.0

    # -- learning --------------------------------------------------------------------------------

    def learn(self, event: Event) -> Tried | None:
        """Takes in one event; gives the attempt that it judged, if any."""
        if not isinstance(event, Step) or event.outcome not in (Outcome.OK, Outcome.ERROR):
            return None
        session = self._session(event)
        check = check_of(event)
        tried = None
        if check is not None:
            bad = failed(event, check)
            attempt = attempt_of(session, check, event)
            if attempt is not None:
                tried = Tried(attempt, not bad, event)
                self._learn_attempt(session, tried)
            if bad or passed(event):
                self._learn_run(session, check, event, attempt, bad=bad)
        note_done(session, event, check)
        session.steps += 1
        return tried

    def _learn_attempt(self, session: Session, tried: Tried) -> None:
        attempt, good = tried.attempt, tried.passed
        for key in dict.fromkeys(attempt_keys(session, attempt)):
            self.tries.learn(key, good)
        self._words.learn(word_slots(attempt), good)
        self._state.learn(state_slots(attempt), good)
        self._new.learn(fresh_slots(attempt), good)
        if unchanged(attempt):
            self._learn_retry(attempt, tried.step, good)
        session.ok += good
        session.bad += not good
        if good:
            self._learn_fix(session, attempt, tried.step.id)

    def _learn_retry(self, attempt: Attempt, step: Step, good: bool) -> None:
        """The very same command ran again."""
        failing = attempt.failing
        keys = retry_keys(failing)
        for key in keys:
            self.retries.learn(key, good)
        waited = step.at - failing.at if step.at and failing.at else 0.0
        if good and waited > 0.0:
            for key in keys:
                count, logs = self.waits.pop(key, (0.0, 0.0))
                self.waits[key] = (0.95 * count + 1.0, 0.95 * logs + log1p(waited))
            while len(self.waits) > MAX_WAITS:
                del self.waits[next(iter(self.waits))]

    def _learn_fix(self, session: Session, attempt: Attempt, step: str) -> None:
        """The last change of a passing attempt is the fix that worked."""
        failing = attempt.failing
        self.known.learn(contexts(failing, session.project, session.agent), attempt.fix)
        for fix, slots in enumerate(remedy_slots(failing).tolist()):
            self._remedy.learn(slots, fix == attempt.fix)
        session.last_fix = attempt.fix
        for found in example_keys(failing, attempt.fix):
            kept = self.examples.pop(found, [])
            self.examples[found] = [*kept, attempt.fix_id or step][-MAX_EXAMPLES_EACH:]
        while len(self.examples) > MAX_EXAMPLES:
            del self.examples[next(iter(self.examples))]

    def _learn_run(
        self, session: Session, check: Check, step: Step, attempt: Attempt | None, *, bad: bool
    ) -> None:
        """A check ran: it fails from now on, or no longer."""
        key = check_key(check)
        self.runs.learn(f"{session.project}|{check.exact}", not bad)
        ok, fails = session.heads.pop(key, (0, 0))
        session.heads[key] = (ok + (not bad), fails + bad)
        if len(session.heads) > MAX_HEADS:
            del session.heads[next(iter(session.heads))]
        before = attempt.failing if attempt else None
        session.failing = [one for one in session.failing if not same_check(one.check, check)]
        if bad:
            now = failing_of(session, check, step, before, attempt)
            session.failing = [*session.failing, now][-MAX_FAILING:]

    def _session(self, step: Step) -> Session:
        """A session's state, made where it is new and counted as used."""
        session = self._sessions.pop(step.session, None) or Session()
        self._sessions[step.session] = session
        session.project = step.project or session.project
        session.agent = step.agent or session.agent
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    # -- numbers ---------------------------------------------------------------------------------

    def _numbers(self, session: Session, attempt: Attempt) -> list[float]:
        counts = session.heads.get(check_key(attempt.check), (0, 0))
        return attempt_numbers(
            attempt,
            steps=session.steps,
            counts=counts,
            made=session.made,
            others=len(session.failing) - 1,
        )

    def _history(self, session: Session, attempt: Attempt) -> list[float]:
        """Running rates of the attempt's classes, and its scores by running weights."""
        return [
            *history_rates(self.tries, session, attempt),
            self._words.score(word_slots(attempt)),
            self._state.score(state_slots(attempt)),
            self._new.score(fresh_slots(attempt)),
        ]

    def _all_weights(self) -> tuple[WordWeights, ...]:
        return self._words, self._state, self._new, self._remedy

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same bit for bit."""
        return packed(
            _State(
                version=VERSION,
                tries=self.tries,
                retries=self.retries,
                runs=self.runs,
                waits=list(self.waits.items()),
                known=self.known,
                weights=[one.dump() for one in self._all_weights()],
                sessions=list(self._sessions.items()),
                examples=list(self.examples.items()),
            )
        )

    @classmethod
    def load(cls, body: bytes) -> Fixes:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        state = unpacked(body, _State, version=VERSION, what="The state of fixes")
        fixes = cls()
        fixes.tries, fixes.known = state.tries, state.known
        fixes.retries, fixes.runs, fixes.waits = state.retries, state.runs, dict(state.waits)
        for weights, saved in zip(fixes._all_weights(), state.weights, strict=True):
            weights.load(saved)
        fixes._sessions = dict(state.sessions)
        fixes.examples = dict(state.examples)
        return fixes


class _State(msgspec.Struct):
    version: str
    tries: Rates
    retries: Rates
    runs: Rates
    waits: list[tuple[str, tuple[float, float]]]
    known: Known
    weights: list[tuple[float, bytes, bytes]]
    sessions: list[tuple[str, Session]]
    examples: list[tuple[str, list[str]]]


def _weights(bias: float) -> WordWeights:
    weights = WordWeights(WORD_SLOTS)
    weights.bias = bias
    return weights
