"""Ways to rank the notes that a question finds: the ranker, its peers, single columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from experiments.recall.tables import ANSWERED, COLUMN, GIVEN, Floats, Table, as_rows

from onward.features.memory.fold import NAMES
from onward.models.memory import COLUMNS, Ranker, fixed

__all__ = ["RANKING", "Scores", "Tables", "rank", "recall", "scored"]

RANKING: dict[str, Any] = {
    "names": (*NAMES, GIVEN, ANSWERED),
    "columns": ("bm25", ANSWERED, GIVEN),
    "strength": 1.0,
}
"""How candidates are ranked; chosen by cross-validation over the questions of ``train``."""
Scores = list[Floats]
Tables = dict[str, list[Table]]
"""Tables by how vectors were made: ``dense``, ``static``, ``words``."""


def rank(train: Tables, test: Tables) -> dict[str, Scores]:
    """Scores of every method on the judged candidates."""
    dense = test["dense"]
    return {
        "onward": scored(train["dense"], dense, **RANKING),
        "onward_static": scored(train["static"], test["static"], **RANKING),
        "onward_alone": scored(train["dense"], dense, **RANKING | {"columns": COLUMNS}),
        "given": [_column(GIVEN)(table) for table in dense],
        "bm25": [_column("bm25")(table) for table in dense],
        "tfidf": [_column("tfidf")(table) for table in dense],
        "dense": [_column("cosine")(table) for table in dense],
        "answered": [_column(ANSWERED)(table) for table in dense],
        "static": [_column("cosine")(table) for table in test["static"]],
        "fused": [_fused_ten(table) for table in dense],
        "untuned": _untuned(train["dense"], dense),
    }


def recall(train: Tables, test: Tables) -> dict[str, Scores]:
    """Scores of every method on what both searches find."""
    found = {
        "onward": scored(train["dense"], test["dense"]),
        "onward_static": scored(train["static"], test["static"]),
        "onward_words": scored(train["words"], test["words"]),
        "fixed": [fixed(table.X) for table in test["dense"]],
        "bm25": [_column("bm25")(table) for table in test["dense"]],
        "tfidf": [_column("tfidf")(table) for table in test["dense"]],
    }
    for name, kind in (("", "dense"), ("_static", "static")):
        found[kind] = [_column("cosine")(table) for table in test[kind]]
        found[f"fused{name}"] = [_fused(table) for table in test[kind]]
    return found


def scored(train: Sequence[Table], test: Sequence[Table], **how: Any) -> Scores:
    """What a ranker says that was fitted on other questions; *how* is handed to it."""
    ranker = Ranker(**how).fit(as_rows(train))
    return [ranker.score(table.X) for table in test]


def _column(name: str) -> Callable[[Table], Floats]:
    return lambda table: np.nan_to_num(table.X[:, COLUMN[name]].astype(np.float64))


def _fused(table: Table) -> Floats:
    ranks = table.X[:, [COLUMN["lexical_rank"], COLUMN["dense_rank"]]]
    return np.asarray(ranks.sum(axis=1), np.float64)


def _fused_ten(table: Table) -> Floats:
    """Reciprocal ranks among the candidates alone."""
    total = np.zeros(len(table.y))
    for name in ("bm25", "cosine"):
        order = np.argsort(-table.X[:, COLUMN[name]], kind="stable")
        total[order] += 1.0 / (60.0 + np.arange(1, len(order) + 1))
    return total


def _untuned(train: Sequence[Table], test: Sequence[Table]) -> Scores:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    places = [COLUMN[name] for name in ("bm25", "tfidf", "cosine", GIVEN)]
    rows = as_rows(train)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.X[:, places], rows.y)
    return [np.asarray(model.decision_function(table.X[:, places])) for table in test]
