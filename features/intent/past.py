"""Past prompts, and which of them resemble a new one by its words and by what it means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Prompt
from onward.features.intent.prompt_words import slots_of
from onward.features.intent.work import Work
from onward.features.memory.lexical import Lexical, terms
from onward.features.sentences import Embedder

__all__ = ["Near", "Past", "PastPrompts", "SavedPrompts"]

NEAREST = 8
"""Past prompts that have a say."""
TEXT_KEPT = 400
"""Characters of a past prompt that are kept to be shown."""
_WORDS_KEPT = 120
"""Words of a past prompt that are compared."""


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


class SavedPrompts(msgspec.Struct):
    """Past prompts on disk."""

    past: list[tuple[int, Past]]
    vectors: bytes
    """Theirs, in their order; empty without an embedder."""


class PastPrompts:
    """Past prompts by slot, in the order in which they came.

    Parameters
    ----------
    embedder
        Makes vectors of prompts; without it prompts are compared by their words alone.
    """

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._embedded: tuple[str, NDArray[np.float32]] | None = None
        self._nearest: tuple[str, list[Near]] | None = None
        dim = 0 if embedder is None else embedder.about.dim
        self._past: dict[int, Past] = {}
        self._words = Lexical()
        self._vectors = np.zeros((0, dim), np.float32)

    def __len__(self) -> int:
        return len(self._past)

    def __getitem__(self, slot: int) -> Past:
        return self._past[slot]

    def __iter__(self) -> Iterator[int]:
        return iter(self._past)

    def newest(self, most: int) -> list[Past]:
        """The newest ones, the oldest of them first."""
        return list(self._past.values())[-most:]

    def add(self, prompt: Prompt) -> int:
        """Take a prompt in, and give its slot."""
        words = terms(prompt.text)[:_WORDS_KEPT]
        slot, self._nearest = self._words.add(words), None
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
        if self._embedder is not None:
            self._keep_vector(slot, self._embed(self._embedder, prompt.text))
        return slot

    def _keep_vector(self, slot: int, vector: NDArray[np.float32]) -> None:
        if slot >= len(self._vectors):
            more = np.zeros((max(256, slot), self._vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors, more])
        self._vectors[slot] = vector

    def _embed(self, embedder: Embedder, text: str) -> NDArray[np.float32]:
        """A text's vector; the last one is at hand, for a prompt is asked about, then learned."""
        if self._embedded is None or self._embedded[0] != text:
            self._embedded = text, embedder.embed([text])[0]
        return self._embedded[1]

    def remove(self, slot: int) -> Past:
        """Let a prompt go, and give it a last time."""
        self._words.remove(slot)
        self._nearest = None
        if self._embedder is not None:
            self._vectors[slot] = 0.0
        return self._past.pop(slot)

    def alike(self, text: str) -> list[Near]:
        """The past prompts that share the most words, by TF-IDF."""
        query = self._words.query(terms(text)[:_WORDS_KEPT])
        slots, _ = self._words.search(query, NEAREST)
        cosines = self._words.evidence(query, slots)[:, 1]
        return self._found(slots.tolist(), cosines.tolist())

    def near(self, text: str) -> list[Near]:
        """The past prompts that mean the most alike, by their vectors; none without an embedder.

        The last text's are at hand: one answer asks for them twice.
        """
        if self._embedder is None or not self._past:
            return []
        if self._nearest is None or self._nearest[0] != text:
            cosines = self._vectors @ self._embed(self._embedder, text)
            best = np.argsort(-cosines, kind="stable")[:NEAREST].tolist()
            slots = [slot for slot in best if slot in self._past]  # others are empty
            self._nearest = text, self._found(slots, cosines[slots].tolist())
        return self._nearest[1]

    def _found(self, slots: Sequence[int], likeness: Sequence[float]) -> list[Near]:
        pairs = zip(slots, likeness, strict=True)
        return [Near(self._past[slot], max(0.0, min(1.0, float(x)))) for slot, x in pairs]

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> SavedPrompts:
        """All of them; `restore` gives the same answers."""
        kept = b"" if self._embedder is None else self._vectors[list(self._past)].tobytes()
        return SavedPrompts(list(self._past.items()), kept)

    def restore(self, saved: SavedPrompts) -> None:
        """Take back what `dump` gave; only where there are none yet."""
        self._past = dict(saved.past)
        self._words.restore({slot: past.words.split() for slot, past in saved.past})
        if self._embedder is not None and self._past:
            flat = np.frombuffer(saved.vectors, np.float32)
            rows = max(self._past) + 1
            self._vectors = np.zeros((rows, self._embedder.about.dim), np.float32)
            self._vectors[list(self._past)] = flat.reshape(len(self._past), -1)
