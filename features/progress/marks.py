"""The last steps of a session as small marks, and numbers of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from onward.features.action.types import KIND
from onward.features.progress.gains import Gain

__all__ = ["CHECKS", "NEAR_NAMES", "SAME_NAMES", "Mark", "alternates", "near", "same"]

CHECKS = frozenset(KIND[kind] for kind in ("run", "inline", "test", "build"))
"""Kinds of calls that check something."""
_LOOKS = frozenset((KIND["read"], KIND["search"]))


class Mark(msgspec.Struct, array_like=True, gc=False):
    """One step, as far as later ones compare themselves with it."""

    shape: int
    """Hash of the call's template."""
    exact: int
    """Hash of the call."""
    kind: int
    gain: int
    bad: bool
    """It failed, or was not let run."""
    refused: bool
    void: bool
    """The agent's answer held no call that could be run."""
    lines: int
    novel: int
    said: int
    """Hash of its masked output."""
    size: float
    """Log of its output's length."""
    look: int
    """Its output's kind."""
    new_path: bool
    """It names a file for the first time."""
    id: str
    template: str
    """The call's template, for people."""


_BLANK = Mark(0, 0, 0, 1, False, False, False, 0, 0, 0, 0.0, 0, False, "", "")
_CHANGED = frozenset((Gain.STATE, Gain.CHECK))

NEAR_NAMES = (
    "last_gain",
    "before_gain",
    "last_changed",
    "last_bad",
    "before_bad",
    "last_refused",
    "last_void",
    "last_kind",
    "before_kind",
    "last_looks",
    "last_checks",
    "last_look",
    "last_size",
    "last_lines",
    "last_novel",
    "last_fresh",
    "fresh_3",
    "fresh_5",
    "fresh_12",
    "last_new_path",
    "gains_3",
    "gains_5",
    "gains_12",
    "bad_5",
    "bad_12",
    "void_5",
    "void_12",
    "refused_5",
    "looks_5",
    "checks_5",
    "new_paths_5",
    "new_paths_12",
)
SAME_NAMES = (
    "same_exact",
    "same_shape",
    "same_output",
    "row_exact",
    "row_shape",
    "row_kind",
    "distinct_6",
    "distinct_12",
    "distinct_states",
    "period_2",
    "period_3",
    "repeat_states",
    "alternate_states",
    "error_again",
    "errors_12",
)


def near(marks: Sequence[Mark]) -> tuple[float, ...]:
    """What the last steps were and gave, as `NEAR_NAMES`; there is at least one."""
    last, three, five = marks[-1], marks[-3:], marks[-5:]
    before = marks[-2] if len(marks) > 1 else _BLANK
    return (
        last.gain,
        before.gain,
        last.gain in _CHANGED,
        last.bad,
        before.bad,
        last.refused,
        last.void,
        last.kind,
        before.kind,
        last.kind in _LOOKS,
        last.kind in CHECKS,
        last.look,
        last.size,
        math.log1p(last.lines),
        math.log1p(last.novel),
        _share(last.novel, last.lines),
        _fresh(three),
        _fresh(five),
        _fresh(marks),
        last.new_path,
        _mean(three, lambda m: m.gain > 0),
        _mean(five, lambda m: m.gain > 0),
        _mean(marks, lambda m: m.gain > 0),
        _mean(five, lambda m: m.bad),
        _mean(marks, lambda m: m.bad),
        _mean(five, lambda m: m.void),
        _mean(marks, lambda m: m.void),
        _mean(five, lambda m: m.refused),
        _mean(five, lambda m: m.kind in _LOOKS),
        _mean(five, lambda m: m.kind in CHECKS),
        _mean(five, lambda m: m.new_path),
        _mean(marks, lambda m: m.new_path),
    )


def same(marks: Sequence[Mark], again: int) -> tuple[float, ...]:
    """How far the last steps are the same ones again, as `SAME_NAMES`.

    ``again`` is how often the last step's failure came in the session; 0 = it did not fail.
    """
    last, rest = marks[-1], marks[:-1]
    shapes = [mark.shape for mark in marks]
    states = [(mark.shape, mark.said) for mark in marks]
    return (
        sum(mark.exact == last.exact for mark in rest),
        sum(mark.shape == last.shape for mark in rest),
        sum(mark.said == last.said for mark in rest) if last.said else 0,
        _row([mark.exact for mark in marks]),
        _row(shapes),
        _row([mark.kind for mark in marks]),
        len(set(shapes[-6:])) / len(shapes[-6:]),
        len(set(shapes)) / len(shapes),
        len(set(states)) / len(states),
        alternates(shapes, 2),
        alternates(shapes, 3),
        alternates(states, 1),
        alternates(states, 2),
        again,
        len({mark.said for mark in marks if mark.bad}),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _fresh(marks: Sequence[Mark]) -> float:
    return _share(sum(mark.novel for mark in marks), sum(mark.lines for mark in marks))


def _mean(marks: Sequence[Mark], holds: Callable[[Mark], bool]) -> float:
    return sum(map(holds, marks)) / len(marks)


def _row(values: Sequence[object]) -> int:
    """How many of the last values are the same."""
    last, found = values[-1], 0
    for value in reversed(values):
        if value != last:
            break
        found += 1
    return found


def alternates(values: Sequence[object], period: int) -> int:
    """How many of the last values repeat those ``period`` places before; not counting a plain row.

    >>> alternates("xabab", 2), alternates("aaaa", 2), alternates("aaaa", 1)
    (2, 0, 3)
    """
    found = 0
    for place in range(len(values) - 1, period - 1, -1):
        if values[place] != values[place - period]:
            break
        found += 1
    plain = period > 1 and len(set(values[-period:])) == 1
    return 0 if plain else found
