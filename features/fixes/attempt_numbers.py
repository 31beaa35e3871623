"""The numbers of an attempt that need no other history than its session's."""

from __future__ import annotations

from math import log1p, nan

from onward.features.action.types import KIND
from onward.features.fixes.attempts import Attempt, Done, place_of
from onward.features.fixes.faults import CLASSES
from onward.features.text import name_hash

__all__ = [
    "ATTEMPT_NAMES",
    "GROUP_NAMES",
    "KIND_NAMES",
    "attempt_numbers",
    "check_flags",
    "fault_flags",
]

KIND_NAMES = ("test", "run", "build", "inline", "edit", "read", "vcs", "net", "other")
_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("syntax", ("syntax",)),
    ("module", ("module", "no_program")),
    ("runtime", ("attribute", "name", "type", "value")),
    ("assertion", ("assertion", "failed_tests")),
    ("missing", ("missing_file", "exists")),
    ("outside", ("timeout", "network", "permission", "busy")),
    ("setup", ("database", "settings")),
    ("editing", ("stale", "no_match")),
    ("usage", ("usage", "git")),
    ("silent", ("empty", "plain")),
)
GROUP_NAMES = tuple(name for name, _ in _GROUPS)
_GROUP_OF = {
    CLASSES.index(kind): place for place, (_, kinds) in enumerate(_GROUPS) for kind in kinds
}
_WRITES = frozenset(("edit", "make"))
_REPRODUCES = ("reproduc", "issue", "bug", "repro")
_VERIFIES = ("verify", "check", "fix", "test_", "confirm")

ATTEMPT_NAMES: tuple[str, ...] = (
    *(f"check_{name}" for name in KIND_NAMES),
    *(f"fault_{name}" for name in GROUP_NAMES),
    "own_reproduces",
    "own_verifies",
    "own_made",
    "arises_own",
    "arises_edited",
    "named_files",
    "counted_failures",
    "output_lines",
    "fails",
    "same_fault",
    "faults",
    "steps_since",
    "steps_since_first",
    "session_steps",
    "ever_passed",
    "passes",
    "edits_own",
    "edits_named",
    "edits_arises",
    "edits_other",
    "makes_own",
    "creates",
    "installs",
    "gits",
    "files",
    "runs",
    "reads_own",
    "reads",
    "changes",
    "bad_steps",
    "bad_edits",
    "written",
    "written_lines",
    "words_written",
    "words_known",
    "same_call",
    "in_call",
    "runs_ok_since",
    "runs_bad_since",
    "edited_last_own",
    "edited_last_named",
    "tried_before",
    "writes_whole",
    "edits_by_line",
    "line_distance",
    "code_words",
    "new_words",
    "looks_after",
    "fewer_failures",
    "failing_checks",
    "edits_before",
)
"""Names of the numbers of an attempt that need no history, in order."""


def check_flags(kind: int) -> list[float]:
    """One number a kind of check."""
    if kind == KIND["write"]:
        kind = KIND["edit"]
    flags = [float(KIND[name] == kind) for name in KIND_NAMES[:-1]]
    return [*flags, float(not any(flags))]


def fault_flags(kind: int) -> list[float]:
    """One number a group of errors."""
    group = _GROUP_OF.get(kind, -1)
    return [float(place == group) for place in range(len(_GROUPS))]


def attempt_numbers(
    attempt: Attempt, *, steps: int, counts: tuple[int, int], made: dict[str, int], others: int
) -> list[float]:
    """The numbers of an attempt, `ATTEMPT_NAMES` long.

    Parameters
    ----------
    attempt
        The attempt.
    steps
        Steps of the session so far.
    counts
        How often the check passed and failed in this session.
    made
        Files that the session made.
    others
        Other checks that fail.
    """
    failing, fault, check = attempt.failing, attempt.failing.fault, attempt.check
    name = " ".join(failing.check.targets).lower()
    return [
        *check_flags(failing.check.kind),
        *fault_flags(fault.kind),
        float(any(word in name for word in _REPRODUCES)),
        float(any(word in name for word in _VERIFIES)),
        float(any(path.rsplit("/", 1)[-1] in failing.check.targets for path in made)),
        float(fault.deepest in failing.check.targets),
        float(_edited(fault.deepest, made)),
        float(len(fault.named)),
        float(fault.failures) if fault.failures >= 0 else nan,
        log1p(fault.lines),
        float(failing.fails),
        float(failing.same) if failing.fails > 1 else nan,
        float(failing.faults),
        log1p(steps - failing.step),
        log1p(steps - failing.first),
        log1p(steps),
        float(counts[0] > 0),
        float(counts[0]),
        *_change_numbers(attempt),
        float(check.exact == failing.check.exact),
        float(any(c.action in ("edit", "make") for c in attempt.effect.changes)),
        *_runs_since(attempt.done),
        *_last_edit(attempt),
        float(failing.tried.get(attempt.fix, 0)),
        *_manner_numbers(attempt),
        float(failing.fewer) if failing.fewer is not None else nan,
        float(others),
        log1p(len(made)),
    ]


def _manner_numbers(attempt: Attempt) -> list[float]:
    """How the last change was made, and how near it is to where the error arose."""
    fault = attempt.failing.fault
    steps = [*attempt.done, _last(attempt)]
    edits = [(one, c) for one in steps if one.good for c in one.changes if c.action in _WRITES]
    if not edits:
        return [nan] * 6
    far = [abs(c.at - at) for _, c in edits if c.at >= 0 for at in fault.at[:4]]
    words = set().union(*[one.words for one, _ in edits])
    last = edits[-1][0]
    looks = sum(c.action == "read" for one in steps if one.step > last.step for c in one.changes)
    return [
        float(edits[-1][1].whole),
        float(edits[-1][1].at >= 0),
        log1p(min(far)) if far else nan,
        sum(word in words for word in fault.code) / len(fault.code) if fault.code else nan,
        log1p(len(attempt.fresh)),
        float(looks) if last.id else 0.0,
    ]


def _edited(name: str, made: dict[str, int]) -> bool:
    return bool(name) and any(path.rsplit("/", 1)[-1] == name for path in made)


def _change_numbers(attempt: Attempt) -> list[float]:
    """How often what was done, and how much was written."""
    fault, targets = attempt.failing.fault, attempt.failing.check
    count = dict.fromkeys(
        (
            "own",
            "named",
            "arises",
            "other",
            "made",
            "create",
            "install",
            "git",
            "files",
            "run",
            "looked",
            "look",
        ),
        0,
    )
    size = lines = bad = bad_edits = 0
    written: set[int] = set()
    for one in [*attempt.done, _last(attempt)]:
        bad += not one.good
        for change in one.changes:
            place = place_of(change.path, targets, fault)
            if change.action in ("edit", "make"):
                if not one.good:
                    bad_edits += 1
                    continue
                written.update(one.words)
                size += change.size
                lines += change.lines
                count[place if place in ("own", "named") else "other"] += 1
                count["made"] += change.action == "make" and place == "own"
                count["create"] += change.action == "make" and place != "own"
                count["arises"] += change.path.rsplit("/", 1)[-1] == fault.deepest
            elif change.action == "read":
                count["looked" if place == "own" else "look"] += 1
            elif one.id:
                count["run" if change.action == "act" else change.action] += 1
    total = sum(count[k] for k in ("own", "named", "other", "install", "git", "files"))
    wanted = [name_hash(word) for word in fault.words]
    return [
        *map(float, count.values()),
        float(total),
        float(bad),
        float(bad_edits),
        log1p(size),
        log1p(lines),
        sum(word in written for word in wanted) / len(wanted) if wanted else nan,
        float(len(wanted)),
    ]


def _last(attempt: Attempt) -> Done:
    """The new call as something done, without the run itself."""
    return Done(1 << 40, "", attempt.effect.changes, True, attempt.effect.words)


def _runs_since(done: list[Done]) -> tuple[float, float]:
    """Checks that passed and failed since the last change of a file."""
    ok = bad = 0
    for one in reversed(done):
        if one.good and any(change.action in ("edit", "make") for change in one.changes):
            break
        ok += one.runs > 0
        bad += one.runs < 0
    return float(ok), float(bad)


def _last_edit(attempt: Attempt) -> tuple[float, float]:
    """Whether the file that was changed last is the check's own, or one that the error names."""
    for one in reversed([*attempt.done, _last(attempt)]):
        for change in reversed(one.changes):
            if one.good and change.action in ("edit", "make"):
                place = place_of(change.path, attempt.failing.check, attempt.failing.fault)
                return float(place == "own"), float(place == "named")
    return nan, nan
