"""A new version in the making: fitted, calibrated, promised for, and heard as serving would say it.

The rows come in the order of the log and serve one purpose each::

    fit          oldest    the trees
    calibrate              from scores to probabilities
    promise                the execute thresholds: no part of the model has seen their outcomes
    test         newest    judging

Once a user has steps of their own, those of the bundled history are fitted on and no more.
What ships is fitted once more on all rows (`refitted`), after it was promised for and judged.

Serving corrects the frozen model with every outcome (`onward.models.online`). So promises and
judgement rest on the corrected probabilities, made one row after the other from what was known
before each: `as_served`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.decisions.policy import execute_from
from onward.decisions.risk import Threshold, execute_threshold
from onward.features.examples import Examples, joined
from onward.features.fold import NAMES
from onward.models.approval import Approval
from onward.models.calibrate import Calibrator, fit
from onward.models.confidence import Confidence
from onward.models.online import Online
from onward.training.calibration import Choice, choose, forward_folds
from onward.training.split import Parts, Split

__all__ = [
    "COUNTS",
    "RATES",
    "Candidate",
    "as_served",
    "calibrated",
    "counts_of",
    "parts_of",
    "promised",
    "refitted",
]

Floats = NDArray[np.float64]
Traits = Sequence[tuple[int, ...]]

COUNTS = NAMES.index("rate_exact")
"""The feature that is the running counts' own answer: the peer to beat."""

RATES = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
"""Error rates for which a bundle carries a threshold, beside the one that is set."""

_METHODS_TO_TRY_FROM = 400  # with fewer rows the best of many methods is the luckiest
_SAFE_METHOD = "temperature"
_REFIT_UP_TO = 200_000  # rows; of more, less than a fifth lies after the fitted ones


def parts_of(split: Split) -> Parts:
    """A split by time with its calibration rows cut in two: to calibrate, and to promise."""
    middle = len(split.calibrate) // 2
    return Parts(split.fit, split.calibrate[:middle], split.calibrate[middle:], split.test)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted version.

    Parameters
    ----------
    confidence, approval
        The fitted heads; no approval head where refusals were too few to learn from.
    choice
        The chosen calibration, with the figures of every method.
    """

    confidence: Confidence
    approval: Approval | None
    choice: Choice

    def frozen(self, X: NDArray[np.float32]) -> Floats:
        """(n,) calibrated P(success), before the online layer."""
        return self.choice.calibrator.apply(self.confidence.predict(X))


def fitted(
    table: Examples, rows: Examples, parts: Parts, *, seed: int, more: Examples | None = None
) -> Candidate:
    """Fit the heads on the oldest rows and the calibration on the next.

    Parameters
    ----------
    table
        Every step of the history, for the approval head.
    rows
        Those of them that ran to a known end.
    parts
        Which rows of *rows* serve for what.
    seed
        Of the trees.
    more
        Rows that the trees are fitted on as well, made of the same steps (`rehearsal`).

    Raises
    ------
    NotEnoughData
        Too few successes or failures among the rows.
    """
    older = _up_to(table, int(rows.seq[parts.fit[-1]]))
    confidence, approval = _heads(older, rows[: len(parts.fit)], more, seed=seed)
    calibrate = rows[parts.calibrate]
    choice = calibrated(confidence.predict(calibrate.X), calibrate.succeeded)
    return Candidate(confidence, approval, choice)


def refitted(
    candidate: Candidate,
    table: Examples,
    rows: Examples,
    *,
    seed: int,
    more: Examples | None = None,
    until: int | None = None,
) -> Candidate:
    """What ships once a candidate was judged: its heads fitted once more, on the newest rows too.

    The calibration stays the one that was chosen on rows which the trees had not seen. A very long
    history is left as it is: it misses little of what is new, and another fit costs the most there.

    Parameters
    ----------
    candidate
        As it was calibrated, promised for and judged.
    table, rows, seed, more
        As for `fitted`.
    until
        The last event to fit on, for the gate (`onward.training.succession`); None = all of them.
    """
    if len(rows) > _REFIT_UP_TO:
        return candidate
    if until is not None:
        table, rows = _up_to(table, until), _up_to(rows, until)
    confidence, approval = _heads(table, rows, more, seed=seed)
    return Candidate(confidence, approval, candidate.choice)


def _up_to(rows: Examples, seq: int) -> Examples:
    """The rows up to an event. A slice, not row numbers: of a long history it copies nothing."""
    return rows[: int(np.searchsorted(rows.seq, seq, side="right"))]


def _heads(
    table: Examples, rows: Examples, more: Examples | None, *, seed: int
) -> tuple[Confidence, Approval | None]:
    """Both heads, of these steps."""
    learned = joined([rows, more]) if more is not None and len(more) else rows
    return Confidence().fit(learned, seed=seed), _approval(table, seed=seed)


def _approval(older: Examples, *, seed: int) -> Approval | None:
    """The approval head, where refusals suffice."""
    if older.ran.sum() == older.judged.sum():
        return None
    try:
        return Approval().fit(older, seed=seed)
    except NotEnoughData:
        return None


def calibrated(p: Floats, y: Floats) -> Choice:
    """The calibration that does best on later rows; a plain one where rows do not suffice."""
    with suppress(NotEnoughData):  # some fold holds one outcome only
        if len(p) >= _METHODS_TO_TRY_FROM:
            return choose(p, y, list(forward_folds(len(p))))
    with suppress(NotEnoughData):
        return Choice(fit(_SAFE_METHOD, p, y), [])
    return Choice(Calibrator.identity(), [])


def counts_of(X: NDArray[np.float32]) -> Floats:
    """(n,) what the running counts alone say."""
    return X[:, COUNTS].astype(np.float64)


def as_served(
    frozen: Floats, rows: Examples, traits: Traits, *, online: Online | None = None
) -> Floats:
    """(n,) what serving would have said to each row, learning from each that ran before the next.

    Parameters
    ----------
    frozen
        (n,) calibrated probabilities of the frozen model.
    rows
        The same rows, in the order of the log.
    traits
        Of each row, from `onward.models.traits.traits_of`.
    online
        Where the correction begins; it is carried on. None = a fresh one.
    """
    layer = Online() if online is None else online
    return np.fromiter(_heard(layer, frozen, rows, traits), np.float64, len(frozen))


def _heard(layer: Online, frozen: Floats, rows: Examples, traits: Traits) -> Iterator[float]:
    """One probability after the other."""
    counts = counts_of(rows.X).tolist()
    ran, good = rows.ran.tolist(), rows.succeeded.tolist()
    known = zip(rows.agent.tolist(), frozen.tolist(), counts, traits, ran, good, strict=True)
    for agent, model, count, shared, learns, success in known:
        yield layer.predict(agent, model=model, counts=count, traits=shared)
        if learns:
            layer.learn(agent, model=model, counts=count, traits=shared, success=success > 0)


def promised(
    p: Floats, rows: Examples, *, rates: Sequence[float], confidence: float
) -> list[Threshold]:
    """Where the execute band of each stated error rate begins.

    Parameters
    ----------
    p, rows
        What was said to rows that nothing was fitted on, and the rows.
    rates
        The stated error rates.
    confidence
        How sure each promise must be.
    """
    failed, groups = 1.0 - rows.succeeded, rows.session.astype(str)
    found = (
        execute_threshold(p, failed, rate=rate, confidence=confidence, groups=groups)
        for rate in rates
    )
    return [_begun(threshold, p, failed) for threshold in found]


def _begun(threshold: Threshold, p: Floats, failed: Floats) -> Threshold:
    """The threshold, no lower than the policy's execute band ever reaches."""
    begin = execute_from(threshold.value)
    through = p >= begin
    return msgspec.structs.replace(
        threshold,
        value=begin,
        coverage=float(through.mean()),
        error=float(failed[through].mean()) if through.any() else 0.0,
    )
