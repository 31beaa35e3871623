"""A stream of attempts, fixes and reruns, predicted and then learned, beside trivial peers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from experiments.held_out.sets import Floats
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.decisions.risk import Guardrail, Threshold
from onward.features.fixes.fold import NAMES
from onward.features.fixes.mined import Mined
from onward.models import attempts, fixes, transient
from onward.models.attempts import ONLINE, Attempts
from onward.models.base import Rows
from onward.models.fixes import PRECISION, FixRanker, shares
from onward.models.online import Online
from onward.models.transient import Transient

__all__ = ["Judged", "judge", "together"]

_COUNTS = NAMES.index("rate_signature_fix")


@dataclass
class Judged:
    """What was judged of one stream; one entry an attempt, a mended check, a rerun."""

    passed: Floats
    groups: NDArray[np.object_]
    attempts: dict[str, Floats]
    fix: NDArray[np.int64]
    fix_groups: NDArray[np.object_]
    fixes: dict[str, Floats]
    """Method -> (checks, fixes) shares."""
    spoke: NDArray[np.bool_]
    reran: Floats
    rerun_groups: NDArray[np.object_]
    reruns: dict[str, Floats] = field(default_factory=dict)


def judge(
    train: Sequence[Sequence[Mined]], test: Sequence[Mined], *, by: str, seed: int = 0
) -> Judged:
    """Fit on mined logs, then walk the judged attempts in order.

    Parameters
    ----------
    train
        Mined logs to learn from.
    test
        Mined attempts to be judged.
    by
        What intervals draw whole: ``session`` or ``project``.
    seed
        Of the models.

    Raises
    ------
    NotEnoughData
        There is nothing to judge, or too little to learn from.
    """
    if not any(one.passed for one in test):
        raise NotEnoughData("A set to be judged holds no failing check that was mended later.")
    known = [one for log in train for one in log]
    said = _attempts(known, test, seed)
    shared, spoke = _fixes(known, test, seed)
    mended = [one for one in test if one.passed]
    again = transient.rows_of(test)
    of_rerun = [one for one in test if one.retry is not None]
    return Judged(
        passed=np.array([float(one.passed) for one in test]),
        groups=_groups(test, by),
        attempts=said,
        fix=np.array([one.fix for one in mended], np.int64),
        fix_groups=_groups(mended, by),
        fixes=shared,
        spoke=spoke,
        reran=again.y,
        rerun_groups=_groups(of_rerun, by),
        reruns=_reruns(known, again, seed),
    )


def _groups(found: Sequence[Mined], by: str) -> NDArray[np.object_]:
    return np.array([getattr(one.step, by) for one in found], object)


def _attempts(known: Sequence[Mined], test: Sequence[Mined], seed: int) -> dict[str, Floats]:
    train, judged = attempts.rows_of(known), attempts.rows_of(test)
    slots = [one.slots for one in known], [one.slots for one in test]
    frozen = Attempts().fit(train, seed=seed).calibrated(judged.X)  # says where rows are too few
    said = attempts.peers(train, judged, slots)
    return {"onward": _online(frozen, judged, test), "frozen": frozen, **said}


def _online(frozen: Floats, judged: Rows, test: Sequence[Mined]) -> Floats:
    """(n,) predicted, then learned, attempt by attempt."""
    online, said = Online(ONLINE), np.empty(len(test))
    for row, one in enumerate(test):
        agent, model = one.step.agent, float(frozen[row])
        counts = float(judged.X[row, _COUNTS])
        said[row] = online.predict(agent, model=model, counts=counts)
        online.learn(agent, model=model, counts=counts, success=one.passed)
    return said


def _fixes(
    known: Sequence[Mined], test: Sequence[Mined], seed: int
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Shares of every fix by method, and where the first is said to be known."""
    ranker = FixRanker().fit(fixes.rows_of(known), seed=seed)
    judged = fixes.rows_of(test)
    table = shares(ranker.predict(judged.X))
    fix = judged.y.reshape(table.shape).argmax(axis=1)
    rail = Guardrail(Threshold(value=ranker.speaks_from, rate=1.0 - PRECISION, confidence=0.95))
    spoke = np.zeros(len(table), bool)
    for row, told in enumerate(table):
        top = float(told.max())
        spoke[row] = top >= rail.threshold
        rail.learn(top, failed=int(told.argmax()) != fix[row])
    return {"onward": table, **fixes.peers(test)}, spoke


def _reruns(known: Sequence[Mined], again: Rows, seed: int) -> dict[str, Floats]:
    train = transient.rows_of(known)
    if not len(again):
        return {}
    said = transient.peers(train, again)
    found = {"onward": said.pop("counts"), **said}
    with suppress(NotEnoughData):
        found["ridge"] = Transient().fit(train, seed=seed).predict(again.X)
    return found


def together(parts: Sequence[Judged]) -> Judged:
    """Parts that were judged apart, as one; methods that not all of them have are left out."""
    whole: dict[str, Any] = {}
    for name, value in vars(parts[0]).items():
        several = [getattr(part, name) for part in parts]
        if isinstance(value, dict):
            common = [key for key in value if all(key in one for one in several)]
            whole[name] = {key: np.concatenate([one[key] for one in several]) for key in common}
        else:
            whole[name] = np.concatenate(several)
    return Judged(**whole)
