"""Which fix will work: P(this action at this place is what makes the failing check pass).

One row a fix that could be tried; trees say how likely each is the one, and serving makes the
shares of one check add up to 1. Below the confidence from which it was right often enough on
held-out sessions, the answer is that it is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event
from onward.features.fixes.changes import FIXES
from onward.features.fixes.fold import VERSION
from onward.features.fixes.mined import Mined, mine
from onward.features.fixes.remedies import REMEDY_NAMES
from onward.models.attempts import SETTINGS as ATTEMPT_SETTINGS
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.crossfit import out_of_fold
from onward.models.trees import Trees

__all__ = [
    "PRECISION",
    "SETTINGS",
    "SPEAKS_FROM",
    "FixRanker",
    "peers",
    "rows",
    "rows_of",
    "shares",
    "speaks_from",
]

PRECISION = 0.75
"""How often the first fix is to be the one where it speaks."""
MARGIN = 0.1
"""How much oftener it must have been on held-out sessions: those to come differ more."""
SPEAKS_FROM = 0.6
"""The share from which it speaks where too few rows tell."""
_LEAST = 60
SETTINGS: dict[str, Any] = {**ATTEMPT_SETTINGS, "learning_rate": 0.05, "min_data_in_leaf": 40}
"""Rows are many a check, and few of them tell: more of them in a leaf than for attempts."""


class FixRanker:
    """Scores every fix of a failing check."""

    name = "fixes"
    names = REMEDY_NAMES
    features = VERSION

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or SETTINGS
        self._trees = Trees(self._settings, names=REMEDY_NAMES)
        self.speaks_from = SPEAKS_FROM
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from fixes that worked; raises `NotEnoughData` where they do not suffice."""
        self._fit(train, seed)
        said = out_of_fold(train, lambda a, b: FixRanker(self._settings)._fit(a, seed).predict(b.X))
        self.speaks_from = speaks_from(shares(said), _fix_of(train))
        self._facts = {
            "rows": len(train),
            "fixed": len(train) // len(FIXES),
            "sessions": train.groups,
            "seed": seed,
        }
        return self

    def _fit(self, train: Rows, seed: int) -> Self:
        if len(train) % len(FIXES):
            msg = "A check's fixes must all be among the rows, one row a fix."
            raise NotEnoughData(msg, rows=len(train), fixes=len(FIXES))
        self._trees.fit(train.X, train.y, seed=seed)
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) how likely each fix is the one, before the shares of a check are made to add up."""
        return self._trees.predict(X)

    def to_onnx(self) -> bytes:
        """The model as ONNX."""
        return self._trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """The fixes in the order of a check's rows, and the share from which it speaks."""
        return {"fixes": list(FIXES), "speaks_from": self.speaks_from}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM), one row a fix",
            "target": "this fix is what makes the failing check pass",
            "features": VERSION,
            "settings": self._settings,
            "speaks_from": self.speaks_from,
            **self._facts,
        }


def shares(p: Probabilities) -> Probabilities:
    """(checks, fixes) shares that add up to 1, from the scores of all their rows.

    >>> shares(np.ones(2 * len(FIXES)))[0].sum().round(6)
    np.float64(1.0)
    """
    table = p.reshape(-1, len(FIXES))
    return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-12))


def speaks_from(said: Probabilities, fix: NDArray[np.int64]) -> float:
    """The lowest share from which the first fix was the one often enough."""
    known = ~np.isnan(said).any(axis=1)
    top, right = said[known].max(axis=1), said[known].argmax(axis=1) == fix[known]
    if len(top) < _LEAST:
        return SPEAKS_FROM
    order = np.argsort(-top, kind="stable")
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precise >= PRECISION + MARGIN)
    enough = enough[enough >= _LEAST // 3]  # the first few tell nothing
    return float(top[order[enough[-1]]]) if len(enough) else 1.01


def _fix_of(train: Rows) -> NDArray[np.int64]:
    return np.asarray(train.y.reshape(-1, len(FIXES)).argmax(axis=1), np.int64)


def rows_of(mined: Sequence[Mined]) -> Rows:
    """Checks that were mended as rows: one a fix, 1 = this one worked."""
    found = [one for one in mined if one.passed]
    n, many = len(found), len(FIXES)
    y = np.zeros((n, many))
    y[np.arange(n), [one.fix for one in found]] = 1.0
    return Rows(
        X=np.array([one.remedies for one in found], np.float32).reshape(-1, len(REMEDY_NAMES)),
        y=y.ravel(),
        group=np.repeat(np.array([one.step.session for one in found], object), many),
        seq=np.repeat(np.array([one.seq for one in found], np.int64), many),
    )


def rows(events: Iterable[tuple[int, Event]]) -> Rows:
    """The mended checks of a log, each fix with its numbers as they stood before it was tried."""
    return rows_of(list(mine(events)))


def peers(mined: Sequence[Mined]) -> dict[str, Probabilities]:
    """What the trivial peers say of mended checks: (checks, fixes) shares.

    ``backed_off`` is the share of each fix for this error template, else for this program, else
    overall, learned as the log goes; ``overall`` the last alone.
    """
    found = [one for one in mined if one.passed]
    overall = REMEDY_NAMES.index("share_all")
    return {
        "backed_off": np.array([one.backed_off for one in found]),
        "overall": np.exp(np.array([one.remedies[:, overall] for one in found], np.float64)),
    }
