"""Fixes that could be tried for a failing check, one row of numbers each."""

from __future__ import annotations

from collections.abc import Sequence
from math import log1p, nan

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.features.fixes.attempt_numbers import GROUP_NAMES, KIND_NAMES, check_flags, fault_flags
from onward.features.fixes.attempts import Failing
from onward.features.fixes.changes import FIXES, file_type
from onward.features.rates import NONE, Rates, chain

__all__ = ["CONTEXTS", "REMEDY_NAMES", "Known", "backed_off", "contexts", "remedy_rows"]

CONTEXTS = (
    "all",
    "agent",
    "project",
    "check",
    "kind",
    "situation",
    "head",
    "kind_head",
    "signature",
    "signature_head",
)
"""What fixes are counted under, from wide to narrow."""
_PARENT = (0, 0, 0, 0, 0, 3, 3, 4, 4, 8)
"""The wider context that each leans on."""
_LEAN = 2.0
_ACTIONS = (
    "edit",
    "rewrite",
    "create",
    "install",
    "git",
    "files",
    "run",
    "command",
    "read",
    "again",
)
_SPOTS = (
    *("own", "named", "code", "test", "settings", "text", "other"),
    *("directory", "environment", "options", "arguments"),
)

REMEDY_NAMES: tuple[str, ...] = (
    *(f"share_{name}" for name in CONTEXTS),
    "count_kind",
    "count_head",
    "count_signature",
    "count_signature_head",
    "works",
    "works_kind",
    "works_signature",
    "words_score",
    "tried",
    "is_last",
    "is_last_tried",
    *(f"action_{name}" for name in _ACTIONS),
    *(f"place_{name}" for name in _SPOTS),
    *(f"check_{name}" for name in KIND_NAMES),
    *(f"fault_{name}" for name in GROUP_NAMES),
    "own_made",
    "has_own",
    "named_others",
    "named_of_place",
    "arises_own",
    "arises_else",
    "fails",
    "same_fault",
)
"""Names of the numbers of a fix, in order."""


class Known(msgspec.Struct, gc=False):
    """How often each fix worked, by context; the least recently learned contexts are forgotten.

    Parameters
    ----------
    capacity
        Contexts that are kept; each takes about 300 B.
    keep
        What is left of a context's counts at each new fix in it. Lower follows change faster.
    """

    capacity: int = 8000
    keep: float = 0.99
    table: dict[str, list[float]] = {}

    def learn(self, keys: Sequence[str], fix: int) -> None:
        """One more fix that worked, under each of its contexts."""
        table, keep = self.table, self.keep
        for key in keys:
            counts = [n * keep for n in table.pop(key, None) or _ZEROS]
            counts[fix] += 1.0
            table[key] = counts
        while len(table) > self.capacity:
            del table[next(iter(table))]

    def counts(self, key: str) -> list[float]:
        """(fixes,) decayed counts; zeros for a context never met."""
        return self.table.get(key, _ZEROS)


_ZEROS = [0.0] * len(FIXES)
_ONE = np.eye(len(FIXES))
_UNKNOWN, _NONE = np.full(len(FIXES), nan), np.zeros(len(FIXES))
_SPOT_OF = [fix.partition("@")[2] for fix in FIXES]
_STATIC = np.array(
    [
        [float(fix.partition("@")[0] == one) for one in _ACTIONS]
        + [float(fix.partition("@")[2] == one) for one in _SPOTS]
        for fix in FIXES
    ]
)
"""(fixes, flags) the action and the place of each fix."""
_FLAGS = REMEDY_NAMES.index(f"action_{_ACTIONS[0]}")
_START = [1.0 / len(FIXES)] * len(FIXES)


def contexts(failing: Failing, project: str, agent: str) -> tuple[str, ...]:
    """What a failing check's fix is counted under, in the order of `CONTEXTS`."""
    check, fault = failing.check, failing.fault
    arises = "own" if fault.deepest in check.targets else "else" if fault.deepest else ""
    return (
        "",
        f"a {agent}",
        f"p {project}",
        f"c {check.kind}",
        f"k {fault.kind}",
        f"i {check.kind} {arises} {min(failing.fails, 2)}",
        f"h {check.head}",
        f"kh {fault.kind} {check.head}",
        f"s {fault.signature}",
        f"sh {fault.signature} {check.head}",
    )


def backed_off(known: Known, keys: Sequence[str]) -> list[float]:
    """(fixes,) the trivial peer: shares by error template, then program, then overall.

    >>> from onward.features.fixes.changes import FIX_OF
    >>> known = Known()
    >>> known.learn(["", "s x"], FIX_OF["install"])
    >>> shares = backed_off(known, ["", "s x"])
    >>> shares.index(max(shares)) == FIX_OF["install"]
    True
    """
    shares = list(_START)
    for key in keys:
        counts = known.counts(key)
        total = sum(counts)
        if total:
            # A narrower context decides; the wider one only orders what it never saw.
            shares = [
                (n + 1e-3 * share) / (total + 1e-3) for n, share in zip(counts, shares, strict=True)
            ]
    return shares


def _shares(known: Known, keys: Sequence[str]) -> list[list[float]]:
    """(contexts, fixes) shares, each leaning on its wider context."""
    found: list[list[float]] = []
    for place, key in enumerate(keys):
        counts = known.counts(key)
        wide = found[_PARENT[place]] if place else _START
        total = sum(counts) + _LEAN
        found.append([(n + _LEAN * w) / total for n, w in zip(counts, wide, strict=True)])
    return found


def remedy_rows(
    failing: Failing,
    keys: Sequence[str],
    known: Known,
    tries: Rates,
    *,
    scores: NDArray[np.float64],
    made: bool,
    last: int,
) -> NDArray[np.float32]:
    """(fixes, d) numbers of every fix for a failing check, named by `REMEDY_NAMES`.

    Parameters
    ----------
    failing
        The check.
    keys
        Its `contexts`.
    known
        Fixes that worked.
    tries
        Attempts that passed or not.
    scores
        (fixes,) log odds of each fix by running weights of the error's words.
    made
        Whether the session made the check's own file.
    last
        The fix that worked last in the session; -1 = none did.
    """
    shared = _shared(failing, known, keys, made=made)
    rows = np.empty((len(FIXES), len(REMEDY_NAMES)), np.float32)
    rows[:, :_FLAGS] = np.column_stack(
        [
            np.log(np.array(_shares(known, keys)).T + 1e-4),
            np.broadcast_to(shared[:4], (len(FIXES), 4)),
            [_works(tries, failing, fix) for fix in range(len(FIXES))],
            scores,
            [failing.tried.get(fix, 0) for fix in range(len(FIXES))],
            _ONE[last] if last >= 0 else _UNKNOWN,
            _ONE[failing.last_fix] if failing.last_fix >= 0 else _NONE,
        ]
    )
    end = _FLAGS + _STATIC.shape[1]
    rows[:, _FLAGS:end] = _STATIC
    rows[:, end:] = shared[4:]
    rows[:, -5] = _named(failing)
    return rows


def _named(failing: Failing) -> list[float]:
    """(fixes,) how many files of the fix's place the error names."""
    types = [file_type(name) for name in failing.fault.named]
    count = {place: float(types.count(place)) for place in _SPOTS}
    count["named"] = float(len(types))
    return [count.get(place, 0.0) for place in _SPOT_OF]


def _shared(failing: Failing, known: Known, keys: Sequence[str], *, made: bool) -> list[float]:
    """The numbers that do not depend on the fix."""
    check, fault = failing.check, failing.fault
    own = fault.deepest in check.targets
    others = [name for name in fault.named if name not in check.targets]
    return [
        *[log1p(sum(known.counts(keys[place]))) for place in (4, 6, 8, 9)],
        *check_flags(check.kind),
        *fault_flags(fault.kind),
        float(made),
        float(bool(check.targets)),
        float(len(others)),
        nan,
        float(own),
        float(bool(fault.deepest) and not own),
        float(failing.fails),
        float(failing.same) if failing.fails > 1 else nan,
    ]


def _works(tries: Rates, failing: Failing, fix: int) -> list[float]:
    """How often the fix passed when it was tried: at all, for this kind, for this error."""
    keys = (f"f{fix}", f"k{failing.fault.kind}|{fix}", f"s{failing.fault.signature}|{fix}")
    return chain([tries.table.get(key, NONE) for key in keys], prior=0.65)
