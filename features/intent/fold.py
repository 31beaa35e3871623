"""What a user's words led to: the kind of work, the first tool, the files that were touched.

`IntentFold` keeps past prompts with the work that followed them (`onward.features.intent.work`) and
gives the features of a new one: its own words, how the last prompts went, and what the most similar
past prompts led to. A prompt's features are made before any of its steps is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import log1p, nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt, Step
from onward.features.dumps import version_of
from onward.features.intent.prompt_words import OWN_NAMES, PATH, SLOTS, own, slots_of
from onward.features.intent.work import KINDS, Work
from onward.features.memory.lexical import Lexical, terms
from onward.features.sentences import Embedder
from onward.features.words import WordWeights

__all__ = ["NAMES", "VERSION", "IntentFold", "Near", "Past"]

MAX_PROMPTS = 4_000
"""Past prompts that are kept; the oldest are forgotten."""
MAX_OPEN = 16
"""Prompts whose work goes on; the oldest one's kind is then taken as final."""
NEAREST = 8
"""Past prompts that have a say."""
TEXT_KEPT = 400
"""Characters of a past prompt that are kept to be shown."""
_WORDS_KEPT = 120
"""Words of a past prompt that are compared."""
_LEAN_FIRST = 1.0
"""Weight of how often a tool came first at all, beside the nearest prompts'."""
_NAN = nan


class Past(msgspec.Struct):
    """A past prompt and what it led to."""

    id: str
    session: str
    agent: str
    project: str
    at: float
    role: str
    text: str
    """Its beginning."""
    words: str
    """Its first words, as `terms` gives them."""
    slots: tuple[int, ...]
    """The same, as places in the running weights."""
    work: Work


class Near(msgspec.Struct, frozen=True):
    """A past prompt that resembles a new one."""

    past: Past
    likeness: float
    """Cosine of the two, 0 to 1: of their vectors, or where there are none of their words."""


_BEFORE_NAMES = (
    *(f"last_{kind}" for kind in KINDS),
    *(f"before_{kind}" for kind in KINDS),
    "last_steps",
    "last_failures",
    "last_edits",
    "last_commits",
    "same_session",
    "gap",
    "said_before",
)
NAMES = (
    *OWN_NAMES,
    *_BEFORE_NAMES,
    *(f"rate_{kind}" for kind in KINDS),
    *(f"words_{kind}" for kind in KINDS),
    *(f"alike_{kind}" for kind in KINDS),
    "alike_best",
    *(f"near_{kind}" for kind in KINDS),
    "near_best",
)
"""Names of the features, in order."""

_MEANING = 1
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
        self._embedded: tuple[str, NDArray[np.float32]] | None = None
        dim = 0 if embedder is None else embedder.about.dim
        self._past: dict[int, Past] = {}
        self._words = Lexical()
        self._vectors = np.zeros((0, dim), np.float32)
        self._open: dict[str, int] = {}  # session -> slot of the prompt that is worked on
        self._last: dict[str, list[int]] = {}  # agent -> slots of its newest two prompts
        self._weights = [WordWeights(SLOTS, rate=0.25) for _ in KINDS]
        self._counts = np.ones(len(KINDS))

    def __len__(self) -> int:
        return len(self._past)

    # -- learning ------------------------------------------------------------------------------

    def learn(self, event: Event) -> None:
        """Take in one event; prompts and steps tell something."""
        if isinstance(event, Step):
            slot = self._open.get(event.session)
            if slot is not None:
                self._past[slot].work.add(event)
        elif isinstance(event, Prompt) and event.role != "interrupt":
            self._begin(event)

    def _begin(self, prompt: Prompt) -> None:
        self._close(prompt.session)
        words = terms(prompt.text)[:_WORDS_KEPT]
        slot = self._words.add(words)
        self._past[slot] = Past(
            prompt.id,
            prompt.session,
            prompt.agent,
            prompt.project,
            prompt.at,
            prompt.role,
            prompt.text[:TEXT_KEPT],
            " ".join(words),
            slots_of(prompt),
            Work(),
        )
        self._keep_vector(slot, prompt.text)
        self._open[prompt.session] = slot
        if len(self._open) > MAX_OPEN:
            self._close(next(iter(self._open)))
        self._last[prompt.agent] = [slot, *self._last.get(prompt.agent, [])[:1]]
        if len(self._past) > MAX_PROMPTS:
            self._forget(next(iter(self._past)))

    def _keep_vector(self, slot: int, text: str) -> None:
        if self._embedder is None:
            return
        if slot >= len(self._vectors):
            more = np.zeros((max(256, slot), self._vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors, more])
        self._vectors[slot] = self._embed(self._embedder, text)

    def _embed(self, embedder: Embedder, text: str) -> NDArray[np.float32]:
        """A text's vector; the last one is at hand, for a prompt is asked about, then learned."""
        if self._embedded is None or self._embedded[0] != text:
            self._embedded = text, embedder.embed([text])[0]
        return self._embedded[1]

    def _close(self, session: str) -> None:
        """What a prompt led to is final: its words learn it."""
        slot = self._open.pop(session, None)
        if slot is None:
            return
        past = self._past[slot]
        self._counts *= 0.995
        self._counts[KINDS.index(past.work.kind)] += 1.0
        for kind, weights in zip(KINDS, self._weights, strict=True):
            weights.learn(past.slots, kind == past.work.kind)

    def _forget(self, slot: int) -> None:
        past = self._past.pop(slot)
        self._words.remove(slot)
        if self._open.get(past.session) == slot:
            del self._open[past.session]
        for agent, slots in list(self._last.items()):
            kept = [each for each in slots if each != slot]
            if kept:
                self._last[agent] = kept
            else:
                del self._last[agent]

    # -- asking --------------------------------------------------------------------------------

    def vector(self, prompt: Prompt) -> NDArray[np.float32]:
        """The features of a new prompt, float32, `NAMES` long; NaN where nothing is known."""
        alike = self.alike(prompt.text)
        near = self.near(prompt.text)
        slots = slots_of(prompt)
        return np.array(
            [
                *own(prompt),
                *self._before(prompt, near or alike),
                *(self._counts / self._counts.sum()),
                *(weights.score(slots) for weights in self._weights),
                *_votes(alike),
                *_votes(near),
            ],
            np.float32,
        )

    def alike(self, text: str, most: int = NEAREST) -> list[Near]:
        """The past prompts that share the most words, by TF-IDF."""
        query = self._words.query(terms(text)[:_WORDS_KEPT])
        slots, _ = self._words.search(query, most)
        cosines = self._words.evidence(query, slots)[:, 1]
        return self._found(slots.tolist(), cosines.tolist())

    def near(self, text: str, most: int = NEAREST) -> list[Near]:
        """The past prompts that mean the most alike, by their vectors; none without an embedder."""
        if self._embedder is None or not self._past:
            return []
        slots = np.fromiter(self._past, np.intp)
        cosines = self._vectors[slots] @ self._embed(self._embedder, text)
        best = np.argsort(-cosines, kind="stable")[:most]
        return self._found(slots[best].tolist(), cosines[best].tolist())

    def _found(self, slots: Sequence[int], likeness: Sequence[float]) -> list[Near]:
        pairs = zip(slots, likeness, strict=True)
        return [Near(self._past[slot], max(0.0, min(1.0, float(x)))) for slot, x in pairs]

    def _before(self, prompt: Prompt, nearest: list[Near]) -> tuple[float, ...]:
        """How the agent's last two prompts went."""
        slots = self._last.get(prompt.agent, [])
        last, earlier = ([self._past[slot] for slot in slots] + [None, None])[:2]
        repeated = float(bool(nearest) and nearest[0].likeness > 0.98)
        if last is None:
            return (*_one_hot(None), *_one_hot(None), *(_NAN,) * 6, repeated)
        gap = prompt.at - last.at
        return (
            *_one_hot(last.work.kind),
            *_one_hot(earlier.work.kind if earlier else None),
            log1p(last.work.steps),
            log1p(last.work.failures),
            log1p(last.work.edits + last.work.makes),
            last.work.commits,
            last.session == prompt.session,
            log1p(max(gap, 0.0)) if prompt.at and last.at else _NAN,
            repeated,
        )

    def kinds(self) -> dict[str, float]:
        """How often each kind of work came, newer prompts weighing more; sums to 1."""
        return dict(zip(KINDS, (self._counts / self._counts.sum()).tolist(), strict=True))

    def last_kind(self, agent: str) -> str | None:
        """The kind of work that the agent's newest prompt led to, so far."""
        slots = self._last.get(agent)
        return self._past[slots[0]].work.kind if slots else None

    def first_tools(self, nearest: Sequence[Near], most: int = 5) -> list[tuple[str, float]]:
        """The tools that may come first, with probabilities: what came first after the like."""
        votes: dict[str, float] = defaultdict(float)
        for past in list(self._past.values())[-200:]:
            votes[past.work.first] += _LEAN_FIRST / 200
        for near in nearest:
            votes[near.past.work.first] += near.likeness**2
        total = sum(votes.values()) or 1.0
        return [(name, vote / total) for name, vote in _largest(votes, most) if name]

    def files(self, text: str, nearest: Sequence[Near], most: int = 5) -> list[tuple[str, float]]:
        """Files that may be touched, with a weight each: named in the text, or touched by the like.

        Recent files weigh more; a file whose name stands in the text weighs most.
        """
        weights: dict[str, float] = defaultdict(float)
        for near in nearest:
            for path in near.past.work.files:
                weights[path] += near.likeness**2
        for age, slot in enumerate(reversed(list(self._past))):
            if age >= 12:
                break
            for path in self._past[slot].work.files:
                weights[path] += 0.5 / (1.0 + age)
        said = {path.rsplit("/", 1)[-1].lower() for path in PATH.findall(text[:3000])}
        for path in list(weights):
            if path.rsplit("/", 1)[-1].lower() in said:
                weights[path] += 3.0
        return _largest(weights, most)

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same."""
        return msgspec.msgpack.encode(
            _State(
                version=VERSION,
                model="" if self._embedder is None else self._embedder.about.model,
                past=list(self._past.items()),
                vectors=self._kept_vectors(),
                open=self._open,
                last=self._last,
                weights=[weights.dump() for weights in self._weights],
                counts=self._counts.tolist(),
            )
        )

    def _kept_vectors(self) -> bytes:
        """The vectors of the past prompts, in their order; empty without an embedder."""
        if self._embedder is None or not self._past:
            return b""
        return self._vectors[list(self._past)].tobytes()

    @classmethod
    def load(cls, body: bytes, embedder: Embedder | None = None) -> IntentFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        fold = cls(embedder)
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The prompts' state cannot be read: {error}") from error
        model = "" if embedder is None else embedder.about.model
        if (state.version, state.model) != (VERSION, model):
            raise BundleError("The prompts' state was made by another version; fold again.")
        fold._restore(state)
        return fold

    def _restore(self, state: _State) -> None:
        self._past = dict(state.past)
        self._words.restore({slot: past.words.split() for slot, past in state.past})
        if self._embedder is not None and self._past:
            flat = np.frombuffer(state.vectors, np.float32)
            rows = max(self._past) + 1
            self._vectors = np.zeros((rows, self._embedder.about.dim), np.float32)
            self._vectors[list(self._past)] = flat.reshape(len(self._past), -1)
        self._open, self._last = state.open, state.last
        for weights, saved in zip(self._weights, state.weights, strict=True):
            weights.load(saved)
        self._counts = np.array(state.counts)


class _State(msgspec.Struct):
    version: str
    model: str
    past: list[tuple[int, Past]]
    vectors: bytes
    open: dict[str, int]
    last: dict[str, list[int]]
    weights: list[tuple[float, bytes, bytes]]
    counts: list[float]


def _one_hot(kind: str | None) -> tuple[float, ...]:
    return tuple([float(kind == each) for each in KINDS])


def _votes(nearest: list[Near]) -> tuple[float, ...]:
    """What the nearest led to, the nearer the weightier; and how near the nearest is."""
    if not nearest:
        return (*(_NAN,) * len(KINDS), 0.0)
    votes: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    for near in nearest:
        votes[near.past.work.kind] += near.likeness**2 + 1e-6
    total = sum(votes.values())
    return (*(votes[kind] / total for kind in KINDS), nearest[0].likeness)


def _largest(weights: dict[str, float], most: int) -> list[tuple[str, float]]:
    return sorted(weights.items(), key=lambda pair: -pair[1])[:most]
