"""The fold behind the next step: which labels may come, and what speaks for each.

`NextFold.ask` gives the likeliest labels of a session's next step with a row of numbers for each,
from what was learned so far, and changes nothing. `NextFold.learn` takes in one event. A label is
what `onward.features.next_task.label` gives; any sequence of named steps will do, for outcomes,
outputs, words and times count where there are any.

Six voices speak for each label: counts under the last labels, under what the last steps were and
gave, in the project, in the session, of late, and running weights of all that is known. A model
weighs them (`onward.models.next_task`); `Asked.voices` has them bare.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt, Step
from onward.features.action import action_of
from onward.features.dumps import version_of
from onward.features.next_task.ahead import MOST_AHEAD, ahead, skipped
from onward.features.next_task.contexts import HASHED, Now, now_of
from onward.features.next_task.counts import Counts
from onward.features.next_task.label import OTHER, label_of
from onward.features.next_task.labels import RARE, Labels
from onward.features.next_task.rows import CANDIDATES, NAMES, VOICES, Asked, ranked
from onward.features.next_task.trail import Trail
from onward.features.next_task.weights import LabelWeights, PackedTable

__all__ = ["CANDIDATES", "NAMES", "VERSION", "VOICES", "Asked", "NextFold"]

MAX_SESSIONS, MAX_PLACES = 128, 256
_MEANING = 3
"""Raise this when a number changes its meaning but not its name, or a dump its layout."""
VERSION = version_of(_MEANING, (str(HASHED), *NAMES))
"""Changes whenever the meaning of a row changes."""


class _Place(msgspec.Struct, gc=False):
    """What an agent did last in one project."""

    labels: list[int] = msgspec.field(default_factory=list)
    at: float = 0.0


class NextFold:
    """The state of everything that was learned, and the rows that it gives.

    >>> from onward.data.events import Outcome
    >>> fold = NextFold()
    >>> for n, tool in enumerate(["look", "change"] * 20):
    ...     fold.learn(Step(id=str(n), session="s", tool=tool, outcome=Outcome.OK))
    >>> fold.ask("s").labels[0]
    'look'
    """

    def __init__(self) -> None:
        self.steps = Counts()
        self.skips = Counts(capacity=8_000)
        self.places = Counts(capacity=12_000)
        self.recent = Counts(capacity=4_000, keep=0.97)
        self._weights = LabelWeights()
        self._trails: dict[str, Trail] = {}
        self._homes: dict[int, _Place] = {}
        self._labels = Labels()
        self._learned = 0
        self._all: tuple[list[str], NDArray[np.intp]] | None = None
        self._view: tuple[object, Now, NDArray[np.float32]] | None = None

    # -- asking --------------------------------------------------------------------------------

    def ask(
        self,
        session: str,
        *,
        agent: str = "",
        project: str = "",
        vocabulary: Sequence[str] | None = None,
    ) -> Asked:
        """The likeliest labels of a session's next step.

        Parameters
        ----------
        session, agent, project
            Whose step it is; a session that was never met is asked about as at its start.
        vocabulary
            The labels to tell apart, all others count as `OTHER`; None = all that are known.
        """
        trail = self._trails.get(session, _FRESH)
        now, said = self._seen(session, agent, project)
        names, ids = self._named(vocabulary)
        return ranked(
            self._spread(now, trail, said),
            names,
            ids,
            trail=trail,
            situation=now.situations[0],
            known=self._labels,
        )

    @property
    def started(self) -> bool:
        """Whether any label was learned yet."""
        return bool(self._labels.ids)

    def known(self, label: str) -> bool:
        """Whether a label has a number of its own."""
        return label in self._labels.ids

    def followed(
        self, session: str, agent: str, project: str, label: str
    ) -> dict[str, tuple[int, int]]:
        """How often a label came after the session's last one, of how many times.

        Gives ``session``, ``project`` and ``history``, each with its two counts.
        """
        trail = self._trails.get(session, _FRESH)
        now, _ = self._seen(session, agent, project)
        number = self._labels.find(label)
        return {
            "session": trail.counts.met(now.session[1], number),
            "project": self.places.met(now.place[1], number),
            "history": self.steps.met(now.steps[1], number),
        }

    def last(self, session: str) -> str:
        """The label of a session's last step; empty where it has none, or a rare one."""
        marks = self._trails.get(session, _FRESH).marks
        return self._labels.name(marks[-1].label) if marks else ""

    def ahead(
        self, session: str, first: Sequence[tuple[str, float]], *, steps: int = MOST_AHEAD
    ) -> list[dict[str, float]]:
        """Probabilities of the labels of the steps after the next one.

        Parameters
        ----------
        session
            Whose steps they are.
        first
            Likely labels of the next step, and their probabilities.
        steps
            How far to look, the next step included; at most `MOST_AHEAD`.

        Returns
        -------
        list
            For the second step and those after it, the likeliest labels -> their probabilities.
        """
        trail = self._trails.get(session, _FRESH)
        numbers = [(self._labels.find(label), p) for label, p in first]
        names = [OTHER, *self._labels.ids]  # numbers are given in this order, from 1 on
        tables, found = (self.steps, self.skips), []
        for p in ahead(tables, trail, numbers, labels=len(names), steps=steps):
            likeliest = np.argsort(-p, kind="stable")[:CANDIDATES].tolist()
            found.append({names[number]: p.item(number) for number in likeliest})
        return found

    def _named(self, vocabulary: Sequence[str] | None) -> tuple[list[str], NDArray[np.intp]]:
        """The labels that are told apart, `OTHER` last, and their numbers."""
        labels = self._labels
        if vocabulary is not None:
            wanted = [label for label in vocabulary if label != OTHER]
            return [*wanted, OTHER], np.array([*map(labels.find, wanted), RARE])
        if self._all is None or len(self._all[0]) <= len(labels.ids) - (OTHER in labels.ids):
            wanted = [label for label in labels.ids if label != OTHER]
            self._all = [*wanted, OTHER], np.array([*map(labels.find, wanted), RARE])
        return self._all

    def _flat(self) -> NDArray[np.float64]:
        labels = len(self._labels.ids) + 1
        return np.full(labels, 1.0 / labels)

    def _seen(self, session: str, agent: str, project: str) -> tuple[Now, NDArray[np.float32]]:
        """What the session is at, and what the running weights say; remembered for one event."""
        key = (self._learned, session, agent, project)
        view = self._view
        if view is not None and view[0] == key:
            return view[1], view[2]
        trail = self._trails.get(session, _FRESH)
        home = crc32(f"{agent}|{project}".encode("utf-8", "replace"))
        place = self._homes.get(home, _NOWHERE)
        agents = crc32(agent.encode("utf-8", "replace"))
        now = now_of(trail, agents, home, place.labels)
        said = self._weights.predict(now.slots, len(self._labels.ids) + 1)
        self._view = (key, now, said)
        return now, said

    def _spread(self, now: Now, trail: Trail, said: NDArray[np.float32]) -> NDArray[np.float64]:
        """(voices, labels) what each voice says of each known label; column 0 is the rare ones."""
        flat = self._flat()
        steps = self.steps.chain(now.steps, flat)
        shapes = self.steps.chain(now.shapes, steps)
        place = self.places.chain(now.place, shapes)
        session = trail.counts.chain(now.session, (shapes + place) * 0.5)
        recent = self.recent.chain(now.recent, flat)
        spread = np.empty((len(VOICES), len(flat)))
        for row, voice in enumerate((steps, shapes, place, session, recent)):
            spread[row] = voice
        spread[-1] = said
        return spread

    # -- learning --------------------------------------------------------------------------------

    def learn(self, event: Event, *, teach: bool = True) -> None:
        """Takes in one event; what tells nothing of steps changes nothing.

        With ``teach`` off the event moves its own session on and teaches nothing about others.
        """
        if isinstance(event, Step):
            self._learn_step(event, teach=teach)
        elif isinstance(event, Prompt):
            self._learn_prompt(event)

    def _learn_prompt(self, prompt: Prompt) -> None:
        trail = self._trail(prompt.session)
        trail.hear(prompt)
        self._learned += 1

    def _learn_step(self, step: Step, *, teach: bool) -> None:
        label = label_of(step)
        now, said = self._seen(step.session, step.agent, step.project)
        labels = self._labels
        number = labels.number(label) if label and teach else labels.find(label)
        trail = self._trail(step.session)
        action = action_of(step)
        if label:
            trail.counts.learn(now.session, number)
            trail.follow(now.situations, number)
        if label and teach:
            self.skips.learn(skipped(trail), number)
            self._learn_label(now, said, number, action.kind)
        trail.learn(step, action, number)
        home = crc32(f"{step.agent}|{step.project}".encode("utf-8", "replace"))
        place = self._homes.pop(home, None) or _Place()
        self._homes[home] = place
        place.labels = [*place.labels[-3:], number]
        place.at = step.at
        if len(self._homes) > MAX_PLACES:
            del self._homes[next(iter(self._homes))]
        self._learned += 1

    def _learn_label(self, now: Now, said: NDArray[np.float32], number: int, kind: int) -> None:
        self.steps.learn(now.steps, number)
        self.steps.learn(now.shapes, number)
        self.places.learn(now.place, number)
        self.recent.learn(now.recent, number)
        self._weights.learn(now.slots, said, number)
        self._labels.count(number, kind)

    def _trail(self, session: str) -> Trail:
        """A session's state, made where it is new and counted as used."""
        trail = self._trails.pop(session, None) or Trail()
        self._trails[session] = trail
        if len(self._trails) > MAX_SESSIONS:
            del self._trails[next(iter(self._trails))]
        return trail

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same bit for bit."""
        rest = _Rest(
            counts=(self.steps, self.skips, self.places, self.recent),
            trails=list(self._trails.items()),
            homes=list(self._homes.items()),
            labels=self._labels,
            learned=self._learned,
        )
        packed = zlib.compress(msgspec.msgpack.encode(rest, enc_hook=_encoded), 1)
        return msgspec.msgpack.encode(_State(VERSION, packed, self._weights.dump()))

    @classmethod
    def load(cls, body: bytes) -> NextFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        state, fold = _decoded(body), cls()
        try:
            rest = zlib.decompress(state.rest)
            found = msgspec.msgpack.decode(rest, type=_Rest, dec_hook=_read)
            fold._weights.load(state.weights)
        except (zlib.error, ValueError, IndexError) as error:
            raise BundleError(f"The state of the next steps cannot be read: {error}") from error
        fold.steps, fold.skips, fold.places, fold.recent = found.counts
        fold._trails = dict(found.trails)
        fold._homes = dict(found.homes)
        fold._labels = found.labels
        fold._learned = found.learned
        return fold


_FRESH = Trail()
_NOWHERE = _Place()


class _State(msgspec.Struct):
    version: str
    rest: bytes
    weights: tuple[bytes, PackedTable, PackedTable]


class _Rest(msgspec.Struct):
    counts: tuple[Counts, Counts, Counts, Counts]
    trails: list[tuple[str, Trail]]
    homes: list[tuple[int, _Place]]
    labels: Labels
    learned: int


class _Version(msgspec.Struct):
    version: str


def _decoded(body: bytes) -> _State:
    try:
        if msgspec.msgpack.decode(body, type=_Version).version == VERSION:
            return msgspec.msgpack.decode(body, type=_State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"The state of the next steps cannot be read: {error}") from error
    raise BundleError("The state of the next steps was made with other features; train again.")


def _encoded(one: object) -> object:
    """What msgspec does not know, as something that it does."""
    if isinstance(one, Counts):
        return one.dump()
    raise NotImplementedError(f"A {type(one).__name__} has no place in a dump.")


def _read(kind: type, state: object) -> object:
    """Back from `_encoded`."""
    if kind is Counts:
        return Counts.load(state)
    raise NotImplementedError(f"A {kind.__name__} has no place in a dump.")
