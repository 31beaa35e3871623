"""Why a decision or an answer came out so: its grounds, what the features did, what went before.

Nothing of this costs an answer anything: it is worked out when somebody asks. Only the features
of the newest decisions, and the newest answers with theirs, are kept at hand.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import time
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotFound, OnwardError
from onward.data.events import Decision, Step
from onward.data.store import History
from onward.features.bounded import shed
from onward.features.fold import NAMES
from onward.serving.answers.witness import Ground, Run
from onward.serving.credits import credits_of
from onward.serving.ledger import Ledger
from onward.serving.questions.answered import Answered
from onward.serving.runtime import Runtime
from onward.serving.wire import Asked, Case, Contribution, Explained, Why

__all__ = ["Explainer"]

MAX_VECTORS = 2_048
"""Decisions whose features are kept at hand."""
MAX_ANSWERS = 256
"""Answers that are kept at hand."""
MAX_MODELS = 8
"""Models that are kept at hand."""
SHOWN = 12
"""Features that are listed."""
MAX_CASES = 6
"""Past steps that are listed."""
REFERENCE_ROWS = 128
"""Stored rows that the baseline is taken over."""

Vector = NDArray[np.float32]
_Event = TypeVar("_Event", Decision, Step)
Served = tuple[Run, Vector]
"""A model as it is served, and rows (n, d) that it was asked about."""


class _Kept(NamedTuple):
    """An answer with what it rests on."""

    question: str
    at: float
    answer: Answered
    grounds: Sequence[Ground]


class Explainer:
    """Explains decisions of this history, and the newest answers.

    Parameters
    ----------
    history
        Holds the decisions and the steps.
    ledger
        Knows what is still on its way to the history, and where past cases lie.
    runtime
        Opens the model that gave an answer.
    """

    def __init__(self, history: History, ledger: Ledger, runtime: Runtime) -> None:
        self._history = history
        self._ledger = ledger
        self._runtime = runtime
        self._vectors: dict[str, Vector] = {}
        self._answers: dict[str, _Kept] = {}
        self._models: dict[tuple[str, str], Served] = {}
        self._heads: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()  # opening a model takes a while: once is enough
        self._keeping = threading.Lock()

    def remember(self, decision_id: str, vector: Vector) -> None:
        """Keep the features of a decision at hand for a while; the caller holds the ledger."""
        self._vectors[decision_id] = vector
        shed(self._vectors, MAX_VECTORS)

    def keep(self, question: str, answer: Answered, grounds: Sequence[Ground]) -> None:
        """Keep an answer at hand for a while, under its id."""
        with self._keeping:
            self._answers[answer.id] = _Kept(question, time(), answer, grounds)
            shed(self._answers, MAX_ANSWERS)

    def why(self, of: str) -> Why:
        """Explain a decision, or an answer.

        Raises
        ------
        NotFound
            There is no such decision, nor is an answer of that id kept.
        """
        kept = self._answers.get(of)
        return self._of_decision(of) if kept is None else self._of_answer(kept)

    def _of_answer(self, kept: _Kept) -> Why:
        note = "" if kept.grounds else "No model was asked: what the answer says is all."
        models, fault = self._explained(kept.grounds)
        answer = msgspec.to_builtins(kept.answer, enc_hook=str)
        asked = Asked(question=kept.question, at=kept.at, answer=answer)
        return Why(asked=asked, models=models, note=note or fault)

    def _of_decision(self, decision_id: str) -> Why:
        decision = self._decision(decision_id)
        cases = self._cases(decision)
        if not decision.model:
            return Why(decision=decision, cases=cases, note="No model was asked.")
        vector = self._vectors.get(decision_id)
        if vector is None:
            note = (
                f"Its features are not at hand: a server keeps those of its newest {MAX_VECTORS}."
            )
            return Why(decision=decision, cases=cases, note=note)
        try:
            heads = self._heads_of(decision.model)
        except OnwardError as error:
            return Why(decision=decision, cases=cases, note=f"No features: {error}")
        grounds = [Ground(head, decision.model, NAMES, vector, 1) for head in heads]
        models, fault = self._explained(grounds)
        return Why(decision=decision, models=models, cases=cases, note=fault)

    def _decision(self, decision_id: str) -> Decision:
        decision = self._found(Decision, decision_id)
        if decision is None:
            raise NotFound(
                f"There is no decision {decision_id!r}, and none of the newest {MAX_ANSWERS} "
                "answers is called so.",
                id=decision_id,
            )
        return decision

    def _cases(self, decision: Decision) -> list[Case]:
        with self._ledger.lock:
            near = self._ledger.state.past.cases(decision.call, 2 * MAX_CASES)
        cases = []
        for step_id, likeness in near:
            step = self._found(Step, step_id)
            if step is not None and step.decision != decision.id and step.at <= decision.at:
                cases.append(Case(step, likeness))
        return cases[:MAX_CASES]

    def _found(self, kind: type[_Event], event_id: str) -> _Event | None:
        """An event of the history; None where it never got to the disk."""
        for _ in range(2):
            try:
                return self._history.get(kind, event_id)
            except NotFound:
                self._ledger.hand_on()  # it may be on its way
        return None

    # -- models

    def _explained(self, grounds: Sequence[Ground]) -> tuple[list[Explained], str]:
        """Each model that was asked; and what could not be explained, as a sentence."""
        models, faults = [], []
        for ground in grounds:
            try:
                models.append(_explain(ground, *self._served(ground.version, ground.system)))
            except OnwardError as error:
                faults.append(f"No features of {ground.system}: {error}")
        return models, " ".join(faults)

    def _heads_of(self, version: str) -> tuple[str, ...]:
        with self._lock:
            if version not in self._heads:
                self._heads[version] = self._runtime.open(version).heads
                shed(self._heads, MAX_MODELS)
            return self._heads[version]

    def _served(self, version: str, system: str) -> Served:
        with self._lock:
            if (version, system) not in self._models:
                run, rows = self._runtime.open(version).ask(system)
                every = max(len(rows) // REFERENCE_ROWS, 1)
                self._models[version, system] = run, rows[::every][:REFERENCE_ROWS]
                shed(self._models, MAX_MODELS)
            return self._models[version, system]


def _explain(ground: Ground, run: Run, rows: Vector) -> Explained:
    """What the columns did to what a model says of a row."""
    baseline, effects = credits_of(
        lambda X: run(X)[:, ground.column].astype(np.float64), ground.row, rows
    )
    order = np.argsort(-np.abs(effects), kind="stable")
    listed = [int(place) for place in order[:SHOWN] if effects[place] != 0.0]
    return Explained(
        system=ground.system,
        version=ground.version,
        says=baseline + float(effects.sum()),
        baseline=baseline,
        contributions=[
            Contribution(ground.names[i], _known(float(ground.row[i])), float(effects[i]))
            for i in listed
        ],
        rest=float(effects.sum() - effects[listed].sum()),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
