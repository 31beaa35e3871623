"""The fold behind the session hazard: is this session getting anywhere?

What counts as progress stands in `onward.features.progress.gains`. A *window* is what the next
`WINDOW` steps of a session do. It is a standstill where none of them gains anything. It closes when
they are known, or early with a hand-in, which is progress; a prompt, or a result that is not known,
leaves it open for ever. So nothing is learned of a window before its end, and the vector after a
step holds nothing of the steps that come.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Event, Prompt, Step
from onward.features.action import action_of
from onward.features.dumps import packed, unpacked, version_of
from onward.features.progress.course import COURSE_NAMES, Course, Place
from onward.features.progress.gains import LITERAL, Gain, Gained
from onward.features.progress.marks import Mark
from onward.features.progress.standstill import move_key, move_of, standstill_of
from onward.features.rates import NONE, Rates, leaning
from onward.features.slots import slots_of
from onward.features.text import name_hash
from onward.features.words import WordWeights

__all__ = ["NAMES", "VERSION", "WINDOW", "Closed", "Progress"]

WINDOW = 3
"""Steps that a window looks ahead."""

_RATE_NAMES = (
    "rate_all",
    "rate_situation",
    "rate_program",
    "rate_agent_situation",
    "next_all",
    "next_situation",
    "next_program",
    "next_shape",
    "next_project",
    "next_score",
    "agent_idle",
    "agent_bad",
    "agent_void",
    "project_idle",
    "project_bad",
    "project_void",
)
NAMES: tuple[str, ...] = (*COURSE_NAMES, *_RATE_NAMES)
"""Names of the numbers in a vector, in order."""
_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a number changes."""

STUCK = 2
"""Steps without gain from which on a move counts as a way out."""
MAX_SESSIONS = 48
MAX_PLACES = 64
_SLOTS = 1 << 14
_PRIOR = 0.98
_PRIOR_NEXT = 0.8


class Closed(NamedTuple):
    """A window whose end is known."""

    session: str
    step: int
    """Steps of the session when it began."""
    idle: int
    """Steps of it that gained nothing; `WINDOW` = a standstill."""
    literal: bool
    """A standstill by the narrower reading, `onward.features.progress.gains.LITERAL`."""

    @property
    def standstill(self) -> bool:
        """Whether none of its steps gained anything."""
        return self.idle >= WINDOW


class _Open(msgspec.Struct, array_like=True):
    step: int
    keys: tuple[str, ...]
    since: str = ""
    """Class by steps since something was gained."""
    move: str = ""
    """What was tried in a standstill just before; empty = there was none."""
    moved: bool = False
    """It gained something."""
    age: int = 0
    idle: int = 0
    literal: bool = False
    unknown: bool = False


class _Watched(msgspec.Struct):
    """One session: its course, and the windows that are open in it."""

    course: Course = msgspec.field(default_factory=Course)
    open: list[_Open] = msgspec.field(default_factory=list)
    words: tuple[int, ...] = ()
    """Slots of the user's last words."""
    slots: tuple[int, ...] = ()
    """Slots of the situation after the last step."""
    keys: tuple[str, ...] = ()


class Progress:
    """What was learned of all sessions, and the vector of each.

    >>> fold = Progress()
    >>> fold.vector("never met").shape == (len(NAMES),)
    True
    """

    def __init__(self) -> None:
        self.rates = Rates(capacity=6000)
        self.next = Rates(capacity=6000)
        self.moves = Rates(capacity=100, keep=0.998)
        self._words = WordWeights(_SLOTS, rate=0.05)
        self._sessions: dict[str, _Watched] = {}
        self._places: dict[str, Place] = {}

    def vector(self, session: str) -> NDArray[np.float32]:
        """What is known of a session now, float32, `NAMES` long; NaN where nothing is."""
        watched = self._sessions.get(session)
        if watched is None or not watched.course.marks:
            return np.full(len(NAMES), math.nan, np.float32)
        return np.frombuffer(
            _pack(*watched.course.numbers(), *self._shared(watched)),
            np.float32,
        )

    def peer(self, session: str) -> float:
        """P(standstill) by steps since something was gained alone: what answers with no model."""
        course = self.course(session) or Course()
        overall = leaning(self.rates.counts(""), _PRIOR, 50.0)
        return 1.0 - leaning(self.rates.counts(since_key(course)), overall, 10.0)

    def course(self, session: str) -> Course | None:
        """The course of a session; None where it was never met or is forgotten."""
        watched = self._sessions.get(session)
        return watched.course if watched is not None else None

    def learn(self, event: Event) -> list[Closed]:
        """Takes in one event; gives the windows that it closed."""
        if isinstance(event, Step):
            return self._learn_step(event)
        if isinstance(event, Prompt):
            watched = self._session(event.session)
            watched.course.learn_prompt(event)
            watched.open.clear()
            watched.words = tuple(slot % _SLOTS for slot in slots_of((), event.text[:600])[:16])
        return []

    # -- learning ------------------------------------------------------------------------------

    def _learn_step(self, step: Step) -> list[Closed]:
        watched = self._session(step.session)
        action = action_of(step)
        before, slots = watched.keys, watched.slots
        stood, idle = standstill_of(watched.course).kind, watched.course.since_gain
        gained = watched.course.learn(step, action)
        if before and gained.gain is not Gain.UNKNOWN:
            for key in before:
                self.next.learn(key, gained.progress)
            self._words.learn(slots, gained.progress)
        mark = watched.course.marks[-1]
        for place in (step.agent, f"{step.agent}|{step.project}"):
            self._place(place).learn(mark)
        closed = self._close(step.session, watched, gained)
        watched.keys = _keys(watched.course, action.keys[1])
        watched.slots = _slots(watched, step.session, action.keys[3])
        if gained.gain is not Gain.HAND_IN:
            since = since_key(watched.course)
            window = _Open(watched.course.steps, watched.keys, since)
            if idle >= STUCK and gained.gain is not Gain.UNKNOWN:
                window.move, window.moved = move_key(stood, move_of(mark)), gained.progress
            watched.open.append(window)
        return closed

    def _close(self, session: str, watched: _Watched, gained: Gained) -> list[Closed]:
        """Lets a step count in every open window, and takes out those that end with it."""
        closed, still = [], []
        ends = gained.gain is Gain.HAND_IN
        for window in watched.open:
            window.age += 1
            window.idle += not gained.progress
            window.literal |= gained.gain in LITERAL
            window.unknown |= gained.gain is Gain.UNKNOWN
            if window.age < WINDOW and not ends:
                still.append(window)
            elif window.idle < window.age or not window.unknown:
                ended = Closed(session, window.step, window.idle, not window.literal)
                for key in (*window.keys[:4], window.since):
                    self.rates.learn(key, not ended.standstill)
                if window.move:  # a change always gains; a way out is one that work goes on from
                    self.moves.learn(window.move, window.moved and window.idle <= 1)
                closed.append(ended)
        watched.open = still
        return closed

    def _session(self, name: str) -> _Watched:
        """A session's state, made where it is new and counted as used."""
        watched = self._sessions.pop(name, None) or _Watched()
        self._sessions[name] = watched
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return watched

    def _place(self, key: str) -> Place:
        place = self._places.pop(key, None) or Place()
        self._places[key] = place
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        return place

    # -- what all sessions share -----------------------------------------------------------------

    def _shared(self, watched: _Watched) -> tuple[float, ...]:
        everything, situation, program, own, shape, project = watched.keys
        window, after = self.rates.table.get, self.next.table.get
        rate_all = leaning(window(everything, NONE), _PRIOR, 50.0)
        rate_situation = leaning(window(situation, NONE), rate_all, 20.0)
        next_all = leaning(after(everything, NONE), _PRIOR_NEXT)
        next_situation = leaning(after(situation, NONE), next_all)
        next_program = leaning(after(program, NONE), next_all)
        course = watched.course
        agent, place = course.agent, f"{course.agent}|{course.project}"
        return (
            rate_all,
            rate_situation,
            leaning(window(program, NONE), rate_all, 20.0),
            leaning(window(own, NONE), rate_situation, 20.0),
            next_all,
            next_situation,
            next_program,
            leaning(after(shape, NONE), next_program),
            leaning(after(project, NONE), next_all, 10.0),
            self._words.score(watched.slots),
            *self._places.get(agent, _NOWHERE).shares(),
            *self._places.get(place, _NOWHERE).shares(),
        )

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same bit for bit."""
        state = _State(
            version=VERSION,
            rates=self.rates,
            next=self.next,
            moves=self.moves,
            words=self._words.dump(),
            sessions=list(self._sessions.items()),
            places=list(self._places.items()),
        )
        return packed(state)

    @classmethod
    def load(cls, body: bytes) -> Progress:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        state = unpacked(body, _State, version=VERSION, what="The state of progress")
        fold = cls()
        fold.rates, fold.next, fold.moves = state.rates, state.next, state.moves
        fold._words.load(state.words)
        fold._sessions = dict(state.sessions)
        fold._places = dict(state.places)
        return fold


class _State(msgspec.Struct):
    version: str
    rates: Rates
    next: Rates
    moves: Rates
    words: tuple[float, bytes, bytes]
    sessions: list[tuple[str, _Watched]]
    places: list[tuple[str, Place]]


_pack = struct.Struct(f"{len(NAMES)}f").pack
_NOWHERE = Place()


def since_key(course: Course) -> str:
    """The class of a session by steps since something was gained."""
    return f"since {min(course.since_gain, 8)}"


def _keys(course: Course, program: str) -> tuple[str, ...]:
    """Classes of the situation after a step, under which what came next is counted."""
    marks = course.marks
    luck = "".join(_letter(mark) for mark in marks[-3:])
    last = marks[-1]
    situation = f"{luck}{min(course.since_gain, 5)}{min(course.bad_row, 3)}"
    return (
        "",
        situation,
        f"{program} {_letter(last)}",
        f"{course.agent}~{situation}",
        f"{last.shape} {_letter(last)}",
        f"{course.agent}|{course.project}",
    )


def _letter(mark: Mark) -> str:
    """How a step went: gained, failed, no call, refused, or ran for nothing."""
    if mark.gain > 0:
        return "s" if mark.gain in (Gain.STATE, Gain.CHECK) else "g"
    return "v" if mark.void else "r" if mark.refused else "b" if mark.bad else "n"


def _slots(watched: _Watched, session: str, template: str) -> tuple[int, ...]:
    """Slots of the situation in the table of running weights."""
    course = watched.course
    marks = course.marks
    last, luck = marks[-1], "".join([_letter(mark) for mark in marks[-4:]])
    end, kind = luck[-1:], last.kind
    before = marks[-2] if len(marks) > 1 else last
    situation = (
        luck,
        f"3{luck[-3:]}",
        f"2{luck[-2:]}{kind}",
        f"shape {template} {end}",
        f"pair {before.shape} {last.shape} {end}",
        f"kinds {before.kind} {kind} {end}",
        f"look {last.look} {kind} {end}",
        f"since {min(course.since_gain, 6)} {min(course.bad_row, 4)} {min(course.voids, 4)}",
        f"check {course.check_ok} {min(course.check_row, 3)} {min(course.since_check, 4)}",
        f"change {min(course.since_change, 5)} {kind}",
        f"stage {course.steps.bit_length()} {end}",
        f"path {last.new_path} {kind}",
        f"pace {int(10 * course.slow)}",
        f"agent {course.agent} {luck[-2:]}",
        f"home {course.project}",
        f"session {session}",
    )
    return (*[name_hash(mark) % _SLOTS for mark in situation], *watched.words)
