"""Learning from sets of real history, and walking a stream with what was learned.

`learn` makes a model as it would be published: the heads on everything, calibration, online layer
and thresholds on rows that were held out for them. `judge` walks a stream as serving does: predict,
then learn, step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from experiments.held_out.sets import (
    Floats,
    History,
    Log,
    dealt,
    home_of,
    homes,
    judged_rows,
)
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Outcome, Step
from onward.decisions.risk import Guardrail, Threshold, execute_threshold
from onward.features.examples import Examples, examples, joined, rehearsed
from onward.features.fold import NAMES, Fold
from onward.models.approval import Approval
from onward.models.calibrate import Calibrator
from onward.models.confidence import Confidence
from onward.models.online import Online
from onward.models.traits import traits_of
from onward.training.calibration import choose, forward_folds, group_folds
from onward.training.candidate import as_served, counts_of

__all__ = ["RATES", "Judged", "Learned", "judge", "learn", "served"]

PASSES = 3
"""Other orders of the projects in which the training log is folded again."""
HELD = 0.3
"""Share of the training steps that the calibration is fitted on."""
LEAST = 400
"""Fewer held-out rows than this calibrate nothing."""
RATES = (0.05, 0.10)
"""Error rates that an execute band is promised for."""
_PROGRAM = NAMES.index("rate_program")


@dataclass
class Judged:
    """A stream of steps that were predicted before they were learned."""

    y: Floats
    groups: NDArray[np.object_]
    said: dict[str, Floats]
    bands: dict[str, dict[float, tuple[float, float]]] = field(default_factory=dict)
    """Method -> stated error rate -> coverage and real error of its execute band."""


# -- learning -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Learned:
    """A model of some sets, as it would be published."""

    heads: _Heads
    calibrator: Calibrator
    online: Online
    thresholds: dict[str, dict[float, Threshold]]
    """Method -> stated error rate -> what the held-out rows promise."""
    base: float

    def frozen(self, X: NDArray[np.float32]) -> Floats:
        """(n,) calibrated P(success) without the online layer."""
        return self.calibrator.apply(self.heads.confidence.predict(X))


def learn(own: Sequence[History], others: Sequence[History] = (), *, seed: int = 0) -> Learned:
    """Fit on sets; calibration, online layer and thresholds on rows held out in turn.

    Parameters
    ----------
    own
        Sets like the one to come: a part of them is held out to calibrate on.
    others
        Histories of other agents: they teach the trees, the running weights stay those of
        ``own``.
    seed
        Of the trees and of the orders of projects.

    Raises
    ------
    NotEnoughData
        There are too few outcomes to learn from, or nothing of ``own`` can be held out.
    """
    log = [pair for one in own for pair in one.log]
    timed = all(one.timed for one in own)
    held, rest = _held_out(log, timed=timed)
    if not (_steps(held) and _steps(rest)):
        names = ", ".join(one.name for one in own)
        raise NotEnoughData(f"{names}: too few sessions to hold some out for the calibration.")
    known_before = [examples(one.log) for one in others]
    trial = _Heads(rest, known_before, timed=timed, seed=seed)
    table = examples(held, trial.fold)
    steps = _steps(held)
    calibrator, online = _calibrated(trial, table, timed=timed), Online()
    frozen = calibrator.apply(trial.confidence.predict(table.X))
    good = [step.outcome is Outcome.OK for step in _steps(log)]
    base = float(np.mean(good))
    said = _said(frozen, trial.approve(table.X), table, steps, online, base=base)
    known = judged_rows(steps)
    return Learned(
        _Heads(log, known_before, timed=timed, seed=seed),
        calibrator,
        online,
        {
            name: {rate: _threshold(p[known], table[known], rate) for rate in RATES}
            for name, p in said.items()
        },
        base,
    )


def _said(
    frozen: Floats,
    approve: Floats,
    table: Examples,
    steps: Sequence[Step],
    online: Online,
    *,
    base: float,
) -> dict[str, Floats]:
    """What each method says of every row before it is learned; ``online`` learns on the way."""
    counts = counts_of(table.X)
    return {
        "onward": served(frozen, table, steps, online) * approve,
        "frozen": frozen * approve,
        "frozen_recalibrated": _recalibrated(frozen, table) * approve,
        "counts": counts,
        "counts_recalibrated": _recalibrated(counts, table),
        "program": table.X[:, _PROGRAM].astype(np.float64),
        "base": np.full(len(table), base),
    }


class _Heads:
    """Both heads, fitted on a log and on tables of others, and the fold after that log."""

    def __init__(self, log: Log, others: Sequence[Examples], *, timed: bool, seed: int) -> None:
        self.fold = Fold()
        tables = [*others, examples(log, self.fold)]
        more = rehearsed(log, passes=0 if timed else PASSES, seed=seed)
        self.confidence = Confidence().fit(joined([*tables, more]), seed=seed)
        self._approval: Approval | None = None
        with suppress(NotEnoughData):  # some agents are never refused anything
            self._approval = Approval().fit(joined(tables), seed=seed)

    def approve(self, X: NDArray[np.float32]) -> Floats:
        """(n,) P(approve); 1 where refusals were too few to learn from."""
        return np.ones(len(X)) if self._approval is None else self._approval.predict(X)


def _calibrated(trial: _Heads, table: Examples, *, timed: bool) -> Calibrator:
    """The calibration that does best on the held-out rows; none where they are few or alike."""
    ran = table[table.ran]
    if len(ran) < LEAST:
        return Calibrator.identity()
    folds = forward_folds(len(ran)) if timed else group_folds(ran.session.astype(str))
    with suppress(NotEnoughData):  # a fold of one outcome alone
        return choose(trial.confidence.predict(ran.X), ran.succeeded, list(folds)).calibrator
    return Calibrator.identity()


def _threshold(said: Floats, table: Examples, rate: float) -> Threshold:
    return execute_threshold(
        said, 1.0 - table.succeeded, rate=rate, groups=table.session.astype(str)
    )


def _steps(log: Log) -> list[Step]:
    return [event for _, event in log if isinstance(event, Step)]


def _held_out(log: Log, *, timed: bool) -> tuple[Log, Log]:
    """The part that is held out, and the rest: the newest steps, whole repositories, or sessions.

    Sessions where all is of one repository.
    """
    if timed:
        cut = int(len(log) * (1 - HELD))
        return log[cut:], log[:cut]
    held = dealt(homes(log, home_of(log)), round(1 / HELD)) == 0
    return (
        [pair for pair, out in zip(log, held, strict=True) if out],
        [pair for pair, out in zip(log, held, strict=True) if not out],
    )


# -- walking --------------------------------------------------------------------------------------


def served(frozen: Floats, table: Examples, steps: Sequence[Step], online: Online) -> Floats:
    """(n,) P(success) as served: predicted, then learned, step by step."""
    return as_served(frozen, table, [traits_of(step) for step in steps], online=online)


def _recalibrated(p: Floats, table: Examples) -> Floats:
    """(n,) one probability alone, its bias and slope learned from every outcome as it comes."""
    online = Online()
    said = np.empty(len(p))
    for row, (agent, model) in enumerate(zip(table.agent.tolist(), p.tolist(), strict=True)):
        said[row] = online.predict(agent, model=model, counts=model)
        if table.ran[row]:
            success = bool(table.succeeded[row])
            online.learn(agent, model=model, counts=model, success=success)
    return said


def judge(learned: Learned, test: History, words: Floats | None = None) -> Judged:
    """Walk a stream with a model that was learned before it.

    Raises `NotEnoughData` where no outcome of the stream is known.
    """
    steps = test.steps
    known = judged_rows(steps)
    if not known.any():
        raise NotEnoughData(f"{test.name} holds no step to judge whose outcome is known.")
    table = examples(test.log, Fold.load(learned.heads.fold.dump()))
    frozen, approve = learned.frozen(table.X), learned.heads.approve(table.X)
    online = Online.load(learned.online.dump())
    y = table.succeeded
    said = _said(frozen, approve, table, steps, online, base=learned.base)
    if words is not None:
        said["words"] = words
    groups = getattr(table, test.home)
    found = Judged(y[known], groups[known], {name: p[known] for name, p in said.items()})
    for name, promised in learned.thresholds.items():
        found.bands[name] = {
            rate: _band(found.said[name], found.y, threshold)
            for rate, threshold in promised.items()
        }
    return found


def _band(p: Floats, y: Floats, threshold: Threshold) -> tuple[float, float]:
    """Coverage and real error of the execute band, its guardrail learning as it goes."""
    rail = Guardrail(threshold)
    through = np.zeros(len(p), bool)
    for row, said in enumerate(p.tolist()):
        through[row] = said >= rail.threshold
        rail.learn(said, failed=y[row] == 0)
    return float(through.mean()), float(1.0 - y[through].mean()) if through.any() else 0.0
