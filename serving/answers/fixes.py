"""Which fix worked for this error before, and does it help to run the command again?

Three learned systems stand behind one answer: the ranking of fixes (``fixes``), P(the next run
passes) after a change (``attempts``) and P(transient) (``transient``). Each may be missing: counts
answer in its place and the note says so.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, NotFound
from onward.data.events import Call, Event, Step
from onward.decisions.risk import Guardrail, Threshold
from onward.features.fixes.attempts import Failing
from onward.features.fixes.changes import FIXES
from onward.features.fixes.faults import CLASSES
from onward.features.fixes.fold import NAMES, Fixes, example_keys
from onward.features.fixes.remedies import backed_off
from onward.features.fixes.transient import TRANSIENT_NAMES, retry_after, retry_keys
from onward.features.rates import NONE
from onward.models.attempts import ONLINE
from onward.models.calibrate import Calibrator
from onward.models.counts import lower_bound
from onward.models.fixes import PRECISION, SPEAKS_FROM
from onward.models.online import Online
from onward.serving.answers.base import Part
from onward.serving.answers.fix_texts import RETRY_FROM, advice_on, files_of, text_of
from onward.serving.questions.fixes import (
    AttemptAnswer,
    AttemptRequest,
    Fix,
    FixAnswer,
    FixRequest,
    Retry,
)

__all__ = ["FixAnswers"]

_RATE = TRANSIENT_NAMES.index("rate_signature_head")
_SEEN = TRANSIENT_NAMES.index("count_signature")
_SOUNDS = TRANSIENT_NAMES.index("keyword")
_COUNTS = NAMES.index("rate_signature_fix")


class FixAnswers:
    """Folds failing checks and their fixes, and answers from them.

    `use` sets the model of the ranking, as the contract asks; `use_attempts` and `use_transient`
    set the two others.

    >>> answers = FixAnswers()
    >>> answers.name
    'fixes'
    """

    name = "fixes"

    def __init__(self) -> None:
        self._fold = Fixes()
        self._online = Online(ONLINE)
        self._ranker: Part | None = None
        self._attempts: Part | None = None
        self._transient: Part | None = None
        self._calibrator = Calibrator.identity()
        self._rail = _rail(SPEAKS_FROM, 0.0)

    # -- models --------------------------------------------------------------------------------

    def use(self, part: Part | None) -> None:
        """Rank fixes with this model from now on; None = counts rank them."""
        fixes = None if part is None else part.facts.get("fixes")
        if part is not None and fixes != list(FIXES):
            raise BundleError("The ranking of fixes knows other fixes; train again.")
        self._ranker = part if part is not None and part.beats_peer else None
        value = SPEAKS_FROM if part is None else float(part.facts.get("speaks_from", SPEAKS_FROM))
        self._rail = _rail(value, self._rail.shift)

    def use_attempts(self, part: Part | None) -> None:
        """Predict attempts with this model from now on; None = counts do."""
        table = None if part is None else part.facts.get("calibration")
        self._calibrator = Calibrator.from_json(table) if table else Calibrator.identity()
        self._attempts = part if part is not None and part.beats_peer else None

    def use_transient(self, part: Part | None) -> None:
        """Predict reruns with this model from now on; None = counts do."""
        self._transient = part if part is not None and part.beats_peer else None

    # -- learning ------------------------------------------------------------------------------

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""
        asked = self._fold.attempt(event) if isinstance(event, Step) else None
        if asked is None or not isinstance(event, Step):
            self._fold.learn(event)
            return
        frozen, counts = self._frozen(asked.X), float(asked.X[_COUNTS])
        shares = self._shares(event.session, asked.attempt.failing)
        tried = self._fold.learn(event)
        if tried is None:
            return
        self._online.learn(event.agent, model=frozen, counts=counts, success=tried.passed)
        if tried.passed:
            best = max(range(len(shares)), key=shares.__getitem__)
            self._rail.learn(shares[best], failed=best != tried.attempt.fix)

    def dump(self) -> bytes:
        """What was folded; `load` goes on the same."""
        state = _State(self._fold.dump(), self._online.dump(), self._rail.shift)
        return msgspec.msgpack.encode(state)

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except msgspec.DecodeError as error:
            raise BundleError(f"The state of fixes cannot be read: {error}") from error
        self._fold = Fixes.load(state.fold)
        self._online = Online.load(state.online)
        self._rail.shift = state.shift

    # -- answering -----------------------------------------------------------------------------

    def answer(self, request: FixRequest) -> FixAnswer:
        """What mends a failing check; raises `NotFound` where the session has none."""
        failing = self._failing(request)
        shares = self._shares(request.session, failing)
        total = self._fold.evidence(request.session, failing)
        lower = [lower_bound(p, total + 4.0) for p in shares]
        best = sorted(range(len(shares)), key=lambda fix: -lower[fix])[: request.most]
        if self._ranker is not None:
            self._ranker.lead(best[0])
        reason = self._reason(failing, max(shares), total)
        fault = failing.fault
        return FixAnswer(
            check=" ".join([failing.check.head, *failing.check.targets]),
            signature=fault.signature,
            kind=CLASSES[fault.kind],
            failures=failing.fails,
            known=not reason,
            reason=reason or f"{total:.0f} checks that failed like this were mended before.",
            fixes=[self._fix(failing, fix, shares[fix], lower[fix]) for fix in best],
            tried={FIXES[fix]: times for fix, times in failing.tried.items()},
            retry=self._retry(request, failing),
            model="" if self._ranker is None else self._ranker.version,
            note="" if self._ranker else "No model ranks fixes yet: counts do.",
        )

    def attempt(self, request: AttemptRequest) -> AttemptAnswer:
        """P(the next run passes) for a call that runs a failing check again."""
        call = Call(**msgspec.structs.asdict(request))
        note = "" if self._attempts else "No model predicts attempts yet: counts do."
        model = "" if self._attempts is None else self._attempts.version
        asked = self._fold.attempt(call)
        if asked is None:
            return AttemptAnswer(attempt=False, p_pass=0.0, fix="", signature="", worked=0.0,
                                 tried=0.0, note=note)  # fmt: skip
        failing, fix = asked.attempt.failing, asked.attempt.fix
        good, bad = self._fold.tries.counts(f"k{failing.fault.kind}|{fix}")
        frozen, counts = self._frozen(asked.X), float(asked.X[_COUNTS])
        return AttemptAnswer(
            attempt=True,
            p_pass=self._online.predict(request.agent, model=frozen, counts=counts),
            fix=FIXES[fix],
            signature=failing.fault.signature,
            worked=good,
            tried=good + bad,
            model=model,
            note=note,
        )

    def _failing(self, request: FixRequest) -> Failing:
        call = None
        if request.command:
            call = Call(
                session=request.session, tool=request.tool, input={"command": request.command}
            )
        failing = self._fold.failing(request.session, call)
        if call is not None and (failing is None or request.output):
            failing = self._fold.imagine(call, request.output)
        if failing is None:
            raise NotFound(
                "No failing check is known in this session; give the command and its output.",
                session=request.session,
            )
        return failing

    def _shares(self, session: str, failing: Failing) -> list[float]:
        """(fixes,) how likely each fix is the one; they add up to 1."""
        if self._ranker is None:
            return backed_off(self._fold.known, self._fold.narrow(session, failing))
        scores = self._ranker.run(self._fold.remedies(session, failing))[:, 1]
        return [float(share) for share in scores / max(float(scores.sum()), 1e-12)]

    def _frozen(self, X: NDArray[np.float32]) -> float:
        if self._attempts is None:
            return float(X[_COUNTS])
        return self._calibrator.apply_one(float(self._attempts.run(X[None, :])[0, 1]))

    def _fix(self, failing: Failing, fix: int, p: float, lower: float) -> Fix:
        narrow, wide = example_keys(failing, fix)
        tries = self._fold.tries.table
        good, bad = tries.get(narrow) or tries.get(wide) or NONE
        name = FIXES[fix]
        return Fix(
            fix=name,
            text=text_of(name),
            p=p,
            lower=lower,
            worked=good,
            tried=good + bad,
            files=files_of(failing, name.partition("@")[2]),
            steps=self._fold.examples.get(narrow) or self._fold.examples.get(wide) or [],
        )

    def _reason(self, failing: Failing, top: float, total: float) -> str:
        """Why it is not known what mends a check; empty = it is known."""
        if not total:
            return "No check that failed like this was mended before."
        if top < self._rail.threshold:
            return (
                f"The likeliest fix was the one in too few cases: {top:.2f}, "
                f"it takes {min(self._rail.threshold, 1.0):.2f}."
            )
        if not failing.fault.signature:
            return "The output says nothing of what went wrong."
        return ""

    def _retry(self, request: FixRequest, failing: Failing) -> Retry:
        """Whether to run the very same command again, and when."""
        X = self._fold.transient(request.session, failing)
        p = float(X[_RATE])
        if X[_SOUNDS] > 0 and not X[_SEEN]:  # what its words say counts until a rerun tells
            p = max(p, RETRY_FROM)
        if self._transient is not None:
            p = float(self._transient.run(X[None, :])[0, 1])
        counts = [self._fold.retries.counts(key) for key in retry_keys(failing)]
        good, bad = next((c for c in reversed(counts) if sum(c)), NONE)
        told = retry_after(request.output, request.at)
        told = failing.told if told is None and not request.output else told
        usual, seen = self._fold.wait(failing)
        advice, wait, why = advice_on(p, told, usual if seen else 2.0 ** (failing.fails - 1))
        rests = f"{good:.0f} of {good + bad:.0f} reruns like it passed" if good + bad else (
            "no rerun like it is known"
        )  # fmt: skip
        return Retry(
            p_transient=p,
            advice=advice,
            wait=wait,
            reruns=good + bad,
            passed=good,
            evidence=f"{why}; {rests}.",
        )


class _State(msgspec.Struct):
    fold: bytes
    online: dict[str, Any]
    shift: float


def _rail(value: float, shift: float) -> Guardrail:
    """Keeps the first fix right often enough where the answer says that it is known."""
    bound = Threshold(value=value, rate=1.0 - PRECISION, confidence=0.95)
    return Guardrail(bound, shift=shift)
