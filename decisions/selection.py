"""Which tests to run, in which order, and what that leaves owed. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onward.data.errors import InputError

__all__ = ["Candidate", "Selection", "select"]


class Candidate(msgspec.Struct, frozen=True):
    """One test as it stands before a run."""

    node: str
    tier: str
    """``must``, ``may`` or ``none``."""
    p_fail: float
    seconds: float
    """How long it usually takes; 0 = unknown."""


class Selection(msgspec.Struct, frozen=True):
    """What to run, and what is left."""

    run: list[str]
    """In this order."""
    skipped: list[str]
    """Left out; they are owed before the work may be called done."""
    owed: int
    """How many of those may be touched by the change."""
    recall: float
    """The share of expected failures that the chosen ones hold; 1 where none is expected."""
    seconds: float
    """How long the chosen ones usually take."""


def select(
    candidates: Sequence[Candidate],
    *,
    affected: bool = False,
    budget_s: float | None = None,
    recall: float | None = None,
) -> Selection:
    """Order tests, and cut where that was asked for.

    Touched tests come first. Tests of one file stay together, since they share their fixtures:
    files stand in the order of their likeliest failure, tests in a file likewise; those that
    are not touched keep the order in which they came.

    Parameters
    ----------
    candidates
        All tests, in the order in which they were found.
    affected
        Leave out what the change does not touch.
    budget_s
        Seconds that the chosen tests may take; the likeliest failures are chosen first.
    recall
        Share of the expected failures that must be among the chosen; above 0, at most 1.

    >>> few = [Candidate("a::x", "none", 0.001, 1.0), Candidate("a::y", "must", 0.3, 1.0)]
    >>> select(few).run, select(few, affected=True).skipped
    (['a::y', 'a::x'], ['a::x'])
    """
    if (budget_s is not None and budget_s < 0) or (recall is not None and not 0 < recall <= 1):
        raise InputError("A budget is at least 0 seconds; a recall lies above 0 and is at most 1.")
    chosen = [one for one in candidates if one.tier == "must"] if affected else list(candidates)
    if recall is not None:
        chosen = _by_recall(chosen, candidates, recall)
    if budget_s is not None:
        chosen = _by_budget(chosen, budget_s)
    ordered = _ordered(chosen)
    run = {one.node for one in ordered}
    left = [one for one in candidates if one.node not in run]
    whole = sum(one.p_fail for one in candidates)
    return Selection(
        run=[one.node for one in ordered],
        skipped=[one.node for one in left],
        owed=sum(one.tier != "none" for one in left),
        recall=sum(one.p_fail for one in ordered) / whole if whole > 0 else 1.0,
        seconds=sum(one.seconds for one in ordered),
    )


def _by_recall(
    chosen: list[Candidate], everything: Sequence[Candidate], recall: float
) -> list[Candidate]:
    """The likeliest failures, until they hold that share of all that are expected."""
    wanted = recall * sum(one.p_fail for one in everything)
    kept, held = [], 0.0
    for one in sorted(chosen, key=_likeliest):
        if held >= wanted - 1e-12:
            break
        kept.append(one)
        held += one.p_fail
    return kept


def _by_budget(chosen: list[Candidate], budget_s: float) -> list[Candidate]:
    kept, spent = [], 0.0
    for one in sorted(chosen, key=_likeliest):
        if spent + one.seconds <= budget_s:
            kept.append(one)
            spent += one.seconds
    return kept


def _ordered(chosen: Sequence[Candidate]) -> list[Candidate]:
    place = {one.node: at for at, one in enumerate(chosen)}
    best: dict[tuple[bool, str], float] = {}
    for one in chosen:
        key = one.tier == "must", _file(one)
        best[key] = max(best.get(key, 0.0), one.p_fail)

    def rank(one: Candidate) -> tuple[bool, float, str, float, int]:
        must = one.tier == "must"
        if not must:
            return True, 0.0, "", 0.0, place[one.node]
        return False, -best[must, _file(one)], _file(one), -one.p_fail, place[one.node]

    return sorted(chosen, key=rank)


def _likeliest(one: Candidate) -> tuple[bool, float]:
    return one.tier != "must", -one.p_fail


def _file(one: Candidate) -> str:
    return one.node.partition("::")[0]
