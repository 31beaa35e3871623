"""P(the next run passes): will what was done since a check failed make it pass?

The mean of small gradient-boosted trees and of a ridge regression: attempts are few, the trees find
what goes together and the regression holds them down. Both see the same columns, and both leave in
one ONNX graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from onward.data.errors import NotEnoughData
from onward.data.events import Event
from onward.features.fixes.fold import NAMES, VERSION
from onward.features.fixes.mined import Mined, mine
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.calibrate import Calibrator, fit
from onward.models.crossfit import out_of_fold
from onward.models.logistic import Logistic
from onward.models.online import Prior
from onward.models.trees import OUTPUT, Trees

__all__ = ["ONLINE", "SETTINGS", "Attempts", "peers", "rows", "rows_of"]

SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 150,
    "learning_rate": 0.04,
    "num_leaves": 7,
    "min_data_in_leaf": 25,
    "lambda_l2": 10.0,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "num_threads": 1,
    "verbose": -1,
}
"""Small trees; fewer or more leaves and rounds made no difference on held-out sessions."""
_RIDGE = 100.0
ONLINE = Prior(weights=(0.0, 0.9, 0.1), variances=(0.1, 0.02, 0.02))
"""Of the layer that follows the agent at hand: attempts are too few to trust it soon."""
_RATE_FIX = NAMES.index("rate_fix")


class Attempts:
    """Probability that a check passes after an attempt."""

    name = "attempts"
    names = NAMES
    features = VERSION

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or SETTINGS
        self._trees = Trees(self._settings, names=NAMES)
        self._linear = Logistic(_RIDGE)
        self._calibrator = Calibrator.identity()
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from attempts; raises `NotEnoughData` below 20 of either outcome."""
        self._fit(train, seed)
        said = out_of_fold(train, lambda a, b: Attempts(self._settings)._fit(a, seed).predict(b.X))
        known = ~np.isnan(said)
        if known.sum() >= 200:
            self._calibrator = fit("platt", said[known], train.y[known])
        self._facts = {
            "rows": len(train),
            "passed": float(train.y.mean()),
            "sessions": train.groups,
            "seed": seed,
        }
        return self

    def _fit(self, train: Rows, seed: int) -> Self:
        self._trees.fit(train.X, train.y, seed=seed)
        self._linear.fit(train.X, train.y)
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) P(pass), not yet calibrated."""
        return 0.5 * (self._trees.predict(X) + self._linear.predict(X))

    def calibrated(self, X: Matrix) -> Probabilities:
        """(n,) P(pass) as it is served, before the online layer."""
        return self._calibrator.apply(self.predict(X))

    def to_onnx(self) -> bytes:
        """Both parts and their mean as one ONNX graph."""
        return _joined(self._trees.to_onnx(), self._linear)

    def facts(self) -> dict[str, Any]:
        """The calibration."""
        return {"calibration": self._calibrator.to_json()}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "mean of gradient-boosted trees (LightGBM) and a ridge regression",
            "target": "the next run of the failing check passes",
            "features": VERSION,
            "settings": {**self._settings, "ridge": _RIDGE},
            **self._facts,
        }


def _joined(trees: bytes, linear: Logistic) -> bytes:
    """The graph of the trees with the regression beside it and the mean of both behind."""
    import onnx

    model = onnx.load_model_from_string(trees)
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["p_trees" if name == OUTPUT else name for name in node.output]
        node.input[:] = ["p_trees" if name == OUTPUT else name for name in node.input]
    chain, tensors = linear.nodes("p_linear")
    graph.node.extend([*chain, onnx.helper.make_node("Mean", ["p_trees", "p_linear"], [OUTPUT])])
    graph.initializer.extend(tensors)
    others = [one for one in model.opset_import if one.domain]
    del model.opset_import[:]
    model.opset_import.extend([*others, onnx.helper.make_opsetid("", 15)])
    body: bytes = model.SerializeToString(deterministic=True)
    return body


def rows_of(mined: Sequence[Mined]) -> Rows:
    """Attempts as rows: 1 = the next run passed."""
    return Rows(
        X=np.array([one.attempt for one in mined], np.float32).reshape(-1, len(NAMES)),
        y=np.array([float(one.passed) for one in mined]),
        group=np.array([one.step.session for one in mined], object),
        seq=np.array([one.seq for one in mined], np.int64),
    )


def rows(events: Iterable[tuple[int, Event]]) -> Rows:
    """The attempts of a log, each with its numbers as they stood before its run."""
    return rows_of(list(mine(events)))


def peers(
    train: Rows,
    test: Rows,
    slots: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]] | None = None,
) -> dict[str, Probabilities]:
    """What the trivial peers say of the test rows.

    ``base`` the share that passed in training; ``action`` the running rate of the attempt's own
    action and place; ``words`` a logistic regression on hashed words of error, action and changes,
    where ``slots`` gives those of the training and of the test rows.
    """
    said = {
        "base": np.full(len(test), float(train.y.mean()) if len(train) else 0.5),
        "action": test.X[:, _RATE_FIX].astype(np.float64),
    }
    if slots is not None:
        said["words"] = _words(slots[0], train.y, slots[1])
    return said


def _words(
    train: Sequence[Sequence[int]], y: Probabilities, test: Sequence[Sequence[int]]
) -> Probabilities:
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import LogisticRegression

    if len(set(y.tolist())) < 2:
        raise NotEnoughData("A regression on words needs both outcomes.", rows=len(y))

    def table(found: Sequence[Sequence[int]]) -> Any:
        hashing = FeatureHasher(1 << 15, input_type="string", alternate_sign=False)
        return hashing.transform([[str(slot) for slot in one] for one in found])

    model = LogisticRegression(C=1.0, max_iter=400).fit(table(train), y)
    return np.asarray(model.predict_proba(table(test))[:, 1])
