"""What memory does beyond ranking: it sinks what misled, and says when it knows nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from experiments.recall.sets import Asked
from experiments.recall.speed import sentences_of_sample
from experiments.recall.tables import remembered, searched

from onward.data.events import Feedback
from onward.features.memory.fold import Memory
from onward.features.sentences import Embedder
from onward.models.memory import Ranker, forgetting
from onward.serving.answers.memory import LEAST, SURE
from onward.training.metrics import ece

__all__ = ["feedback", "unknown"]

Random = np.random.Generator
ROUNDS = 6
STRANGE = 100
"""Questions on what no note is about."""
NOISE = 0.1
"""Share of simulated verdicts that are wrong."""


# -- feedback --------------------------------------------------------------------------------------


def feedback(
    questions: Sequence[Asked], memory: Memory, model: Ranker, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """How ranking changes when what is recalled first is judged, round after round.

    In each round each question of one half is asked, and the first note is judged: it helped if it
    is relevant, else it misled; a tenth of the verdicts are wrong. The other half is only asked, to
    see what the verdicts of others do to it. ``hit`` is the share whose first note is relevant,
    ``misleading_rank`` the mean rank of notes that were first and irrelevant before any feedback.
    """
    random = np.random.default_rng(seed)
    asked = [one for one in questions if any(one.relevant)]
    order = random.permutation(len(asked))
    half = len(asked) // 2
    parts = {
        "judged": [asked[place] for place in order[:half]],
        "only_asked": [asked[place] for place in order[half:]],
    }
    trial = _again(memory)
    misleading = {one.id: _first_wrong(trial, one, model) for one in asked}
    figures = {}
    for number in range(ROUNDS + 1):
        for name, part in parts.items():
            figures[f"{name}_after_{number}"] = _state(trial, part, model, misleading)
        for one in parts["judged"]:
            _judge_first(trial, one, model, random)
    return figures


def _again(memory: Memory) -> Memory:
    """The same memory once more, so that the trial changes nothing."""
    trial = Memory(memory.embedder)
    trial.load(memory.dump())
    while trial.embed():
        pass
    return trial


def _ranking(memory: Memory, one: Asked, model: Ranker) -> list[int]:
    """Slots of what a question finds, as they are answered."""
    found = memory.candidates(one.text, memory.vector(one.text))
    p = forgetting(model.predict(found.X), found.X)
    return [int(found.slots[place]) for place in np.argsort(-p, kind="stable")]


def _wanted(memory: Memory, one: Asked) -> set[int | None]:
    return {memory.slot(note.id) for note, relevant in one.judged if relevant}


def _first_wrong(memory: Memory, one: Asked, model: Ranker) -> int | None:
    first = _ranking(memory, one, model)[0]
    return None if first in _wanted(memory, one) else first


def _state(
    memory: Memory, part: Sequence[Asked], model: Ranker, misleading: dict[str, int | None]
) -> dict[str, float]:
    hits: list[float] = []
    ranks: list[float] = []
    for one in part:
        ranking = _ranking(memory, one, model)
        hits.append(float(ranking[0] in _wanted(memory, one)))
        wrong = misleading[one.id]
        if wrong is not None:
            ranks.append(ranking.index(wrong) + 1 if wrong in ranking else len(ranking))
    return {"hit": float(np.mean(hits)), "misleading_rank": float(np.mean(ranks or [np.nan]))}


def _judge_first(memory: Memory, one: Asked, model: Ranker, random: Random) -> None:
    first = _ranking(memory, one, model)[0]
    helped = (first in _wanted(memory, one)) != (random.random() < NOISE)
    note = memory[first].note.id
    count = int(random.integers(1 << 60))
    memory.learn(Feedback(id=f"{count}", session="trial", note=note, helped=bool(helped)))


# -- nothing is known ------------------------------------------------------------------------------


def unknown(
    train: Sequence[Asked], test: Sequence[Asked], embedder: Embedder, model: Ranker
) -> dict[str, dict[str, float]]:
    """P(relevant) of the first note: calibration, how often it is sure, and of what nothing knows.

    ``known`` asks the judged questions that have relevant notes among all notes. ``unknown`` asks
    them with those notes taken out, so that near ones are left. ``strange`` asks for lines of the
    recorded sample history, which no note is about.
    ``given`` is the share of questions that get any answer, ``sure`` the share that are called sure
    of it, ``precision`` the share of the sure whose first note is relevant.
    """
    memory = remembered([*train, *test], embedder)
    tables = [table for table in searched(memory, test) if len(table.y)]
    first = [_first(table.X, table.y, model) for table in tables]
    known = [pair for pair, table in zip(first, tables, strict=True) if table.relevant]
    gone = [_first(t.X[t.y == 0], t.y[t.y == 0], model) for t in tables if t.relevant]
    strange = _strange(memory, model)
    every = np.concatenate([model.predict(table.X) for table in tables])
    truth = np.concatenate([table.y for table in tables])
    return {
        "known": _shares(known),
        "unknown": _shares(gone),
        "strange": _shares(strange),
        "all_candidates": {
            "ece": ece(truth, every),
            "said": float(every.mean()),
            "seen": float(truth.mean()),
        },
        "firsts": {"ece": ece(np.array(first)[:, 1], np.array(first)[:, 0], bins=5)},
    }


def _strange(memory: Memory, model: Ranker) -> list[tuple[float, float]]:
    lines = sentences_of_sample()
    chosen = [lines[place] for place in np.linspace(0, len(lines) - 1, STRANGE).astype(int)]
    found = [memory.candidates(line, memory.vector(line)) for line in chosen]
    return [_first(each.X, np.zeros(len(each)), model) for each in found if len(each)]


def _first(X: np.ndarray, y: np.ndarray, model: Ranker) -> tuple[float, float]:
    p = model.predict(X)
    best = int(np.argmax(p))
    return float(p[best]), float(y[best])


def _shares(firsts: Sequence[tuple[float, float]]) -> dict[str, float]:
    p, y = np.array(firsts).T
    sure = p >= SURE
    return {
        "given": float(np.mean(p >= LEAST)),
        "sure": float(np.mean(sure)),
        "precision": float(y[sure].mean()) if sure.any() else float("nan"),
    }
