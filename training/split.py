"""Parting the history into rows to fit on, to calibrate on, and to be judged on.

Rows come in the order of the history's log, so the first row is the oldest. Two questions
need two splits: *by time* asks how a model does next week, *by group* how it does in a
repository that it never saw. A row is in one part only. Once the judged rows have judged, the
thresholds rest on them, too, and what ships is fitted on all (`onward.training.candidate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, SettingsError

__all__ = [
    "OWN",
    "Fractions",
    "Parts",
    "Rows",
    "Split",
    "by_group",
    "by_own_time",
    "by_time",
    "own_rows",
    "time_blocks",
]

OWN = 500
"""Steps of the user's own from which these alone calibrate and judge: with fewer, those held out
of them promise nothing yet."""

Rows = NDArray[np.int64]
"""Row numbers, ascending."""


@dataclass(frozen=True, slots=True)
class Fractions:
    """What share of the rows goes where; the fit gets what the others leave.

    Raising *calibrate* makes the promised error rate tighter, raising *test* makes the
    judgement tighter; both leave less to the fit that is judged.
    """

    calibrate: float = 0.2
    test: float = 0.2
    most: int = 20_000
    """Rows in either part at most: more of them measure no better, but cost time."""

    def __post_init__(self) -> None:
        if min(self.calibrate, self.test) <= 0 or self.calibrate + self.test >= 1:
            raise SettingsError(
                "The calibration and test shares must be above 0 and leave something to fit on.",
                calibrate=self.calibrate,
                test=self.test,
            )

    def sizes(self, n: int) -> tuple[int, int]:
        """How many of *n* rows calibrate, and how many judge.

        >>> Fractions().sizes(1000), Fractions().sizes(1_000_000)
        ((200, 200), (20000, 20000))
        """
        return min(round(n * self.calibrate), self.most), min(round(n * self.test), self.most)


@dataclass(frozen=True, slots=True)
class Split:
    """Three disjoint sets of rows."""

    fit: Rows
    calibrate: Rows
    test: Rows


@dataclass(frozen=True, slots=True)
class Parts:
    """Four disjoint sets of rows: a split whose calibration rows are parted once more."""

    fit: Rows
    calibrate: Rows
    promise: Rows
    test: Rows

    @property
    def later(self) -> Rows:
        """All rows that the trees were not fitted on, in the order of the log."""
        return np.sort(np.concatenate([self.calibrate, self.promise, self.test]))


def by_time(n: int, fractions: Fractions = Fractions()) -> Split:
    """The oldest rows to fit on, the next to calibrate on, the newest to be judged on.

    A session that runs across a cut is parted as it would be in service: what lies before
    the cut is known by then, what lies after it is not.

    Parameters
    ----------
    n
        How many rows there are.
    fractions
        What share goes where.

    Raises
    ------
    NotEnoughData
        A part would be empty.

    >>> by_time(10, Fractions(calibrate=0.2, test=0.3))
    Split(fit=array([0, 1, 2, 3, 4]), calibrate=array([5, 6]), test=array([7, 8, 9]))
    """
    calibrate, test = fractions.sizes(n)
    rows = np.arange(n, dtype=np.int64)
    cut = n - test - calibrate
    return _checked(Split(rows[:cut], rows[cut : n - test], rows[n - test :]))


def by_own_time(lent: NDArray[np.bool_], fractions: Fractions = Fractions()) -> Split:
    """As `by_time`, but only the user's own rows calibrate and judge, once they suffice.

    The bundled history came before them. Were it split as well, its newest steps would stand for
    the user's later ones, and the user's steps would be fitted on only when they outnumber it.

    Parameters
    ----------
    lent
        (n,) which rows are of the bundled history.
    fractions
        What share of the rows goes where.

    Raises
    ------
    NotEnoughData
        A part would be empty.

    >>> by_own_time(np.arange(1000) < 500, Fractions(calibrate=0.2, test=0.3)).fit.size
    750
    """
    own = own_rows(lent)
    split = by_time(len(own), fractions)
    later = own[split.calibrate]
    return Split(np.arange(later[0], dtype=np.int64), later, own[split.test])


def own_rows(lent: NDArray[np.bool_]) -> Rows:
    """The rows that may calibrate and judge: the user's own, or all while those are too few.

    >>> len(own_rows(np.arange(1000) < 501)), len(own_rows(np.arange(1000) < 500))
    (1000, 500)
    """
    own = np.flatnonzero(~lent)
    return own if len(own) >= OWN else np.arange(len(lent), dtype=np.int64)


def by_group(
    groups: Sequence[str],
    fractions: Fractions = Fractions(),
    *,
    seed: int = 0,
) -> Parts:
    """Whole groups to fit on, others to calibrate on, to promise on, and to be judged on.

    Groups are drawn in an order that only *seed* decides, until a part has its share.

    Parameters
    ----------
    groups
        The group of each row (a repository, an agent); it is never parted.
    fractions
        What share of the rows goes where; met as closely as whole groups allow. Half of what
        calibrates promises.
    seed
        Decides which groups go where.

    Raises
    ------
    NotEnoughData
        There are fewer than four groups.

    >>> by_group(["a", "a", "b", "c", "a", "d"], Fractions(calibrate=0.4, test=0.2), seed=1)
    Parts(fit=array([0, 1, 4]), calibrate=array([2]), promise=array([3]), test=array([5]))
    """
    names, member = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if len(names) < 4:
        raise NotEnoughData(
            f"A split by group needs four groups, here are {len(names)}.", groups=len(names)
        )
    sizes = np.bincount(member, minlength=len(names))
    part = _deal(sizes, fractions, np.random.default_rng(seed).permutation(len(names)))
    return Parts(*(np.flatnonzero(part[member] == k).astype(np.int64) for k in range(4)))


def time_blocks(n: int, blocks: int, *, first: float = 0.3) -> Iterator[tuple[Rows, Rows]]:
    """For walking forward: what is known before each block of time, and the block.

    Parameters
    ----------
    n
        How many rows there are.
    blocks
        Into how many blocks the later rows are cut.
    first
        The share of the rows that is known before the first block.

    >>> [(len(known), block.tolist()) for known, block in time_blocks(8, 2, first=0.5)]
    [(4, [4, 5]), (6, [6, 7])]
    """
    rows = np.arange(n, dtype=np.int64)
    edges = np.linspace(round(n * first), n, blocks + 1).round().astype(int)
    for start, end in pairwise(edges):
        if end > start:
            yield rows[:start], rows[start:end]


def _deal(sizes: Rows, fractions: Fractions, order: Rows) -> Rows:
    """The part (in the order of `Parts`) of each group; every part gets one at least."""
    calibrate, test = fractions.sizes(int(sizes.sum()))
    wanted = (0, calibrate // 2, calibrate - calibrate // 2, test)
    part = np.zeros(len(sizes), dtype=np.int64)
    left = list(order)
    for k in (3, 2, 1):
        got = 0
        while len(left) > k and (got == 0 or got + sizes[left[-1]] / 2 < wanted[k]):
            group = left.pop()
            part[group] = k
            got += int(sizes[group])
    return part


def _checked(split: Split) -> Split:
    """The split, if no part of it is empty."""
    if not min(len(split.fit), len(split.calibrate), len(split.test)):
        n = len(split.fit) + len(split.calibrate) + len(split.test)
        raise NotEnoughData(f"{n} steps are too few to split in three.", steps=n)
    return split
