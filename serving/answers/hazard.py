"""Is this session getting anywhere? P(no progress), what the standstill looks like, a way out.

The answer never stops anything: an alarm comes with a hint. The hint is the kind of move that most
surely ended standstills of this kind in this history, by the lower bound of its share; a plain one
where the history does not know.
"""

from __future__ import annotations

import numpy as np

from onward.data.errors import BundleError
from onward.data.events import Event
from onward.features.progress.course import Course
from onward.features.progress.fold import WINDOW, Progress
from onward.features.progress.standstill import (
    MOVES,
    Standstill,
    StandstillKind,
    move_key,
    standstill_of,
)
from onward.models.calibrate import Calibrator
from onward.models.counts import lower_bound
from onward.serving.answers.base import Part
from onward.serving.questions.hazard import HazardAnswer, HazardRequest, Hint

__all__ = ["HazardAnswers"]

PEER_ALARM = 4
"""Steps without gain from which on the peer raises an alarm."""
LEAST = 8.0
"""Decayed number of tries from which on a move may be advised."""
BETTER = 0.05
"""How much more surely than all moves together it must have ended standstills."""


PLAIN = {
    StandstillKind.NONE: "Go on.",
    StandstillKind.REPEAT: "This was tried before and gave nothing new; change something first, or "
    "look somewhere else.",
    StandstillKind.ALTERNATION: "These calls take turns and gain nothing; say what each was meant "
    "to show, and try a third way.",
    StandstillKind.CASCADE: "One error after the other: read the first of them again, and repair "
    "its cause before going on.",
    StandstillKind.STALL: "Nothing new came of the last steps; say what is still missing, and look "
    "for just that.",
}
"""What is advised where the history does not know."""


class HazardAnswers:
    """Answers from the fold of progress and, where there is one, the published model.

    >>> HazardAnswers().answer(HazardRequest(session="never met")).alarm
    False
    """

    name = "hazard"

    def __init__(self) -> None:
        self._fold = Progress()
        self._part: Part | None = None
        self._calibrator = Calibrator.identity()
        self._alarm = 1.0

    def use(self, part: Part | None) -> None:
        """Answer with this model from now on.

        Raises
        ------
        BundleError
            Its facts cannot be read; the old one stays.
        """
        if part is not None:
            self._calibrator, self._alarm = _facts(part)
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""
        self._fold.learn(event)

    def dump(self) -> bytes:
        """What was folded; `load` goes on the same."""
        return self._fold.dump()

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        self._fold = Progress.load(body)

    def answer(self, request: HazardRequest) -> HazardAnswer:
        """Answer; changes nothing."""
        course = self._fold.course(request.session)
        stood = standstill_of(course or Course())
        part = self._part
        if part is None or not part.beats_peer or course is None or not course.steps:
            probability = self._fold.peer(request.session)
            alarm, threshold, version = stood.steps >= PEER_ALARM, 1.0, ""
        else:
            probability = self._probability(part, request.session)
            alarm, threshold = probability >= self._alarm, self._alarm
            version = part.version
        return HazardAnswer(
            session=request.session,
            probability=min(max(probability, 0.0), 1.0),
            window=WINDOW,
            alarm=alarm,
            threshold=threshold,
            standstill=stood.kind.value,
            idle=stood.steps,
            since=stood.since,
            since_id=stood.since_id,
            evidence=_evidence(stood, course),
            hint=self._hint(stood.kind),
            model=version,
            note=_note(part, course),
        )

    def _probability(self, part: Part, session: str) -> float:
        row = self._fold.vector(session)[np.newaxis]
        return self._calibrator.apply_one(float(part.run(row)[0, 1]))

    def _hint(self, kind: StandstillKind) -> Hint:
        """The move that most surely ended standstills of this kind, if any stands out."""
        if kind is StandstillKind.NONE:
            return Hint(PLAIN[kind], learned=False)
        counts = {move: self._fold.moves.counts(move_key(kind, move)) for move in MOVES}
        good, bad = (sum(count[place] for count in counts.values()) for place in (0, 1))
        overall = good / max(good + bad, 1.0)
        best = Hint(PLAIN[kind], learned=False)
        for move, (ok, failed) in counts.items():
            tried = ok + failed
            share = ok / max(tried, 1e-9)
            lower = lower_bound(share, tried) if tried >= LEAST else 0.0
            if lower > max(best.lower, overall + BETTER):
                text = f"Of the moves in such standstills, this most surely helped: {MOVES[move]}."
                best = Hint(text, True, round(tried, 1), share, lower)
        return best


def _facts(part: Part) -> tuple[Calibrator, float]:
    """The calibration and the alarm's threshold that a model came with."""
    try:
        alarm = float(part.facts["alarm"])
        calibrator = Calibrator.from_json(part.facts["calibration"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"The facts of the hazard cannot be read: {error}") from error
    return calibrator, alarm


def _evidence(stood: Standstill, course: Course | None) -> list[str]:
    if course is None or stood.kind is StandstillKind.NONE:
        return []
    found = [f"{stood.steps} steps in a row gained nothing, since step {stood.since}."]
    if stood.times > 1:
        found.append(f"`{stood.template}` came {stood.times} times among them.")
    last = course.marks[-1]
    again = course.errors.get(last.said, 0) if last.bad else 0
    if again > 1:
        found.append(f"The last failure came {again} times in this session, but for its numbers.")
    if course.bad_row > 1:
        found.append(f"{course.bad_row} steps in a row failed.")
    if course.void_row > 1:
        found.append(f"{course.void_row} answers in a row held no call that could be run.")
    return found


def _note(part: Part | None, course: Course | None) -> str:
    if course is None or not course.steps:
        return "No step of this session is known; the share of all sessions answers."
    if part is None:
        return "There is no model; steps since something was gained answer."
    if not part.beats_peer:
        return "The model did not beat steps since something was gained; those answer."
    return ""
