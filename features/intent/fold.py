"""What a user's words led to: the kind of work, the first tool, the files that were touched.

`IntentFold` keeps past prompts with the work that followed them (`onward.features.intent.work`) and
gives the features of a new one. What speaks for a kind of work is how often it came at all, what
the most similar past prompts led to, and running weights of the words; a running choice
(`onward.features.intent.choice`) weighs them and learns from each prompt once its work is known.
A prompt's features are made before any of its steps is known; its work is final once its session or
its agent is asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import log1p
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt, Step
from onward.features.dumps import version_of
from onward.features.intent.choice import Choice
from onward.features.intent.past import Near, Past, PastPrompts, SavedPrompts
from onward.features.intent.prompt_words import OWN_NAMES, SLOTS, own, slots_of
from onward.features.intent.touched import Touched
from onward.features.intent.work import KINDS
from onward.features.sentences import Embedder
from onward.features.words import WordWeights

__all__ = ["NAMES", "VERSION", "IntentFold"]

Floats = NDArray[np.float64]

MAX_PROMPTS = 4_000
"""Past prompts that are kept; the oldest are forgotten."""
MAX_OPEN = 16
"""Sessions whose work goes on; of the oldest one nothing more is taken in."""
_LEAN_FIRST = 6.0
"""Weight of how often a tool came first at all, beside the nearest prompts'."""
_RECENT = 200
"""Newest prompts whose first tools are counted."""
_LEAN_VOTES = 0.3
"""Weight of how often a kind came at all, beside the nearest prompts' votes."""
_TRUST = (1.0, 0.5, 0.5, 0.3)
"""Weights of base rate, words alike, vectors alike and running words before anything is learned."""


class _View(NamedTuple):
    """What is known of a prompt before its work."""

    evidence: NDArray[np.float64]
    """(kinds, 4) what speaks for each kind, in log-odds."""
    context: NDArray[np.float64]
    """(contexts,) what leans towards some kinds."""


NAMES = tuple(
    f"{block}_{kind}" for block in ("choice", "rate", "last", "alike", "near") for kind in KINDS
)
"""Names of the features, in order: the running choice's log-probabilities, base rates, the last
prompt's kind, and the votes of the most similar prompts by words and by vectors."""
_CONTEXTS = 1 + len(OWN_NAMES) + 1 + len(KINDS)

_MEANING = 2
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever a feature or the fold's state changes its meaning."""


class IntentFold:
    """Past prompts and what they led to.

    Parameters
    ----------
    embedder
        Makes vectors of prompts; without it prompts are compared by their words alone.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._past = PastPrompts(embedder)
        self._touched = Touched()
        self._open: dict[str, int] = {}  # session -> slot of the prompt that is worked on
        self._last: dict[str, int] = {}  # agent and project -> slot of its newest prompt
        self._waiting: dict[int, _View] = {}  # prompts whose kind is not final
        self._weights = [WordWeights(SLOTS, rate=0.25) for _ in KINDS]
        self._choice = Choice(_TRUST, contexts=_CONTEXTS, alternatives=len(KINDS))
        self._counts = np.ones(len(KINDS))
        self._asked: tuple[Prompt, _View] | None = None  # a prompt is asked about, then learned

    def __len__(self) -> int:
        return len(self._past)

    # -- learning ------------------------------------------------------------------------------

    def learn(self, event: Event) -> list[Past]:
        """Take in one event; gives the past prompts whose kind of work it made final."""
        settled: list[Past] = []
        if isinstance(event, Step):
            slot = self._open.get(event.session)
            if slot is not None:
                self._touched.learn(self._past[slot].work.add(event))
        elif isinstance(event, Prompt) and event.role != "interrupt":
            settled = self._begin(event)
        self._asked = None
        return settled

    def _begin(self, prompt: Prompt) -> list[Past]:
        asked, line = self._asked, _line(prompt)
        view = asked[1] if asked is not None and asked[0] is prompt else self._view(prompt)
        done = self._open.pop(prompt.session, None), self._last.pop(line, None)
        settled = [self._past[slot] for slot in done if slot is not None and self._settle(slot)]
        slot = self._past.add(prompt)
        self._waiting[slot] = view
        self._open[prompt.session] = slot
        if len(self._open) > MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._last[line] = slot
        if len(self._past) > MAX_PROMPTS:
            self._forget(next(iter(self._past)))
        return settled

    def _settle(self, slot: int) -> bool:
        """What a prompt led to is final: all that says kinds learns it; False = it was before."""
        view = self._waiting.pop(slot, None)
        if view is None:
            return False
        past = self._past[slot]
        kind = KINDS.index(past.work.kind)
        self._counts *= 0.995
        self._counts[kind] += 1.0
        for place, weights in enumerate(self._weights):
            weights.learn(past.slots, place == kind)
        self._choice.learn(view.evidence, view.context, kind)
        return True

    def _forget(self, slot: int) -> None:
        past = self._past.remove(slot)
        self._waiting.pop(slot, None)
        if self._open.get(past.session) == slot:
            del self._open[past.session]
        if self._last.get(line := _line(past)) == slot:
            del self._last[line]

    # -- asking --------------------------------------------------------------------------------

    def vector(self, prompt: Prompt) -> NDArray[np.float32]:
        """The features of a new prompt, float32, `NAMES` long."""
        alike, near, last = self._votes(prompt)
        view = self._viewed(prompt, alike, near, last)
        self._asked = prompt, view
        p = self._choice.probabilities(view.evidence, view.context)
        blocks = (np.log(np.maximum(p, 1e-9)), self._rates(), last, alike, near)
        return np.concatenate(blocks).astype(np.float32)

    def _view(self, prompt: Prompt) -> _View:
        return self._viewed(prompt, *self._votes(prompt))

    def _votes(self, prompt: Prompt) -> tuple[Floats, Floats, Floats]:
        """(kinds,) each: shares of the nearest by words, by vectors, and which kind came last."""
        last = np.zeros(len(KINDS))
        newest = self._last.get(_line(prompt))
        if newest is not None:
            last[KINDS.index(self._past[newest].work.kind)] = 1.0
        return _shares(self._past.alike(prompt.text)), _shares(self._past.near(prompt.text)), last

    def _viewed(self, prompt: Prompt, alike: Floats, near: Floats, last: Floats) -> _View:
        rates, slots = self._rates(), slots_of(prompt)
        said = np.array([weights.score(slots) for weights in self._weights])
        evidence = (
            np.log(rates),
            _lift(alike, rates),
            _lift(near, rates),
            -np.logaddexp(0.0, -said) - np.log(rates),
        )
        newest = self._last.get(_line(prompt))
        steps = 0.0 if newest is None else log1p(self._past[newest].work.steps)
        return _View(np.stack(evidence, axis=1), np.array([1.0, *own(prompt), steps, *last]))

    def _rates(self) -> Floats:
        return np.asarray(self._counts / self._counts.sum())

    def nearest(self, text: str) -> list[Near]:
        """The past prompts that resemble a text the most: by vectors, else by words."""
        return self._past.near(text) or self._past.alike(text)

    def kinds(self) -> dict[str, float]:
        """How often each kind of work came, newer prompts weighing more; sums to 1."""
        return dict(zip(KINDS, self._rates().tolist(), strict=True))

    def first_tools(self, nearest: Sequence[Near], most: int = 5) -> list[tuple[str, float]]:
        """The tools that may come first, with probabilities: what came first after the like."""
        votes: dict[str, float] = defaultdict(float)
        for past in self._past.newest(_RECENT):
            votes[past.work.first] += _LEAN_FIRST / _RECENT
        for near in nearest:
            votes[near.past.work.first] += near.likeness**2
        total = sum(votes.values()) or 1.0
        return [(name, vote / total) for name, vote in _largest(votes, most) if name]

    def files(self, text: str, nearest: Sequence[Near], most: int = 5) -> list[tuple[str, float]]:
        """Files that may be touched, with a weight each."""
        return self._touched.likely(text, nearest, most)

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same."""
        return msgspec.msgpack.encode(
            _State(
                version=VERSION,
                model="" if self._embedder is None else self._embedder.about.model,
                prompts=self._past.dump(),
                touched=self._touched.dump(),
                open=self._open,
                last=self._last,
                waiting=[
                    (slot, view.evidence.tobytes(), view.context.tobytes())
                    for slot, view in self._waiting.items()
                ],
                weights=[weights.dump() for weights in self._weights],
                choice=self._choice.dump(),
                counts=self._counts.tolist(),
            )
        )

    @classmethod
    def load(cls, body: bytes, embedder: Embedder | None = None) -> IntentFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        fold = cls(embedder)
        try:
            version = msgspec.msgpack.decode(body, type=_Version)
            model = "" if embedder is None else embedder.about.model
            if (version.version, version.model) != (VERSION, model):
                raise BundleError("The prompts' state was made by another version; fold again.")
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The prompts' state cannot be read: {error}") from error
        fold._restore(state)
        return fold

    def _restore(self, state: _State) -> None:
        self._past.restore(state.prompts)
        self._touched.learn(state.touched)
        self._open, self._last = state.open, state.last
        for slot, evidence, context in state.waiting:
            table = np.frombuffer(evidence).reshape(len(KINDS), -1)
            self._waiting[slot] = _View(table, np.frombuffer(context))
        for weights, saved in zip(self._weights, state.weights, strict=True):
            weights.load(saved)
        self._choice.load(state.choice)
        self._counts = np.array(state.counts)


class _Version(msgspec.Struct):
    version: str
    model: str


class _State(_Version):
    prompts: SavedPrompts
    touched: list[str]
    open: dict[str, int]
    last: dict[str, int]
    waiting: list[tuple[int, bytes, bytes]]
    weights: list[tuple[float, bytes, bytes]]
    choice: tuple[bytes, bytes, bytes, bytes]
    counts: list[float]


def _line(prompt: Prompt | Past) -> str:
    """Prompts of one line of work: those to one agent about one project."""
    return f"{prompt.agent}|{prompt.project}"


def _shares(nearest: list[Near]) -> Floats:
    """(kinds,) what the nearest led to, the nearer the weightier, as shares; 0 without any."""
    votes = np.zeros(len(KINDS))
    for near in nearest:
        votes[KINDS.index(near.past.work.kind)] += near.likeness**2 + 1e-6
    return np.asarray(votes / max(votes.sum(), 1e-12))


def _lift(shares: Floats, rates: Floats) -> Floats:
    """(kinds,) how much likelier each kind is among the nearest than at all, in log-odds."""
    return np.asarray(np.log((shares + _LEAN_VOTES * rates) / rates))


def _largest(weights: dict[str, float], most: int) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda pair: -pair[1])[:most]
