"""Tables that forget: the oldest entries go, some at a time.

The first entry of a ``dict`` is found by walking over the places of those that went before it, so
taking them out one by one costs hundreds of steps each. A sixteenth at once costs one walk.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

__all__ = ["shed"]


def shed(table: dict[Any, Any], most: int) -> None:
    """Lets the oldest entries of a table go where it has more than ``most``.

    >>> table = dict.fromkeys(range(33))
    >>> shed(table, 32)
    >>> len(table), next(iter(table))
    (30, 3)
    """
    if len(table) > most:
        for key in list(islice(table, len(table) - most + most // 16)):
            del table[key]
