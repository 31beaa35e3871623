"""Running weights of words: a logistic regression that learns from each outcome as it comes.

Its score is a feature. It is always made before the outcome is learned, so it is as honest in
training as in serving, and it goes on learning for an agent that no model was trained on.
Updates are AdaGrad steps (Duchi et al., 2011) on the log loss.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import itemgetter

__all__ = ["WordWeights"]

_START = 2.5
"""Log odds of success before anything was seen: about 92 %."""


class WordWeights:
    """One weight a slot, learned online.

    Parameters
    ----------
    slots
        Size of the table.
    rate
        Step size; higher follows faster and is noisier.
    decay
        Pull to zero at each update; higher forgets rare words faster.
    """

    __slots__ = ("_decay", "_rate", "bias", "scale", "weight")

    def __init__(self, slots: int, *, rate: float = 0.15, decay: float = 1e-4) -> None:
        self._rate = rate
        self._decay = decay
        self.bias = _START
        self.weight = array("d", bytes(8 * slots))
        self.scale = array("d", bytes(8 * slots))

    def score(self, slots: Sequence[int]) -> float:
        """Log odds of success of a step with words in these slots."""
        weight = self.weight
        if len(slots) > 1:  # in order, as the loop below, and a third faster
            return sum(itemgetter(*slots)(weight), self.bias)
        total = self.bias
        for slot in slots:
            total += weight[slot]
        return total

    def learn(self, slots: Sequence[int], good: bool) -> float:
        """One more outcome of a step with words in these slots; gives the score before it."""
        score = self.score(slots)
        miss = (1.0 if good else 0.0) - 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, score))))
        square, sqrt = miss * miss, math.sqrt
        weight, scale, rate, decay = self.weight, self.scale, self._rate, self._decay
        self.bias += 0.005 * miss
        for slot in slots:
            scale[slot] = s = scale[slot] + square
            w = weight[slot]
            weight[slot] = w + rate * (miss - decay * w) / (0.3 + sqrt(s))
        return score

    def dump(self) -> tuple[float, bytes, bytes]:
        """Bias, weights and step scales, bit for bit."""
        return self.bias, self.weight.tobytes(), self.scale.tobytes()

    def load(self, state: tuple[float, bytes, bytes]) -> None:
        """Takes back what `dump` gave."""
        self.bias = state[0]
        self.weight = array("d", state[1])
        self.scale = array("d", state[2])
