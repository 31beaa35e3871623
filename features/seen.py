"""Which words were seen: one bit for each place of a table, a word at the place of its hash.

Words may share a place; what was marked is always found, and the larger the table the less is
found that was not.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["bits", "is_marked", "mark", "of_bytes"]


def bits(places: int) -> bytearray:
    """An empty table; ``places`` is a power of two."""
    return bytearray(places // 8)


def mark(table: bytearray, hashes: Iterable[int], mixed: int = 0) -> None:
    """Marks words by their hashes, each with ``mixed`` laid over it.

    >>> table = bits(64)
    >>> mark(table, [3, 64 + 5])
    >>> [place for place in range(64) if is_marked(table, place)]
    [3, 5]
    """
    last = 8 * len(table) - 1
    for hashed in hashes:
        place = (hashed ^ mixed) & last
        table[place >> 3] |= 1 << (place & 7)


def is_marked(table: bytearray, hashed: int) -> int:
    """1 where a word's place is marked, else 0."""
    place = hashed & 8 * len(table) - 1
    return table[place >> 3] >> (place & 7) & 1


def of_bytes(table: bytearray, places: int) -> bytearray:
    """A table that has a byte for each place, as earlier versions saved it, in bits."""
    if len(table) != places:
        return table
    return bytearray(np.packbits(np.frombuffer(table, np.uint8), bitorder="little").tobytes())
