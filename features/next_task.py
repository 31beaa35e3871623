"""The fold behind the next step: which labels may come, and what speaks for each.

`NextFold.ask` gives the likeliest labels of a session's next step with a row of numbers for each,
from what was learned so far, and changes nothing. `NextFold.learn` takes in one event. A label is
what `onward.features.step_label` gives; any sequence of named steps will do, for outcomes,
outputs, words and times count where there are any.

Six voices speak for each label: counts under the last labels, under what the last steps were and
gave, in the project, in the session, of late, and running weights of all that is known. A model
weighs them (`onward.models.next_task`); `Asked.voices` has them bare.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt, Step
from onward.features.action import action_of
from onward.features.files import NEVER, since
from onward.features.next_contexts import HASHED, Now, now_of
from onward.features.next_counts import Counts
from onward.features.next_state import STATE_NAMES, state_of
from onward.features.next_trail import BEFORE, Trail
from onward.features.next_weights import LabelWeights
from onward.features.step_label import OTHER, label_of

__all__ = ["CANDIDATES", "NAMES", "VERSION", "VOICES", "Asked", "NextFold"]

CANDIDATES = 12
"""Labels that get a row; the truth is among them in some 97 of 100 steps."""
MAX_LABELS = 96
"""Labels that have a number of their own; what comes later counts as rare."""
_MET = 3
"""A label gets its number when it comes for this time."""
MAX_SESSIONS, MAX_PLACES, MAX_RARE = 128, 256, 500
_LEAST = 1e-6

VOICES = ("steps", "shapes", "place", "session", "recent", "weights")
"""What speaks for a label, in the order of `Asked.voices`."""
_WEIGHTS = VOICES.index("weights")
_OWN_NAMES = (
    *(f"log_{voice}" for voice in VOICES),
    *("log_mean", "behind_shapes", "behind_session", "behind_weights", "rank"),
    *("times", "since", "is_last", "is_last_2", "followed", "label_kind", "share", "session_share"),
)
NAMES: tuple[str, ...] = (*STATE_NAMES, *_OWN_NAMES)
"""Names of the numbers in a row, in order: those of the session, then those of the label."""

_MEANING = 1
"""Raise this when a number changes its meaning but not its name."""
VERSION: str = hashlib.sha256(f"{_MEANING}:{HASHED}:{','.join(NAMES)}".encode()).hexdigest()[:12]
"""Changes whenever the meaning of a row changes."""


class Asked(NamedTuple):
    """What is known of a session's next step."""

    labels: tuple[str, ...]
    """(c,) the likeliest labels, likeliest first; `OTHER` stands for all rare ones."""
    X: NDArray[np.float32]
    """(c, d) a row for each, columns as `NAMES`."""
    voices: NDArray[np.float64]
    """(voices, c) probabilities of each, by `VOICES`."""


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
        self.places = Counts(capacity=12_000)
        self.recent = Counts(capacity=4_000, keep=0.97)
        self._weights = LabelWeights()
        self._trails: dict[str, Trail] = {}
        self._homes: dict[int, _Place] = {}
        self._ids: dict[str, int] = {}
        self._rare: dict[str, int] = {}
        self._times: dict[int, int] = {}
        self._kinds: dict[int, dict[int, int]] = {}
        self._learned = 0
        self._taught = 0
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
        spread = self._spread(now, trail, said)
        if vocabulary is None:
            vocabulary = [label for label in self._ids if label != OTHER]
        ids = [self._ids.get(label, 0) for label in vocabulary if label != OTHER]
        voices = _merged(spread, ids)
        logs = np.log(voices)
        mean = logs.mean(0)
        order = np.argsort(-mean, kind="stable")[:CANDIDATES]
        names = [*(label for label in vocabulary if label != OTHER), OTHER]
        own = self._own(trail, now, [*ids, 0], order)
        top = logs.max(1)
        X = np.empty((len(order), len(NAMES)), np.float32)
        at = len(STATE_NAMES)
        X[:, :at] = state_of(trail)
        X[:, at : at + len(VOICES)] = logs[:, order].T
        at += len(VOICES)
        X[:, at] = mean[order]
        for voice in (1, 3, _WEIGHTS):
            at += 1
            X[:, at] = logs[voice, order] - top[voice]
        X[:, at + 1 :] = own
        return Asked(tuple([names[i] for i in order]), X, voices[:, order])

    @property
    def started(self) -> bool:
        """Whether any label was learned yet."""
        return bool(self._ids)

    def known(self, label: str) -> bool:
        """Whether a label has a number of its own."""
        return label in self._ids

    def followed(
        self, session: str, agent: str, project: str, label: str
    ) -> dict[str, tuple[int, int]]:
        """How often a label came after the session's last one, of how many times.

        Gives ``session``, ``project`` and ``history``, each with its two counts.
        """
        trail = self._trails.get(session, _FRESH)
        now, _ = self._seen(session, agent, project)
        tables = {
            "session": trail.counts.of(now.session[1]),
            "project": self.places.of(now.place[1]),
            "history": self.steps.of(now.steps[1]),
        }
        number = self._ids.get(label, 0)
        return {
            name: (round(table.get(number, 0.0)), round(sum(table.values())))
            for name, table in tables.items()
        }

    def last(self, session: str) -> str:
        """The label of a session's last step; empty where it has none, or a rare one."""
        marks = self._trails.get(session, _FRESH).marks
        number = marks[-1].label if marks else 0
        return next((label for label, at in self._ids.items() if at == number), "")

    def ahead(
        self, session: str, first: Sequence[tuple[str, float]], *, steps: int = 3
    ) -> list[dict[str, float]]:
        """Probabilities of the labels of the steps after the next one.

        Parameters
        ----------
        session
            Whose steps they are.
        first
            Likely labels of the next step, and their probabilities.
        steps
            How far to look, the next step included.

        Returns
        -------
        list
            For the second step and those after it, label -> probability, by the counts of what
            followed the last labels.
        """
        names = {number: label for label, number in self._ids.items()}
        marks = self._trails.get(session, _FRESH).marks
        before = marks[-1].label if marks else BEFORE
        trail = self._trails.get(session, _FRESH)
        paths = {(before, self._ids.get(label, 0)): p for label, p in first}
        found = []
        for _ in range(steps - 1):
            after: dict[tuple[int, int], float] = {}
            for (a, b), p in sorted(paths.items(), key=lambda item: -item[1])[:_BEAM]:
                spread = self._after(trail, a, b)
                for number in np.argsort(-spread, kind="stable")[:_BEAM].tolist():
                    key = (b, number)
                    after[key] = after.get(key, 0.0) + p * float(spread[number])
            paths = after
            table: dict[str, float] = {}
            for (_, number), p in after.items():
                label = names.get(number, OTHER)
                table[label] = table.get(label, 0.0) + p
            found.append(table)
        return found

    def _after(self, trail: Trail, a: int, b: int) -> NDArray[np.float64]:
        """(labels,) what comes after the labels a and b."""
        wide = self.steps.chain([0, hash((1, b)), hash((2, b, a))], self._flat())
        return trail.counts.chain([hash((2, b)), hash((4, b, a))], wide)

    def _flat(self) -> NDArray[np.float64]:
        labels = len(self._ids) + 1
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
        said = self._weights.predict(now.slots, len(self._ids) + 1)
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
        return np.stack((steps, shapes, place, session, recent, said))

    def _own(
        self, trail: Trail, now: Now, ids: Sequence[int], order: NDArray[np.intp]
    ) -> list[tuple[float, ...]]:
        """What the session and the history know of each candidate: the last `_OWN_NAMES`."""
        marks, n = trail.marks, trail.steps
        a = marks[-1].label if marks else BEFORE
        b = marks[-2].label if len(marks) > 1 else BEFORE
        after = trail.followed.get(now.situations[0], BEFORE)
        total = max(self._taught, 1)
        rows: list[tuple[float, ...]] = []
        for rank, place in enumerate(order.tolist()):
            number = ids[place]
            times = trail.times.get(number, 0)
            kinds = self._kinds.get(number)
            rows.append(
                (
                    rank,
                    times,
                    since(n, trail.last.get(number, NEVER)),
                    number == a,
                    number == b,
                    number == after,
                    max(kinds, key=kinds.__getitem__) if kinds else -1,
                    self._times.get(number, 0) / total,
                    times / (n + 1),
                )
            )
        return rows

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
        number = self._number(label) if label and teach else self._ids.get(label, 0)
        trail = self._trail(step.session)
        action = action_of(step)
        if label:
            trail.counts.learn(now.session, number)
            trail.follow(now.situations, number)
        if label and teach:
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
        self._taught += 1
        self._times[number] = self._times.get(number, 0) + 1
        kinds = self._kinds.setdefault(number, {})
        kinds[kind] = kinds.get(kind, 0) + 1

    def _number(self, label: str) -> int:
        """A label's number; 0 = it is rare as yet."""
        number = self._ids.get(label)
        if number is not None:
            return number
        met = self._rare.pop(label, 0) + 1
        if met >= _MET and len(self._ids) < MAX_LABELS:
            self._ids[label] = number = len(self._ids) + 1
            return number
        self._rare[label] = met
        if len(self._rare) > MAX_RARE:
            del self._rare[next(iter(self._rare))]
        return 0

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
        state = _State(
            version=VERSION,
            counts=[self.steps, self.places, self.recent],
            weights=self._weights.dump(),
            trails=list(self._trails.items()),
            homes=list(self._homes.items()),
            ids=self._ids,
            rare=list(self._rare.items()),
            times=self._times,
            kinds=self._kinds,
            learned=(self._learned, self._taught),
        )
        return zlib.compress(msgspec.msgpack.encode(state), 1)

    @classmethod
    def load(cls, body: bytes) -> NextFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        state = _decoded(body)
        fold = cls()
        fold.steps, fold.places, fold.recent = state.counts
        fold._weights.load(state.weights)
        fold._trails = dict(state.trails)
        fold._homes = dict(state.homes)
        fold._ids = state.ids
        fold._rare = dict(state.rare)
        fold._times, fold._kinds = state.times, state.kinds
        fold._learned, fold._taught = state.learned
        return fold


_BEAM = 6
"""Ways ahead that are followed."""
_FRESH = Trail()
_NOWHERE = _Place()


def _merged(spread: NDArray[np.float64], ids: Sequence[int]) -> NDArray[np.float64]:
    """(voices, labels + 1): the wanted labels, and all others as one at the end."""
    wanted = spread[:, ids]
    wanted[:, [number == 0 for number in ids]] = _LEAST
    rest = 1.0 - wanted.sum(1, keepdims=True)
    return np.asarray(np.maximum(np.concatenate((wanted, rest), 1), _LEAST), np.float64)


class _State(msgspec.Struct):
    version: str
    counts: list[Counts]
    weights: tuple[bytes, bytes, bytes]
    trails: list[tuple[str, Trail]]
    homes: list[tuple[int, _Place]]
    ids: dict[str, int]
    rare: list[tuple[str, int]]
    times: dict[int, int]
    kinds: dict[int, dict[int, int]]
    learned: tuple[int, int]


class _Version(msgspec.Struct):
    version: str


def _decoded(packed: bytes) -> _State:
    try:
        body = zlib.decompress(packed)
        if msgspec.msgpack.decode(body, type=_Version).version == VERSION:
            return msgspec.msgpack.decode(body, type=_State)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"The state of the next steps cannot be read: {error}") from error
    raise BundleError("The state of the next steps was made with other features; train again.")
