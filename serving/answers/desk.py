"""Where questions are asked: each answerer with what it has not learned yet.

Events are put down in log order and cost the decision path an append; they are taken in when a
question comes, or by the watch in between. So an answer always rests on all that was recorded
before it was asked for, and no decision waits for what only predictions need.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from onward.data.errors import BundleError, NotFound, OnwardError, Unavailable
from onward.data.events import Decision, Event
from onward.serving.answers.base import Part, Seat, Use
from onward.serving.answers.witness import Ground, Witness
from onward.serving.questions.answered import Answered

__all__ = ["FILLING", "Answers", "Desk", "Told"]

log = logging.getLogger(__name__)

FILLING = "What happened before is still being folded; this rests on the part that is."
"""Why desks are behind."""
PATIENCE_S = 1.0
"""How long a question may wait until all that was recorded before it is learned; then it is
answered without the rest, and says so."""

MAX_WAITING = 20_000
"""Events that may wait at one desk; with more, whoever puts the next takes some in."""
LITTLE = 2
"""How many those are: what waits shrinks, and nobody who holds a lock is kept long."""
SIP = 64
"""Events that are taken in under one hold of a desk's lock when nobody asks."""


class Told(NamedTuple):
    """An answer, and what it rests on."""

    answer: Any
    grounds: list[Ground]
    """What each model that was asked for it was given."""
    owed: int = 0
    """Events that are not in it, though they came before."""
    fault: str = ""
    """Why a published model was not asked; empty = none was passed over."""


class Desk:
    """One answerer, its lock, and the events that it has not learned yet.

    Parameters
    ----------
    seat
        The answerer, which nobody else may use, and what takes its models.
    part
        Gives the published model of a learned system; None = there is none.
    """

    def __init__(self, seat: Seat, part: Callable[[str], Part | None] = lambda name: None) -> None:
        self._answerer, self._uses, self._tend = seat
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self._parts: dict[str, tuple[Part, Witness]] = {}
        self._fault = ""
        for system, use in self._uses.items():
            self._hand_over(system, use, part)

    def _hand_over(self, system: str, use: Use, part: Callable[[str], Part | None]) -> None:
        """Hand a model over; where it cannot be used, the peer answers in its place."""
        try:
            found = part(system)
            if found is not None:
                witness = Witness(found.run, classes=use.classes)
                found = found._replace(run=witness)
                self._parts[system] = found, witness
            use(found)
        except OnwardError as error:
            self._fault = f"The {system} model is passed over: {error.message}"
            log.warning("%s", self._fault)
            self._parts.pop(system, None)
            use(None)

    @property
    def waiting(self) -> int:
        """Events that are not learned yet."""
        return len(self._waiting)

    def put(self, event: Event) -> None:
        """Put an event down, in log order."""
        self._waiting.append(event)
        if len(self._waiting) > MAX_WAITING:
            with self._lock:
                self._take_in(min(LITTLE, len(self._waiting)))

    def ask(self, method: str, request: Any, *, patience_s: float = PATIENCE_S) -> Told:
        """The answer of one of the answerer's methods, once what waits is learned.

        With more waiting than can be learned within *patience_s* it is given without the rest.
        """
        until = monotonic() + patience_s
        with self._lock:
            while self._waiting and monotonic() < until:
                self._take_in(min(SIP, len(self._waiting)))
            owed = len(self._waiting)
            for _, witness in self._parts.values():
                witness.forget()
            answer = self._try(getattr(self._answerer, method), request)
            return Told(answer, self._grounds(), owed, self._fault)

    def _grounds(self) -> list[Ground]:
        asked = ((system, part, w.last()) for system, (part, w) in self._parts.items())
        return [
            Ground(system, part.version, part.names, *last) for system, part, last in asked if last
        ]

    def catch_up(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Learn what waits, a little under each hold of the lock, so that questions get in.

        It stops early where there is something better to do, as *go_on* tells.
        """
        while self._waiting:
            if not go_on():
                return
            with self._lock:
                self._take_in(min(SIP, len(self._waiting)))
        if self._tend is not None:
            self._tend()

    def dump(self) -> bytes:
        """What was folded, with all that waits."""
        with self._lock:
            self._take_in(len(self._waiting))
            return self._answerer.dump()

    def load(self, body: bytes) -> None:
        """Go on from a dump; raises `BundleError` where it is damaged or too old."""
        with self._lock:
            self._answerer.load(body)

    def _take_in(self, most: int) -> None:
        """Learn the oldest that waits; the caller holds the lock."""
        for _ in range(most):
            event = self._waiting.popleft()
            try:
                self._try(self._answerer.learn, event)
            except Exception:  # one odd event must not keep all later ones out
                log.exception("%s cannot learn event %s", self._answerer.name, event.id)

    def _try(self, do: Callable[[Any], Any], about: Any) -> Any:
        """Do it; where a model turns out not to be usable, do it again with the peers."""
        try:
            return do(about)
        except BundleError as error:  # models are opened when they are first asked
            self._fault = f"The models are passed over: {error.message}"
            log.warning("%s answers without its models: %s", self._answerer.name, error)
            self._parts.clear()
            for use in self._uses.values():
                use(None)
            return do(about)


class Answers:
    """All desks of one state.

    They are opened when they are first needed: whoever only decides waits for none of them, and
    a server answers before it has imported what predicts.

    Parameters
    ----------
    make
        Makes the answerers, each fresh, with the models that they answer with; empty = nothing
        is predicted.
    part
        Gives the published model of a learned system; None = there is none.

    Attributes
    ----------
    behind
        Why a part of what came before is missing; empty = nothing is. Desks that are behind
        answer from the part that is there, and learn only from whoever fills them.
    """

    def __init__(
        self,
        make: Callable[[], Iterable[Seat]] = tuple,
        part: Callable[[str], Part | None] = lambda name: None,
    ) -> None:
        self.behind = ""
        self._make, self._part = make, part
        self._desks: dict[str, Desk] | None = None
        self._saved: Mapping[str, bytes] | None = None
        self._early: deque[Event] = deque()  # what came before they were opened
        self._opening, self._changing = threading.Lock(), threading.Lock()

    def fresh(self) -> Answers:
        """The same desks with nothing learned."""
        return Answers(self._make, self._part)

    def put(self, event: Event) -> None:
        """Put an event down at every desk, unless they are filled from the log."""
        if not self.behind:
            self.fill(event)

    def fill(self, event: Event) -> None:
        """Put an event down also while they are behind; decisions tell them nothing."""
        if isinstance(event, Decision):
            return
        with self._changing:
            if self._desks is None:
                self._early.append(event)
            else:
                _put(self._desks, event)
        if len(self._early) > MAX_WAITING:
            self._open()

    def ask(self, system: str, method: str, request: Any) -> Told:
        """The answer of one learned system; its note says where it misses what came before.

        Raises
        ------
        Unavailable
            It is switched off, or what is asked about may be in the part that it misses.
        """
        desk = self._open().get(system)
        if desk is None:
            raise Unavailable(f"{system} is switched off; see ONWARD_WITHOUT.", system=system)
        behind = self.behind
        try:
            told = desk.ask(method, request, patience_s=0.0 if behind else PATIENCE_S)
        except NotFound as error:
            if behind or desk.waiting:
                raise Unavailable(f"{error.message} {behind or _owed(desk.waiting)}") from error
            raise
        why = [behind or (_owed(told.owed) if told.owed else ""), told.fault]
        return told._replace(answer=_noted(told.answer, why)) if any(why) else told

    @property
    def waiting(self) -> int:
        """Events that the desk which is farthest behind has not learned yet."""
        desks = self._desks or {}
        return max((desk.waiting for desk in desks.values()), default=len(self._early))

    def catch_up(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Learn what waits at every desk, as long as *go_on* says so.

        Nothing while they are behind: whoever fills them does it, or fills others in their place.
        """
        if not self.behind:
            self.absorb(go_on)

    def absorb(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Learn what waits also while they are behind, for whoever fills them."""
        for desk in self._open().values():
            desk.catch_up(go_on)

    def dump(self) -> dict[str, bytes]:
        """What every desk has folded; one that cannot be saved is left out, and folded anew."""
        saved: dict[str, bytes] = {}
        for name, desk in self._open().items():
            try:
                saved[name] = desk.dump()
            except Exception:  # a server that stops must save all the rest
                log.exception("what %s folded cannot be saved", name)
        return saved

    def load(self, saved: Mapping[str, bytes]) -> None:
        """Go on from a dump, before anything is put or asked.

        It is read when the desks are opened; where one is missing, damaged or too old, they are
        `behind` from then on.
        """
        self._saved = saved

    def _open(self) -> dict[str, Desk]:
        with self._opening:
            if self._desks is None:
                desks = self._loaded(self._made())
                with self._changing:
                    while self._early:
                        _put(desks, self._early.popleft())
                    self._desks = desks
            return self._desks

    def _made(self) -> dict[str, Desk]:
        return {seat.answerer.name: Desk(seat, self._part) for seat in self._make()}

    def _loaded(self, desks: dict[str, Desk]) -> dict[str, Desk]:
        saved, self._saved = self._saved, None
        if saved is None:
            return desks
        try:
            for name, desk in desks.items():
                desk.load(saved[name])
        except (BundleError, KeyError) as error:
            log.info("what was saved of the desks is passed over: %s", error)
            self.behind = FILLING
            self._early.clear()  # whoever fills them finds it in the log
            return self._made()
        return desks


def _put(desks: Mapping[str, Desk], event: Event) -> None:
    for desk in desks.values():
        desk.put(event)


def _owed(count: int) -> str:
    return f"{count} events that were recorded before are not in it yet."


def _noted(answer: Answered, why: Iterable[str]) -> Answered:
    """The answer, flagged as less than the full one."""
    return msgspec.structs.replace(answer, note=" ".join(filter(None, [*why, answer.note])))
