"""What serving folds from the history: a pure function of the log.

`State.learn` takes events in log order and nothing else changes it, so a state that was saved
and continued equals one that was folded from the first event. All tables are bounded.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import msgspec
import numpy as np

from onward.data.errors import BundleError
from onward.data.events import Call, Decision, Event, Outcome, Step
from onward.decisions.policy import Record
from onward.decisions.risk import Guardrail, Threshold
from onward.features.examples import MAX_OPEN
from onward.features.fold import NAMES, VERSION, Fold
from onward.models.online import Online
from onward.models.traits import traits_of
from onward.serving.answers.desk import Answers
from onward.serving.past import Past, SavedPast, put

__all__ = ["Counts", "Scorer", "Scores", "State"]

log = logging.getLogger(__name__)

_RATE = NAMES.index("rate_exact")
_APPROVAL = NAMES.index("approve_exact")
_PLAIN = {Outcome.OK, Outcome.ERROR}


class Scorer(Protocol):
    """A frozen model: features in, calibrated probabilities out."""

    @property
    def version(self) -> str:
        """Which one it is; empty = counts."""

    @property
    def threshold(self) -> float | None:
        """Probability of success from which on the stated error rate is promised.

        ``inf`` = from none on; None = counts, which promise by the record of each class.
        """

    @property
    def rate(self) -> float:
        """The error rate that the threshold promises."""

    def success(self, vector: np.ndarray) -> float:
        """Probability that a step succeeds."""

    def approve(self, vector: np.ndarray) -> float:
        """Probability that the user would approve it."""


class Counts:
    """What answers where there is no model: the running counts, which are features already."""

    version = ""
    threshold = None
    rate = 0.0

    def success(self, vector: np.ndarray) -> float:
        """The success rate of the step's class, backed off to ever wider ones."""
        return float(vector[_RATE])

    def approve(self, vector: np.ndarray) -> float:
        """The approval rate, likewise."""
        return float(vector[_APPROVAL])


class Scores(msgspec.Struct, frozen=True):
    """What the numbers say of one call."""

    vector: np.ndarray
    """Its features."""
    frozen: float
    """Probability of success by the frozen model."""
    counts: float
    """The same by running counts."""
    success: float
    """Both joined and corrected for the agent at hand; this is the one that counts."""
    approve: float
    """Probability of approval."""


class State:
    """Fold, online layer, records and cases: all that answers, but for rules and the model.

    Parameters
    ----------
    scorer
        The model whose probabilities the online layer corrects; a state belongs to it.
    fold, online
        What was folded up to `seq`; fresh where not given.
    seq
        The last event that was learned, as far as the caller has told.
    answers
        The desks of what is predicted beside decisions; none where not given.

    Attributes
    ----------
    partial
        Whether records and cases are missing what lies before `seq`.
    """

    def __init__(
        self,
        scorer: Scorer | None = None,
        *,
        fold: Fold | None = None,
        online: Online | None = None,
        seq: int = 0,
        answers: Answers | None = None,
    ) -> None:
        self.answers = answers or Answers()
        self.scorer = scorer or Counts()
        self.fold = fold or Fold()
        self.online = online or Online()
        self.seq = seq
        self.partial = False
        self.past = Past()
        self._said: dict[str, _Said] = {}  # by decision

    @property
    def scorer(self) -> Scorer:
        """The frozen model; with another one the execute band begins where that one promises."""
        return self._scorer

    @scorer.setter
    def scorer(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._rail = _rail(scorer)

    @property
    def threshold(self) -> float | None:
        """Where the execute band begins now: as promised, then corrected by what came of it."""
        return None if self._rail is None else self._rail.threshold

    def score(self, call: Call) -> Scores:
        """The numbers of a call as of now; changes nothing."""
        vector = self.fold.vector(call)
        frozen = self.scorer.success(vector)
        counts = float(vector[_RATE])
        success = self.online.predict(
            call.agent, model=frozen, counts=counts, traits=traits_of(call)
        )
        return Scores(vector, frozen, counts, success, self.scorer.approve(vector))

    def learn(self, event: Event, scores: Scores | None = None) -> None:
        """Take in one event, in log order.

        An event that cannot be learned is passed over and logged: one odd event must not keep
        all later ones out.

        Parameters
        ----------
        event
            The event.
        scores
            Those of a decision's call, where they are at hand; else they are made again.
        """
        try:
            self._learn(event, scores)
        except Exception:
            log.exception("event %s cannot be learned", event.id)

    def _learn(self, event: Event, scores: Scores | None) -> None:
        if isinstance(event, Step):
            self._learn_online(event)
        elif isinstance(event, Decision):
            scores = scores or self.score(event.call)
            put(self._said, event.id, (scores.frozen, scores.counts, scores.success), MAX_OPEN)
        self.learn_past(event)
        self.fold.learn(event)

    def learn_past(self, event: Event) -> None:
        """Take an event into past and desks only, where the rest holds it already."""
        self.answers.put(event)
        self.past.learn(event)

    def record(self, call: Call) -> Record:
        """How steps of the call's class fared since the last regret."""
        return self.past.record(call)

    def _learn_online(self, step: Step) -> None:
        """The outcome, set against what was said before it: at the decision, if there was one."""
        if step.outcome not in _PLAIN:
            return
        good, traits = step.outcome is Outcome.OK, traits_of(step)
        said = self._said.pop(step.decision, None)
        if said is None:
            vector = self.fold.vector(step)
            frozen, counts = self.scorer.success(vector), float(vector[_RATE])
            p = self.online.predict(step.agent, model=frozen, counts=counts, traits=traits)
        else:
            frozen, counts, p = said
        self.online.learn(step.agent, model=frozen, counts=counts, traits=traits, success=good)
        if self._rail is not None:
            self._rail.learn(p, failed=not good)

    # -- on disk

    def dump(self) -> bytes:
        """All of it; `load` gives a state that goes on the same."""
        return msgspec.msgpack.encode(
            _Saved(
                features=VERSION,
                model=self.scorer.version,
                seq=self.seq,
                fold=self.fold.dump(),
                online=self.online.dump(),
                past=self.past.dump(),
                said=self._said,
                shift=0.0 if self._rail is None else self._rail.shift,
                answers=self.answers.dump(),
            )
        )

    @classmethod
    def load(
        cls, body: bytes, scorer: Scorer | None = None, answers: Answers | None = None
    ) -> State:
        """A state from what `dump` gave; *answers* are fresh desks, which it fills.

        Raises
        ------
        BundleError
            It is damaged, or of other features, or it belongs to another model.
        """
        scorer, answers = scorer or Counts(), answers or Answers()
        try:
            saved = msgspec.msgpack.decode(body, type=_Saved)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The saved state cannot be read: {error}.") from error
        if (saved.features, saved.model) != (VERSION, scorer.version):
            raise BundleError("The saved state was made with other features or another model.")
        answers.load(saved.answers)
        state = cls(
            scorer,
            fold=Fold.load(saved.fold),
            online=Online.load(saved.online),
            seq=saved.seq,
            answers=answers,
        )
        state.past = Past.load(saved.past)
        state._said = saved.said
        state._rail = _rail(scorer, shift=saved.shift)
        return state


_Said = tuple[float, float, float]
"""What was said of a call: by the frozen model, by counts, and by both joined and corrected."""


class _Saved(msgspec.Struct):
    features: str
    model: str
    seq: int
    fold: bytes
    online: dict[str, Any]
    past: SavedPast
    said: dict[str, _Said]
    shift: float
    answers: dict[str, bytes] = {}


def _rail(scorer: Scorer, *, shift: float = 0.0) -> Guardrail | None:
    """What keeps a model's promise while times change; None where nothing was promised."""
    if scorer.threshold is None:
        return None
    promised = Threshold(value=scorer.threshold, rate=scorer.rate, confidence=0.0)
    return Guardrail(promised, shift=shift)
