"""Intent: what kind of work a user's words will lead to.

Boosted trees over `onward.features.intent.fold`: the words themselves, how the last prompts went,
and what the most similar past prompts led to. The classes' probabilities are then tempered on the
newest rows (Guo et al., *On calibration of modern neural networks*, ICML 2017). Their peers need
no fitting: the most frequent kind, the last prompt's, and that of the nearest past prompts by
words and by vectors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Prompt, Step
from onward.features.intent.fold import NAMES, VERSION, IntentFold
from onward.features.intent.work import KINDS, Work
from onward.features.sentences import Embedder
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.trees import Trees

__all__ = ["PEERS", "SETTINGS", "Intent", "peers", "rows", "tempered"]

SETTINGS: dict[str, Any] = {
    "objective": "multiclass",
    "num_class": len(KINDS),
    "rounds": 60,
    "learning_rate": 0.06,
    "num_leaves": 6,
    "min_data_in_leaf": 15,
    "lambda_l2": 10.0,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "verbose": -1,
}
"""A thousand prompts are few: small trees, and few of them."""

PEERS = ("most frequent", "last prompt", "nearest by words", "nearest by vectors")
HELD = 0.25
"""Share of the newest training rows that the temperature is chosen on."""
LEAST = 120
_TEMPERATURES = np.geomspace(0.5, 4.0, 60)
_LEAN = 0.08
"""Weight of the base rates in a peer that knows one kind only."""


def rows(events: Iterable[tuple[int, Event]], embedder: Embedder | None = None) -> Rows:
    """Every prompt of a log with what its steps came to be; prompts in order."""
    fold = IntentFold(embedder)
    vectors, seqs, sessions = list[NDArray[np.float32]](), list[int](), list[str]()
    works: dict[str, Work] = defaultdict(Work)
    asked: list[Work] = []
    for seq, event in events:
        if isinstance(event, Prompt) and event.role != "interrupt":
            vectors.append(fold.vector(event))
            seqs.append(seq)
            sessions.append(event.session)
            works[event.session] = Work()
            asked.append(works[event.session])
        elif isinstance(event, Step):
            works[event.session].add(event)
        fold.learn(event)
    return Rows(
        X=np.stack(vectors) if vectors else np.empty((0, len(NAMES)), np.float32),
        y=np.array([KINDS.index(work.kind) for work in asked], np.float64),
        group=np.array(sessions, object),
        seq=np.array(seqs, np.int64),
    )


def peers(train: Rows, test: Rows) -> dict[str, Probabilities]:
    """(n, kinds) what the trivial peers say to the test rows."""
    base = np.bincount(train.y.astype(np.intp), minlength=len(KINDS)) + 0.5
    base = base / base.sum()
    said = {"most frequent": np.tile(base, (len(test), 1))}
    for name, prefix in zip(PEERS[1:], ("last", "alike", "near"), strict=True):
        columns = [NAMES.index(f"{prefix}_{kind}") for kind in KINDS]
        votes = np.nan_to_num(test.X[:, columns].astype(np.float64))
        mixed = votes + _LEAN * base * len(KINDS) / 2
        said[name] = mixed / mixed.sum(axis=1, keepdims=True)
    return said


class Intent:
    """P(kind of work) of a prompt."""

    name = "intent"
    names = NAMES
    features = VERSION

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or SETTINGS
        self._trees = Trees(self._settings, names=NAMES)
        self._temperature = 1.0
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from prompts; raises `NotEnoughData` below 120 of them."""
        if len(train) < LEAST:
            raise NotEnoughData(
                f"{len(train)} prompts are too few to learn from; {LEAST} are needed.",
                prompts=len(train),
            )
        cut = int(len(train) * (1.0 - HELD))
        trial = Trees(self._settings, names=NAMES)
        trial.fit(train.X[:cut], train.y[:cut], seed=seed)
        self._temperature = _best_temperature(trial.predict(train.X[cut:]), train.y[cut:])
        self._trees.fit(train.X, train.y, seed=seed)
        counts = np.bincount(train.y.astype(np.intp), minlength=len(KINDS))
        self._facts = {
            "rows": len(train),
            "kinds": dict(zip(KINDS, counts.tolist(), strict=True)),
            "seed": seed,
        }
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n, kinds) as the exported model gives them; `tempered` makes probabilities of them."""
        return self._trees.predict(X)

    def calibrated(self, X: Matrix) -> Probabilities:
        """(n, kinds) what serving says."""
        return tempered(self.predict(X), self._temperature)

    def to_onnx(self) -> bytes:
        """The trees as ONNX."""
        return self._trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """The kinds in order, and the temperature."""
        return {"kinds": list(KINDS), "temperature": self._temperature}

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM), tempered",
            "target": "the kind of work that a prompt led to",
            "features": VERSION,
            "settings": self._settings,
            "temperature": self._temperature,
            **self._facts,
        }


def tempered(p: Probabilities, temperature: float) -> Probabilities:
    """Probabilities (n, k) made flatter (above 1) or sharper (below)."""
    logs = np.log(np.maximum(p, 1e-9)) / temperature
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _best_temperature(p: Probabilities, y: NDArray[np.float64]) -> float:
    chosen = y.astype(np.intp)
    losses = [
        -np.mean(np.log(np.maximum(tempered(p, t)[np.arange(len(y)), chosen], 1e-9)))
        for t in _TEMPERATURES
    ]
    return float(_TEMPERATURES[int(np.argmin(losses))])
