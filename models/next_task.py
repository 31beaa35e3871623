"""Next step: which label comes next, of those that may?

One model for any sequence of labels. The fold offers the likeliest labels, each with a row of
numbers (`onward.features.next_task.fold`); gradient-boosted trees say of each row whether it will
be the one. They know a label by what is counted of it, never by its name, so what they learned
carries over to labels, agents and projects that they never saw.

The rows of one question are then made into shares of 1: a softmax over the log of what the trees
say and the log of what the running weights say, each with an exponent of its own. The two
exponents are fitted on later questions than the trees (temperature scaling, Guo et al., 2017, with
two temperatures).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Event, Step
from onward.features.next_task.fold import CANDIDATES, NAMES, VERSION, Asked, NextFold
from onward.features.next_task.label import OTHER, label_of
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.trees import Trees

__all__ = ["CONFIDENT", "SETTINGS", "NextTask", "Sharpness", "learnable", "peers", "rows"]

SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 150,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "verbose": -1,
}
"""Chosen on the earlier part of one agent's history and on some repositories of another's."""

CONFIDENT = 0.7
"""Of the labels that are said with confidence, at least this share comes true."""

_HELD = 0.3
"""Share of the questions, the last ones, that the exponents are fitted on."""
_LEAST_QUESTIONS = 60
_WARM_UP = 0.15
"""Share of the questions, the first ones, that are not fitted on where there are many: the tables
were almost empty then."""
_MANY = 2_000
_FLOOR = 1e-5
_EVEN = 0.5
"""A label that is less likely than not is never said with confidence."""
_LEAST_SURE = 50
_NEVER = 1.01
"""A share that no label reaches: nothing is said with confidence."""
_Z = 1.645
"""The lower end of a one-sided 95 % interval, in standard errors."""
_WEIGHTS = NAMES.index("log_weights")
_STEPS = NAMES.index("log_steps")
_SHARE = NAMES.index("share")

Floats = NDArray[np.float64]


class Sharpness(msgspec.Struct, frozen=True):
    """How the trees and the running weights make up a question's shares."""

    trees: float = 0.7
    """Exponent of what the trees say."""
    weights: float = 0.4
    """Exponent of what the running weights say."""
    sure: float = _NEVER
    """From this share on a first label is said with confidence: on later questions than the trees
    were fitted on, `CONFIDENT` of them or more came true, with 95 % confidence. Above 1 where that
    holds of no share."""

    def shares(self, p: Floats, log_weights: Floats) -> Floats:
        """(c,) or (n, c) shares of the candidates; the rest of 1 is left to all other labels.

        Parameters
        ----------
        p
            (c,) or (n, c) what the trees say of each candidate; NaN = there is none.
        log_weights
            The same of the running weights, as logs.

        >>> Sharpness(1.0, 0.0).shares(np.array([0.6, 0.2]), np.log([0.5, 0.5])).round(2).tolist()
        [0.75, 0.25]
        """
        z = self.trees * np.log(np.maximum(p, _FLOOR)) + self.weights * log_weights
        gone = np.isnan(z)
        z = np.where(gone, -np.inf, z)
        e = np.exp(z - z.max(-1, keepdims=True))
        inside = np.where(gone, 0.0, np.exp(log_weights)).sum(-1, keepdims=True)
        shares: Floats = e / e.sum(-1, keepdims=True) * np.minimum(inside, 1.0)
        return shares

    @classmethod
    def fit(cls, p: Floats, log_weights: Floats, hit: NDArray[np.bool_]) -> Sharpness:
        """The exponents under which the labels that came were likeliest, by Newton's method.

        Parameters
        ----------
        p, log_weights
            (n, c) as for `shares`.
        hit
            (n, c) which candidate came; questions where none did are left out.
        """
        use = hit.any(1)
        parts = np.stack((np.log(np.maximum(p, _FLOOR)), log_weights), 2)[use]
        parts, came = np.nan_to_num(parts, nan=-50.0), hit[use]
        exponents = np.array([0.7, 0.4])
        if not len(parts):
            return cls()
        for _ in range(25):
            z = parts @ exponents
            e = np.exp(z - z.max(1, keepdims=True))
            share = e / e.sum(1, keepdims=True)
            mean = np.einsum("nc,nck->nk", share, parts)
            slope = (mean - parts[came]).mean(0)
            second = np.einsum("nc,nck,ncl->kl", share, parts, parts)
            bend = (second - mean.T @ mean) / len(parts)
            step = np.linalg.solve(bend + 1e-4 * np.eye(2), slope + 1e-4 * exponents)
            exponents -= np.clip(step, -0.3, 0.3)
            if np.abs(step).max() < 1e-6:
                break
        trees, weights = np.clip(exponents, 0.0, 5.0).tolist()
        found = cls(trees, weights)
        shares = found.shares(p, log_weights)
        came = hit[np.arange(len(hit)), shares.argmax(1)]
        return msgspec.structs.replace(found, sure=_sure_from(shares.max(1), came))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Sharpness:
        """Back from a model's facts; raises `BundleError` where they cannot be read."""
        try:
            return msgspec.convert(facts.get("sharpness"), cls)
        except msgspec.ValidationError as error:
            raise BundleError(f"The next step's exponents cannot be read: {error}") from error


def _sure_from(top: Floats, came: NDArray[np.bool_]) -> float:
    """The least share, 0.5 or more, from which on enough first labels came true.

    By the lower end of Wilson's interval; `_NEVER` where no share will do.
    """
    order = np.argsort(-top, kind="stable")
    n = np.arange(1, len(order) + 1)
    rate = np.cumsum(came[order]) / n
    spread = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    low = (rate + _Z**2 / (2 * n) - spread) / (1 + _Z**2 / n)
    fine = (low >= CONFIDENT) & (n >= _LEAST_SURE) & (top[order] >= _EVEN)
    return float(top[order][fine].min()) if fine.any() else _NEVER


class NextTask:
    """P(this label comes next), for each of a question's candidates."""

    name = "next_task"
    names = NAMES
    features = VERSION

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or SETTINGS
        self.trees = Trees(self._settings, names=NAMES)
        self.sharpness = Sharpness()
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from questions; raises `NotEnoughData` where there are fewer than 60."""
        question = _numbered(train.seq)
        questions = int(question[-1]) + 1 if len(question) else 0
        if questions < _LEAST_QUESTIONS:
            raise NotEnoughData(
                f"The next step needs at least {_LEAST_QUESTIONS} steps to learn from.",
                steps=questions,
            )
        start = int(questions * _WARM_UP) if questions > _MANY else 0
        cut = int(questions * (1.0 - _HELD))
        trial = Trees(self._settings, names=NAMES)
        early = train[(question >= start) & (question < cut)]
        trial.fit(early.X, early.y, seed=seed)
        self.sharpness = _sharpness(trial, train[question >= cut])
        used = train[question >= start]
        self.trees.fit(used.X, used.y, seed=seed)
        self._facts = {
            "questions": questions - start,
            "among_candidates": _found(used),
            "sessions": train.groups,
            "seed": seed,
        }
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) what the trees say of each row; `Sharpness.shares` makes them sum to 1."""
        return self.trees.predict(X)

    def to_onnx(self) -> bytes:
        """The trees as ONNX."""
        return self.trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """The exponents."""
        return {"sharpness": msgspec.to_builtins(self.sharpness)}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM) over candidates, softmax of a question",
            "target": "the candidate is the label of the next step",
            "settings": self._settings,
            **self.facts(),
            **self._facts,
        }


def rows(
    events: Iterable[tuple[int, Event]],
    *,
    vocabulary: Sequence[str] | None = None,
    fold: NextFold | None = None,
) -> Rows:
    """The questions of a log: up to 12 candidates for each step, asked before it was learned.

    Parameters
    ----------
    events
        The log in order, with places in it.
    vocabulary
        Labels to tell apart; None = all that the fold knows by then.
    fold
        Goes on from here, and is left as after the log; a fresh one if None.
    """
    fold = fold or NextFold()
    found: list[tuple[Asked, int, str, str]] = []
    for seq, event in events:
        if isinstance(event, Step) and (label := label_of(event)):
            asked = fold.ask(
                event.session, agent=event.agent, project=event.project, vocabulary=vocabulary
            )
            found.append((asked, seq, event.session, learnable(label, fold, vocabulary)))
        fold.learn(event)
    return _rows(found)


def learnable(label: str, fold: NextFold, vocabulary: Sequence[str] | None = None) -> str:
    """A label as it can be told apart: itself, or `OTHER`."""
    known = fold.known(label) if vocabulary is None else label in vocabulary
    return label if known else OTHER


def _rows(found: Sequence[tuple[Asked, int, str, str]]) -> Rows:
    sizes = [len(asked.labels) for asked, *_ in found]
    hits = [[name == truth for name in asked.labels] for asked, _, _, truth in found]
    return Rows(
        X=np.concatenate([a.X for a, *_ in found] or [np.empty((0, len(NAMES)), np.float32)]),
        y=np.array([hit for row in hits for hit in row], np.float64),
        group=np.repeat(np.array([session for _, _, session, _ in found], object), sizes),
        seq=np.repeat(np.array([seq for _, seq, *_ in found], np.int64), sizes),
    )


def peers(train: Rows, test: Rows) -> dict[str, Probabilities]:
    """What needs no model: ``ngram`` by the last labels, and ``frequent`` by nothing at all."""
    del train  # their counts went on through both
    return {
        "ngram": np.exp(test.X[:, _STEPS].astype(np.float64)),
        "frequent": test.X[:, _SHARE].astype(np.float64),
    }


def _numbered(seq: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the number of each row's question, from 0."""
    return np.cumsum(np.append(0, np.diff(seq) != 0))[: len(seq)]


def _sharpness(trees: Trees, held: Rows) -> Sharpness:
    question = _numbered(held.seq)
    shape = int(question[-1]) + 1, CANDIDATES
    place = np.arange(len(question)) - np.searchsorted(question, question)
    p, logs = np.full(shape, np.nan), np.full(shape, np.nan)
    hit = np.zeros(shape, bool)
    p[question, place] = trees.predict(held.X)
    logs[question, place] = held.X[:, _WEIGHTS]
    hit[question, place] = held.y > 0
    return Sharpness.fit(p, logs, hit)


def _found(used: Rows) -> float:
    """Share of the questions whose truth was among the candidates."""
    return float(used.y.sum() / len(np.unique(used.seq)))
