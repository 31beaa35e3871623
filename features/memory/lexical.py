"""Words as evidence: an inverted index that takes texts in and lets them go one by one.

`terms` makes the words that count out of a text. `Lexical` holds which text has which of them and
ranks texts by BM25. Adding a text costs a few microseconds a word. A query reads the rarest of its
words first and stops at a bounded number of postings, so that it stays quick however common
its other words are; those then only count for the texts that the rare ones found.

The well-kept libraries rank a corpus that is there as a whole: bm25s computes all scores ahead and
builds anew for one more text, rank-bm25 walks every text in Python at every query.

References
----------
Robertson & Zaragoza, *The probabilistic relevance framework: BM25 and beyond*, 2009; Turtle &
Flood, *Query evaluation: strategies and optimizations*, 1995 (rarest first); Harman, *How effective
is suffixing?*, JASIS 1991 (the light stemmer).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log1p

import numpy as np
from numpy.typing import NDArray

__all__ = ["EVIDENCE", "MAX_TERMS", "Lexical", "Weights", "terms"]

MAX_TERMS = 400
"""Words of a text that are looked at, from its beginning."""
_K1, _B = 1.2, 0.75
_BUDGET = 5_000
"""Postings that the walk may find new texts in; the commoner words then only add."""
_WORD = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*|[^\W\d_]+")
_PART = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

Slots = NDArray[np.intp]
Weights = dict[str, float]
"""Words with a weight each."""

_STOP = (
    "a about all also am an and any anyone are as at be been but by can could did do does "
    "dont dear down for from get got guys had has have he hello her here hi his how i if im "
    "in into is it its ive just know let like may me might my no not of on one or our out "
    "please she should so some than thank thanks that the their them then there these they "
    "this those to too up us very want was we were what when where which who whom why will "
    "with would you your "
)
STOP_WORDS = frozenset(_STOP.split())
"""Words that say nothing of what a text is about."""


def terms(text: str) -> list[str]:
    """The words that count, in order, without their endings; at most `MAX_TERMS`.

    A name of several parts counts as a whole and by its parts.

    >>> terms("Why are the tests in data/store.py failing?")
    ['test', 'data/store.py', 'data', 'store', 'py', 'fail']
    >>> terms("parseHTTPUrls")
    ['parse', 'httpurl']
    """
    found: list[str] = []
    for word in _WORD.findall(_HUMP.sub(" ", text).lower()):
        if word in STOP_WORDS:
            continue
        parts = _PART.findall(word)
        if len(parts) > 1:
            found.append(word)
        found.extend(_stem(part) for part in parts if part not in STOP_WORDS)
        if len(found) >= MAX_TERMS:
            break
    return found[:MAX_TERMS]


_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))


def _stem(word: str) -> str:
    """A word without the commonest endings.

    >>> [_stem(word) for word in ("queries", "class", "running", "used")]
    ['query', 'class', 'runn', 'used']
    """
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) > 2:
            if ending == "s" and word.endswith("ss"):
                return word
            return word[: len(word) - len(ending)] + instead
    return word


class Lexical:
    """Which text has which words, and the texts that share the most with a query.

    Texts are known by their *slot*, a small number that `add` gives out and that another text may
    get after `remove`.

    >>> index = Lexical()
    >>> one, two = index.add(terms("use the lock file")), index.add(terms("drop the cache"))
    >>> index.search(index.query(terms("where is the lock")), 5)[0].tolist() == [one]
    True
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._slots: list[array[int]] = []  # by word, with those of removed texts until `_purge`
        self._counts: list[array[int]] = []
        self._df = np.zeros(1024)
        self._texts: dict[int, tuple[NDArray[np.int32], NDArray[np.float32]]] = {}
        self._length = np.full(256, np.inf, np.float32)  # inf = nothing there: it scores 0
        self._words = 0
        self._free: list[int] = []
        self._dead: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._texts)

    # -- texts ---------------------------------------------------------------------------------

    def add(self, words: Sequence[str]) -> int:
        """Take a text in, as its `terms`, and give its slot."""
        slot = self._new_slot()
        self._put(slot, words)
        return slot

    def restore(self, texts: Mapping[int, Sequence[str]]) -> None:
        """Take texts into the slots that they had; only an empty index can do that."""
        self._next = max(texts, default=-1) + 1
        room = max(256, self._next)
        self._length = np.full(room, np.inf, np.float32)
        for slot, words in texts.items():
            self._put(slot, words)
        self._free = sorted(set(range(self._next)) - texts.keys(), reverse=True)

    def _put(self, slot: int, words: Sequence[str]) -> None:
        counts = Counter(words) or {"": 1}  # a text without words is still one
        ids = np.fromiter((self._id(word) for word in counts), np.int32, len(counts))
        for word, count in zip(ids.tolist(), counts.values(), strict=True):
            self._slots[word].append(slot)
            self._counts[word].append(min(count, 255))
        self._df[ids] += 1
        self._texts[slot] = ids, np.fromiter(counts.values(), np.float32, len(counts))
        self._length[slot] = len(words)
        self._words += len(words)

    def remove(self, slot: int) -> None:
        """Let a text go; raises `KeyError` where there is none."""
        ids, _ = self._texts.pop(slot)
        self._df[ids] -= 1
        self._words -= int(self._length[slot])
        self._length[slot] = np.inf
        self._dead.append(slot)
        if len(self._dead) > max(256, len(self._texts) // 2):
            self._purge()

    def _id(self, word: str) -> int:
        found = self._ids.get(word)
        if found is None:
            found = self._ids[word] = len(self._slots)
            self._slots.append(array("i"))
            self._counts.append(array("B"))
            if found >= len(self._df):
                self._df = np.concatenate([self._df, np.zeros(len(self._df))])
        return found

    def _new_slot(self) -> int:
        if self._free:
            return self._free.pop()
        slot, self._next = self._next, self._next + 1
        if slot >= len(self._length):
            more = np.full(len(self._length), np.inf, np.float32)
            self._length = np.concatenate([self._length, more])
        return slot

    def _purge(self) -> None:
        """Take removed texts out of the postings, words that no text has out of the vocabulary."""
        kept = {word: number for word, number in self._ids.items() if self._df[number] > 0}
        renumber = np.zeros(len(self._slots), np.int32)
        slots, counts = [], []
        for new, old in enumerate(kept.values()):
            renumber[old] = new
            own = np.frombuffer(self._slots[old], np.int32)
            alive = np.isfinite(self._length[own])
            slots.append(array("i", own[alive].tobytes()))
            counts.append(array("B", np.frombuffer(self._counts[old], np.uint8)[alive].tobytes()))
        df = np.zeros(max(1024, len(kept) * 2))
        df[: len(kept)] = self._df[list(kept.values())]
        self._ids = {word: new for new, word in enumerate(kept)}
        self._slots, self._counts, self._df = slots, counts, df
        for slot, (ids, often) in self._texts.items():
            self._texts[slot] = renumber[ids], often
        self._free += self._dead
        self._dead = []

    # -- queries ---------------------------------------------------------------------------------

    def query(self, words: Iterable[str]) -> Weights:
        """The words of a query, each with its weight (IDF), the rarest first.

        A word that no text has weighs as much as the rarest can: a query of such words matches
        little of itself.
        """
        n = len(self._texts)
        weights = {}
        for word in dict.fromkeys(words):
            found = self._ids.get(word)
            df = 0.0 if found is None else float(self._df[found])
            weights[word] = log1p((n - df + 0.5) / (df + 0.5))
        return dict(sorted(weights.items(), key=lambda pair: -pair[1]))

    def search(self, query: Weights, most: int) -> tuple[Slots, NDArray[np.float32]]:
        """The texts nearest to a query by BM25, best first: slots and scores."""
        found = self.found(query, 2 * most)
        scores = self.scores(query, found)
        order = np.argsort(-scores, kind="stable")[:most]
        return found[order], scores[order]

    def found(self, query: Weights, most: int) -> Slots:
        """About the nearest texts by BM25, by the rarer words of a query; in no order."""
        touched = np.zeros(self._next, np.float32)
        left = _BUDGET
        for word, weight in query.items():
            number = self._ids.get(word)
            if number is None:
                continue
            slots = np.frombuffer(self._slots[number], np.int32)
            if len(slots) > left < _BUDGET:  # the rarest word is read, however common
                break
            left -= len(slots)
            often = np.frombuffer(self._counts[number], np.uint8).astype(np.float32)
            touched[slots] += weight * often / (often + self._norms(slots))
        return _largest(touched, most)

    def _norms(self, slots: Slots | NDArray[np.int32]) -> NDArray[np.float32]:
        """What BM25 weighs a text's length with; infinite where a text was removed."""
        average = self._words / max(len(self._texts), 1) or 1.0
        return np.float32(_K1 * (1.0 - _B)) + np.float32(_K1 * _B / average) * self._length[slots]

    def scores(self, query: Weights, slots: Slots) -> NDArray[np.float32]:
        """BM25 of a query with the texts in some slots."""
        return self.evidence(query, slots)[:, 0]

    def evidence(self, query: Weights, slots: Slots) -> NDArray[np.float32]:
        """What the words say of texts in some slots, a row each, columns as `EVIDENCE`."""
        if not len(slots):
            return np.zeros((0, len(EVIDENCE)), np.float32)
        rows = [self._texts[slot] for slot in slots.tolist()]
        sizes = [len(ids) for ids, _ in rows]
        ids = np.concatenate([ids for ids, _ in rows])
        often = np.concatenate([often for _, often in rows])
        starts = np.cumsum([0, *sizes[:-1]])
        norm = np.repeat(self._norms(slots), sizes)
        rarity = self._rarity(ids)
        shared = np.where(self._within(query, ids), rarity, 0.0)
        logged = 1.0 + np.log(often)
        total = sum(query.values()) or 1.0
        length = np.sqrt(sum(weight * weight for weight in query.values()) or 1.0)
        columns = (
            np.add.reduceat(shared * often * (_K1 + 1.0) / (often + norm), starts),
            np.add.reduceat(shared * rarity * logged, starts)
            / (np.sqrt(np.add.reduceat((rarity * logged) ** 2, starts)) * length),
            np.add.reduceat(shared, starts) / total,
            np.add.reduceat(shared, starts) / np.add.reduceat(rarity, starts),
        )
        return np.column_stack(columns).astype(np.float32)

    def _rarity(self, ids: NDArray[np.int32]) -> NDArray[np.float64]:
        df = self._df[ids]
        return np.log1p((len(self._texts) - df + 0.5) / (df + 0.5))

    def _within(self, query: Weights, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        known = np.sort([self._ids[word] for word in query if word in self._ids] or [-1])
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.asarray(known[place] == ids)

    def shared(self, query: Weights, slot: int, most: int = 8) -> list[str]:
        """The words that a query and a text share, the rarest first."""
        ids = set(self._texts[slot][0].tolist())
        return [word for word in query if self._ids.get(word, -1) in ids][:most]


EVIDENCE = ("bm25", "tfidf", "cover_query", "cover_text")
"""What `Lexical.evidence` says of a text: BM25; the cosine of the two as TF-IDF vectors; and which
share of the query's words, and of the text's, the other one has, by weight."""


def _largest(scores: NDArray[np.float32], most: int) -> Slots:
    """Places of the largest scores above 0, at most so many, in no order."""
    found = np.flatnonzero(scores > 0)  # of truth values: many times as fast as of numbers
    if len(found) <= most:
        return found
    return found[np.argpartition(-scores[found], most)[:most]]
