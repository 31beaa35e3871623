"""Words as slots of a table of running weights."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from onward.features.action.types import WORD_SLOTS
from onward.features.text import words_of

__all__ = ["slots_of"]

MAX_SLOTS = 48
"""Slots of one call. More remember more of its words, fewer are faster."""


def slots_of(marks: Iterable[str], text: str) -> tuple[int, ...]:
    """Slots of marks, then of a text's words in their order, each once.

    >>> slots_of(["tool Bash"], "ls ls") == slots_of(["tool Bash"], "ls")
    True
    """
    found = dict.fromkeys([crc32(mark.encode("utf-8", "replace")) % WORD_SLOTS for mark in marks])
    for word in words_of(text):
        if len(found) >= MAX_SLOTS:
            break
        found[crc32(word) % WORD_SLOTS] = None
    return tuple(found)
