"""What a failed build or test run says, as numbers: the words of its error lines.

Each word falls into one of `SLOTS` columns by its hash; a column holds ``1 + log`` of how often its
words came. Paths and words with digits are left out. Without labels nothing is learned here.
"""

from __future__ import annotations

import re
from collections import Counter
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.dumps import version_of
from onward.features.errors.rootcause import error_lines

__all__ = ["NAMES", "SLOTS", "VERSION", "Case", "cause_vector", "cause_words", "slot_of"]

SLOTS = 1 << 14
"""Columns; more of them let fewer words share one."""
NAMES = tuple(f"word_{slot}" for slot in range(SLOTS))
_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a number changes."""
MAX_LINES = 200
"""Error lines that are looked at, the last ones."""
_PATH = re.compile(r"\S*/\S*")
_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2,40}(?![A-Za-z0-9])")


class Case(msgspec.Struct, frozen=True, gc=False):
    """A failed run whose cause is known."""

    log: str
    category: str
    project: str = ""
    """Cases of one project are never parted when a model is judged."""


def slot_of(word: str) -> int:
    """The column of a word."""
    return crc32(word.encode()) % SLOTS


def cause_words(log: str) -> Counter[str]:
    """The words of a log's error lines, in lower case, with how often each came.

    >>> sorted(cause_words("[ERROR] /a/b.java:[1,2] cannot find symbol").items())
    [('cannot', 1), ('error', 1), ('find', 1), ('symbol', 1)]
    """
    words: Counter[str] = Counter()
    for line in error_lines(log, most=MAX_LINES):
        plain = _PATH.sub(" ", line)
        words.update(word.lower() for word in _WORD.findall(plain))
    return words


def cause_vector(log: str) -> NDArray[np.float32]:
    """(SLOTS,) float32: the words of a log's error lines by slot."""
    row = np.zeros(SLOTS, np.float32)
    for word, count in cause_words(log).items():
        row[slot_of(word)] += count
    seen = row > 0
    row[seen] = 1.0 + np.log(row[seen])
    return row
