"""Under what the next step is counted: contexts and slots of what a session is at.

A context is a hash of numbers (the hash of a tuple of integers is the same in every process). Lists
of contexts go from wide to narrow, as `onward.features.next_task.counts` wants them; slots are for
`onward.features.next_task.weights`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.trail import BEFORE, Mark, Result, Trail
from onward.features.next_task.weights import SLOTS

__all__ = ["HASHED", "Now", "now_of"]

HASHED = hash((1, 2, 3))
"""Differs where another Python hashes otherwise; what was dumped there cannot be used here."""

_MASK = SLOTS - 1
_EARLY = 3
"""Steps of a session in which the prompt and the session before it tell most."""
_NOTHING = Mark(BEFORE, BEFORE, BEFORE, 0, Result(), 0)
_WORD_MIX = np.uint64(0x9E3779B97F4A7C15)


class Now(NamedTuple):
    """What a session is at, in hashes."""

    steps: list[int]
    """Contexts of the last labels alone: an n-gram."""
    shapes: list[int]
    """Contexts of what the last steps were and gave."""
    place: list[int]
    """Contexts in the agent's project."""
    session: list[int]
    """Contexts in the session."""
    recent: list[int]
    """Contexts of the agent, counted with quick forgetting."""
    situations: list[int]
    """Situations of which only the last follower is kept."""
    slots: NDArray[np.int64]
    """(n,) different slots of the running weights."""


def now_of(trail: Trail, agent: int, home: int, before: Sequence[int]) -> Now:
    """What a session is at.

    Parameters
    ----------
    trail
        Its state.
    agent, home
        Hashes of its agent, and of its agent and project.
    before
        The last labels of the agent in this project, the latest last, in whatever session.
    """
    marks = [*reversed(trail.marks)][:6] + [_NOTHING] * 6
    labels = [mark.label for mark in marks[:6]]
    one, two, three = marks[:3]
    a, b, c, d = labels[:4]
    steps = [0, hash((1, a)), hash((2, a, b)), hash((3, a, b, c)), hash((4, a, b, c, d))]
    shapes = [
        hash((5, one.kind)),
        hash((6, one.shape)),
        hash((7, one.shape, one.code)),
        hash((8, one.shape, one.code, two.shape)),
        hash((9, one.shape, one.code, two.shape, two.code, three.shape)),
    ]
    place = [
        hash((home, 0)),
        hash((home, 1, a)),
        hash((home, 2, a, b)),
        hash((home, 3, one.shape, one.code)),
        hash((home, 4, one.exact)),
    ]
    session = [1, hash((2, a)), hash((3, one.shape)), hash((4, a, b)), hash((5, one.exact))]
    recent = [hash((agent, 0)), hash((home, 0)), hash((home, 1, a))]
    situations = [
        hash((1, a)),
        hash((2, one.shape)),
        hash((3, one.kind, one.result.good)),
        hash((4, a, b)),
        hash((5, one.kind, two.kind, three.kind)),
    ]
    plain = [
        *steps,
        *shapes,
        *_situation_slots(trail, marks),
        *_session_slots(trail, marks, situations),
        *_time_slots(trail, a),
        hash((60, home)),
    ]
    if trail.steps < _EARLY:
        plain += [hash((61, i, x, trail.steps)) for i, x in enumerate(reversed(before))]
    slots = np.array(plain, np.int64) & _MASK
    return Now(
        steps, shapes, place, session, recent, situations, _once(_with_words(slots, trail, a))
    )


def _situation_slots(trail: Trail, marks: Sequence[Mark]) -> list[int]:
    """What was changed, checked and looked at, and how far it is."""
    one, two, three = marks[:3]
    a, n = one.label, trail.steps
    since = min(n - trail.last_edit, 4) if trail.edits else 5
    check, stage = trail.check_state(), min(n.bit_length(), 6)
    unrun, stale, early = trail.unrun(), trail.stale(), min(n, 12)
    return [
        hash((20, one.kind, stage)),
        hash((21, a, since, check)),
        hash((22, one.shape, trail.touched, check, one.code)),
        hash((23, one.shape, one.code, trail.touched, check, since, two.kind)),
        hash((24, a, early)),
        hash((25, a, two.label, early)),
        hash((26, one.kind, two.kind, three.kind, one.code)),
        hash((27, one.kind, one.code, since)),
        hash((28, check, a, two.label)),
        hash((29, stage, a)),
        hash((30, one.code, two.code, a)),
        hash((31, trail.touched, a)),
        hash((32, trail.todo, a)),
        hash((33, unrun, stale, a)),
        hash((34, unrun, stale, one.kind, one.code)),
        hash((35, trail.lines, a)),
        hash((36, trail.news, a, one.code)),
        hash((37, trail.again, a)),
        hash((38, trail.commands, a)),
        hash((39, min(trail.same, 5), a)),
    ]


def _session_slots(trail: Trail, marks: Sequence[Mark], situations: Sequence[int]) -> list[int]:
    """Which labels the session uses, when it used them, and what it did here before."""
    one, n = marks[0], trail.steps
    a, followed = one.label, trail.followed.get
    own = [*(a, one.label, one.kind, a, one.kind)]
    found = [
        hash((40, tuple(sorted({mark.label for mark in marks[:6]})))),
        hash((41, marks[1].label)),
        hash((42, marks[2].label)),
    ]
    for kind, (label, at) in trail.by_kind.items():
        found += [
            hash((43, kind, label, a)),
            hash((44, kind, label, one.kind, one.code)),
            hash((45, kind, (n - at).bit_length(), a)),
        ]
    found += [
        hash((46, i, followed(one_of, BEFORE), by))
        for i, (one_of, by) in enumerate(zip(situations, own, strict=True))
    ]
    found += [hash((47, x, a)) for x in {mark.label for mark in trail.marks[:-1]}]
    found += [hash((48, mark.shape, a)) for mark in trail.marks[-5:-1]]
    return found


def _time_slots(trail: Trail, a: int) -> list[int]:
    """How long the last step took, and when it was; nothing where there is no clock."""
    if not trail.at:
        return []
    clock = time.gmtime(max(min(4e9, trail.at), 0.0))  # in this order it is a number for NaN, too
    gap, spent = _log2(trail.gap), _log2(trail.at - trail.began)
    return [
        hash((50, gap, a)),
        hash((51, spent, a)),
        hash((52, clock.tm_wday, a)),
        hash((53, clock.tm_hour // 2, a)),
    ]


def _log2(seconds: float) -> int:
    return int(math.log2(1.0 + min(max(0.0, seconds), 1e9)))


def _with_words(slots: NDArray[np.int64], trail: Trail, a: int) -> NDArray[np.int64]:
    """Slots of the last step's words, alone and with its label, and of the prompt's."""
    words = np.array(trail.words, np.uint64)
    prompt = np.array(trail.prompt, np.uint64)
    parts = [
        slots,
        _mixed(words, 0),
        _mixed(words, 1 + a),
        _mixed(prompt, 300),
    ]
    if trail.steps < _EARLY:
        parts.append(_mixed(prompt, 301 + trail.steps))
    return np.concatenate(parts)


def _once(slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """In order, each once: `numpy.unique` without what it takes to ask for more."""
    slots.sort()
    new = np.empty(len(slots), np.bool_)
    new[:1] = True
    np.not_equal(slots[1:], slots[:-1], out=new[1:])
    return slots[new]


def _mixed(hashes: NDArray[np.uint64], own: int) -> NDArray[np.int64]:
    mixed = (hashes + np.uint64(own << 33)) * _WORD_MIX
    return (mixed >> np.uint64(40)).astype(np.int64) & _MASK
