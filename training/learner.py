"""A model of the steps so far, for a replay: the recipe of `onward.training.loop`, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onward.data.events import Outcome
from onward.decisions.risk import Threshold
from onward.features.examples import OUTCOMES, Examples
from onward.models.calibrate import Calibrator
from onward.models.online import Online
from onward.models.traits import traits_of
from onward.training.candidate import (
    Candidate,
    as_served,
    fitted,
    parts_of,
    promised,
    refitted,
)
from onward.training.parity import Exported
from onward.training.settings import TrainSettings
from onward.training.split import Fractions, by_own_time
from onward.training.walk import Answered

__all__ = ["Learner", "Made"]

_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}


@dataclass(frozen=True, slots=True)
class Made:
    """A model that was made on the way; answers like a published one."""

    version: str
    threshold: float | None
    rate: float
    confidence: Exported
    approval: Exported | None
    calibrator: Calibrator

    def success(self, vector: NDArray[np.float32]) -> float:
        """Calibrated P(success)."""
        return self.calibrator.apply_one(self.confidence.one(vector))

    def approve(self, vector: NDArray[np.float32]) -> float:
        """P(approve); 1 where refusals were too few to learn from."""
        return 1.0 if self.approval is None else self.approval.one(vector)


@dataclass(frozen=True, slots=True)
class Learner:
    """Makes a model of the steps so far.

    Parameters
    ----------
    settings
        Of training: the promise, the shares, the seed.
    """

    settings: TrainSettings

    def __call__(self, so_far: list[Answered]) -> tuple[Made, Online] | None:
        """The model and its correction so far; None with too few steps.

        Raises
        ------
        NotEnoughData
            Too few successes or failures among them.
        """
        if len(so_far) < self.settings.least_steps:
            return None
        table = _table(so_far)
        rows = table[table.ran]
        if len(rows) < self.settings.least_steps:
            return None
        shares = Fractions(self.settings.calibrate_share, self.settings.test_share)
        parts = parts_of(by_own_time(rows.lent, shares))
        candidate = fitted(table, rows, parts, seed=self.settings.seed)
        online, later = Online(), parts.later
        steps = [said.step for said in so_far if said.step.outcome in (Outcome.OK, Outcome.ERROR)]
        traits = [traits_of(steps[row]) for row in later]
        p = as_served(candidate.frozen(rows[later].X), rows[later], traits, online=online)
        unseen = len(parts.calibrate)  # what comes after was no part of the calibration
        threshold = promised(
            p[unseen:],
            rows[later[unseen:]],
            rates=[self.settings.error_rate],
            confidence=self.settings.confidence,
        )[0]
        candidate = refitted(candidate, table, rows, seed=self.settings.seed)
        return _made(candidate, threshold, version=f"after {len(so_far):,} steps"), online


def _made(candidate: Candidate, threshold: Threshold, *, version: str) -> Made:
    """The candidate, exported as it would be published."""
    approval = candidate.approval
    return Made(
        version=version,
        threshold=threshold.value,
        rate=threshold.rate,
        confidence=Exported(candidate.confidence.to_onnx()),
        approval=None if approval is None else Exported(approval.to_onnx()),
        calibrator=candidate.choice.calibrator,
    )


def _table(so_far: list[Answered]) -> Examples:
    """The steps so far as rows."""
    steps = [said.step for said in so_far]
    return Examples(
        X=np.stack([said.vector for said in so_far]),
        outcome=np.array([_CODE[step.outcome] for step in steps], np.int8),
        project=np.array([step.project for step in steps], object),
        agent=np.array([step.agent for step in steps], object),
        session=np.array([step.session for step in steps], object),
        at=np.array([step.at for step in steps], np.float64),
        seq=np.array([said.seq for said in so_far], np.int64),
    )
