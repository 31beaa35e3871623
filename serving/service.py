"""The one service behind every door: decide, record, explain.

It knows neither HTTP nor gRPC. What orders events is in `onward.serving.ledger`, what is
folded from them in `onward.serving.state`, which model answers in `onward.serving.runtime`;
the band itself comes from `onward.decisions`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from math import isinf
from threading import TIMEOUT_MAX, Lock
from time import perf_counter, time
from typing import Any, NamedTuple

import msgspec

from onward.data.errors import InputError, StoreBusy, TooLarge
from onward.data.events import Call, Decision, command_of
from onward.data.ids import fresh_id
from onward.data.redact import redact, redact_call, redact_event, redact_request
from onward.data.store import History
from onward.decisions.policy import Evidence, PolicySettings, Record, decide, execute_from
from onward.decisions.reversibility import Reversibility, classify
from onward.decisions.rulebook import Rulebook, Ruling
from onward.features.action import action_of
from onward.features.bounded import shed
from onward.features.shell import Parsed, parse
from onward.serving import wire
from onward.serving.explain import Explainer
from onward.serving.futures import then
from onward.serving.idempotency import Keys
from onward.serving.ledger import Ledger, Stored
from onward.serving.metrics import Meter
from onward.serving.questions import Question
from onward.serving.runtime import Runtime
from onward.serving.settings import Settings
from onward.serving.state import Scores

__all__ = ["Service"]

log = logging.getLogger(__name__)

NO_TIME = "There was no time to ask the model; rules alone answered."
NO_MODEL = "There is no model yet; rules and counts answered."
MAX_RULED = 1_024
"""Command lines whose ruling is remembered; rules look at nothing that changes."""
MAX_REMEMBERED = 8_192
"""Characters of a command line that is remembered."""
UNKNOWN = 0.5
"""What stands for a probability where nothing was asked."""


class _Ruled(NamedTuple):
    """What the rules say of a call."""

    ruling: Ruling
    undo: Reversibility


class Service:
    """Decides, records and explains.

    Parameters
    ----------
    settings
        Limits, the promised error rate, shadow mode.
    history
        The log; the caller closes it.
    ledger
        The log's order, and the state folded from it.
    runtime
        Which model answers.
    meter
        Counts what is decided and recorded.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        history: History,
        ledger: Ledger,
        runtime: Runtime,
        meter: Meter,
    ) -> None:
        self._settings = settings
        self._history = history
        self._ledger = ledger
        self._runtime = runtime
        self._meter = meter
        self._keys = Keys()
        self._explainer = Explainer(history, ledger, runtime)
        self._ruled: dict[tuple[str, str, str, str], _Ruled] = {}
        self._remembering = Lock()
        self._floor = Rulebook.load(state=settings.home)
        self._rules = self._floor
        if files := settings.rule_files:
            self._rules = Rulebook.load(files, state=settings.home)
        self._policy = PolicySettings(
            error_rate=settings.error_rate,
            confidence=settings.confidence,
            shadow=settings.shadow,
        )

    # -- deciding

    def decide(self, call: Call, *, time_left: float | None = None) -> Decision:
        """Say what may happen with a call, and log that.

        The answer does not wait for the disk: a crash within ``commit_ms`` may lose the
        decision, never an outcome.

        Parameters
        ----------
        call
            What an agent is about to do.
        time_left
            Seconds within which the answer is needed. With too few of them rules alone
            answer, flagged as degraded. None = no hurry.

        Raises
        ------
        TooLarge
            The call is beyond ``max_call_bytes``.
        """
        begin = perf_counter()
        clean = self._clean(call)
        ruled = self._rule(call)
        if clean is not call:
            ruled = self._unsaid(ruled, clean)
        if self._take_lock(time_left):
            try:
                decision = self._decide_fully(clean, ruled)
            finally:
                self._ledger.lock.release()
        else:
            decision = self._answer(clean, ruled, None, Record(""), NO_TIME)
            self._ledger.add_late(decision)
        took = perf_counter() - begin
        self._meter.decided(decision.band, took, degraded=bool(decision.degraded))
        return decision

    def _clean(self, call: Call) -> Call:
        """The call as it is stored: training will see this one, so this one is folded."""
        body, limit = wire.encode(call), self._settings.max_call_bytes
        clean = redact_call(call, body)
        size = len(body if clean is call else wire.encode(clean))
        if size > limit:
            raise TooLarge(f"The call has {size} bytes; at most {limit} are taken.", limit=limit)
        action_of(clean)  # parses and remembers, before the lock is taken
        return clean

    def _rule(self, call: Call) -> _Ruled:
        """What rules say; they look at the words as they were sent, secrets and all."""
        command = command_of(call)
        if command is None:
            return self._judge(call, None)
        key = (call.tool, command, call.cwd, call.project)
        ruled = self._ruled.get(key)
        if ruled is None:
            ruled = self._judge(call, parse(command))
            if len(command) <= MAX_REMEMBERED:
                with self._remembering:
                    self._ruled[key] = ruled
                    shed(self._ruled, MAX_RULED)
        return ruled

    def _unsaid(self, ruled: _Ruled, clean: Call) -> _Ruled:
        """The same ruling, said of the call without its secrets: reasons are stored and shown."""
        command = command_of(clean)
        like = self._judge(clean, None if command is None else parse(command))
        rule, undo = ruled
        same_rule = rule.rule_id == like.ruling.rule_id
        same_undo = (undo.rule_id, undo.level) == (like.undo.rule_id, like.undo.level)
        text = _said(rule.text, like.ruling.text, same=same_rule)
        reason = _said(undo.reason, like.undo.reason, same=same_undo)
        return _Ruled(
            msgspec.structs.replace(rule, text=text, part=like.ruling.part if same_rule else ""),
            msgspec.structs.replace(undo, reason=reason),
        )

    def _judge(self, call: Call, parsed: Parsed | None) -> _Ruled:
        ruling = self._floor.judge(call, parsed)
        undo = classify(call, parsed, ruling=ruling)
        if self._rules is not self._floor:
            ruling = self._rules.judge(call, parsed)
        return _Ruled(ruling, undo)

    def _take_lock(self, time_left: float | None) -> bool:
        lock = self._ledger.lock
        if time_left is None:
            return lock.acquire()
        spare = time_left - self._settings.floor_ms / 1000.0
        return spare > 0 and lock.acquire(timeout=min(spare, TIMEOUT_MAX))

    def _decide_fully(self, call: Call, ruled: _Ruled) -> Decision:
        """Score, answer and log, all at one place of the log: the caller holds the lock."""
        state = self._ledger.state
        scores, degraded = None, self._degraded()
        try:
            scores = state.score(call)
        except Exception as error:
            log.exception("a call cannot be scored")
            degraded = f"The model failed ({type(error).__name__}); rules alone answered."
        record = Record("") if scores is None else state.past.record(call)
        decision = self._answer(call, ruled, scores, record, degraded)
        try:
            self._ledger.add(decision, scores)
        except StoreBusy as error:
            return self._answer(call, ruled, scores, record, f"Not logged: {error}")
        if scores is not None:
            self._explainer.remember(decision.id, scores.vector)
        return decision

    def _answer(
        self, call: Call, ruled: _Ruled, scores: Scores | None, record: Record, degraded: str
    ) -> Decision:
        model = "" if scores is None else self._ledger.state.scorer.version
        success = UNKNOWN if scores is None else scores.success
        approve = 1.0 if scores is None else scores.approve
        answer = decide(
            Evidence(
                reversibility=ruled.undo.level,
                why_reversible=ruled.undo.reason,
                ruling=ruled.ruling,
                p_success=success,
                p_approve=approve,
                threshold=None if scores is None else self._ledger.state.threshold,
                record=record,
                model=model,
                degraded=degraded,
            ),
            self._policy,
        )
        return Decision(
            id=fresh_id(),
            call=call,
            at=time(),
            band=answer.band,
            shadow=answer.shadow,
            p_success=success,
            p_approve=UNKNOWN if scores is None else approve,
            reversible=ruled.undo.level,
            reasons=list(answer.reasons),
            model=model,
            degraded=degraded,
        )

    def _degraded(self) -> str:
        """Why answers are less than full ones just now; empty = they are full."""
        ledger = self._ledger
        if ledger.failing:
            return f"Events cannot be stored: {ledger.failing}"
        return self._runtime.fault or ledger.behind or ("" if self._runtime.version else NO_MODEL)

    # -- recording

    def record(self, events: Sequence[wire.Recordable], key: str = "") -> wire.Recorded:
        """Store events; when it returns they survive a crash. See `submit`."""
        return self.submit(events, key).result()

    def submit(self, events: Sequence[wire.Recordable], key: str = "") -> Future[wire.Recorded]:
        """Store events, all or none; the future resolves when they are on disk.

        Parameters
        ----------
        events
            What happened, in order. One that is there already counts as a duplicate.
        key
            Idempotency key: the same one with the same events gives the same answer.

        Raises
        ------
        InputError, TooLarge
            A key, an event or the batch is beyond its limits; nothing was stored.
        Conflict
            The key, or an event's id, came before with other content.
        StoreError
            The history cannot take them now. The future may raise it too.
        """
        clean = [redact_event(event) for event in events]
        self._check(clean, key)
        if not key:
            return self._store(clean)
        return self._keys.once(key, clean, lambda: self._store(clean))

    def _check(self, events: Sequence[wire.Recordable], key: str) -> None:
        if len(key) > 256:
            raise InputError("An idempotency key has at most 256 characters.")
        most, limit = self._settings.max_events, self._settings.max_call_bytes
        if len(events) > most:
            raise TooLarge(
                f"{len(events)} events came at once; at most {most} are taken.", limit=most
            )
        for place, event in enumerate(events):
            size = len(wire.encode(event))
            if size > limit:
                raise TooLarge(
                    f"Event {place} has {size} bytes; at most {limit} are taken.", limit=limit
                )

    def _store(self, events: Sequence[wire.Recordable]) -> Future[wire.Recorded]:
        return then(self._ledger.record(events), self._counted)

    def _counted(self, landed: Stored) -> wire.Recorded:
        seqs, stored = landed
        duplicates = len(seqs) - stored
        self._meter.recorded(stored=stored, duplicates=duplicates)
        return wire.Recorded(seqs, stored, duplicates)

    # -- predicting

    def ask(self, question: Question, request: msgspec.Struct) -> Any:
        """The answer to a question about what lies ahead.

        It rests on all that was recorded before, and changes nothing.

        Raises
        ------
        NotFound
            What it asks about is not known.
        Unavailable
            The system is switched off, or what is asked about may still have to be folded.
        """
        begin = perf_counter()
        with self._ledger.lock:
            answers = self._ledger.state.answers
        told = answers.ask(question.system, question.method, redact_request(request))
        answer = msgspec.structs.replace(told.answer, id=fresh_id())
        self._explainer.keep(question.name, answer, told.grounds)
        self._meter.predicted(question.name, perf_counter() - begin)
        return answer

    # -- explaining and reporting

    def why(self, of: str) -> wire.Why:
        """Why a decision, or one of the newest answers, came out as it did.

        Raises
        ------
        NotFound
            There is none of that id.
        """
        return self._explainer.why(of)

    def models(self) -> wire.Models:
        """The published models, and which one answers."""
        return self._runtime.models()

    def health(self) -> wire.Health:
        """Whether requests are answered, and how well."""
        degraded = self._degraded()
        if self._ledger.failing:
            return wire.Health("unavailable", degraded)
        return wire.Health("degraded" if degraded else "ok", degraded)

    def status(self) -> wire.Status:
        """How the server is doing."""
        import psutil

        from onward import __version__

        ledger = self._ledger
        return wire.Status(
            version=__version__,
            uptime_s=time() - self._meter.started,
            model=self._runtime.version,
            degraded=self._degraded(),
            shadow=self._settings.shadow,
            error_rate=self._settings.error_rate,
            threshold=_begin(ledger.state.threshold),
            events=self._history.count(),
            last_seq=self._history.last_seq(),
            folded_seq=ledger.folded,
            decisions=self._meter.bands(),
            waiting=ledger.waiting,
            rss_bytes=psutil.Process().memory_info().rss,
        )


def _said(text: str, clean: str, *, same: bool) -> str:
    """A rule's words about a call without secrets; where another rule speaks, only its own."""
    return redact(clean if same else text.rpartition("`: ")[2])


def _begin(threshold: float | None) -> float | None:
    """Where the execute band really begins; None where nothing is promised."""
    return None if threshold is None or isinf(threshold) else execute_from(threshold)
