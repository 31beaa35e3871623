"""Attempts: what was done between a failing check and its next run, as numbers.

An attempt is known when the check is about to run again: all that was done since it failed, and
the new call itself, whose own edits come before the run. How the run comes out is not known yet.
"""

from __future__ import annotations

import msgspec

from onward.features.action.types import KIND
from onward.features.fixes.changes import FIX_OF, Change, Effect, file_type
from onward.features.fixes.checks import Check
from onward.features.fixes.faults import CLASSES, Fault

__all__ = [
    "Attempt",
    "Done",
    "Failing",
    "fix_of",
    "place_of",
]

_STRONG = frozenset(("edit", "make", "install", "git", "files", "act"))
_ABSENT = frozenset(map(CLASSES.index, ("missing_file", "module")))
_TOOL_EDITS = frozenset((KIND["edit"], KIND["write"]))


class Done(msgspec.Struct, gc=False, array_like=True):
    """A step of the session after which a check may pass."""

    step: int
    id: str
    changes: tuple[Change, ...]
    good: bool
    words: tuple[int, ...] = ()
    """Hashes of the words that it writes."""
    fresh: tuple[int, ...] = ()
    """Those of them that its file did not hold before."""
    runs: int = 0
    """1 where a check passed, -1 where one failed, 0 where none ran."""


class Failing(msgspec.Struct, gc=False):
    """A check that failed last time it ran."""

    check: Check
    fault: Fault
    slots: tuple[int, ...]
    """Slots of its output's words."""
    step: int
    id: str
    first: int
    fails: int = 1
    faults: int = 1
    """How many different errors it gave since it last passed."""
    same: bool = False
    """Its last two errors are alike."""
    tried: dict[int, int] = {}
    """Fix -> how often it was tried since the check last passed, in vain."""
    last_fix: int = -1
    at: float = 0.0
    """When it failed, in Unix seconds; 0 = unknown."""
    sounds: bool = False
    """A word of its output sounds as if it would pass by itself."""
    told: float | None = None
    """Seconds after which its output said to come back."""
    fewer: int | None = None
    """1 where it counts fewer failures than the time before, -1 where more; None = no counts."""


class Attempt(msgspec.Struct, gc=False):
    """A check about to run again."""

    failing: Failing
    check: Check
    effect: Effect
    done: list[Done]
    """Steps since it failed, in order."""
    fix: int
    """Index into `onward.features.fixes.changes.FIXES`: the last thing that could mend it."""
    fix_id: str = ""
    """The step that did it; empty = the call itself."""
    fresh: tuple[int, ...] = ()
    """Hashes of the words that its changes added to their files."""


def place_of(path: str, check: Check, fault: Fault) -> str:
    """Where a file lies as a failing check sees it.

    >>> from onward.features.fixes.faults import fault_of
    >>> seen = fault_of('File "lib/a.py", line 3, in f')
    >>> check = Check("python", 6, ("b.py",))
    >>> [place_of(path, check, seen) for path in ("b.py", "lib/a.py", "c.js")]
    ['own', 'named', 'code']
    """
    last = path.rsplit("/", 1)[-1]
    if last in check.targets:
        return "own"
    parts = path.split("/")
    if any("." not in target[-5:] and target.split(".", 1)[0] in parts for target in check.targets):
        return "own"
    if last and last in fault.named:
        return "named"
    return file_type(path) if path else "other"


def fix_of(
    failing: Failing, check: Check, effect: Effect, done: list[Done], made: dict[str, int]
) -> tuple[int, str]:
    """The last thing done that could mend a check, as an index of `FIXES`, and its step.

    A change of files, an installation or git comes first; then other words of the call itself;
    then another command that ran; then a file that was read; else nothing was done.

    Parameters
    ----------
    failing, check
        The check as it failed, and as it is about to run.
    effect
        What the new call changes before it runs.
    done
        What was done since.
    made
        Files that were written in this session -> the step that did it first.
    """
    steps = [(one.id, one.changes) for one in done if one.good]
    if check.kind not in _TOOL_EDITS:  # else the call's own change is the check itself
        own = [change for change in effect.changes if change.action in ("edit", "make")]
        steps.append(("", tuple(own)))
    latest = [(change, step) for step, changes in reversed(steps) for change in reversed(changes)]
    for change, step in latest:
        if change.action in _STRONG:
            return FIX_OF[_named_fix(change, failing, made)], step
    return _weak_fix(failing, check, latest)


def _weak_fix(failing: Failing, check: Check, latest: list[tuple[Change, str]]) -> tuple[int, str]:
    """The fix where no file was changed and nothing installed."""
    look = next((pair for pair in latest if pair[0].action == "read"), None)
    own = look is not None and place_of(look[0].path, check, failing.fault) == "own"
    if look is not None and own and check.kind in _TOOL_EDITS:
        return FIX_OF["read@own"], look[1]
    if check.exact != failing.check.exact:
        return FIX_OF[f"command@{_difference(failing.check, check)}"], ""
    for change, step in latest:
        if change.action == "run":
            return FIX_OF["run"], step
    if look is not None:
        return FIX_OF["read@own" if own else "read@other"], look[1]
    return FIX_OF["again"], ""


def _difference(one: Check, other: Check) -> str:
    """What differs first between two runs of a check."""
    pairs = zip(("directory", "environment", "options"), one.manner, other.manner, strict=True)
    return next((name for name, a, b in pairs if a != b), "arguments")


def _named_fix(change: Change, failing: Failing, made: dict[str, int]) -> str:
    if change.action not in ("edit", "make"):
        return "run" if change.action == "act" else change.action
    place = place_of(change.path, failing.check, failing.fault)
    if change.action == "edit":
        return f"edit@{place}"
    near = place in ("own", "named")
    there = near and failing.fault.kind not in _ABSENT
    if there or made.get(change.path, failing.step + 1) <= failing.step:
        return f"rewrite@{place}"
    return f"create@{place if near else 'other'}"
