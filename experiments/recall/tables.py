"""What a memory knows of the notes that a question finds: one table a question.

Two more columns come with the set: the search engine's rank of a candidate, and how near the
question lies to the candidate together with the answers that it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from experiments.recall.sets import Asked
from numpy.typing import NDArray

from onward.features.memory.fold import NAMES, Memory
from onward.features.memory.kept import text_of
from onward.features.sentences import Embedder
from onward.models.base import Rows

__all__ = [
    "ANSWERED",
    "COLUMN",
    "GIVEN",
    "Floats",
    "Table",
    "as_rows",
    "judged",
    "remembered",
    "searched",
]

Floats = NDArray[np.float64]
ANSWERED = "answered"
"""The column of the cosine with a note and its answers: twice the note, once their mean."""
GIVEN = "given"
"""The column of the search engine's order: -log(rank)."""
COLUMN = {name: place for place, name in enumerate((*NAMES, GIVEN, ANSWERED))}


@dataclass(frozen=True)
class Table:
    """One question's candidates: columns, and which of them are relevant."""

    X: NDArray[np.float32]
    y: Floats
    relevant: int
    """How many there are in all, found or not."""


def remembered(questions: Sequence[Asked], embedder: Embedder | None) -> Memory:
    """A memory of all notes of some questions, judged for whichever."""
    memory = Memory(embedder)
    for asked in questions:
        for note in asked.notes:
            memory.learn(note)
    while memory.embed():
        pass
    return memory


def judged(memory: Memory, questions: Sequence[Asked]) -> list[Table]:
    """Each question with its judged candidates: columns ``NAMES``, `GIVEN` and `ANSWERED`."""
    return [_judged(memory, asked) for asked in questions]


def _judged(memory: Memory, asked: Asked) -> Table:
    slots = np.array([memory.slot(note.id) for note in asked.notes])
    X = memory.columns(asked.text, memory.vector(asked.text), slots)
    given = -np.log(np.array(asked.ranks, np.float32))
    y = np.array(asked.relevant, np.float64)
    return Table(np.column_stack([X, given, _answered(memory, asked)]), y, int(y.sum()))


def _answered(memory: Memory, asked: Asked) -> NDArray[np.float32]:
    if memory.embedder is None:
        return np.full(len(asked.notes), np.nan, np.float32)
    embed = memory.embedder.embed
    rows = []
    for note, answers in zip(asked.notes, asked.answers, strict=True):
        row = 2.0 * embed([text_of(note)])[0]
        if answers:
            row += embed(answers).mean(axis=0)
        rows.append(row / max(float(np.linalg.norm(row)), 1e-12))
    return np.asarray(np.stack(rows) @ embed([asked.text])[0], np.float32)


def searched(memory: Memory, questions: Sequence[Asked]) -> list[Table]:
    """Each question with what both searches find among all notes: columns ``NAMES``."""
    return [_searched(memory, asked) for asked in questions]


def _searched(memory: Memory, asked: Asked) -> Table:
    wanted = {memory.slot(note.id) for note, relevant in asked.judged if relevant}
    found = memory.candidates(asked.text, memory.vector(asked.text))
    y = np.array([float(slot in wanted) for slot in found.slots.tolist()])
    return Table(found.X, y, len(wanted))


def as_rows(tables: Sequence[Table]) -> Rows:
    """Tables as rows to fit on; the group is the question."""
    sizes = [len(table.y) for table in tables]
    return Rows(
        np.concatenate([table.X for table in tables]),
        np.concatenate([table.y for table in tables]),
        np.repeat(np.arange(len(tables)).astype(str), sizes).astype(object),
        np.arange(sum(sizes)),
    )
