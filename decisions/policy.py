"""Evidence to a band: the one place where an answer is made (C1).

`decide` is pure: the same evidence and settings give the same answer. It takes the strictest of
what four parties ask for, on the scale execute < monitor < guard < ask < deny::

    rule             deny or ask; an allow rule speaks in the place of what was learned
    reversibility    irreversible: ask; needs a snapshot to be undone: guard
    model            the band in which the probability of success lies, its execute band kept to
                     the stated error rate; ask where the user would hardly approve
    class            what steps of this class have earned by their record since the last regret

So nothing learned can loosen what a rule or the irreversibility floor asks for (rules restrict,
learning relaxes), and a missing party leaves the strict answer standing.
"""

from __future__ import annotations

from functools import lru_cache
from math import isfinite
from operator import itemgetter
from typing import Literal, Protocol

import msgspec

from onward.data.errors import SettingsError
from onward.data.events import Band, Reason
from onward.decisions.risk import success_lower

__all__ = [
    "BANDS",
    "GUARD",
    "Answer",
    "Evidence",
    "PolicySettings",
    "Record",
    "Ruled",
    "decide",
    "execute_from",
]

BANDS: tuple[Band, ...] = (Band.EXECUTE, Band.MONITOR, Band.GUARD, Band.ASK, Band.DENY)
"""From free to not at all."""

GUARD = 0.50
"""Steps that are likelier to fail than to succeed are asked about."""


class Ruled(Protocol):
    """What the rulebook says of a step."""

    @property
    def effect(self) -> Literal["deny", "ask", "allow"] | None:
        """None where no rule speaks."""

    @property
    def rule_id(self) -> str:
        """Which rule spoke."""

    @property
    def text(self) -> str:
        """What it says, for a person."""


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be let through."""

    error_rate: float = 0.10
    """Share of the execute band that may fail. Lower asks more often."""
    confidence: float = 0.95
    """Probability with which that, and every lower bound, must hold. Higher asks more often."""
    monitor: float = 0.70
    """Below the execute threshold, from this probability of success on: run and watch."""
    guard: float = GUARD
    """From here on: run behind a snapshot. Below: ask, even if the execute band had room."""
    approve: float = 0.50
    """Steps whose probability of approval lies below are asked about."""
    earn: bool = True
    """Whether a class of steps must earn each band by its own record first."""
    shadow: bool = True
    """Log only: the answer says what it would be, and nobody acts on it."""

    def __post_init__(self) -> None:
        if not 0.0 < self.error_rate < 1.0:
            raise SettingsError("error_rate must lie between 0 and 1", error_rate=self.error_rate)
        if not 0.5 <= self.confidence < 1.0:
            msg = "confidence must be at least .5 and below 1"
            raise SettingsError(msg, confidence=self.confidence)
        if not 0.0 <= self.guard <= self.monitor <= 1.0 or not 0.0 <= self.approve <= 1.0:
            msg = "the bands must rise: 0 <= guard <= monitor <= 1, and 0 <= approve <= 1"
            raise SettingsError(msg, guard=self.guard, monitor=self.monitor, approve=self.approve)


class Record(msgspec.Struct, frozen=True):
    """How a class of steps (a program with its subcommand, a tool) fared since its last regret."""

    name: str
    successes: int = 0
    failures: int = 0

    def learn(self, *, success: bool, regret: bool = False) -> Record:
        """The record after one more step; a regret takes all that was earned.

        A regret is a rejection, an interrupt or a revert: the user did not want the step, however
        it came out. A plain failure only counts against the rate.

        >>> Record("ls", 40, 1).learn(success=True, regret=True)
        Record(name='ls', successes=0, failures=0)
        """
        if regret:
            return Record(self.name)
        return Record(self.name, self.successes + success, self.failures + (not success))

    def lower(self, confidence: float) -> float:
        """Lower confidence bound of its success rate; 0 with nothing seen."""
        return success_lower(self.successes, self.successes + self.failures, confidence)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that an answer rests on."""

    reversibility: str
    """``read_only``, ``reversible``, ``guardable`` or ``irreversible``; anything else counts as
    the last."""
    why_reversible: str = ""
    """The reason for it, one sentence."""
    ruling: Ruled | None = None
    """What the rulebook says; None where no rule speaks."""
    p_success: float
    """Calibrated probability that the step succeeds."""
    p_approve: float = 1.0
    """Probability that the user would approve it."""
    threshold: float | None = None
    """From `onward.decisions.risk`: the probability of success from which on a step may be
    executed; ``inf`` = nothing can be promised. None = there is no model, counts alone answer."""
    record: Record = Record("")
    """How steps of its class fared."""
    model: str = ""
    """Version of the model that gave the probabilities."""
    degraded: str = ""
    """Why this is less than the full evidence; empty = it is the full one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A band, and every ground that it rests on, the deciding ones first."""

    band: Band
    reasons: tuple[Reason, ...]
    shadow: bool
    degraded: str = ""


_View = tuple[int, Band, Reason]
"""What one party asks for at least, and why; before it the band's rank, the strictest lowest."""

_RANK = {band: -place for place, band in enumerate(BANDS)}
_SHADOW = Reason("mode", "shadow mode: this is logged, and nothing acts on it")
_by_rank = itemgetter(0)


def decide(evidence: Evidence, settings: PolicySettings) -> Answer:
    """Give the band of a step: the strictest that any party asks for.

    >>> answer = decide(
    ...     Evidence(reversibility="irreversible", p_success=0.99, threshold=0.8),
    ...     PolicySettings(),
    ... )
    >>> answer.band, answer.shadow
    (<Band.ASK: 'ask'>, True)
    """
    floor = _undone(evidence.reversibility, evidence.why_reversible)
    views = [*_ruled(evidence.ruling), floor, *_learned(evidence, settings)]
    views.sort(key=_by_rank)  # stable: parties keep their order
    reasons = [reason for _, _, reason in views]
    if evidence.degraded:
        reasons.append(Reason("degraded", evidence.degraded))
    if settings.shadow:
        reasons.append(_SHADOW)
    return Answer(
        band=views[0][1],
        reasons=tuple(reasons),
        shadow=settings.shadow,
        degraded=evidence.degraded,
    )


def execute_from(threshold: float, *, guard: float = GUARD) -> float:
    """The probability of success at which the execute band really begins.

    A promise about the whole band may hold far down, where single steps fail more often than
    not: these are asked about all the same. A higher start only lets less through.

    Parameters
    ----------
    threshold
        From `onward.decisions.risk`; ``inf`` = nothing can be promised, and stays so.
    guard
        `PolicySettings.guard`.

    >>> execute_from(0.31), execute_from(0.82)
    (0.5, 0.82)
    """
    return max(threshold, guard)


def _ruled(ruling: Ruled | None) -> list[_View]:
    """What the rulebook asks for."""
    if ruling is None or ruling.effect is None:
        return []
    bands = {"deny": Band.DENY, "ask": Band.ASK, "allow": Band.EXECUTE}
    band = bands[ruling.effect]
    return [(_RANK[band], band, Reason("rule", ruling.text, ruling.rule_id))]


_FLOORS = {
    "read_only": (Band.EXECUTE, "it only reads"),
    "reversible": (Band.EXECUTE, "it can be undone"),
    "guardable": (Band.GUARD, "it can be undone from a snapshot only"),
    "irreversible": (Band.ASK, "it cannot be undone"),
}


@lru_cache(maxsize=1024)
def _undone(level: str, why: str) -> _View:
    """What the step's reversibility asks for."""
    band, text = _FLOORS.get(level, _FLOORS["irreversible"])
    return _RANK[band], band, Reason("reversibility", why or text, level)


def _learned(evidence: Evidence, settings: PolicySettings) -> list[_View]:
    """What model and counts ask for, unless an allow rule speaks in their place."""
    if evidence.ruling is not None and evidence.ruling.effect == "allow":
        return []
    views = []
    if evidence.threshold is not None:
        views.append(_by_success(evidence, settings, evidence.threshold))
    if settings.earn or evidence.threshold is None:
        views.append(_by_record(evidence, settings))
    if not evidence.p_approve >= settings.approve:  # NaN asks, too
        text = f"the user would approve it with probability {evidence.p_approve:.2f} only"
        reason = Reason("model", text, evidence.model, evidence.p_approve)
        views.append((_RANK[Band.ASK], Band.ASK, reason))
    return views


def _by_success(evidence: Evidence, settings: PolicySettings, threshold: float) -> _View:
    """The band of the model's probability of success."""
    p = evidence.p_success
    if not isfinite(threshold):
        text = f"too few outcomes to promise an error rate of {settings.error_rate:.0%}"
        return _RANK[Band.ASK], Band.ASK, Reason("risk", text, evidence.model)
    begin = execute_from(threshold, guard=settings.guard)
    band = _band(p, begin, settings)
    text = f"succeeds with probability {p:.2f}{_beginning(begin)}"
    return _RANK[band], band, Reason("model", text, evidence.model, p)


@lru_cache(maxsize=64)
def _beginning(begin: float) -> str:
    return f"; the execute band begins at {begin:.2f}"


def _band(p: float, begin: float, settings: PolicySettings) -> Band:
    """Where a probability lies, the execute band from ``begin`` on; one that is no number asks."""
    if not p >= settings.guard:
        return Band.ASK
    if p >= begin:
        return Band.EXECUTE
    return Band.MONITOR if p >= settings.monitor else Band.GUARD


def _by_record(evidence: Evidence, settings: PolicySettings) -> _View:
    """The band that the class has earned: its lower bound must pass the band's threshold."""
    record, execute = evidence.record, evidence.threshold
    lower, text = _fared(record.successes, record.failures, settings.confidence)
    if execute is None:  # counts answer alone: each class keeps the stated rate by itself
        execute = 1.0 - settings.error_rate
    band = _band(lower, execute_from(execute, guard=settings.guard), settings)
    return _RANK[band], band, Reason("counts", text, record.name, lower)


@lru_cache(maxsize=4096)
def _fared(successes: int, failures: int, confidence: float) -> tuple[float, str]:
    """A record's lower bound, and the record as a sentence."""
    seen = successes + failures
    lower = success_lower(successes, seen, confidence)
    if not seen:
        return lower, "nothing like it was seen yet, or nothing since the last regret"
    return lower, (
        f"{successes} of {seen} steps like it succeeded since the last regret: "
        f"at least {lower:.0%} with {confidence:.0%} confidence"
    )
