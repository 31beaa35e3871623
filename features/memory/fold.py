"""What was decided, kept so that it is found again: the fold behind semantic memory.

Notes come in from the history and are kept as they were written; nothing is rewritten or summed up.
A note that says again what one says already joins it (`onward.features.memory.alike`). Feedback
moves a note's usefulness (`onward.features.memory.kept`), so that what misled sinks and may rise
again. When all places are taken the least useful notes go.

`Memory.candidates` finds what may answer a question by words and by vectors, and `Candidates` has
the columns by which a ranker orders them. Vectors are derived, so they are no part of the state:
`embed` makes those that are missing, `save_vectors` and `load_vectors` keep them beside it. A note
without a vector yet is found by its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import log
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Feedback, Note
from onward.features.memory.alike import Alike, plain_key
from onward.features.memory.candidates import (
    NAMES,
    NEAR,
    VERSION,
    Candidates,
    Shelves,
    columns,
    found,
)
from onward.features.memory.index import Limits, Nearest
from onward.features.memory.kept import Facts, Kept, digest, text_of
from onward.features.memory.lexical import Lexical, terms
from onward.features.memory.vector_cache import load_vectors, save_vectors
from onward.features.sentences import Embedder

__all__ = ["CAPACITY", "NAMES", "VERSION", "Candidates", "Memory"]

CAPACITY = 100_000
"""Notes that are kept at most."""
MAX_ALIASES = 64
"""Ids of later notes that are remembered as another way to name the one that they joined."""
_LIKE = 3
"""Nearest notes by words that a new one is compared with."""

Slots = NDArray[np.intp]
Vector = NDArray[np.float32]


class Memory:
    """The notes, their words, their vectors and their usefulness.

    Parameters
    ----------
    embedder
        Makes texts vectors; None = words alone find and compare.
    capacity
        Notes that are kept at most. More find more, and take some 3 kB each with their vectors.
    limits
        Up to how many vectors each way of searching serves.

    >>> memory = Memory()
    >>> memory.learn(Note(id="1", session="s", text="take the lock file before writing"))
    >>> [kept.note.id for kept in memory.kept()]
    ['1']
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        *,
        capacity: int = CAPACITY,
        limits: Limits = Limits(),  # noqa: B008  # immutable
    ) -> None:
        self.embedder = embedder
        self._capacity = capacity
        self._limits = limits
        self._alike = Alike(embedder)
        self._clear()

    def _clear(self) -> None:
        self._words = Lexical()
        self._facts = Facts()
        self._vectors = self._no_vectors()
        self._kept: dict[int, Kept] = {}  # by slot, the longest kept first
        self._slot: dict[str, int] = {}  # by id, aliases among them
        self._keys: dict[str, int] = {}  # by the plain form of the text
        self._pending: dict[int, None] = {}  # slots that wait for their vector
        self.now = 0.0
        """The latest time that was seen, Unix seconds."""

    def _no_vectors(self) -> Nearest | None:
        if self.embedder is None:
            return None
        return Nearest(self.embedder.about.dim, limits=self._limits)

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, slot: int) -> Kept:
        return self._kept[slot]

    def kept(self) -> Iterator[Kept]:
        """All notes in memory, the longest kept first."""
        yield from self._kept.values()

    def slot(self, note_id: str) -> int | None:
        """Where the note of an id, or the one that it joined, is kept."""
        return self._slot.get(note_id)

    @property
    def words(self) -> Lexical:
        """The words of all notes."""
        return self._words

    @property
    def nearest(self) -> Nearest | None:
        """The vectors of all notes; None without an embedder."""
        return self._vectors

    @property
    def pending(self) -> int:
        """Notes that wait for their vector."""
        return len(self._pending)

    # -- learning ----------------------------------------------------------------------------------

    def learn(self, event: Event) -> None:
        """Takes in one event; all but notes and feedback change nothing."""
        if isinstance(event, Note):
            self._learn_note(event)
        elif isinstance(event, Feedback):
            self._learn_feedback(event)

    def _learn_note(self, note: Note) -> None:
        self.now = max(self.now, note.at)
        if note.id in self._slot:
            return
        words, key = terms(text_of(note)), _key(note)
        slot = self._keys.get(key)
        slot = self._same(note, words) if slot is None else slot
        if slot is None:
            self._add(self._words.add(words), Kept(note, last=note.at))
            if len(self._kept) > self._capacity:
                self._evict()
        else:
            self._join(slot, note)

    def _add(self, slot: int, kept: Kept) -> None:
        self._kept[slot] = kept
        self._facts.put(slot, kept)
        self._keys[_key(kept.note)] = slot
        self._slot.update(dict.fromkeys((kept.note.id, *kept.aliases), slot))
        if self.embedder is not None:
            self._pending[slot] = None

    def _same(self, note: Note, words: list[str]) -> int | None:
        """The slot of a note that says the same in other words."""
        slots, _ = self._words.search(self._words.query(words), _LIKE)
        text = text_of(note)
        for slot in slots.tolist():
            kept = self._kept[slot].note
            if kept.project == note.project and self._alike.same(text, text_of(kept)):
                return int(slot)
        return None

    def _join(self, slot: int, note: Note) -> None:
        kept = self._kept[slot]
        kept.count += 1
        kept.last = max(kept.last, note.at)
        kept.aliases = [*kept.aliases, note.id]
        while len(kept.aliases) > MAX_ALIASES:
            self._slot.pop(kept.aliases.pop(0), None)
        self._slot[note.id] = slot
        self._facts.put(slot, kept)

    def _learn_feedback(self, feedback: Feedback) -> None:
        self.now = max(self.now, feedback.at)
        slot = self._slot.get(feedback.note)
        if slot is not None:
            self._kept[slot].judge(helped=feedback.helped, at=feedback.at)
            self._facts.put(slot, self._kept[slot])

    def _evict(self) -> None:
        """Let go of a part of the least useful at once, so that looking for them is rare."""
        worth = sorted(self._kept, key=self._worth)
        for slot in worth[: max(1, self._capacity // 100)]:
            self._forget(slot)

    def _worth(self, slot: int) -> tuple[float, float]:
        kept = self._kept[slot]
        return kept.useful(self.now) + log(kept.count), kept.last

    def _forget(self, slot: int) -> None:
        kept = self._kept.pop(slot)
        for name in (kept.note.id, *kept.aliases):
            self._slot.pop(name, None)
        self._keys.pop(_key(kept.note), None)
        self._pending.pop(slot, None)
        self._words.remove(slot)
        if self._vectors is not None:
            self._vectors.remove(slot)

    # -- vectors -----------------------------------------------------------------------------------

    def missing(self, most: int) -> list[tuple[int, str]]:
        """Notes that wait for their vector, the longest waiting first: slots and texts."""
        return [(slot, text_of(self._kept[slot].note)) for slot in islice(self._pending, most)]

    def place(self, slot: int, text: str, vector: Vector) -> None:
        """Give a note its vector, if it is still there and waits for it."""
        if self._vectors is None or slot not in self._pending:
            return
        if text_of(self._kept[slot].note) == text:
            self._vectors.add(slot, vector)
            del self._pending[slot]

    def place_all(self, slots: Slots, rows: NDArray[np.float32]) -> None:
        """Give many notes their vectors at once, which is much faster than one by one."""
        if self._vectors is not None:
            self._vectors.fill(slots, rows)
            for slot in slots.tolist():
                self._pending.pop(slot, None)

    def embed(self, most: int = 256) -> int:
        """Make vectors that are missing, and give how many were made."""
        if self.embedder is None:
            return 0
        waiting = self.missing(most)
        rows = self.embedder.embed([text for _, text in waiting])
        for (slot, text), row in zip(waiting, rows, strict=True):
            self.place(slot, text, row)
        return len(waiting)

    # -- recall ------------------------------------------------------------------------------------

    def vector(self, query: str) -> Vector | None:
        """The vector of a question; None without an embedder."""
        return None if self.embedder is None else self.embedder.embed([query])[0]

    def candidates(
        self,
        query: str,
        vector: Vector | None,
        *,
        project: str = "",
        now: float = 0.0,
        near: int = NEAR,
    ) -> Candidates:
        """What may answer a question, with the columns by which it is ranked.

        Parameters
        ----------
        query, vector
            The question and its vector; without a vector words alone find.
        project
            Notes of this project are marked.
        now
            Unix seconds; 0 = the latest time that was seen.
        near
            Candidates of each of the two searches.
        """
        shelves = Shelves(self._words, self._vectors, self._facts)
        return found(shelves, query, vector, project=project, now=now or self.now, near=near)

    def columns(
        self,
        query: str,
        vector: Vector | None,
        slots: Slots,
        *,
        project: str = "",
        now: float = 0.0,
    ) -> NDArray[np.float32]:
        """(n, d) the columns of given notes, whether the searches find them or not."""
        shelves = Shelves(self._words, self._vectors, self._facts)
        near = self.candidates(query, vector, project=project, now=now)
        return columns(shelves, near, slots, vector=vector, project=project, now=now or self.now)

    def shared(self, found: Candidates, slot: int) -> list[str]:
        """The words that the question and a note share, the rarest first."""
        return self._words.shared(found.weights, slot)

    # -- on disk -----------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """All that was folded, without the vectors; `load` goes on the same."""
        return msgspec.msgpack.encode(_State(VERSION, self.now, self._kept))

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The memory cannot be read: {error}") from error
        if state.version != VERSION:
            raise BundleError("The memory was kept with other features; fold the history again.")
        self._clear()
        self.now = state.now
        self._words.restore({slot: terms(text_of(kept.note)) for slot, kept in state.kept.items()})
        for slot, kept in state.kept.items():
            self._add(slot, kept)

    def save_vectors(self, folder: Path) -> None:
        """Keep the vectors beside the state: a cache, which may be lost."""
        if self._vectors is not None and self.embedder is not None:
            about, digests = self.embedder.about, self._digests()
            save_vectors(folder, self._vectors, about=about, digests=digests)

    def load_vectors(self, folder: Path) -> int:
        """Take what `save_vectors` kept for notes that are there, and give how many there were.

        A cache that cannot be read, or is of another embedder, is passed over.
        """
        if self.embedder is None:
            return 0
        about, digests = self.embedder.about, self._digests()
        vectors = load_vectors(folder, about=about, digests=digests, limits=self._limits)
        if vectors is None:
            return 0
        self._vectors = vectors
        there = set(vectors.slots())
        self._pending = dict.fromkeys(slot for slot in self._kept if slot not in there)
        return len(vectors)

    def _digests(self) -> dict[int, str]:
        return {slot: digest(text_of(kept.note)) for slot, kept in self._kept.items()}


class _State(msgspec.Struct):
    version: str
    now: float
    kept: dict[int, Kept]


def _key(note: Note) -> str:
    return f"{note.project}|{plain_key(text_of(note))}"
