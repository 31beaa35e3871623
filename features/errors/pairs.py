"""Two kinds of errors side by side, as numbers: how much they look like one and the same.

Everything is symmetric, and known at once: a pair needs no history. NaN = not known, as the cosine
without a sentence model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.dumps import version_of
from onward.features.errors.masks import WILD

__all__ = ["NAMES", "VERSION", "Side", "pair_vector"]

NAMES = (
    "cosine",
    "words_shared",
    "rare_words_shared",
    "ends_shared",
    "lengths",
    "values",
    "differing",
    "same_program",
    "same_type",
)
"""Names of the numbers of a pair, in order."""
_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a number changes."""


class Side(msgspec.Struct, frozen=True, gc=False):
    """One of the two."""

    tokens: tuple[str, ...]
    """Its message, masked."""
    programs: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


def pair_vector(
    one: Side, two: Side, *, cosine: float, seen: Mapping[str, int]
) -> NDArray[np.float32]:
    """(9,) float32, columns as `NAMES`.

    Parameters
    ----------
    one, two
        The two errors.
    cosine
        Of their embeddings; NaN = there is no sentence model.
    seen
        Word -> how many kinds of errors have it: rare words tell more.
    """
    a, b = _words(one.tokens), _words(two.tokens)
    both, either = a & b, a | b
    return np.array(
        [
            cosine,
            len(both) / max(len(either), 1),
            _weight(both, seen) / max(_weight(either, seen), 1e-9),
            _ends(one.tokens, two.tokens),
            min(len(one.tokens), len(two.tokens)) / max(len(one.tokens), len(two.tokens), 1),
            one.tokens.count(WILD) - two.tokens.count(WILD) == 0,
            len(either) - len(both),
            _overlap(one.programs, two.programs),
            _overlap(one.types, two.types),
        ],
        np.float32,
    )


def _words(tokens: tuple[str, ...]) -> frozenset[str]:
    return frozenset(t.lower() for t in tokens if t != WILD and any(map(str.isalpha, t)))


def _weight(words: Iterable[str], seen: Mapping[str, int]) -> float:
    return sum(1.0 / (1.0 + math.log1p(seen.get(word, 0))) for word in words)


def _ends(one: tuple[str, ...], two: tuple[str, ...]) -> float:
    """Share of the tokens that the two have alike at their beginning and at their end."""
    short = min(len(one), len(two))
    head = 0
    while head < short and one[head] == two[head]:
        head += 1
    tail = 0
    while tail < short - head and one[-1 - tail] == two[-1 - tail]:
        tail += 1
    return (head + tail) / max(len(one), len(two), 1)


def _overlap(one: frozenset[str], two: frozenset[str]) -> float:
    return len(one & two) / len(one | two) if one and two else math.nan
