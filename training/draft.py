"""A version that is ready to be published, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onward.decisions.risk import Threshold
from onward.features.examples import Examples
from onward.features.fold import Fold
from onward.models.online import Online
from onward.training.candidate import Candidate
from onward.training.evaluate import Evaluation
from onward.training.gate import Ruling
from onward.training.systems import PartDraft

__all__ = ["Draft"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """All that a bundle is made of."""

    version: str
    candidate: Candidate
    fold: Fold
    """The state after the last event."""
    online: Online
    """The correction after the last event."""
    history: str
    """Digest of the history up to *last_seq*."""
    last_seq: int
    rows: Examples
    """Steps that were learned from; the newest prove the exported models."""
    promises: list[Threshold]
    evaluation: Evaluation
    """By time."""
    unseen: Evaluation | None
    """By group: in projects that were left out of a fit."""
    ruling: Ruling
    settings: Mapping[str, Any]
    parts: Sequence[PartDraft] = ()
    """The learned systems beside decisions."""

    def metrics(self) -> dict[str, float]:
        """All figures by name; those in unseen projects begin with ``unseen.``.

        Those of the systems beside decisions begin with their names.
        """
        unseen = self.unseen.flat() if self.unseen else {}
        beside = {
            f"{part.name}.{name}": value
            for part in self.parts
            for name, value in part.about.metrics.items()
        }
        return self.evaluation.flat() | {f"unseen.{name}": n for name, n in unseen.items()} | beside
