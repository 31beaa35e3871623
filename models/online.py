"""The layer that goes on learning: prior, running counts and recalibration as one.

A model frozen on one agent ranks the steps of another, and misjudges how often they fail. Counts
follow what happens and know nothing at first. `Online` joins them in one Bayesian logistic
regression per agent that learns from every outcome::

    log odds = a + b * log odds(model) + c * log odds(counts) + one offset for each trait

``a, b, c`` have a full covariance and drift slowly, so they recalibrate: both at once, and each
by as much as it has earned. The offsets begin at zero and move by what the rest got wrong for steps
of this trait: a program, a session, a word of the command. A new agent starts from the mean of the
agents that are known. One pass of an extended Kalman filter over the log loss does it all; there
is no window, no batch and no random number, so the state follows from the history alone.

Probabilities come strictly before their outcomes. The plug-in probability is used, not the one
averaged over the weights: with many rare traits the average leans to one half and errs there.

References
----------
Graepel et al., *Web-scale Bayesian click-through rate prediction for sponsored search advertising
in Microsoft's Bing search engine*, ICML 2010 (one Gaussian a trait); McCormick et al., *Dynamic
logistic regression and dynamic model averaging for binary classification*, Biometrics 2012
(drifting weights); Wolpert, *Stacked generalization*, 1992.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from typing import Any

import msgspec

from onward.data.errors import BundleError

__all__ = ["Online", "Prior"]

CLIP = 1e-4
"""Probabilities nearer than this to 0 or 1 are taken to be this near."""

MAX_AGENTS = 64
"""Agents that are remembered; the one that was silent longest is forgotten."""

MAX_TRAITS = 8192
"""An agent's traits are kept in two halves of this size; the older half is forgotten whole."""


class Prior(msgspec.Struct, frozen=True):
    """What is believed of an agent before its first outcome, and how fast belief may change.

    The defaults were measured on two agents, each unseen by the model that was trained on the
    other; halving or doubling any of them moves the log loss by less than 1 %.
    """

    weights: tuple[float, float, float] = (0.0, 0.5, 0.5)
    """Means of bias, model and counts."""
    variances: tuple[float, float, float] = (1.0, 0.25, 0.25)
    """Their variances. Higher lets the first outcomes move them further."""
    drifts: tuple[float, float, float] = (1e-5, 1e-6, 1e-6)
    """Variance that each gains with every step. Higher forgets sooner."""
    trait: float = 0.05
    """Variance of a trait's offset. Higher trusts the first outcomes of a trait more; a step has
    two dozen of them, so that together they soon overdo it."""


def _log_odds(p: float) -> float:
    p = min(max(p, CLIP), 1.0 - CLIP)
    return log(p / (1.0 - p))


def _probability(z: float) -> float:
    return 1.0 / (1.0 + exp(-z)) if z > -30.0 else exp(-30.0)


class _Weights(msgspec.Struct, gc=False):
    """Mean and covariance of bias, model and counts; written out, for it runs at every step."""

    a: float
    b: float
    c: float
    aa: float
    bb: float
    cc: float
    ab: float = 0.0
    ac: float = 0.0
    bc: float = 0.0
    seen: int = 0

    def spread(self, m: float, r: float) -> tuple[float, float, float]:
        """The covariance times (1, m, r)."""
        return (
            self.aa + self.ab * m + self.ac * r,
            self.ab + self.bb * m + self.bc * r,
            self.ac + self.bc * m + self.cc * r,
        )

    def move(self, gain: tuple[float, float, float], miss: float, certainty: float) -> None:
        """Take the step of the filter along ``gain``."""
        u, v, w = gain
        self.a += u * miss
        self.b += v * miss
        self.c += w * miss
        self.aa -= certainty * u * u
        self.bb -= certainty * v * v
        self.cc -= certainty * w * w
        self.ab -= certainty * u * v
        self.ac -= certainty * u * w
        self.bc -= certainty * v * w
        self.seen += 1


class _Agent(msgspec.Struct):
    """All that is learned of one agent. A trait is ``[mean, variance]`` of its offset."""

    weights: _Weights
    young: dict[int, list[float]] = {}
    old: dict[int, list[float]] = {}

    def offsets(self, traits: Sequence[int], variance: float) -> list[list[float]]:
        """The traits' offsets, made where they are new and counted as used."""
        if len(self.young) + len(traits) > MAX_TRAITS:
            self.old, self.young = self.young, {}
        young, found = self.young, []
        for trait in traits:
            offset = young.get(trait)
            if offset is None:
                offset = young[trait] = self.old.pop(trait, [0.0, variance])
            found.append(offset)
        return found


class Online:
    """Corrects a frozen model for the agent at hand, learning from every outcome.

    >>> online = Online()
    >>> before = online.predict("new", model=0.95, counts=0.95, traits=(7,))
    >>> for _ in range(20):
    ...     online.learn("new", model=0.95, counts=0.95, traits=(7,), success=False)
    >>> online.predict("new", model=0.95, counts=0.95, traits=(7,)) < 0.4 < before
    True
    """

    __slots__ = ("_agents", "_prior")

    def __init__(self, prior: Prior | None = None) -> None:
        self._prior = prior or Prior()
        self._agents: dict[str, _Agent] = {}

    def predict(
        self, agent: str, *, model: float, counts: float, traits: Sequence[int] = ()
    ) -> float:
        """Probability that a step succeeds; changes nothing.

        Parameters
        ----------
        agent
            Whose step it is, as in `onward.data.events.Call.agent`.
        model
            What the frozen model says; the counts again where there is no model.
        counts
            What the running counts say.
        traits
            What the step shares with others, from `onward.models.traits.traits_of`.
        """
        m, r = _log_odds(model), _log_odds(counts)
        known = self._agents.get(agent)
        if known is None:
            a, b, c = self._start()
            return _probability(a + b * m + c * r)
        weights = known.weights
        z = weights.a + weights.b * m + weights.c * r
        young, old = known.young, known.old
        for trait in traits:
            found = young.get(trait) or old.get(trait)
            if found:
                z += found[0]
        return _probability(z)

    def learn(
        self, agent: str, *, model: float, counts: float, traits: Sequence[int] = (), success: bool
    ) -> None:
        """Take in an outcome; the arguments are those of the prediction before it."""
        known = self._known(agent)
        weights, drifts = known.weights, self._prior.drifts
        weights.aa += drifts[0]
        weights.bb += drifts[1]
        weights.cc += drifts[2]
        m, r = _log_odds(model), _log_odds(counts)
        gain = weights.spread(m, r)
        z = weights.a + weights.b * m + weights.c * r
        doubt = gain[0] + gain[1] * m + gain[2] * r
        offsets = known.offsets(traits, self._prior.trait)
        for mean, variance in offsets:
            z += mean
            doubt += variance
        p = _probability(z)
        steepness = p * (1.0 - p)
        share = 1.0 / (1.0 + steepness * doubt)
        miss, certainty = (success - p) * share, steepness * share
        weights.move(gain, miss, certainty)
        for offset in offsets:
            variance = offset[1]
            offset[0] += variance * miss
            offset[1] = variance - certainty * variance * variance

    def weights(self, agent: str) -> tuple[float, float, float]:
        """Bias, trust in the model and trust in the counts, as learned for an agent so far."""
        known = self._agents.get(agent)
        if known is None:
            return self._start()
        return known.weights.a, known.weights.b, known.weights.c

    def seen(self, agent: str) -> int:
        """Outcomes that were learned of an agent."""
        known = self._agents.get(agent)
        return known.weights.seen if known else 0

    def dump(self) -> dict[str, Any]:
        """The state as plain JSON values, exact to the last bit."""
        return {
            "prior": msgspec.to_builtins(self._prior),
            "agents": [
                [name, msgspec.to_builtins(known.weights), *_rows(known)]
                for name, known in self._agents.items()
            ],
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Online:
        """Back from `dump`; raises `BundleError` where it is none."""
        try:
            online = cls(msgspec.convert(state["prior"], Prior))
            # Earlier versions kept a second regression between the weights and the traits.
            for name, weights, *_, young, old in state["agents"]:
                first = msgspec.convert(weights, _Weights)
                online._agents[str(name)] = _Agent(first, _table(young), _table(old))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the state of the online layer cannot be read: {error}") from error
        return online

    def _start(self) -> tuple[float, float, float]:
        """Weights of an agent never met: the mean of the prior and of the agents that are known."""
        rows = [self._prior.weights]
        rows += [(k.weights.a, k.weights.b, k.weights.c) for k in self._agents.values()]
        a, b, c = (sum(column) / len(rows) for column in zip(*rows, strict=True))
        return a, b, c

    def _known(self, agent: str) -> _Agent:
        """An agent's state, made where it is new and counted as used."""
        known = self._agents.pop(agent, None)
        if known is None:
            known = _Agent(_Weights(*self._start(), *self._prior.variances))
            if len(self._agents) >= MAX_AGENTS:
                self._agents.pop(next(iter(self._agents)))
        self._agents[agent] = known
        return known


def _rows(known: _Agent) -> list[list[list[float]]]:
    """Young and old traits as rows of key, mean, variance, in order of first use."""
    return [[[trait, *offset] for trait, offset in t.items()] for t in (known.young, known.old)]


def _table(rows: Sequence[Sequence[float]]) -> dict[int, list[float]]:
    """Traits back from rows."""
    return {int(trait): [float(mean), float(variance)] for trait, mean, variance in rows}
