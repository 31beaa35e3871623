"""How a model of the same recipe does in projects that it never saw.

The split by time asks how a version does next week, in projects that it mostly knows. This one
asks about the first week in a new one: whole projects are left out of the fit, and the model is
judged on them. It is fitted for that alone, on the newest rows, and is never published.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onward.data.errors import NotEnoughData
from onward.features.examples import Examples
from onward.models.confidence import Confidence
from onward.training.candidate import Candidate, calibrated
from onward.training.evaluate import Evaluation, evaluate
from onward.training.hearing import hear
from onward.training.split import Fractions, Parts, Rows, by_group, own_rows

__all__ = ["MOST_ROWS", "in_unseen_projects"]

MOST_ROWS = 20_000
"""The newest rows that are looked at, which bounds the time on long histories."""


def in_unseen_projects(
    rows: Examples,
    traits: Callable[[Rows], list[tuple[int, ...]]],
    fractions: Fractions,
    *,
    confidence: float,
    seed: int,
) -> Evaluation | None:
    """Judge the recipe on projects that were left out of its fit.

    Parameters
    ----------
    rows
        Steps that ran to a known end, in the order of the log.
    traits
        Gives those of some of the rows, by their numbers.
    fractions
        What share of the rows calibrates, and what share judges.
    confidence
        How sure the stated error rates must be.
    seed
        Decides which projects are left out.

    Returns
    -------
    Evaluation or None
        None where there are fewer than four projects, or too few outcomes in one of the parts.
    """
    first = max(len(rows) - MOST_ROWS, 0)
    newest = rows[first:]
    try:
        parts = _parts(newest, fractions, seed=seed)
        trees = Confidence().fit(newest[parts.fit], seed=seed)
    except NotEnoughData:
        return None
    middle = newest[parts.calibrate]
    candidate = Candidate(trees, None, calibrated(trees.predict(middle.X), middle.succeeded))
    hearing = hear(candidate, newest, parts, traits(parts.later + first))
    return evaluate(
        hearing.judged(hearing.test),
        hearing.judged(hearing.promise),
        confidence=confidence,
        seed=seed,
    )


def _parts(rows: Examples, fractions: Fractions, *, seed: int) -> Parts:
    """By project among the rows that may judge; all others are fitted on."""
    own = own_rows(rows.lent)
    parts = by_group(rows.project[own].tolist(), fractions, seed=seed)
    others = np.setdiff1d(np.arange(len(rows)), own)
    fit = np.sort(np.concatenate([others, own[parts.fit]]))
    return Parts(fit, own[parts.calibrate], own[parts.promise], own[parts.test])
