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
from typing import Any

from onward.data.errors import BundleError, OnwardError, Unavailable
from onward.data.events import Decision, Event
from onward.serving.answers.base import Answerer, Part, Seat, Use

__all__ = ["FILLING", "Answers", "Desk"]

log = logging.getLogger(__name__)

FILLING = "What happened before is still being folded for predictions; ask again in a moment."
"""Why desks are behind."""

MAX_WAITING = 20_000
"""Events that may wait at one desk; with more, whoever puts the next takes some in."""
LITTLE = 2
"""How many those are: what waits shrinks, and nobody who holds a lock is kept long."""
SIP = 64
"""Events that are taken in under one hold of a desk's lock when nobody asks."""


class Desk:
    """One answerer, its lock, and the events that it has not learned yet.

    Parameters
    ----------
    answerer
        What answers; nobody else may use it.
    uses
        What takes its models: learned system -> function.
    tend
        What it does when nobody asks; None = nothing.
    """

    def __init__(
        self,
        answerer: Answerer,
        uses: Mapping[str, Use] | None = None,
        tend: Callable[[], object] | None = None,
    ) -> None:
        self._answerer = answerer
        self._uses = dict(uses or {})
        self._tend = tend
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()

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

    def ask(self, method: str, request: Any) -> Any:
        """The answer of one of the answerer's methods, once all that waits is learned."""
        with self._lock:
            self._take_in(len(self._waiting))
            return self._try(getattr(self._answerer, method), request)

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
            log.warning("%s answers without its models: %s", self._answerer.name, error)
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
        Why nothing can be asked yet: what came before is missing; empty = nothing is. Desks that
        are behind learn nothing, for others are filled to take their place.
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
        """Put an event down at every desk; decisions are onward's own and tell them nothing."""
        if isinstance(event, Decision) or self.behind:
            return
        with self._changing:
            if self._desks is None:
                self._early.append(event)
            else:
                _put(self._desks, event)
        if len(self._early) > MAX_WAITING:
            self._open()

    def ask(self, system: str, method: str, request: Any) -> Any:
        """The answer of one learned system.

        Raises
        ------
        Unavailable
            It is switched off, or what came before is still being folded.
        """
        desks = {} if self.behind else self._open()
        if self.behind:  # opening them may have shown it
            raise Unavailable(self.behind)
        desk = desks.get(system)
        if desk is None:
            raise Unavailable(f"{system} is switched off; see ONWARD_WITHOUT.", system=system)
        return desk.ask(method, request)

    def catch_up(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Learn what waits at every desk, as long as *go_on* says so."""
        if self.behind:
            return  # others are filled to take their place
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
                    while self._early and not self.behind:
                        _put(desks, self._early.popleft())
                    self._early.clear()
                    self._desks = desks
            return self._desks

    def _made(self) -> dict[str, Desk]:
        desks = {}
        for answerer, uses, tend in self._make():
            for system, use in uses.items():
                _give(use, self._part, system)
            desks[answerer.name] = Desk(answerer, uses, tend)
        return desks

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
            return self._made()
        return desks


def _put(desks: Mapping[str, Desk], event: Event) -> None:
    for desk in desks.values():
        desk.put(event)


def _give(use: Use, part: Callable[[str], Part | None], system: str) -> None:
    """Hand a model over; where it cannot be used, the peer answers in its place."""
    try:
        use(part(system))
    except OnwardError as error:
        log.warning("the %s model is passed over: %s", system, error)
        use(None)
