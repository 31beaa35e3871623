"""What a candidate and the trivial peers say to the rows that none was fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onward.features.examples import Examples
from onward.models.online import Online
from onward.training.candidate import Candidate, as_served, counts_of
from onward.training.evaluate import Judged, base_rate, last_outcome
from onward.training.split import Parts, own_rows

__all__ = ["PEERS", "Hearing", "hear"]

Floats = NDArray[np.float64]

PEERS = ("counts", "last outcome", "base rate")
"""What needs no model; the best of them is what a first model must beat."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everyone's word on the rows after the fitted ones.

    Parameters
    ----------
    rows
        The rows, in the order of the log.
    said
        Name -> (n,) probabilities; first the model as served.
    online
        The correction after the last row.
    promise, test
        (n,) masks: rows that thresholds rest on, rows that judge.
    traits
        Of each row.
    """

    rows: Examples
    said: dict[str, Floats]
    online: Online
    promise: NDArray[np.bool_]
    test: NDArray[np.bool_]
    traits: list[tuple[int, ...]]

    def judged(self, mask: NDArray[np.bool_]) -> Judged:
        """The rows of one purpose."""
        said = {name: p[mask] for name, p in self.said.items()}
        return Judged(self.rows.succeeded[mask], said, self.rows.session[mask].astype(str))


def hear(
    candidate: Candidate, rows: Examples, parts: Parts, traits: list[tuple[int, ...]]
) -> Hearing:
    """Ask the candidate and the peers about every row after the fitted ones.

    Parameters
    ----------
    candidate
        The fitted version.
    rows, parts
        All rows, and which of them serve for what.
    traits
        Of the rows after the fitted ones.
    """
    later, seen = parts.later, np.intersect1d(parts.fit, own_rows(rows.lent))
    heard = rows[later]
    frozen, online = candidate.frozen(heard.X), Online()
    said = {
        "model": as_served(frozen, heard, traits, online=online),
        "frozen model": frozen,
        "counts": counts_of(heard.X),
        "last outcome": last_outcome(rows.succeeded, rows.session.tolist(), seen)[later],
        "base rate": base_rate(rows.succeeded[seen], len(heard)),
    }
    return Hearing(
        rows=heard,
        said=said,
        online=online,
        promise=np.isin(later, parts.promise),
        test=np.isin(later, parts.test),
        traits=traits,
    )
