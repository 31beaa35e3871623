"""Every learned system beside decisions, as training knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.events import Event
from onward.data.importers.parquet import read_parquet
from onward.data.samples import resources_path
from onward.data.testing.store import FILE, TestStore
from onward.features.fixes.mined import Mined, mine
from onward.features.fixes.remedies import REMEDY_NAMES
from onward.features.sentences import Embedder
from onward.models import (
    affected,
    attempts,
    clusters,
    fixes,
    forecast,
    hazard,
    intent,
    memory,
    next_task,
    transient,
)
from onward.models.base import Learned, Rows
from onward.training.systems import System, brier_losses, nll_losses

__all__ = ["all_systems"]

Log = Iterable[tuple[int, Event]]
_FIX_PEERS = ("share_signature", "share_kind", "share_all")


def all_systems(
    embedder: Embedder | None = None,
    home: Path | None = None,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
) -> list[System]:
    """The systems that a history is learned by.

    ``causes`` is not among them: a history holds no categories of builds' failures to learn from.

    Parameters
    ----------
    embedder
        The sentence model, for what compares texts; None = they are compared by their words.
    home
        The state directory, where runs of tests may be recorded; None = there are none.
    wanted
        Whether a system of this name is to be learned.
    """
    tests = None if home is None else home / FILE
    mined = _mined_once()
    every = [
        System(next_task.rows, next_task.NextTask, next_task.peers, brier_losses, "Brier"),
        System(hazard.rows, hazard.Hazard, hazard.peers, brier_losses, "Brier", said=_standstill),
        System(
            lambda log: fixes.rows_of(mined(log)),
            fixes.FixRanker,
            _fix_peers,
            brier_losses,
            "Brier",
            said=_fix_shares,
        ),
        System(
            lambda log: attempts.rows_of(mined(log)),
            attempts.Attempts,
            attempts.peers,
            brier_losses,
            "Brier",
            said=_passes,
        ),
        System(
            lambda log: transient.rows_of(mined(log)),
            transient.Transient,
            transient.peers,
            brier_losses,
            "Brier",
        ),
        System(
            partial(clusters.rows, embedder=embedder),
            partial(clusters.Pairs, forward=True),
            _pair_peers,
            brier_losses,
            "Brier",
        ),
        System(
            partial(memory.rows, embedder=embedder),
            memory.Ranker,
            _memory_peers,
            brier_losses,
            "Brier",
        ),
        System(
            partial(intent.rows, embedder=embedder),
            intent.Intent,
            intent.peers,
            nll_losses,
            "nats",
        ),
        System(
            _resource_rows,
            forecast.Forecast,
            forecast.peers,
            forecast.losses,
            "pinball and Brier",
            said=_forecast,
        ),
        *([] if tests is None or not tests.exists() else [_affected(tests)]),
    ]
    return [system for system in every if wanted(system.model().name)]


def _affected(path: Path) -> System:
    """P(fail) of tests: from their own record, which the log knows nothing of."""

    def rows(_log: Log) -> Rows:
        with TestStore(path, read_only=True) as store:
            return affected.rows(store.runs())

    return System(rows, affected.Affected, _affected_peers, brier_losses, "Brier", said=_passes)


def _affected_peers(train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    """Those of the trivial ways that say probabilities."""
    said = affected.peers(train, test)
    return {name: said[name] for name in ("counts", "base")}


def _mined_once() -> Callable[[Log], list[Mined]]:
    """Mines a log for fixes the first time that it is asked to, for all that learn from them."""
    found: list[list[Mined]] = []

    def mined(log: Log) -> list[Mined]:
        if not found:
            found.append(list(mine(log)))
        return found[0]

    return mined


def _standstill(model: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(model.probability(X))


def _passes(model: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(model.calibrated(X))


def _forecast(model: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(model.served(X))


def _fix_shares(model: Learned, X: NDArray[np.float32]) -> NDArray[np.float64]:
    return fixes.shares(model.predict(X)).ravel()


def _fix_peers(_train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    """Shares of each fix so far: for errors of this signature, for this kind of check, overall."""
    return {
        name: fixes.shares(np.exp(test.X[:, place].astype(np.float64))).ravel()
        for place, name in enumerate(REMEDY_NAMES)
        if name in _FIX_PEERS
    }


def _pair_peers(train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    return {"base": np.full(len(test), train.y.mean())} | clusters.peers(test)


def _memory_peers(train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    """The base rate, and each search's score made a probability by the training rows."""
    said = {"base": np.full(len(test), train.y.mean())}
    before = memory.peers(train, train)
    for name, scores in memory.peers(train, test).items():
        said[name] = _ranked(before[name], train.y, scores)
    return said


def _ranked(
    known: NDArray[np.float64], y: NDArray[np.float64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(1) by a logistic regression on one score."""
    from sklearn.linear_model import LogisticRegression

    if len(set(y.tolist())) < 2:
        return np.full(len(asked), y.mean())
    model = LogisticRegression().fit(known[:, np.newaxis], y)
    return np.asarray(model.predict_proba(asked[:, np.newaxis])[:, 1])


def _resource_rows(events: Log) -> Rows:
    """Readings of the history, behind those that come recorded: a new machine has seen no end."""
    recorded = list(read_parquet(resources_path()))
    return forecast.rows(chain(enumerate(recorded, start=-len(recorded)), events))
