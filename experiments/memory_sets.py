"""Questions with judged candidates, as SemEval-2016 task 3 B has them, put into a memory.

Every related question is a note (its subject is what it is about), every original question is what
is asked. Two more columns come with the set: the search engine's rank of a candidate, and how near
the question lies to the candidate together with the answers that it got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree  # sets that the user names

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import FormatError, NotFound
from onward.data.events import Note
from onward.features.memory.fold import NAMES, Memory
from onward.features.memory.kept import text_of
from onward.features.sentences import Embedder
from onward.models.base import Rows

__all__ = [
    "ANSWERED",
    "COLUMN",
    "GIVEN",
    "Asked",
    "Table",
    "average_precision",
    "cached",
    "judged",
    "mean_ap",
    "read_folder",
    "remembered",
    "searched",
]

Floats = NDArray[np.float64]
ANSWERED = "answered"
"""The column of the cosine with a note and its answers: twice the note, once their mean."""
GIVEN = "given"
"""The column of the search engine's order: -log(rank)."""
_IRRELEVANT = "Irrelevant"


@dataclass
class Asked:
    """A question, and the notes that were judged for it."""

    id: str
    text: str
    notes: list[Note] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    """The search engine's, from 1 on."""
    relevant: list[bool] = field(default_factory=list)
    answers: list[list[str]] = field(default_factory=list)
    """What was answered to each note's question, as it was written; nobody's judgement of it."""


@dataclass(frozen=True)
class Table:
    """One question's candidates: columns, and which of them are relevant."""

    X: NDArray[np.float32]
    y: Floats
    relevant: int
    """How many there are in all, found or not."""


def read_folder(folder: Path) -> list[Asked]:
    """All questions of the files in a folder, each question once.

    Raises
    ------
    NotFound
        The folder holds no such file.
    FormatError
        A file is no XML.
    """
    found: dict[str, Asked] = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314  # as above
        except ElementTree.ParseError as error:
            raise FormatError(f"{path} is no XML: {error}.", file=str(path)) from error
        for element in root.iter("OrgQuestion"):
            _take(element, found)
    if not found:
        raise NotFound(f"{folder} holds no questions (*.xml with OrgQuestion).", path=str(folder))
    return list(found.values())


def _take(element: ElementTree.Element, found: dict[str, Asked]) -> None:
    related = element.find("Thread/RelQuestion")
    judged_as = "" if related is None else related.get("RELQ_RELEVANCE2ORGQ", "")
    if related is None or judged_as not in {"PerfectMatch", "Relevant", _IRRELEVANT}:
        return
    name, note_id = element.get("ORGQ_ID", ""), related.get("RELQ_ID", "")
    subject, body = element.findtext("OrgQSubject") or "", element.findtext("OrgQBody") or ""
    asked = found.setdefault(name, Asked(name, f"{subject}. {body}"))
    if any(note.id == note_id for note in asked.notes):
        return
    about, text = related.findtext("RelQSubject") or "", related.findtext("RelQBody") or ""
    asked.notes.append(Note(id=note_id, session=name, about=about, text=text))
    asked.ranks.append(int(related.get("RELQ_RANKING_ORDER", "10")))
    asked.relevant.append(judged_as != _IRRELEVANT)
    texts = [each.findtext("RelCText") or "" for each in element.iterfind("Thread/RelComment")]
    asked.answers.append([text for text in texts if text])


class _Cached:
    """An embedder that makes each vector once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, NDArray[np.float32]] = {}
        self.about = embedder.about

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, self._embedder.embed(new), strict=True))
        rows = [self._known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.about.dim), np.float32)


def cached(embedder: Embedder) -> Embedder:
    """The same embedder, which makes each vector once."""
    return _Cached(embedder)


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
    pairs = zip(asked.notes, asked.relevant, strict=True)
    wanted = {memory.slot(note.id) for note, relevant in pairs if relevant}
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


def average_precision(score: Floats, y: Floats) -> float:
    """Of one ranking; 0 where nothing is relevant, as the task's own scorer has it.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.0, 1.0]))
    0.8333333333333333
    """
    ranked = y[np.argsort(-score, kind="stable")]
    if not ranked.any():
        return 0.0
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked > 0].mean())


def mean_ap(scores: Sequence[Floats], tables: Sequence[Table]) -> float:
    """Mean average precision over questions."""
    pairs = zip(scores, tables, strict=True)
    return float(np.mean([average_precision(score, table.y) for score, table in pairs]))


COLUMN = {name: place for place, name in enumerate((*NAMES, GIVEN, ANSWERED))}
