"""Sets judged one after the other; one that holds too little costs the others nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

from onward.data.errors import NotEnoughData

__all__ = ["each"]

Given = TypeVar("Given")
Found = TypeVar("Found")


def each(
    sets: Mapping[str, Given], judge: Callable[[Given], Found], *, script: str
) -> dict[str, Found]:
    """What came of each set by name; those that hold too little are named on stderr and left out.

    Parameters
    ----------
    sets
        What is judged, by name.
    judge
        Raises `NotEnoughData` where a set holds too little to learn from or to judge.
    script
        Stands before each sentence.

    Raises
    ------
    NotEnoughData
        Nothing is left.
    """
    found = {}
    for name, one in sets.items():
        try:
            found[name] = judge(one)
        except NotEnoughData as error:
            print(f"{script}: {name} is left out: {error.message}", file=sys.stderr)
    if not found:
        raise NotEnoughData("No set could be judged.", sets=list(sets))
    return found
