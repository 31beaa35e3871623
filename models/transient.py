"""P(transient): will the very same command pass when it is run again with nothing changed?

A ridge regression over running rates, the command's own record and the kind of error. Such reruns
are rare in real histories: trees fitted to a few dozen of them did worse, and for an agent that it
never met the running rates alone did better (Brier .11 against .51 and .05 against .23). So the
rates answer unless the regression beat them on this history's own later part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from onward.data.events import Event
from onward.features.fixes.fold import VERSION
from onward.features.fixes.mined import Mined, mine
from onward.features.fixes.transient import TRANSIENT_NAMES
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.logistic import Logistic

__all__ = ["Transient", "peers", "rows", "rows_of"]

_RIDGE = 10.0
_BASE = TRANSIENT_NAMES.index("rate")
_COUNTS = TRANSIENT_NAMES.index("rate_signature_head")
_KEYWORD = TRANSIENT_NAMES.index("keyword")


class Transient:
    """Probability that a failing command passes when it is simply run again."""

    name = "transient"
    names = TRANSIENT_NAMES
    features = VERSION

    def __init__(self) -> None:
        self._linear = Logistic(_RIDGE)
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from reruns; raises `NotEnoughData` below 10 of either outcome."""
        self._linear.fit(train.X, train.y)
        self._facts = {"rows": len(train), "passed": float(train.y.mean()), "seed": seed}
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) P(the rerun passes)."""
        return self._linear.predict(X)

    def to_onnx(self) -> bytes:
        """The model as ONNX."""
        return self._linear.to_onnx()

    def facts(self) -> dict[str, Any]:
        """Nothing is needed beside the ONNX file."""
        return {}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "ridge logistic regression",
            "target": "the very same command passes with nothing changed",
            "features": VERSION,
            "settings": {"ridge": _RIDGE},
            **self._facts,
        }


def rows_of(mined: Sequence[Mined]) -> Rows:
    """Reruns with nothing changed as rows: 1 = it passed."""
    found = [(one, one.retry) for one in mined if one.retry is not None]
    return Rows(
        X=np.stack([X for _, X in found]) if found else np.empty((0, len(TRANSIENT_NAMES)), "f4"),
        y=np.array([float(one.passed) for one, _ in found]),
        group=np.array([one.step.session for one, _ in found], object),
        seq=np.array([one.seq for one, _ in found], np.int64),
    )


def rows(events: Iterable[tuple[int, Event]]) -> Rows:
    """The reruns of a log, each with its numbers as they stood before it."""
    return rows_of(list(mine(events)))


def peers(train: Rows, test: Rows) -> dict[str, Probabilities]:
    """What the trivial peers say: ``base`` rate so far, ``keyword`` list, back-off ``counts``."""
    sounds = test.X[:, _KEYWORD] > 0
    heard = train.X[:, _KEYWORD] > 0
    yes, no = (_share(train.y[heard]), _share(train.y[~heard]))
    return {
        "base": test.X[:, _BASE].astype(np.float64),
        "keyword": np.where(sounds, yes, no),
        "counts": test.X[:, _COUNTS].astype(np.float64),
    }


def _share(y: Probabilities) -> float:
    """The share of ones, leaning on one half."""
    return float((y.sum() + 1.0) / (len(y) + 2.0))
