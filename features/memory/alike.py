"""Whether two notes say the same.

First by their plain form: the same words in the same order, whatever their case and punctuation.
Then near copies: nearly the same words, none of the few that differ able to turn the sense (a
negation, a number, a name), and nearly the same vector. Words alone would join "use the cache"
with "use no cache", vectors alone whatever is about the same. Without vectors more words must
agree.

The thresholds are measured on altered copies of real texts, and on real texts that are about the
same (``python experiments/memory.py``, part ``duplicates``).
"""

from __future__ import annotations

import re
from collections import Counter

from onward.features.memory.lexical import STOP_WORDS, terms
from onward.features.sentences import Embedder

__all__ = ["Alike", "plain_key"]

WORDS = 0.6
"""Least share of the words that two notes must have in common where their vectors are compared."""
WORDS_ALONE = 0.85
"""The same without vectors."""
COSINE = 0.94
"""Least cosine of their vectors."""

_TOKEN = re.compile(r"(?:[-+](?=\d))?[^\W_]+(?:'[^\W_]+)?|[<>]=?|[=!]=")
_TURNS = frozenset(
    {"no", "not", "never", "without", "none", "nor", "neither", "cannot", "except", "unless"}
    | {"off", "on", "before", "after", "instead", "only", "always", "less", "more", "old", "new"}
    | {"enable", "disable", "add", "remove", "true", "false", "yes"}
)
"""Words that turn the sense of what stands around them."""


def plain_key(text: str) -> str:
    """The words of a text, in order, without case and punctuation.

    >>> plain_key("Use  the *lock*-file!") == plain_key("use the lock file")
    True
    """
    return " ".join(_TOKEN.findall(text.lower()))


class Alike:
    """Compares notes; with an embedder by words and vectors, else by words alone."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder

    def same(self, one: str, two: str) -> bool:
        """Whether two texts say the same.

        >>> Alike().same("Take the lock file before writing.", "take the lock-file before writing")
        True
        >>> Alike().same("take the lock file before writing", "take no lock file before writing")
        False
        """
        if plain_key(one) == plain_key(two):
            return True
        least = WORDS_ALONE if self._embedder is None else WORDS
        if agreement(one, two) < least or turned(one, two):
            return False
        return self._embedder is None or cosine(self._embedder, one, two) >= COSINE


def agreement(one: str, two: str) -> float:
    """Share of the words of either text that both have (Jaccard)."""
    left, right = set(terms(one)), set(terms(two))
    return len(left & right) / len(left | right) if left | right else 0.0


def turned(one: str, two: str) -> bool:
    """Whether a word that only one of the texts has may turn its sense.

    >>> turned("keep 3 backups", "keep 5 backups"), turned("keep the backups", "keep all backups")
    (True, False)
    """
    left, right = Counter(_TOKEN.findall(one.lower())), Counter(_TOKEN.findall(two.lower()))
    return any(
        word in _TURNS or word.endswith("n't") or not word.isalpha()
        for word in (left - right) + (right - left)
        if word not in STOP_WORDS or word in _TURNS
    )


def cosine(embedder: Embedder, one: str, two: str) -> float:
    """The cosine of two texts' vectors."""
    left, right = embedder.embed([one, two])
    return float(left @ right)
