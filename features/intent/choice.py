"""Which of several it will be: weights of evidence that learn from each outcome as it comes.

A conditional logit (McFadden, *Conditional logit analysis of qualitative choice behavior*, 1974).
Each kind of evidence has one weight, whichever the alternative that it speaks for, so a few
outcomes teach it; what is known of the situation as a whole leans towards alternatives by weights
of its own. Like `onward.features.words.WordWeights` it says what it thinks before it learns, so
its probabilities are as honest in training as in serving. Updates are AdaGrad steps (Duchi et al.,
2011) on the log loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Choice"]

Floats = NDArray[np.float64]
Saved = tuple[bytes, bytes, bytes, bytes]

_DAMP = 0.9
"""What the sums of squared slopes begin with; higher lets the first outcomes teach less."""


class Choice:
    """P(alternative), learned online.

    Parameters
    ----------
    trust
        Weight of each kind of evidence before anything was learned.
    contexts
        Numbers that describe a situation.
    alternatives
        How many there are to choose from.
    rate
        Step size; higher follows faster and is noisier.

    >>> choice = Choice([1.0], contexts=1, alternatives=2)
    >>> evidence, here = np.zeros((2, 1)), np.ones(1)
    >>> for _ in range(50):
    ...     choice.learn(evidence, here, 1)
    >>> bool(choice.probabilities(evidence, here)[1] > 0.8)
    True
    """

    __slots__ = ("_leaning", "_leaning_scale", "_rate", "_weight", "_weight_scale")

    def __init__(
        self, trust: Sequence[float], *, contexts: int, alternatives: int, rate: float = 0.1
    ) -> None:
        self._rate = rate
        self._weight: Floats = np.array(trust, np.float64)
        self._weight_scale = np.full(len(trust), _DAMP)
        self._leaning = np.zeros((contexts, alternatives))
        self._leaning_scale = np.full((contexts, alternatives), _DAMP)

    def probabilities(self, evidence: Floats, context: Floats) -> Floats:
        """(alternatives,) of evidence (alternatives, kinds) in a situation (contexts,)."""
        score = evidence @ self._weight + context @ self._leaning
        raised = np.exp(score - score.max())
        return np.asarray(raised / raised.sum())

    def learn(self, evidence: Floats, context: Floats, chosen: int) -> None:
        """Take in which one it was."""
        miss = -self.probabilities(evidence, context)
        miss[chosen] += 1.0
        slope = miss @ evidence
        self._weight_scale += slope**2
        self._weight += self._rate * slope / np.sqrt(self._weight_scale)
        slopes = context[:, None] * miss
        self._leaning_scale += slopes**2
        self._leaning += self._rate * slopes / np.sqrt(self._leaning_scale)

    def dump(self) -> Saved:
        """All weights and step scales, bit for bit."""
        tables = (self._weight, self._weight_scale, self._leaning, self._leaning_scale)
        first, second, third, fourth = (table.tobytes() for table in tables)
        return first, second, third, fourth

    def load(self, state: Saved) -> None:
        """Takes back what `dump` gave."""
        shape = self._leaning.shape
        tables = [np.frombuffer(body).copy() for body in state]
        self._weight, self._weight_scale = tables[:2]
        self._leaning, self._leaning_scale = (table.reshape(shape) for table in tables[2:])
