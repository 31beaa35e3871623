"""Where a session stands, in numbers: how far it is, what its last steps gave, what is open."""

from __future__ import annotations

import math

from onward.features.next_task.trail import Mark, Result, Trail
from onward.features.step.files import since

__all__ = ["STATE_NAMES", "state_of"]

STATE_NAMES = (
    *("step", "stage", "kind", "kind_2", "kind_3", "good", "output", "size", "tests"),
    *("good_2", "output_2", "size_2", "tests_2", "touched", "check", "edits", "since_edit"),
    *("since_fail", "fails", "same", "unrun", "stale", "lines", "news", "again", "commands"),
    *("todo", "gap", "spent", "hour"),
)
"""Names of the numbers, in order."""


def state_of(trail: Trail) -> list[float]:
    """Where the session stands: numbers as `STATE_NAMES`."""
    marks = [*reversed(trail.marks)][:3]
    blank = Mark(0, -1, 0, 0, Result(False, -1, -1, -1), 0)
    one, two, three = marks + [blank] * (3 - len(marks))
    n = trail.steps
    return [
        n,
        n.bit_length(),
        one.kind,
        two.kind,
        three.kind,
        one.result.good,
        one.result.kind,
        one.result.size,
        one.result.tests,
        two.result.good,
        two.result.kind,
        two.result.size,
        two.result.tests,
        trail.touched,
        trail.check_state(),
        trail.edits,
        since(n, trail.last_edit),
        since(n, trail.last_fail),
        trail.fails,
        trail.same,
        trail.unrun(),
        trail.stale(),
        trail.lines,
        trail.news,
        trail.again,
        trail.commands,
        trail.todo,
        math.log1p(max(trail.gap, 0.0)),
        math.log1p(max(trail.at - trail.began, 0.0)),
        trail.at // 3600 % 24 if trail.at else math.nan,
    ]
