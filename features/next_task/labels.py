"""The labels that were met: their numbers, how often they came, and what they mostly do."""

from __future__ import annotations

import msgspec

__all__ = ["MAX_LABELS", "RARE", "Labels"]

MAX_LABELS = 96
"""Labels that have a number of their own; what comes later counts as rare."""
RARE = 0
"""The number of all labels that have none."""
_MET = 3
"""A label gets its number when it comes for this time."""
_MAX_WAITING = 500


class Labels(msgspec.Struct, gc=False):
    """Numbers of labels, from 1 on in the order in which they were met often enough.

    >>> labels = Labels()
    >>> [labels.number(name) for name in ("ls", "ls", "ls", "cat")]
    [0, 0, 1, 0]
    """

    ids: dict[str, int] = msgspec.field(default_factory=dict)
    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    """Labels without a number -> how often they came lately."""
    times: dict[int, int] = msgspec.field(default_factory=dict)
    kinds: dict[int, dict[int, int]] = msgspec.field(default_factory=dict)
    """Number -> kind of action -> how often."""
    mostly: dict[int, int] = msgspec.field(default_factory=dict)
    """Number -> the kind of action that most of its steps were."""
    total: int = 0

    def number(self, label: str) -> int:
        """The number of a label that came once more."""
        number = self.ids.get(label)
        if number is not None:
            return number
        met = self.waiting.pop(label, 0) + 1
        if met >= _MET and len(self.ids) < MAX_LABELS:
            self.ids[label] = number = len(self.ids) + 1
            return number
        self.waiting[label] = met
        if len(self.waiting) > _MAX_WAITING:
            del self.waiting[next(iter(self.waiting))]
        return RARE

    def count(self, number: int, kind: int) -> None:
        """A step came under a number, with an action of this kind."""
        self.total += 1
        self.times[number] = self.times.get(number, 0) + 1
        kinds = self.kinds.setdefault(number, {})
        kinds[kind] = kinds.get(kind, 0) + 1
        self.mostly[number] = max(kinds, key=kinds.__getitem__)

    def find(self, label: str) -> int:
        """The number of a label; `RARE` where it has none."""
        return self.ids.get(label, RARE)

    def name(self, number: int) -> str:
        """The label with this number; empty for `RARE`."""
        return next((label for label, at in self.ids.items() if at == number), "")

    def kind(self, number: int) -> int:
        """What its steps mostly did, as a number of `onward.features.action.KINDS`; -1 = none."""
        return self.mostly.get(number, -1)

    def share(self, number: int) -> float:
        """Its share of all steps."""
        return self.times.get(number, 0) / max(self.total, 1)
