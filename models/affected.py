"""P(a test fails | what changed): gradient-boosted trees over pairs of change and test.

It learns from `TestRun`s, whose vectors were logged when the tests were about to run. The peer
that it must beat is `onward.features.affected.fold.by_counts`: how often tests failed that were
touched in the same way, as running rates. Others stand beside it in `peers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.testing.runs import TestRun
from onward.features.affected.fold import NAMES, VERSION, by_counts, ground
from onward.features.rates import Rates
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.calibrate import Calibrator, fit
from onward.models.trees import Trees

__all__ = ["Affected", "calibrated", "peers", "rows"]

_WORSE_TEXT = "must own ran ran_share rarest named head removed fail_rate last_failed"
_MORE_IS_WORSE = frozenset(_WORSE_TEXT.split())
"""The more of these, the likelier a failure: what a few projects teach then carries over better."""
SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 120,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 40,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "monotone_constraints": [int(name in _MORE_IS_WORSE) for name in NAMES],
    "num_threads": 1,
    "verbosity": -1,
}
_HELD = 0.25
"""Share of the runs, the latest, that the calibration is fitted on."""
_LEAST = 100
"""Fewer held-out failures than this calibrate nothing."""
_COLUMN = {name: at for at, name in enumerate(NAMES)}


class Affected:
    """P(a test fails), for pairs of a change and a test.

    Parameters
    ----------
    settings
        LightGBM's parameters and ``rounds``; the defaults were chosen across projects.
    """

    name = "affected"
    names = NAMES
    features = VERSION

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = {**SETTINGS, **(settings or {})}
        self.trees = Trees(self._settings, names=NAMES)
        self._calibrator = Calibrator.identity()
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from pairs; raises `NotEnoughData` with fewer than 20 failures."""
        cut = float(np.quantile(train.seq, 1.0 - _HELD)) if len(train) else 0.0
        held = train.seq > cut
        if min(train.y[held].sum(), train.y[~held].sum()) >= _LEAST:
            early = Trees(self._settings, names=NAMES)
            early.fit(train.X[~held], train.y[~held], seed=seed)
            self._calibrator = fit("beta", early.predict(train.X[held]), train.y[held])
        self.trees.fit(train.X, train.y, seed=seed)
        self._facts = {
            "pairs": len(train),
            "failures": int(train.y.sum()),
            "projects": sorted(set(map(str, train.group))),
            "seed": seed,
        }
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) P(fail), not yet calibrated: what the ONNX file gives."""
        return self.trees.predict(X)

    def calibrated(self, X: Matrix) -> Probabilities:
        """(n,) P(fail) as it is served."""
        return self._calibrator.apply(self.predict(X))

    def to_onnx(self) -> bytes:
        """The trees as ONNX."""
        return self.trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """The version of the features and the calibration."""
        return {"features": VERSION, "calibration": self._calibrator.to_json()}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM)",
            "target": "the test fails, given what changed since it last ran",
            "features": VERSION,
            "settings": self._settings,
            **self._facts,
        }


def calibrated(p: Probabilities, facts: Mapping[str, Any]) -> Probabilities:
    """The ONNX file's probabilities, calibrated by the facts published with it."""
    return Calibrator.from_json(facts["calibration"]).apply(p)


def rows(runs: Iterable[TestRun]) -> Rows:
    """Pairs of a change and a test, from runs in order; groups are projects.

    Runs whose features are of another version are left out. Raises `NotEnoughData` where none is
    left.
    """
    tables, y, group, seq = [], [], [], []
    for run in runs:
        verdicts = run.verdicts
        if verdicts.version != VERSION or verdicts.width != len(NAMES) or not verdicts.nodes:
            continue
        tables.append(np.frombuffer(verdicts.vectors, np.float32).reshape(-1, len(NAMES)))
        y += verdicts.failed
        group += [run.project] * len(verdicts.failed)
        seq += [run.id] * len(verdicts.failed)
    if not tables:
        raise NotEnoughData("No run of tests is recorded; run `pytest --onward` first.")
    return Rows(
        np.concatenate(tables),
        np.asarray(y, np.float64),
        np.asarray(group, object),
        np.asarray(seq, np.int64),
    )


def peers(train: Rows, test: Rows, *, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Scores of the trivial ways, (n,) each; only their order is meant.

    - ``counts``     what is served without a model
    - ``base``       the share of failures in training
    - ``random``     any order
    - ``recency``    the test that failed last comes first, then those that failed more often
    - ``distance``   the nearer a changed file is by imports, the earlier
    - ``executed``   tests that ran changed code first, the shorter ones before (as testmon orders)
    """
    grounds = Rates()
    for vector, failed in zip(train.X.tolist(), train.y, strict=True):
        grounds.learn(ground(vector), bool(failed))
    column = {name: np.nan_to_num(test.X[:, at], nan=9.0) for name, at in _COLUMN.items()}
    base = float(train.y.mean()) if len(train) else 0.0
    return {
        "counts": np.array(by_counts(test.X.tolist(), grounds)),
        "base": np.full(len(test), base),
        "random": np.random.default_rng(seed).random(len(test)),
        "recency": -column["since_failed"] + column["fail_rate"],
        "distance": -column["distance"],
        "executed": 10.0 * (column["must"] > 0) - column["seconds"],
    }
