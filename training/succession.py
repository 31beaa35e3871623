"""Whether a new version takes over from the live one: both on the same later steps, as served.

The live version learned from every step up to its last event; the candidate that is on the card
learned from its oldest three fifths. Side by side that would measure what was held back, not which
is better. So for the gate alone the candidate is fitted once more, on all that lies before the
steps that judge, which are those of its judged part that came after the live version's last event.

The live version is walked from its last event on, over every step as in service, with the online
layer that it was published with. The candidate's online layer begins at the first step after its
own first fit and is carried on by the second, as it is where the second fit ships (`refitted`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from onward.features.examples import Examples
from onward.training.candidate import Candidate, as_served, refitted
from onward.training.gate import Ruling, judge
from onward.training.hearing import Hearing
from onward.training.split import OWN, Rows
from onward.training.veteran import Veteran

__all__ = ["TraitsOf", "served_on", "succession"]

Floats = NDArray[np.float64]
TraitsOf = Callable[[Rows], list[tuple[int, ...]]]
"""Gives the traits of some rows, by their numbers."""


def succession(
    candidate: Candidate,
    hearing: Hearing,
    veteran: Veteran,
    *,
    table: Examples,
    rows: Examples,
    traits: TraitsOf,
    more: Examples,
    promises: bool,
    seed: int,
) -> Ruling:
    """The gate's word on a candidate beside the live version.

    Parameters
    ----------
    candidate, hearing
        As it was calibrated, and what it said to the rows after its fit.
    veteran
        The live version.
    table, rows, more, seed
        What the candidate was fitted on, as for `onward.training.candidate.fitted`.
    traits
        Of *rows*.
    promises
        Whether the candidate can promise the stated rate. Who can promise nothing yet only asks: a
        tie is no reason to take over from who can.

    Raises
    ------
    BundleError
        The live version cannot answer.
    """
    later, last = hearing.rows, veteran.manifest.last_seq
    heard = hearing.test & (later.seq > last)
    live = served_on(veteran, rows, traits)[np.searchsorted(rows.seq, later.seq[heard])]
    if heard.any():
        until = int(later.seq[heard.argmax()]) - 1
        again = refitted(candidate, table, rows, more=more, seed=seed, until=until)
        new = _carried_on(again, hearing, until)[heard]
    else:
        new = live
    return judge(
        later.succeeded[heard],
        new,
        {veteran.manifest.version: live},
        groups=later.session[heard].astype(str),
        seed=seed,
        proven=not promises or _proven(rows, last),
    )


def _proven(rows: Examples, last: int) -> bool:
    """Whether a version that ends at this event was judged on the user's own steps, if any are.

    Below `OWN` of them up to there it was judged on the bundled history's, and learned few.
    """
    own = rows.seq[~rows.lent]
    return len(own) < OWN or int((own <= last).sum()) >= OWN


def served_on(veteran: Veteran, rows: Examples, traits: TraitsOf) -> Floats:
    """(n,) what the live version would have said to each row as served; NaN where it learned it.

    In service it learns from every later step, those that judge nothing as well.
    """
    first = int(np.searchsorted(rows.seq, veteran.manifest.last_seq, side="right"))
    later, said = rows[first:], np.full(len(rows), np.nan)
    shared = traits(np.arange(first, len(rows)))
    said[first:] = as_served(veteran.frozen(later.X), later, shared, online=veteran.online())
    return said


def _carried_on(again: Candidate, hearing: Hearing, until: int) -> Floats:
    """(n,) what the first fit says up to an event and the second after it, corrected as served."""
    frozen, new = hearing.said["frozen model"].copy(), hearing.rows.seq > until
    frozen[new] = again.frozen(hearing.rows.X[new])
    return as_served(frozen, hearing.rows, hearing.traits)
