"""P(a note answers a question): a logistic regression over what words, vectors and feedback say.

Few weights, held near zero, and none of them may turn evidence around: a note that shares more
words with the question, or lies nearer to it, is never ranked lower for that. So some hundred
judged pairs suffice, and the probabilities need no further calibration.

References
----------
Fox & Shaw, *Combination of multiple searches*, TREC 1994; Bruch, Gai & Ingber, *An analysis of
fusion functions for hybrid retrieval*, TOIS 2023 (scores fuse better than ranks where there are
some labels); Cormack, Clarke & Büttcher, *Reciprocal rank fusion*, SIGIR 2009 (the peer).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Feedback
from onward.features.memory.fold import NAMES, VERSION, Memory
from onward.features.sentences import Embedder
from onward.models.base import Matrix, Probabilities, Rows

__all__ = ["COLUMNS", "Ranker", "fixed", "forgetting", "peers", "rows"]

COLUMNS = ("bm25", "tfidf", "cosine", "useful", "same_project")
"""The columns that a ranker weighs by default."""
STRENGTH = 0.1
"""How far the weights may go from what is expected of them: the inverse of the ridge's weight."""
_LEAST = 20
_FREE = frozenset({"age"})
"""Columns that may weigh either way."""
_EXPECTED = {"useful": 1.0}
"""Weights that others than 0 are expected of: feedback is counted in log-odds already."""


class Ranker:
    """Orders candidates by P(relevant).

    Parameters
    ----------
    names
        Columns of the rows.
    columns
        Those of them that are weighed.
    strength
        How far the weights may go from zero.
    """

    name = "memory"
    features = VERSION

    def __init__(
        self,
        *,
        names: Sequence[str] = NAMES,
        columns: Sequence[str] = COLUMNS,
        strength: float = STRENGTH,
    ) -> None:
        self.names = tuple(names)
        self._columns = tuple(columns)
        self._strength = strength
        self._mean = np.zeros(len(self.names))
        self._weight: NDArray[np.float64] | None = None
        self._bias = 0.0
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from judged pairs; ``train.group`` is the question. Takes no chances: no seed.

        Raises
        ------
        NotEnoughData
            Fewer than 20 pairs of either kind.
        """
        good, bad = int((train.y > 0).sum()), int((train.y <= 0).sum())
        if min(good, bad) < _LEAST:
            raise NotEnoughData(
                f"Ranking needs at least {_LEAST} notes that helped and {_LEAST} that did not.",
                good=good,
                bad=bad,
            )
        places = [self.names.index(name) for name in self._columns]
        X = train.X[:, places].astype(np.float64)
        mean = np.nan_to_num(np.nanmean(np.where(np.isnan(X).all(axis=0), 0.0, X), axis=0))
        filled = np.where(np.isnan(X), mean, X)
        spread = filled.std(axis=0)
        spread[spread < 1e-9] = 1.0
        expected = np.array([_EXPECTED.get(name, 0.0) for name in self._columns])
        weight, bias = _fitted(
            (filled - mean) / spread,
            train.y > 0,
            _evenly(train.group),
            strength=self._strength,
            expected=expected * spread,
            low=[-np.inf if name in _FREE else 0.0 for name in self._columns],
        )
        self._weight = np.zeros(len(self.names))
        self._weight[places] = weight / spread
        self._mean = np.zeros(len(self.names))
        self._mean[places] = mean
        self._bias = bias
        self._facts = {"pairs": len(train), "questions": len(set(train.group.tolist()))}
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) P(relevant)."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.score(X))))

    def score(self, X: Matrix) -> NDArray[np.float64]:
        """(n,) log-odds; what is not known counts as the mean."""
        weight = self._fit_weight()
        filled = np.where(np.isnan(X), self._mean.astype(np.float32), X).astype(np.float64)
        return np.asarray((filled - self._mean) @ weight + self._bias)

    def _fit_weight(self) -> NDArray[np.float64]:
        if self._weight is None:
            raise NotEnoughData("The model was not fitted yet; call fit first.")
        return self._weight

    def weights(self) -> dict[str, float]:
        """The weight of each column, in log-odds per unit."""
        return dict(zip(self.names, self._fit_weight().tolist(), strict=True))

    def to_onnx(self) -> bytes:
        """The model as ONNX: input ``X`` (n, d), output ``p`` (n, 2), float32."""
        return _onnx(self._mean, self._fit_weight(), self._bias)

    def facts(self) -> dict[str, Any]:
        """The columns that it was made for."""
        return {}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "logistic regression with weights that cannot turn around",
            "target": "the note helped with the question",
            "features": VERSION,
            "weights": {name: round(w, 4) for name, w in self.weights().items() if w},
            "strength": self._strength,
            **self._facts,
        }


def _evenly(group: NDArray[np.object_]) -> NDArray[np.float64]:
    """Each question weighs the same, however many candidates it has; the mean weight is 1."""
    _, index, count = np.unique(group.astype(str), return_inverse=True, return_counts=True)
    weight = 1.0 / count[index]
    return np.asarray(weight * len(weight) / weight.sum())


def _fitted(
    X: NDArray[np.float64],
    good: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    strength: float,
    expected: NDArray[np.float64],
    low: list[float],
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a ridge logistic regression with bounds."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    sign = np.where(good, 1.0, -1.0)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = sign * (X @ theta[:-1] + theta[-1])
        slope = -sign * weight / (1.0 + np.exp(z))
        off = theta[:-1] - expected
        ridge = off / strength
        value = weight @ np.logaddexp(0.0, -z) + 0.5 * off @ ridge
        return float(value), np.append(X.T @ slope + ridge, slope.sum())

    bounds = [*((bound, np.inf) for bound in low), (-np.inf, np.inf)]
    start = np.append(expected, 0.0)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return found.x[:-1], float(found.x[-1])


def _onnx(mean: NDArray[np.float64], weight: NDArray[np.float64], bias: float) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, value: NDArray[np.float64]) -> Any:
        return numpy_helper.from_array(value.astype(np.float32), name)

    width = len(weight)
    node = helper.make_node
    graph = helper.make_graph(
        [
            node("IsNaN", ["X"], ["unknown"]),
            node("Where", ["unknown", "mean", "X"], ["filled"]),
            node("Sub", ["filled", "mean"], ["moved"]),
            node("MatMul", ["moved", "weight"], ["sum"]),
            node("Add", ["sum", "bias"], ["odds"]),
            node("Sigmoid", ["odds"], ["yes"]),
            node("Neg", ["odds"], ["against"]),
            node("Sigmoid", ["against"], ["no"]),
            node("Concat", ["no", "yes"], ["p"], axis=1),
        ],
        "onward",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 2])],
        [
            constant("mean", mean[None]),
            constant("weight", weight[:, None]),
            constant("bias", np.array([bias])),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    body: bytes = model.SerializeToString()
    return body


# -- without a model -------------------------------------------------------------------------------

FIXED = {"tfidf": 8.0, "cosine": 7.0, "bias": -6.5}
"""Log-odds for a unit of each, where there are vectors ..."""
FIXED_WORDS = {"tfidf": 12.0, "bias": -3.85}
"""... and by words alone."""


def fixed(X: Matrix) -> NDArray[np.float64]:
    """(n,) P(relevant) by fixed weights: what answers where there is no model.

    The weights are those of a ranker fitted on 67 questions to a forum among some 700 others
    (``python experiments/memory.py``, part ``recall``); feedback shifts the log-odds by its own.
    """
    tfidf, cosine = X[:, _TFIDF].astype(np.float64), X[:, _COSINE].astype(np.float64)
    both = FIXED["tfidf"] * tfidf + FIXED["cosine"] * cosine + FIXED["bias"]
    words = FIXED_WORDS["tfidf"] * tfidf + FIXED_WORDS["bias"]
    odds = np.where(np.isnan(cosine), words, both) + X[:, _USEFUL]
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def forgetting(p: NDArray[np.float64], X: Matrix) -> NDArray[np.float64]:
    """(n,) P(relevant) times what a note is still trusted: 1 unless it misled more than it helped.

    The trust is the posterior mean of "it helps" over that of a note without feedback. In log-odds
    alone a note whose words fit perfectly would outlive any number of complaints.
    """
    useful = X[:, _USEFUL].astype(np.float64)
    return np.asarray(p * np.minimum(2.0 / (1.0 + np.exp(-useful)), 1.0))


_TFIDF, _COSINE, _USEFUL = (NAMES.index(name) for name in ("tfidf", "cosine", "useful"))


# -- from the history ------------------------------------------------------------------------------


def rows(events: Iterable[tuple[int, Event]], embedder: Embedder | None = None) -> Rows:
    """One row for each piece of feedback that says what was asked: as it was known before it."""
    memory = Memory(embedder)
    found: list[tuple[NDArray[np.float32], bool, str, int]] = []
    for seq, event in events:
        if isinstance(event, Feedback) and event.query:
            slot = memory.slot(event.note)
            if slot is not None:
                while memory.embed():
                    pass
                project = memory[slot].note.project
                vector = memory.vector(event.query)
                X = memory.columns(
                    event.query, vector, np.array([slot]), project=project, now=event.at
                )
                group = hashlib.blake2b(event.query.encode("utf-8", "replace"), digest_size=8)
                found.append((X[0], event.helped, group.hexdigest(), seq))
        memory.learn(event)
    return Rows(
        np.array([row for row, *_ in found], np.float32).reshape(len(found), len(NAMES)),
        np.array([float(helped) for _, helped, *_ in found]),
        np.array([group for *_, group, _ in found], object),
        np.array([seq for *_, seq in found], np.int64),
    )


def peers(train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    """The trivial peers' scores (n,), higher is nearer: either search alone, and both fused.

    They learn nothing, so ``train`` only says how many columns there are.
    """
    column = {name: test.X[:, place].astype(np.float64) for place, name in enumerate(NAMES)}
    return {
        "bm25": column["bm25"],
        "tfidf": column["tfidf"],
        "dense": np.nan_to_num(column["cosine"]),
        "fused": column["lexical_rank"] + column["dense_rank"],
    }
