"""How classes of steps fared, and which past steps resemble a call. All tables are bounded."""

from __future__ import annotations

from typing import Any

import msgspec

from onward.data.events import Call, Decision, Event, Outcome, Step, Verdict
from onward.decisions.policy import Record
from onward.features.action import action_of
from onward.features.bounded import shed
from onward.features.examples import MAX_OPEN

__all__ = ["LIKENESS", "Past", "SavedPast", "put"]

MAX_CLASSES = 20_000
"""Classes of steps whose record is kept; the longest unused are forgotten."""
MAX_CASES = 20_000
"""Keys under which past steps are remembered."""
CASES_A_KEY = 3
"""Steps remembered under one key, the newest ones."""

LIKENESS = ((4, "same command"), (3, "same shape"), (1, "same program"))
"""Places in `Action.keys` under which cases are kept, nearest first, and what to call them."""

_REGRETS = {Outcome.REJECTED, Outcome.INTERRUPTED}


class SavedPast(msgspec.Struct):
    """A `Past` as it is saved."""

    records: list[Record]
    cases: dict[str, list[str]]
    asked: dict[str, str]


class Past:
    """Records and cases of all that was learned, in log order."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._cases: dict[str, list[str]] = {}
        self._asked: dict[str, str] = {}  # decision -> the class that it was about

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""
        if isinstance(event, Decision):
            put(self._asked, event.id, class_of(event.call), MAX_OPEN)
        elif isinstance(event, Step):
            self._learn_step(event)
        elif isinstance(event, Verdict) and not event.approved:
            refused = self._asked.get(event.decision)
            if refused is not None:
                self._count(refused, success=False, regret=True)

    def record(self, call: Call) -> Record:
        """How steps of the call's class fared since the last regret."""
        name = class_of(call)
        return self._records.get(name) or Record(name)

    def cases(self, call: Call, most: int) -> list[tuple[str, str]]:
        """The nearest past steps: id and likeness, nearest and newest first."""
        keys = action_of(call).keys
        found: dict[str, str] = {}
        for place, likeness in LIKENESS:
            for step_id in reversed(self._cases.get(keys[place], [])):
                found.setdefault(step_id, likeness)
        return list(found.items())[:most]

    def _learn_step(self, step: Step) -> None:
        keys = action_of(step).keys
        for place, _ in LIKENESS:
            ids = self._cases.get(keys[place], [])
            put(self._cases, keys[place], [*ids[1 - CASES_A_KEY :], step.id], MAX_CASES)
        if step.outcome is not Outcome.UNKNOWN:
            good = step.outcome is Outcome.OK
            self._count(keys[2], success=good, regret=step.outcome in _REGRETS)

    def _count(self, name: str, *, success: bool, regret: bool) -> None:
        record = self._records.get(name) or Record(name)
        put(self._records, name, record.learn(success=success, regret=regret), MAX_CLASSES)

    def dump(self) -> SavedPast:
        """All of it; `load` gives one that goes on the same."""
        return SavedPast(list(self._records.values()), self._cases, self._asked)

    @classmethod
    def load(cls, saved: SavedPast) -> Past:
        """From what `dump` gave."""
        past = cls()
        past._records = {record.name: record for record in saved.records}
        past._cases = saved.cases
        past._asked = saved.asked
        return past


def class_of(call: Call) -> str:
    """The class under which a call's record is kept: its program with the sub-command."""
    return action_of(call).keys[2]


def put(table: dict[str, Any], key: str, value: object, most: int) -> None:
    """Set a key as the youngest of its table, and let the oldest ones go."""
    table.pop(key, None)
    table[key] = value
    shed(table, most)
