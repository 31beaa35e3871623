"""Messages of one system grouped by what they say, beside other parsers."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from experiments.failures.figures import Figure, Figures, value_of
from experiments.failures.grouping import MEASURES, Groups, grouping_accuracy
from experiments.failures.peers import brain, drain3, published
from experiments.failures.sets import System

from onward.features.errors.masks import masked
from onward.features.errors.templates import VALUES, Miner
from onward.training.metrics import Interval, bootstrap

__all__ = ["templates"]

CHOICES = (3, 4, 5, 6, 8)
"""Values of the one tuned number of the templates."""


def templates(
    train: Sequence[System], test: Sequence[System], *, draws: int, quick: bool
) -> Figures:
    """Figures of each system, and of all of them (``loghub``) with intervals over systems."""
    found: Figures = {}
    for system in test:
        others = [s for s in train or test if s.name != system.name]
        groups = _groups(system, chosen=_choice(others), quick=quick)
        found[system.name] = {
            method: {name: of(said, system.events) for name, of in MEASURES.items()}
            for method, said in groups.items()
        }
    methods = [m for m in found[test[0].name] if all(m in found[s.name] for s in test)]
    whole: dict[str, dict[str, Figure]] = {}
    for method in methods:
        whole[method] = {
            name: _mean([value_of(found[s.name][method][name]) for s in test], draws)
            for name in MEASURES
        }
    return {"loghub": whole, **found}


def _groups(system: System, *, chosen: int, quick: bool) -> dict[str, Groups]:
    late, at_once = _mined(system.messages)
    found: dict[str, Groups] = {
        "onward": late,
        "onward_chosen_on_others": _mined(system.messages, chosen)[0],
        "onward_at_once": at_once,
        "masks_only": [masked(message) for message in system.messages],
        "drain3": drain3(system.messages),
    }
    if not quick:
        found["brain"] = brain(system.messages)
        for name in ("Drain", "Brain"):
            said = published(name, system.name, system.messages)
            if said is not None:
                found[f"{name.lower()}_tuned_for_each_system"] = said
    return found


def _mined(messages: Sequence[str], values: int = VALUES) -> tuple[list[int], list[int]]:
    """The cluster of each message at the end, and the one that it was given when it came."""
    miner = Miner(values=values)
    at_once = [miner.learn(message) for message in messages]
    return [miner.find(masked(message)) for message in messages], at_once


def _choice(systems: Sequence[System]) -> int:
    """The number that does best on some systems; the shipped one where there are none."""
    if not systems:
        return VALUES

    def mean(values: int) -> float:
        said = [grouping_accuracy(_mined(s.messages, values)[0], s.events) for s in systems]
        return statistics.fmean(said)

    return max(CHOICES, key=mean)


def _mean(each: Sequence[float], draws: int) -> Interval:
    values = np.array(each)
    groups = np.arange(len(values))
    return bootstrap(lambda y, _: float(y.mean()), values, values, groups=groups, draws=draws)
