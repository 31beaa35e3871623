"""What counts as progress: the one definition, step by step.

A step gained something when it

- succeeded with an output line that the session had not seen (numbers masked), or with an answer
  that is only a number, asked for the first time;
- made a new state of files: a successful change that was not made before in just this way, so
  that going back and forth between two states is no gain;
- made a failing check pass, or was the first of its kind to run well since the files changed;
- moved a counter on (``30 %``, ``4/10``, ``7 passed``) to where it had never been: so polling
  that advances is progress, and polling that does not is none;
- gave, asked the same again, an answer that it never gave;
- failed as a check with lines that were not seen, the first of its kind since the files changed
  and not right after another failure: the agent learned what is wrong;
- handed the work in.

Any other failed step gains nothing, however new its error: an error cascade is no progress. Nor
does ticking off a list of things to do, or hearing that nothing was found. What has no known
result is neither (`Gain.UNKNOWN`). `LITERAL` is a narrower reading: without answers, counters,
first runs and diagnoses.

Nothing of a text is kept: lines are 32-bit hashes, in two generations of fixed size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from onward.data.events import Outcome, Step, command_of
from onward.features.action import Action
from onward.features.action.types import KIND
from onward.features.text import ends_of, name_hash

__all__ = ["LITERAL", "Gain", "Gained", "Ledger", "is_hand_in", "masked", "masked_lines"]

MAX_LINES = 4000
"""Lines of a generation; between one and two generations are remembered."""
MAX_FACTS = 600
"""Changes, checks and counters of each sort that are remembered."""
LEAST_LETTERS = 4
"""Shorter lines than this, masked, say nothing new."""
MAX_COUNTED = 1200
"""Characters at an output's end in which counters are looked for."""

# Digits with the hexadecimal letters behind them, then those before: both anchors are cheap.
_NUMBER = re.compile(rb"[0-9][0-9a-fx.,:]*")
_BEFORE = re.compile(rb"\b[a-f]+#")
_FRAME = re.compile(r"</?(?:returncode|output)>|(?<=<returncode>)\d+")
_LONE = re.compile(r"\D{0,2}(\d+(?:\.\d+)?)\s?%?")
_COUNTS = re.compile(
    r"\d ?%|\d ?(?:/|of) ?\d|\d (?:passed|done|compl|proc|fin|ready|rows|items|files|rec|pages)|"
    r"(?:count|total|length|processed|progress)\W{1,4}\d"
)
"""Cheap sign that there may be a counter."""
_COUNTER = re.compile(
    r"(\d+(?:\.\d+)?)\s*%|(\d+)\s*(?:/|of)\s*\d+|"
    r"(\d+)\s+(?:passed|done|completed?|processed|finished|ready|rows|items|files|records|pages)\b|"
    r"(?:count|total|length|processed|progress)\W{1,4}(\d+)"
)
_TRIES = re.compile(r"attempt|retr[iy]|tries|try |elapsed|waited", re.IGNORECASE)
_NOTHING = re.compile(
    r"\bno (?:result|match|file|content|output|diagram|such|symbol|reference|entries|config)|"
    r"not found|nothing|does not exist|^\W*$|\bnone\b",
    re.IGNORECASE,
)
_HAND_IN_TOOL = re.compile(
    r"(submit|finish|attempt_?completion|exit_?plan_?mode|final_?answer|task_?complete)",
    re.IGNORECASE,
)
_HAND_IN_COMMAND = re.compile(r"(?m)^\s*submit\b|_SUBMIT_|_SUBMISSION\b|SUBMIT_FINAL")
_ACTS = frozenset(KIND[kind] for kind in ("run", "inline", "test", "build", "files", "install"))
_CHECKS = frozenset(KIND[kind] for kind in ("run", "inline", "test", "build"))
_OTHER, _VCS = KIND["other"], KIND["vcs"]
_VCS_ACTS = frozenset(
    (
        *("add", "am", "apply", "checkout", "cherry-pick", "clean", "clone", "commit", "fetch"),
        *("merge", "mv", "pull", "push", "rebase", "reset", "restore", "revert", "rm", "stash"),
        *("switch", "tag"),
    )
)
_IDLE = frozenset(("", "sleep", "true", "wait", ":", "cd", "export", "set"))


class Gain(IntEnum):
    """What a step gained."""

    UNKNOWN = -1
    """Its result is not known."""
    NONE = 0
    LINE = 1
    """An output line that was not seen before."""
    STATE = 2
    """A new state of files."""
    CHECK = 3
    """A failing check now passes."""
    RAN = 4
    """The first of its kind that ran well since the files changed."""
    COUNT = 5
    """A counter moved on."""
    ANSWER = 6
    """The same question has another answer than ever before."""
    DIAGNOSIS = 7
    """A check failed in a way not seen, for the first time since the files changed."""
    HAND_IN = 8
    """The work was handed in."""


LITERAL = frozenset((Gain.LINE, Gain.STATE, Gain.CHECK, Gain.HAND_IN))
"""The gains of the narrower reading."""


class Gained(NamedTuple):
    """What one step gained, and how much of its output was new."""

    gain: Gain
    lines: int
    """Distinct lines of its output."""
    novel: int
    """Those of them that were not seen before."""
    hashes: frozenset[int] | set[int]
    """The lines themselves, masked and hashed."""

    @property
    def progress(self) -> bool:
        """Whether it gained anything."""
        return self.gain > 0


def masked(text: str) -> bytes:
    r"""A text without what differs from run to run: numbers, times, hashes, addresses.

    >>> masked("took 3.2s at 12:04:01, id 8c1f00de3b") == masked("took 41s at 09:30, id 77aa01bb2c")
    True
    """
    return _BEFORE.sub(b"#", _NUMBER.sub(b"#", text.encode("utf-8", "replace")))


def masked_lines(text: str) -> set[int]:
    """Hashes of the masked lines of a text's beginning and end.

    >>> masked_lines("a line 1") == masked_lines("a line 2")
    True
    """
    lines = {line.strip() for line in masked(ends_of(text)).split(b"\n")}
    return {crc32(line) for line in lines if len(line) >= LEAST_LETTERS}


def is_hand_in(step: Step) -> bool:
    """Whether a step hands the work in, by its tool's name or its command.

    >>> is_hand_in(Step(id="a", session="s", tool="submit", outcome=Outcome.OK))
    True
    """
    if step.outcome not in (Outcome.OK, Outcome.UNKNOWN):
        return False
    command = command_of(step)
    if command is None:
        return _HAND_IN_TOOL.match(step.tool) is not None
    return _HAND_IN_COMMAND.search(command[:400]) is not None


class Ledger(msgspec.Struct):
    """What one session has seen and done, as far as progress is concerned."""

    young: set[int] = msgspec.field(default_factory=set)
    """Lines that were seen lately."""
    old: set[int] = msgspec.field(default_factory=set)
    """Lines that were seen before those."""
    version: int = 0
    """New states of files so far."""
    changes: dict[int, int] = msgspec.field(default_factory=dict)
    """Change -> the version at which it was made last."""
    ran: dict[int, int] = msgspec.field(default_factory=dict)
    """Kind of an act -> the version at which it last ran well."""
    failed: dict[int, int] = msgspec.field(default_factory=dict)
    """Kind of a check -> the version at which it last failed."""
    failed_last: bool = False
    """The last step failed: what fails after it is no diagnosis, but may be a cascade."""
    failing: dict[int, int] = msgspec.field(default_factory=dict)
    """Exact call that failed last -> the version then."""
    counters: dict[int, tuple[float, float]] = msgspec.field(default_factory=dict)
    """Counter -> lowest and highest value so far."""
    answers: dict[int, int] = msgspec.field(default_factory=dict)
    """Answers that were given to exact calls, and exact calls that were answered."""

    def learn(self, step: Step, action: Action) -> Gained:
        """Takes in a step; says what it gained."""
        hashes = masked_lines(step.output)
        novel = len(hashes - self.young - self.old) if hashes else 0
        self._see(hashes)
        return Gained(self._gain(step, action, hashes, novel), len(hashes), novel, hashes)

    def _see(self, hashes: set[int]) -> None:
        if len(self.young) + len(hashes) > MAX_LINES:
            self.old, self.young = self.young, set()
        self.young |= hashes

    def _gain(self, step: Step, action: Action, hashes: set[int], novel: int) -> Gain:
        if is_hand_in(step):
            return Gain.HAND_IN
        if step.outcome is Outcome.UNKNOWN:
            return Gain.UNKNOWN
        exact = name_hash(action.keys[4])
        answered = self._answered(exact, hashes)
        after_failure, self.failed_last = self.failed_last, step.outcome is not Outcome.OK
        if step.outcome is not Outcome.OK:
            _put(self.failing, exact, self.version)
            diagnosed = self._diagnosed(action, novel) and not after_failure
            return Gain.DIAGNOSIS if diagnosed else Gain.NONE
        told = novel > 0 and not _says_nothing(step.output)
        return self._won(step, action, exact, told=told, answered=answered)

    def _won(self, step: Step, action: Action, exact: int, *, told: bool, answered: bool) -> Gain:
        """What a step gained that succeeded; everything is learned whatever comes first."""
        moved = self._count(step.output, exact)
        was_failing = self.failing.pop(exact, None) is not None
        if self._changed(action, exact):
            return Gain.STATE
        ran = self._ran(action)
        found = (
            (was_failing and ran, Gain.CHECK),
            (told, Gain.LINE),
            (moved, Gain.COUNT),
            (answered, Gain.ANSWER),
            (ran, Gain.RAN),
        )
        return next((gain for holds, gain in found if holds), Gain.NONE)

    def _answered(self, exact: int, hashes: set[int]) -> bool:
        """Whether a call that was made before has an answer that it never had."""
        answer = hash((exact, *sorted(hashes)))  # of numbers: the same in every process
        new, again = answer not in self.answers, exact in self.answers
        _put(self.answers, answer, 0)
        _put(self.answers, exact, 0)
        return new and again and bool(hashes)

    def _changed(self, action: Action, exact: int) -> bool:
        """Whether files are as they never were before.

        A change that was made before counts once more when others came in between: it was taken
        back and made again. It makes no new version, so going back and forth ends.
        """
        if not (action.edits or action.makes or action.removes):
            return False
        made = self.changes.get(exact)
        if made == self.version:
            return False
        self.version += made is None
        _put(self.changes, exact, self.version)
        return True

    def _ran(self, action: Action) -> bool:
        """Whether it is the first act of its kind that ran well since files changed."""
        if not _acts(action) or self.ran.get(action.shape) == self.version:
            return False
        _put(self.ran, action.shape, self.version)
        return True

    def _diagnosed(self, action: Action, novel: int) -> bool:
        """Whether a check failed with something new, the first of its kind since files changed."""
        if action.kind not in _CHECKS:
            return False
        first = self.failed.get(action.shape) != self.version
        _put(self.failed, action.shape, self.version)
        return first and novel > 0

    def _count(self, output: str, exact: int) -> bool:
        """Whether a counter is where it never was before."""
        moved = False
        for key, value in _counters(output, exact):
            known = self.counters.get(key)
            low, high = known or (value, value)
            moved |= (known is None and key == exact) or not low <= value <= high
            _put(self.counters, key, (min(low, value), max(high, value)))
        return moved


def _acts(action: Action) -> bool:
    """Whether a call does something beyond looking and waiting."""
    if action.kind == _OTHER:
        return ":" in action.keys[1] and action.program not in _IDLE
    if action.kind == _VCS:
        return bool(_VCS_ACTS.intersection(action.keys[2].split()[1:2]))
    return action.kind in _ACTS


def _counters(output: str, exact: int) -> Iterator[tuple[int, float]]:
    """Counters in an output with their values; a lone number belongs to the call that gave it."""
    text = output[-MAX_COUNTED:]
    if len(output) < 100:
        lone = _LONE.fullmatch(_FRAME.sub("", text).strip())
        if lone:
            yield exact, float(lone[1])
            return
    if not _COUNTS.search(text):
        return
    for line in text.split("\n")[-40:]:
        if (found := _COUNTER.search(line)) and not _TRIES.search(line):
            value = float(next(filter(None, found.groups())))
            yield crc32(masked(line)), value


def _says_nothing(output: str) -> bool:
    """Whether an output is one short line that says that there is nothing."""
    return len(output) < 200 and _NOTHING.search(output) is not None and output.count("\n") < 2


def _put(table: dict[int, Any], key: int, value: object) -> None:
    """Set a key as the youngest of its table, and let the oldest go."""
    table.pop(key, None)
    table[key] = value
    if len(table) > MAX_FACTS:
        del table[next(iter(table))]
