"""Do two kinds of errors say the same? P(same) for pairs of masked messages.

Templates part what differs in more than a word: two wordings of one failure stay two clusters. This
model joins them, where it is sure. It learns without labels, from what the templates made of a log
by its end: two patterns of one cluster say the same, two that stayed apart do not. Where labels are
at hand (`labelled`), it learns from those.

The threshold for a join is taken from pairs that the trees were not fitted on: the lowest
probability above which at least `PRECISION` of the pairs are the same. These are of later texts in
a log, and of other groups where labels are at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from operator import itemgetter
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Step
from onward.features.errors.fold import is_error, program_of, speaking
from onward.features.errors.masks import WILD, masked
from onward.features.errors.pairs import NAMES, VERSION, Side, pair_vector
from onward.features.errors.templates import Miner
from onward.features.sentences import Embedder
from onward.models.base import Matrix, Probabilities, Rows, stacked
from onward.models.trees import Trees

__all__ = ["NEAR", "PRECISION", "Pairs", "Text", "labelled", "peers", "rows"]

PRECISION = 0.98
"""Share of the joined pairs that must be right."""
NEAR = 0.3
"""Pairs that share less of their words are not looked at."""
MOST = 400
"""Texts that are paired, the first: it bounds the number of pairs."""
_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 60,
    "learning_rate": 0.08,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "monotone_constraints": [1, 1, 1, 1, 0, 0, -1, 1, 1],
    "num_threads": 1,
    "verbose": -1,
}


class Text(NamedTuple):
    """A masked message with what it stands for."""

    side: Side
    same: object
    """Two texts with the same value here say the same."""
    group: str
    """Of its pairs with the texts before it."""
    seq: int
    """Where it came first."""


def rows(events: Iterable[tuple[int, Event]], embedder: Embedder | None = None) -> Rows:
    """Pairs of the errors of a log; 1 = the templates made one cluster of them by its end.

    A pair belongs where the later of its texts came first: to that place, and to that session. So
    no pair after a cut is of two texts before it.
    """
    miner = Miner()
    first: dict[tuple[str, ...], tuple[str, int]] = {}
    sides: dict[tuple[str, ...], tuple[set[str], set[str]]] = {}
    for seq, event in events:
        if isinstance(event, Step) and is_error(event):
            program = program_of(event)
            said = speaking(event.output, program)
            miner.learn_tokens(said.tokens, event.at)
            first.setdefault(said.tokens, (event.session, seq))
            programs, types = sides.setdefault(said.tokens, (set(), set()))
            programs.add(program)
            types |= {said.root.type} - {""}
    texts = [
        Text(Side(tokens, *map(frozenset, sides[tokens])), miner.find(tokens), session, seq)
        for tokens, (session, seq) in first.items()
    ]
    return _paired(texts, embedder)


def labelled(
    messages: Sequence[str], labels: Sequence[str], group: str, embedder: Embedder | None = None
) -> Rows:
    """Pairs of messages whose kinds are known; 1 = the same kind."""
    kinds = {masked(message): label for message, label in zip(messages, labels, strict=True)}
    texts = [Text(Side(tokens), kind, group, n) for n, (tokens, kind) in enumerate(kinds.items())]
    return _paired(texts, embedder)


def _paired(texts: Sequence[Text], embedder: Embedder | None) -> Rows:
    """All pairs of texts, which come in order, that share enough words."""
    texts = texts[:MOST]
    words = [_words(text.side.tokens) for text in texts]
    seen = Counter(word for own in words for word in own)
    vectors = embedder.embed([" ".join(t.side.tokens) for t in texts]) if embedder else None
    X, y, later = [], [], []
    for i, j in sorted(combinations(range(len(texts)), 2), key=itemgetter(1)):
        if len(words[i] & words[j]) < NEAR * max(len(words[i] | words[j]), 1):
            continue
        cosine = float("nan") if vectors is None else float(vectors[i] @ vectors[j])
        X.append(pair_vector(texts[i].side, texts[j].side, cosine=cosine, seen=seen))
        y.append(float(texts[i].same == texts[j].same))
        later.append(texts[j])
    return Rows(
        X=np.array(X, np.float32).reshape(len(X), len(NAMES)),
        y=np.array(y),
        group=np.array([text.group for text in later], np.object_),
        seq=np.array([text.seq for text in later], np.int64),
    )


class Pairs:
    """The model; `facts` holds the threshold above which two clusters are joined.

    Parameters
    ----------
    forward
        Whether the groups are the sessions of one log, which share their texts: then the earlier
        pairs speak of the later ones, and of each group the others if not.
    """

    name = "clusters"
    names: tuple[str, ...] = NAMES
    features = VERSION

    def __init__(self, *, forward: bool = False) -> None:
        self._forward = forward
        self._trees = Trees(_SETTINGS, names=NAMES)
        self.threshold = 1.01
        self._card: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from pairs; raises `NotEnoughData` with fewer than 20 of either kind."""
        said, same, weight = self._held_out(train, seed)
        self.threshold = _threshold(said, same, weight)
        self._trees.fit(train.X, train.y, seed=seed)
        self._card = {"pairs": len(train), "same": int(train.y.sum()), "joins_at": self.threshold}
        return self

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) P(the two say the same)."""
        return self._trees.predict(X)

    def to_onnx(self) -> bytes:
        """The trees: input ``X`` (n, 9), output ``p`` (n, 2)."""
        return self._trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """The threshold; above 1 = nothing is joined."""
        return {"threshold": self.threshold}

    def card(self) -> dict[str, Any]:
        """What it is, what it was fitted on and with which settings."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM) over pairs",
            "target": "both messages say the same",
            "settings": _SETTINGS,
            **self._card,
        }

    def _held_out(
        self, train: Rows, seed: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """What models of the other pairs say, what is true, and the weight of each pair.

        Every group weighs the same. Forward, or with one group, the first half of the pairs speaks
        of the second.
        """
        groups = train.group.astype(str)
        names = np.unique(groups)
        tests = [groups == name for name in names]
        if self._forward or len(names) == 1:
            tests = [train.seq >= train.seq[len(train) // 2 :][:1]]
        found = [np.empty((3, 0))]
        for test in tests:
            trees = Trees(_SETTINGS, names=NAMES)
            try:
                trees.fit(train.X[~test], train.y[~test], seed=seed)
            except NotEnoughData:
                continue
            y = train.y[test]
            found.append(np.stack([trees.predict(train.X[test]), y, np.full(len(y), 1 / len(y))]))
        said, same, weight = np.concatenate(found, axis=1)
        return said, same, weight


def peers(test: Rows) -> dict[str, NDArray[np.float64]]:
    """Trivial scores of pairs: the cosine, the shared words, the shared ends."""
    names = ("cosine", "words_shared", "ends_shared")
    return {name: test.X[:, NAMES.index(name)].astype(np.float64) for name in names}


def joined(parts: Sequence[Rows]) -> Rows:
    """Pairs of several groups as one table."""
    whole = stacked(parts)
    return Rows(whole.X, whole.y, whole.group, np.arange(len(whole), dtype=np.int64))


def _threshold(
    said: NDArray[np.float64], same: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    """The lowest probability from which on at least `PRECISION` are right; 1.01 = there is none."""
    order = np.argsort(-said, kind="stable")
    heavy = weight[order]
    right = np.cumsum(same[order] * heavy) / np.maximum(np.cumsum(heavy), 1e-12)
    good = np.flatnonzero(right >= PRECISION)
    return float(max(said[order][good[-1]], 0.5)) if len(good) and good[-1] >= 9 else 1.01


def _words(tokens: tuple[str, ...]) -> frozenset[str]:
    return frozenset(t.lower() for t in tokens if t != WILD and any(map(str.isalpha, t)))
