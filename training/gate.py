"""Whether a new version may become the champion.

It must beat what answers today, on held-out later time, by more than chance: the bootstrap
interval of the gain in Brier score must lie above zero. Without a champion the trivial peers
are what answers today, so the first model must beat the best of them.

A champion with too few of the user's own steps behind it never proved itself on these
(`onward.training.succession`). The first version that is judged on them need only not be surely
worse, for they are too few at first to make anything sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.training.metrics import Interval, bootstrap_gain, brier

__all__ = ["CHALLENGER", "CHAMPION", "Ruling", "judge"]

CHAMPION, CHALLENGER = "champion", "challenger"
"""The alias of the version that answers, and of the newest one that was not good enough."""

LEAST_GAIN = 1e-5
"""A gain in Brier score that is no rounding: exports may differ from fitted models by as much."""

Floats = NDArray[np.float64]


class Ruling(msgspec.Struct, frozen=True):
    """What the gate says of a new version."""

    alias: str
    """`CHAMPION` or `CHALLENGER`."""
    against: str
    """What it was measured against."""
    gain: Interval
    """Brier score of what answers today minus the new version's; above 0 is better."""
    n: int
    """Rows it was measured on."""

    @property
    def passed(self) -> bool:
        """Whether it becomes the champion."""
        return self.alias == CHAMPION

    @property
    def text(self) -> str:
        """The ruling as one sentence.

        >>> Ruling(CHAMPION, "counts", Interval(0.01, 0.004, 0.02), 800).text
        'champion: beats counts by .0100 Brier [.0040, .0200] on 800 later steps'
        """
        if not self.n:
            return f"{self.alias}: no step came after {self.against} to measure both on"
        sure = self.gain.low > LEAST_GAIN
        verb = "is no worse than" if self.passed else "does not surely beat"
        verb = "beats" if sure else verb
        gain, low, high = (
            f"{x:.4f}".replace("0.", ".", 1)
            for x in (self.gain.value, self.gain.low, self.gain.high)
        )
        return (
            f"{self.alias}: {verb} {self.against} by {gain} Brier [{low}, {high}] "
            f"on {self.n} later steps"
        )


def judge(
    y: Floats,
    p: Floats,
    rivals: Mapping[str, Floats],
    *,
    groups: Sequence[str] | NDArray[np.generic],
    level: float = 0.95,
    seed: int = 0,
    proven: bool = True,
) -> Ruling:
    """Measure a new version against the best of its rivals.

    Parameters
    ----------
    y, p
        (n,) outcomes of later rows that neither was fitted on; what the new version says. None of
        them, and it stays a challenger.
    rivals
        Name -> (n,) what it says. With a champion: it alone. Without: the trivial peers.
    groups
        (n,) which rows depend on each other.
    level
        Of the interval. Raising it makes the gate harder to pass.
    seed
        Of the draws.
    proven
        Whether what answers today was judged on steps like these; if not, a tie is enough.
    """
    if not len(y):
        return Ruling(CHALLENGER, next(iter(rivals)), Interval(0.0, 0.0, 0.0), 0)
    best = min(rivals, key=lambda name: brier(y, rivals[name]))
    draws = max(100, min(1000, 5_000_000 // len(y)))  # bounds the time on long histories
    worse = bootstrap_gain(
        brier, y, rivals[best], p, groups=groups, draws=draws, level=level, seed=seed
    )
    passed = worse.low > LEAST_GAIN or (not proven and worse.high > 0)
    return Ruling(CHAMPION if passed else CHALLENGER, best, worse, len(y))
