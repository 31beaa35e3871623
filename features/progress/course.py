"""The course of one session: its last steps as small marks, its streaks, its luck.

Kept beside the ledger of what was gained, and as bounded: a dozen marks and a few numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from zlib import crc32

import msgspec

from onward.data.events import Outcome, Prompt, Step
from onward.features.action import Action
from onward.features.action.types import KIND
from onward.features.progress.gains import Gain, Gained, Ledger
from onward.features.text import name_hash, output_kind

__all__ = ["COURSE_NAMES", "Course", "Mark", "Place", "alternates"]

MAX_MARKS = 12
"""Steps that are looked back on."""
MAX_PATHS = 300
MAX_ERRORS = 200
NEVER = 99
"""Steps since something that never was."""

_LOOKS = frozenset((KIND["read"], KIND["search"]))
_CHECKS = frozenset(KIND[kind] for kind in ("run", "inline", "test", "build"))
_CORRECTIONS = ("don't", "do not", "stop", "wrong", "still ", "revert", "undo", "why did you")


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


class Place(msgspec.Struct):
    """What all sessions of an agent, or of a project, share: running shares of what they did."""

    steps: float = 0.0
    gained: float = 0.0
    bad: float = 0.0
    void: float = 0.0

    def learn(self, mark: Mark, *, keep: float = 0.998) -> None:
        """Takes in a step; about the last 500 count."""
        self.steps = self.steps * keep + 1.0
        self.gained = self.gained * keep + (mark.gain > 0)
        self.bad = self.bad * keep + mark.bad
        self.void = self.void * keep + mark.void

    def shares(self) -> tuple[float, float, float]:
        """Share of steps that gained nothing, that failed, that held no call."""
        n = self.steps + 4.0
        return (n - 4.0 - self.gained + 1.0) / n, (self.bad + 0.4) / n, (self.void + 0.1) / n


class Course(msgspec.Struct):
    """One session so far."""

    ledger: Ledger = msgspec.field(default_factory=Ledger)
    marks: list[Mark] = msgspec.field(default_factory=list)
    """The last steps, the latest last."""
    steps: int = 0
    agent: str = ""
    project: str = ""
    prompts: int = 0
    prompted: int = 0
    """Steps when the user spoke last."""
    prompt_size: float = 0.0
    correction: bool = False
    asked: bool = False
    """The user's last words were a question."""
    continued: bool = False
    gains: int = 0
    since_gain: int = 0
    """Steps in a row that gained nothing."""
    longest: int = 0
    """The longest such row before."""
    rows: int = 0
    """Such rows of two and more."""
    voids: int = 0
    bads: int = 0
    refusals: int = 0
    bad_row: int = 0
    void_row: int = 0
    fast: float = 0.8
    """Running share of steps that gained something; half-life two steps."""
    slow: float = 0.8
    """The same; half-life seven steps."""
    fresh: float = 0.5
    """Running share of lines that were new."""
    since_change: int = NEVER
    since_check: int = NEVER
    check_ok: bool = True
    check_row: int = 0
    """Checks in a row that failed."""
    changes_unchecked: int = 0
    """Changes since the last check that passed."""
    changes: int = 0
    paths: dict[int, None] = msgspec.field(default_factory=dict)
    errors: dict[int, int] = msgspec.field(default_factory=dict)
    """Failing output -> how often it came."""

    def learn(self, step: Step, action: Action) -> Gained:
        """Takes in a step; says what it gained."""
        gained = self.ledger.learn(step, action)
        mark = self._mark(step, action, gained)
        self.steps += 1
        self.agent, self.project = step.agent, step.project
        self.marks.append(mark)
        del self.marks[:-MAX_MARKS]
        self._learn_gain(mark)
        self._learn_luck(mark)
        self._learn_work(mark, action)
        return gained

    def learn_prompt(self, prompt: Prompt) -> None:
        """Takes in what the user said."""
        low = prompt.text[:2000].lower()
        self.prompts += 1
        self.prompted = self.steps
        self.prompt_size = math.log1p(len(prompt.text))
        self.correction = any(word in low for word in _CORRECTIONS)
        self.asked = "?" in low
        self.continued = prompt.role == "continuation"

    def _mark(self, step: Step, action: Action, gained: Gained) -> Mark:
        fresh = False
        for path in (action.needs + action.makes)[:4]:
            hashed = name_hash(path)
            fresh |= hashed not in self.paths
            self.paths[hashed] = None
        while len(self.paths) > MAX_PATHS:
            del self.paths[next(iter(self.paths))]
        return Mark(
            shape=action.shape,
            exact=name_hash(action.keys[4]),
            kind=action.kind,
            gain=int(gained.gain),
            bad=step.outcome not in (Outcome.OK, Outcome.UNKNOWN),
            refused=step.outcome in (Outcome.REJECTED, Outcome.INTERRUPTED),
            void=not step.tool,
            lines=gained.lines,
            novel=gained.novel,
            said=crc32(repr(sorted(gained.hashes)).encode()) if gained.hashes else 0,
            size=math.log1p(len(step.output)),
            look=output_kind(step.output[:3000]),
            new_path=fresh,
            id=step.id[:256],
            template=action.keys[3].strip()[:80],
        )

    def _learn_gain(self, mark: Mark) -> None:
        good = mark.gain > 0
        self.gains += good
        if good:
            self.longest = max(self.longest, self.since_gain)
            self.rows += self.since_gain >= 2
            self.since_gain = 0
        else:
            self.since_gain += 1
        self.fast += 0.3 * (good - self.fast)
        self.slow += 0.1 * (good - self.slow)
        if mark.lines:
            self.fresh += 0.2 * (mark.novel / mark.lines - self.fresh)

    def _learn_luck(self, mark: Mark) -> None:
        self.bads += mark.bad
        self.voids += mark.void
        self.refusals += mark.refused
        self.bad_row = self.bad_row + 1 if mark.bad else 0
        self.void_row = self.void_row + 1 if mark.void else 0
        if mark.bad:
            self.errors[mark.said] = self.errors.pop(mark.said, 0) + 1
            if len(self.errors) > MAX_ERRORS:
                del self.errors[next(iter(self.errors))]

    def _learn_work(self, mark: Mark, action: Action) -> None:
        self.since_change += 1
        self.since_check += 1
        if not mark.bad and (action.edits or action.makes or action.removes):
            self.since_change = 0
            self.changes += 1
            self.changes_unchecked += 1
        if mark.kind in _CHECKS and not mark.void:
            self.since_check, self.check_ok = 0, not mark.bad
            self.check_row = self.check_row + 1 if mark.bad else 0
            if not mark.bad:
                self.changes_unchecked = 0

    def numbers(self) -> tuple[float, ...]:
        """What is known now, as `COURSE_NAMES`."""
        if not self.marks:
            return _NOTHING
        return (*self._far(), *self._near(self.marks), *self._same(self.marks))

    def _far(self) -> tuple[float, ...]:
        n = self.steps
        return (
            math.log1p(n),
            math.log1p(n - self.prompted),
            self.prompts,
            self.prompt_size,
            self.correction,
            self.asked,
            self.continued,
            self.since_gain,
            self.longest,
            self.rows,
            self.rows / n,
            (self.gains + 3.0) / (n + 4.0),
            self.fast,
            self.slow,
            self.fresh,
            (self.bads + 0.3) / (n + 3.0),
            (self.voids + 0.1) / (n + 3.0),
            self.voids,
            self.refusals,
            self.bad_row,
            self.void_row,
            min(self.since_change, NEVER),
            min(self.since_check, NEVER),
            self.check_ok,
            self.check_row,
            self.changes_unchecked,
            math.log1p(self.changes),
            math.log1p(len(self.paths)),
        )

    def _near(self, marks: Sequence[Mark]) -> tuple[float, ...]:
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
            last.kind in _CHECKS,
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
            _mean(five, lambda m: m.kind in _CHECKS),
            _mean(five, lambda m: m.new_path),
            _mean(marks, lambda m: m.new_path),
        )

    def _same(self, marks: Sequence[Mark]) -> tuple[float, ...]:
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
            self.errors.get(last.said, 0) if last.bad else 0,
            len({mark.said for mark in marks if mark.bad}),
        )


_BLANK = Mark(0, 0, 0, 1, False, False, False, 0, 0, 0, 0.0, 0, False, "", "")
_CHANGED = frozenset((Gain.STATE, Gain.CHECK))

_FAR_NAMES = (
    "steps",
    "since_prompt",
    "prompts",
    "prompt_size",
    "correction",
    "asked",
    "continued",
    "since_gain",
    "longest",
    "rows",
    "rows_share",
    "gains_share",
    "gains_fast",
    "gains_slow",
    "fresh_slow",
    "bad_share",
    "void_share",
    "voids",
    "refusals",
    "bad_row",
    "void_row",
    "since_change",
    "since_check",
    "check_ok",
    "check_row",
    "changes_unchecked",
    "changes",
    "paths",
)
_NEAR_NAMES = (
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
_SAME_NAMES = (
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
COURSE_NAMES = (*_FAR_NAMES, *_NEAR_NAMES, *_SAME_NAMES)
"""Names of `Course.numbers`, in order."""
_NOTHING = (math.nan,) * len(COURSE_NAMES)


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
