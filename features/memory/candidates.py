"""What may answer a question: found by words and by vectors, with the columns that rank it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onward.features.dumps import version_of
from onward.features.memory.index import Nearest
from onward.features.memory.kept import Facts
from onward.features.memory.lexical import EVIDENCE, Lexical, Weights, terms

__all__ = ["NAMES", "NEAR", "VERSION", "Candidates", "Shelves", "columns", "found"]

NAMES = (
    *EVIDENCE,
    "cosine",
    "lexical_rank",
    "dense_rank",
    "same_project",
    "age",
    "useful",
    "repeats",
)
"""Columns of a candidate: what words say; the cosine (NaN without vectors); 1 / (60 + rank) in
either search, 0 where it was not found; whether the project is the one that asks; log(1 + days
since it was last noted); log-odds that it helps, 0 without feedback; log of how often it was
noted."""

_MEANING = 1
VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a column changes."""

NEAR = 25
"""Candidates that each of the two searches gives."""
_RANK = 60.0
"""The constant of reciprocal-rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009)."""
_LEXICAL, _DENSE = NAMES.index("lexical_rank"), NAMES.index("dense_rank")

Slots = NDArray[np.intp]
Vector = NDArray[np.float32]


class Shelves(NamedTuple):
    """Where notes are looked up."""

    words: Lexical
    vectors: Nearest | None
    """None = there is no embedder."""
    facts: Facts


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may answer a question, in no particular order."""

    slots: Slots
    X: NDArray[np.float32]
    """(n, d) columns as `NAMES`."""
    weights: Weights
    """The words of the question with their weights."""

    def __len__(self) -> int:
        return len(self.slots)


def found(
    shelves: Shelves, query: str, vector: Vector | None, *, project: str, now: float, near: int
) -> Candidates:
    """What both searches find; see `onward.features.memory.fold.Memory.candidates`."""
    words, vectors, facts = shelves
    weights = words.query(terms(query))
    lexical = words.found(weights, 2 * near).tolist()
    dense: list[int] = []
    if vector is not None and vectors is not None:
        dense = vectors.search(vector, near).slots.tolist()
    slots = np.array(list(dict.fromkeys([*lexical, *dense])), np.intp)
    evidence = words.evidence(weights, slots)
    ranks = np.zeros((len(slots), 2))
    best = np.argsort(-evidence[: len(lexical), 0], kind="stable")[:near]
    ranks[best, 0] = _reciprocal(len(best))
    place = {slot: row for row, slot in enumerate(slots.tolist())}
    ranks[[place[slot] for slot in dense], 1] = _reciprocal(len(dense))
    own = facts.columns(slots, project=project, now=now)
    parts: list[NDArray[Any]] = [evidence, _cosines(vectors, vector, slots), ranks, own]
    return Candidates(slots, np.concatenate(parts, axis=1, dtype=np.float32), weights)


def columns(
    shelves: Shelves,
    near: Candidates,
    slots: Slots,
    *,
    vector: Vector | None,
    project: str,
    now: float,
) -> NDArray[np.float32]:
    """(n, d) columns of given notes, where ``near`` is what the question finds."""
    place = {slot: row for row, slot in enumerate(near.slots.tolist())}
    ranks = np.zeros((len(slots), 2))
    for row, slot in enumerate(slots.tolist()):
        if slot in place:
            ranks[row] = near.X[place[slot], [_LEXICAL, _DENSE]]
    evidence = shelves.words.evidence(near.weights, slots)
    own = shelves.facts.columns(slots, project=project, now=now)
    cosines = _cosines(shelves.vectors, vector, slots)
    return np.concatenate([evidence, cosines, ranks, own], axis=1, dtype=np.float32)


def _cosines(vectors: Nearest | None, vector: Vector | None, slots: Slots) -> NDArray[np.float32]:
    if vector is None or vectors is None:
        return np.full((len(slots), 1), np.nan, np.float32)
    return vectors.cosines(vector, slots)[:, None]


def _reciprocal(count: int) -> NDArray[np.float64]:
    """(n,) 1 / (60 + rank) for the ranks from 1 on."""
    return np.asarray(1.0 / (_RANK + np.arange(1, count + 1)))
