"""Why a build or a test run failed: one of the known categories, or ``unknown``.

A softmax regression on the words of a log's error lines, weighed by how rare they are. Words that
only one project uses are left out, for a cause has words of its own in every project. The last
class of the output is ``unknown``: its score is one that nearly all known cases exceed, so a log
that resembles no category of the training set falls there. That score and the calibration of the
answer are found on cases of projects that the model was not fitted on.

References
----------
Hendrycks & Gimpel, *A baseline for detecting misclassified and out-of-distribution examples*, ICLR
2017; Hendrycks et al., *Scaling out-of-distribution detection*, ICML 2022 (the largest logit tells
more than the largest probability).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.features.errors.causes import NAMES, SLOTS, VERSION, Case, cause_vector
from onward.features.errors.rootcause import error_lines
from onward.models import calibrate
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.calibrate import Calibrator

__all__ = ["UNKNOWN", "Causes", "by_words", "labels_of", "peers", "rows"]

UNKNOWN = "unknown"
LOST = 0.025
"""Share of the known cases that may fall below the score of ``unknown``."""
_PENALTY = 1 / 30
_FOLDS = 5
_LEAST = 20
_OPSET = 15

_PATTERNS = (
    ("COMPILATION_FAILURE", r"COMPILATION ERROR|Compilation failure"),
    ("TEST_FAILURE", r"There (?:are|were) test failures|Tests run:.*(?:Failures|Errors): [1-9]"),
    ("ENFORCER_FAILURE", r"[Ee]nforcer"),
    ("DEPENDENCY_RESOLUTION_FAILURE", r"[Cc]ould not (?:be )?resolve|Non-resolvable"),
)


def labels_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """The categories of some cases, in order."""
    return tuple(sorted({case.category for case in cases}))


def rows(cases: Iterable[Case], labels: tuple[str, ...] = ()) -> Rows:
    """Cases as a table; ``y`` is the place of a case's category in ``labels``, -1 where it is none.

    Parameters
    ----------
    cases
        Logs with their categories and projects.
    labels
        Empty: those of the cases, in order (`labels_of`).
    """
    known = list(cases)
    place = {label: number for number, label in enumerate(labels or labels_of(known))}
    X = np.stack([cause_vector(case.log) for case in known]) if known else np.empty((0, SLOTS))
    return Rows(
        X=X.astype(np.float32),
        y=np.array([place.get(case.category, -1) for case in known], np.float64),
        group=np.array([case.project for case in known], np.object_),
        seq=np.arange(len(known), dtype=np.int64),
    )


class Causes:
    """The classifier; `facts` holds the labels and the calibration.

    Parameters
    ----------
    labels
        The categories, in the order of ``Rows.y``.
    """

    name = "causes"
    names = NAMES
    features = VERSION

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._weight: NDArray[np.float64] | None = None
        self._card: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from cases; raises `NotEnoughData` with fewer than 20, or with one category."""
        present = np.unique(train.y)
        if len(train) < _LEAST or len(present) < 2:
            raise NotEnoughData(
                f"Causes are learned from {_LEAST} cases of two categories.", rows=len(train)
            )
        score, right = self._held_out(train, seed)
        self._unknown = float(np.quantile(score, LOST))
        self._idf, self._weight, self._bias = self._fitted(train)
        self._calibrate(score, right)
        self._card = {
            "cases": len(train),
            "categories": list(self.labels),
            "projects": train.groups,
            "words": int((self._idf > 0).sum()),
            "accuracy_on_other_projects": float(right.mean()),
            "lost_to_unknown": LOST,
        }
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n, labels + 1): the share of each category, and last of ``unknown``."""
        return _softmax(self._scores(X))

    def to_onnx(self) -> bytes:
        """Weighing, scaling to length 1, and softmax regression: input ``X``, output ``p``."""
        from onnx import TensorProto, checker, helper, numpy_helper

        idf, weight, bias = self._ready()
        held = {
            "idf": idf.astype(np.float32)[None, :],
            "least": np.array([[1e-9]], np.float32),
            "w": _with_unknown(weight).astype(np.float32),
            "b": np.append(bias, self._unknown).astype(np.float32),
        }
        nodes = [
            helper.make_node("Mul", ["X", "idf"], ["v"]),
            helper.make_node("ReduceL2", ["v"], ["length"], axes=[1], keepdims=1),
            helper.make_node("Max", ["length", "least"], ["safe"]),
            helper.make_node("Div", ["v", "safe"], ["unit"]),
            helper.make_node("Gemm", ["unit", "w", "b"], ["s"]),
            helper.make_node("Softmax", ["s"], ["p"], axis=1),
        ]
        graph = helper.make_graph(
            nodes,
            "onward",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, SLOTS])],
            [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, len(bias) + 1])],
            [numpy_helper.from_array(array, name) for name, array in held.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = 8
        checker.check_model(model)
        body: bytes = model.SerializeToString()
        return body

    def facts(self) -> dict[str, Any]:
        """The labels (the last is ``unknown``) and the calibration of the largest share."""
        return {"labels": [*self.labels, UNKNOWN], "calibration": self.calibrator.to_json()}

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on and with which settings."""
        return {
            "name": self.name,
            "kind": "softmax regression on the words of error lines",
            "target": "the category of a build's or a test run's failure",
            "settings": {"penalty": _PENALTY, "slots": SLOTS},
            **self._card,
        }

    # -- inside --------------------------------------------------------------------------------

    def _scores(self, X: Matrix) -> NDArray[np.float64]:
        idf, weight, bias = self._ready()
        used = idf > 0
        scores = _unit(X[:, used], idf[used]) @ weight[used] + bias
        return np.column_stack([scores, np.full(len(X), self._unknown)])

    def _ready(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        if self._weight is None:
            raise NotEnoughData("The model was not fitted yet; call fit first.")
        return self._idf, self._weight, self._bias

    def _held_out(self, train: Rows, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) largest score of each case by a model of other projects, and whether it was right.

        A case whose category none of the other projects has cannot be right, and is left out.
        """
        score, right = [], []
        for test in _folds(train.group, seed):
            rest = train[~test]
            if len(np.unique(rest.y)) < 2:
                continue
            idf, weight, bias = self._fitted(rest)
            known = test & np.isin(train.y, rest.y)
            used = idf > 0
            found = _unit(train.X[known][:, used], idf[used]) @ weight[used] + bias
            score.append(found.max(axis=1, initial=-np.inf))
            right.append(found.argmax(axis=1) == train.y[known])
        if not score:
            raise NotEnoughData("Causes are learned from cases of at least two projects.")
        return np.concatenate(score), np.concatenate(right).astype(np.float64)

    def _fitted(
        self, train: Rows
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Word weights, (SLOTS, labels) weights and biases; a category without a case stays low."""
        from sklearn.linear_model import LogisticRegression

        idf = _rarity(train)
        model = LogisticRegression(C=1 / _PENALTY, class_weight="balanced", max_iter=3000)
        used = idf > 0
        model.fit(_unit(train.X[:, used], idf[used]), train.y.astype(np.int64))
        weight = np.zeros((SLOTS, len(self.labels)))
        bias = np.full(len(self.labels), -1e3)
        places = model.classes_
        coef, shift = model.coef_, model.intercept_
        if len(places) == 2:  # one row of weights tells two classes apart
            coef, shift = np.vstack([-coef, coef]) / 2, np.append(-shift, shift) / 2
        weight[np.ix_(used, places)] = coef.T
        bias[places] = shift
        return idf, weight, bias

    def _calibrate(self, score: NDArray[np.float64], right: NDArray[np.float64]) -> None:
        """From the largest score of a case to the chance that the category is right."""
        p = 1.0 / (1.0 + np.exp(-(score - self._unknown)))
        try:
            self.calibrator = calibrate.fit("platt", p, right)
        except NotEnoughData:  # it was always right
            n = len(right)
            low = Calibrator("identity", (-13.8, 13.8), (0.5, (n + 1.0) / (n + 2.0)))
            self.calibrator = low


def by_words(log: str) -> str:
    """The category that one of four regular expressions finds in a log's error lines, or unknown.

    This is the trivial peer.

    >>> by_words("[ERROR] COMPILATION ERROR :")
    'COMPILATION_FAILURE'
    """
    lines = "\n".join(error_lines(log))
    for label, pattern in _PATTERNS:
        if re.search(pattern, lines):
            return label
    return UNKNOWN


def peers(train: list[Case], test: list[Case]) -> dict[str, list[str]]:
    """What the trivial peers say of each test case: the regular expressions, the commonest."""
    names = [case.category for case in train]
    most = max(sorted(set(names)), key=names.count)
    return {"regexes": [by_words(case.log) for case in test], "most_frequent": [most] * len(test)}


def _rarity(train: Rows) -> NDArray[np.float64]:
    """(SLOTS,) weight of each slot, higher for rarer words; 0 where one project alone has it."""
    has = train.X > 0
    groups = np.unique(train.group.astype(str), return_inverse=True)[1]
    projects = np.zeros((groups.max() + 1, SLOTS), bool)
    np.logical_or.at(projects, groups, has)
    seen = has.sum(axis=0)
    idf = np.log((1 + len(train)) / (1 + seen)) + 1
    return np.where(projects.sum(axis=0) >= 2, idf, 0.0)


def _unit(X: Matrix, idf: NDArray[np.float64]) -> NDArray[np.float64]:
    weighed = X * idf
    return np.asarray(weighed / np.maximum(np.linalg.norm(weighed, axis=1, keepdims=True), 1e-9))


def _with_unknown(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([weight, np.zeros(len(weight))])


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _folds(group: NDArray[np.object_], seed: int) -> Iterator[NDArray[np.bool_]]:
    """Masks of the cases that are held out in turn; projects are never parted."""
    names = np.unique(group.astype(str))
    dealt = np.random.default_rng(seed).permutation(len(names)) % min(_FOLDS, len(names))
    part = dict(zip(names.tolist(), dealt.tolist(), strict=True))
    of = np.array([part[str(name)] for name in group])
    for number in range(int(of.max(initial=-1)) + 1):
        yield of == number
