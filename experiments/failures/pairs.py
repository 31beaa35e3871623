"""Whether two masked messages say the same, by a model of other systems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from experiments.failures.figures import Figures
from experiments.failures.sets import System

from onward.features.sentences import Embedder
from onward.models import clusters
from onward.training.metrics import auc

__all__ = ["pairs"]


def pairs(train: Sequence[System], test: Sequence[System], embedder: Embedder | None) -> Figures:
    """AUC of "these two say the same", by a model of other systems; and what it would join."""
    own = {id(s): clusters.labelled(s.messages, s.events, s.name, embedder) for s in test}
    more = {id(s): clusters.labelled(s.messages, s.events, s.name, embedder) for s in train}
    found: Figures = {}
    for system in test:
        asked = own[id(system)]
        rest = more or own
        known = [rest[id(s)] for s in train or test if s.name != system.name]
        if not known or len(np.unique(asked.y)) < 2:
            continue
        model = clusters.Pairs().fit(clusters.joined(known))
        said = {"onward": model.predict(asked.X), **clusters.peers(asked)}
        name = f"pairs_{system.name}"
        found[name] = {method: {"auc": auc(asked.y, p)} for method, p in said.items()}
        joins = said["onward"] >= model.threshold
        wrong = float((1 - asked.y[joins]).sum())
        found[name]["onward"] |= {"joined": float(joins.sum()), "joined_wrongly": wrong}
    return found
