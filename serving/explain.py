"""Why a decision came out as it did: its grounds, what the features did, what went before.

Nothing of this costs the decision anything: it is worked out when somebody asks. Only the
features of the newest decisions are kept at hand.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotFound, OnwardError
from onward.data.events import Decision, Step
from onward.data.store import History
from onward.features.bounded import shed
from onward.features.fold import NAMES
from onward.models.bundle import CONFIDENCE
from onward.serving.ledger import Ledger
from onward.serving.runtime import Runtime
from onward.serving.trees import PathCredits
from onward.serving.wire import Case, Contribution, Why

__all__ = ["Explainer"]

MAX_VECTORS = 2_048
"""Decisions whose features are kept at hand."""
MAX_TREES = 2
"""Versions whose trees are kept at hand."""
SHOWN = 12
"""Features that are listed."""
MAX_CASES = 6
"""Past steps that are listed."""
REFERENCE_ROWS = 128
"""Stored rows that the baseline is taken over."""

Vector = NDArray[np.float32]


class Explainer:
    """Explains decisions of this history.

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
        self._trees: dict[str, PathCredits] = {}
        self._lock = threading.Lock()  # reading trees takes a while: once is enough

    def remember(self, decision_id: str, vector: Vector) -> None:
        """Keep the features of a decision at hand for a while."""
        self._vectors[decision_id] = vector
        shed(self._vectors, MAX_VECTORS)

    def why(self, decision_id: str) -> Why:
        """Explain a decision.

        Raises
        ------
        NotFound
            There is no such decision.
        """
        decision = self._decision(decision_id)
        cases = self._cases(decision)
        if not decision.model:
            return Why(decision=decision, cases=cases, note="Rules and counts answered.")
        vector = self._vectors.get(decision_id)
        if vector is None:
            return Why(
                decision=decision,
                cases=cases,
                note=f"Features are kept for the newest {MAX_VECTORS} decisions only.",
            )
        try:
            return self._with_features(decision, cases, vector)
        except OnwardError as error:
            return Why(decision=decision, cases=cases, note=f"No features: {error}")

    def _decision(self, decision_id: str) -> Decision:
        try:
            return self._history.get(Decision, decision_id)
        except NotFound:
            self._ledger.flush()  # it may be on its way
            return self._history.get(Decision, decision_id)

    def _cases(self, decision: Decision) -> list[Case]:
        with self._ledger.lock:
            near = self._ledger.state.past.cases(decision.call, 2 * MAX_CASES)
        cases = []
        for step_id, likeness in near:
            step = self._step(step_id)
            if step is not None and step.decision != decision.id and step.at <= decision.at:
                cases.append(Case(step, likeness))
        return cases[:MAX_CASES]

    def _step(self, step_id: str) -> Step | None:
        """A step that was learned; None where it never got to the disk."""
        for _ in range(2):
            try:
                return self._history.get(Step, step_id)
            except NotFound:
                self._ledger.flush()  # it may be on its way
        return None

    def _with_features(self, decision: Decision, cases: list[Case], vector: Vector) -> Why:
        baseline, effects = self._credits(decision.model).of(vector)
        order = np.argsort(-np.abs(effects), kind="stable")
        listed = [int(place) for place in order[:SHOWN] if effects[place] != 0.0]
        return Why(
            decision=decision,
            contributions=[
                Contribution(NAMES[i], _known(float(vector[i])), float(effects[i])) for i in listed
            ],
            baseline=baseline,
            rest=float(effects.sum() - effects[listed].sum()),
            cases=cases,
        )

    def _credits(self, version: str) -> PathCredits:
        with self._lock:
            if version not in self._trees:
                bundle = self._runtime.open(version)
                rows = bundle.reference()["X"][:REFERENCE_ROWS]
                self._trees[version] = PathCredits(bundle.folder / CONFIDENCE, rows)
                if len(self._trees) > MAX_TREES:
                    del self._trees[next(iter(self._trees))]
            return self._trees[version]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
