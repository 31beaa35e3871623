"""Whether prompts that sound like corrections follow work that is regretted by other signs.

`onward.features.correction` reads a prompt as a verdict on the steps before it, and P(approve)
learns from it. Here that reading is set against what it knows nothing of: whether the user turned a
step of that work down or cut it short, whether the work after the prompt put its files back
(``regret``), and whether it changed the same files once more (``rework``, which good work may get,
too). Two prompts that follow each other are one pair; continuations say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from onward.data.events import Event, Outcome, Prompt, Step
from onward.features.action import action_of
from onward.features.correction import corrects

__all__ = ["verdicts"]

DRAWS = 1_000


@dataclass
class _Work:
    """What followed a prompt."""

    prompt: Prompt
    refused: bool = False
    changed: set[str] = field(default_factory=set)
    put_back: set[str] = field(default_factory=set)

    def add(self, step: Step) -> None:
        self.refused |= step.outcome in (Outcome.REJECTED, Outcome.INTERRUPTED)
        if step.outcome is Outcome.OK:
            action = action_of(step)
            (self.put_back if action.takes_back else self.changed).update(action.edits)
            self.changed.update(action.makes)


def verdicts(log: Iterable[tuple[int, Event]]) -> dict[str, float]:
    """Shares of regret and rework before corrections and before other prompts.

    The differences have 95 % intervals by bootstrap over pairs.
    """
    found = _works(log)
    pairs = [(a, b) for a, b in pairwise(found) if b.prompt.role == "prompt"]
    signs = {
        "regret": [(corrects(b.prompt.text), a.refused or bool(a.changed & b.put_back))
                   for a, b in pairs],
        "rework": [(corrects(b.prompt.text), bool(a.changed & b.changed))
                   for a, b in pairs if a.changed],
    }  # fmt: skip
    return {key: value for name, sign in signs.items() for key, value in _beside(name, sign)}


def _works(log: Iterable[tuple[int, Event]]) -> list[_Work]:
    found, current = list[_Work](), dict[str, _Work]()
    for _, event in log:
        if isinstance(event, Prompt) and event.role != "interrupt":
            found.append(_Work(event))
            current[event.session] = found[-1]
        elif isinstance(event, Step) and event.session in current:
            current[event.session].add(event)
    return found


def _beside(name: str, sign: list[tuple[bool, bool]]) -> list[tuple[str, float]]:
    table = np.array(sign or [(False, False)], bool)
    random = np.random.default_rng(0)
    draws = [_gap(table[random.integers(0, len(table), len(table))]) for _ in range(DRAWS)]
    known = [gap for gap in draws if not np.isnan(gap)] or [np.nan]
    low, high = np.percentile(known, [2.5, 97.5])
    return [
        (f"{name}.pairs", float(len(table))),
        (f"{name}.corrections", float(table[:, 0].sum())),
        (f"{name}.after_correction", _share(table[table[:, 0], 1])),
        (f"{name}.after_others", _share(table[~table[:, 0], 1])),
        (f"{name}.difference_low", float(low)),
        (f"{name}.difference_high", float(high)),
    ]


def _gap(table: np.ndarray) -> float:
    return _share(table[table[:, 0], 1]) - _share(table[~table[:, 0], 1])


def _share(marks: np.ndarray) -> float:
    return float(marks.mean()) if len(marks) else float("nan")
