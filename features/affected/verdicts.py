"""What a model will learn from a run: what was known of each test before, and how it came out."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from onward.data.testing.runs import Result, TestRecord, Verdicts
from onward.features.affected.fold import NAMES, VERSION
from onward.features.affected.touch import Touch

__all__ = ["verdicts_of"]


def verdicts_of(
    records: Sequence[TestRecord], before: Mapping[str, TestRecord], touched: Sequence[Touch]
) -> Verdicts:
    """The verdicts of a run.

    Parameters
    ----------
    records
        The tests that ran; skipped ones tell nothing and are none of them.
    before
        Test -> what was known of it until then.
    touched
        Each test beside the change, in the order of ``records``.
    """

    def fresh(one: TestRecord) -> bool:
        known = before.get(one.node)
        return one.result is Result.FAILED and (known is None or known.result is not Result.FAILED)

    return Verdicts(
        nodes=[one.node for one in records],
        failed=[one.result is Result.FAILED for one in records],
        fresh=[fresh(one) for one in records],
        width=len(NAMES),
        vectors=array("f", (x for one in touched for x in one.vector)).tobytes(),
        seconds=[one.duration for one in records],
        version=VERSION,
    )
