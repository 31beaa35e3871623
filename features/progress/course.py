"""The course of one session: its last steps as small marks, its streaks, its luck.

Kept beside the ledger of what was gained, and as bounded: a dozen marks and a few numbers.
"""

from __future__ import annotations

import math
from zlib import crc32

import msgspec

from onward.data.events import Outcome, Prompt, Step
from onward.features.action import Action
from onward.features.progress.gains import Gained, Ledger
from onward.features.progress.marks import CHECKS, NEAR_NAMES, SAME_NAMES, Mark, near, same
from onward.features.text import name_hash, output_kind

__all__ = ["COURSE_NAMES", "Course", "Place"]

MAX_MARKS = 12
"""Steps that are looked back on."""
MAX_PATHS = 300
MAX_ERRORS = 200
NEVER = 99
"""Steps since something that never was."""

_CORRECTIONS = ("don't", "do not", "stop", "wrong", "still ", "revert", "undo", "why did you")


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
        if mark.kind in CHECKS and not mark.void:
            self.since_check, self.check_ok = 0, not mark.bad
            self.check_row = self.check_row + 1 if mark.bad else 0
            if not mark.bad:
                self.changes_unchecked = 0

    def numbers(self) -> tuple[float, ...]:
        """What is known now, as `COURSE_NAMES`."""
        if not self.marks:
            return _NOTHING
        last = self.marks[-1]
        again = self.errors.get(last.said, 0) if last.bad else 0
        return (*self._far(), *near(self.marks), *same(self.marks, again))

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
COURSE_NAMES = (*_FAR_NAMES, *NEAR_NAMES, *SAME_NAMES)
"""Names of `Course.numbers`, in order."""
_NOTHING = (math.nan,) * len(COURSE_NAMES)
