"""The learned systems beside decisions: folded, fitted, and judged beside their trivial peers.

Each goes the same way. Its own fold turns the log into rows; the oldest fit a model, the newest
judge it. What ships is fitted once more, on all of them. Where the judged one does not surely beat
the best of its peers, the bundle says so and serving answers by the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event
from onward.models.base import Learned, Rows
from onward.models.bundle import PartFacts
from onward.training.metrics import bootstrap_gain
from onward.training.parity import Exported, check_gap

__all__ = ["Log", "PartDraft", "System", "brier_losses", "fit_systems", "nll_losses"]

Floats = NDArray[np.float64]
Log = Callable[[], Iterable[tuple[int, Event]]]
"""Reads the events with their places, from the first to the last; may be called again."""

TEST_SHARE = 0.2
"""The newest rows, which judge a fit without them."""
LEAST_ROWS = 200
"""With fewer rows nothing is learned."""
PARITY_ROWS = 64
"""Rows that go into a bundle to prove the exported model by."""
MAX_EVENTS = 40_000
"""The newest events that these systems learn from; it bounds their time on long histories."""


@dataclass(frozen=True, slots=True)
class System:
    """How one learned system is trained.

    Parameters
    ----------
    rows
        Folds a log into rows.
    model
        Makes the model, not yet fitted.
    peers
        What the trivial peers say to the second table, having seen the first.
    losses
        (n,) what each row costs, lower is better, from ``y`` and what was said to it.
    loss
        What that loss is called.
    """

    rows: Callable[[Iterable[tuple[int, Event]]], Rows]
    model: Callable[[], Learned]
    peers: Callable[[Rows, Rows], Mapping[str, NDArray[Any]]]
    losses: Callable[[Floats, NDArray[Any]], Floats]
    loss: str
    said: Callable[[Any, NDArray[np.float32]], NDArray[Any]] = lambda model, X: model.predict(X)
    """What serving says to rows, where that is not just what the model predicts."""


@dataclass(frozen=True, slots=True)
class PartDraft:
    """A learned system that is ready to be published."""

    name: str
    onnx: bytes
    facts: dict[str, Any]
    """What serving needs beside the ONNX file."""
    X: NDArray[np.float32]
    """Rows that prove the export."""
    native: NDArray[np.float32]
    """What the fitted model says to them, as wide as the ONNX output."""
    about: PartFacts


def brier_losses(y: Floats, p: NDArray[Any]) -> Floats:
    """(n,) squared distance of a probability (n,) from what happened."""
    return np.asarray((p - y) ** 2, np.float64)


def nll_losses(y: Floats, p: NDArray[Any]) -> Floats:
    """(n,) negative log-likelihood in nats of classes (n, k); no mistake costs more than 10."""
    chosen = p[np.arange(len(y)), y.astype(np.intp)]
    return np.asarray(-np.log(np.maximum(chosen, np.exp(-10.0))), np.float64)


def fit_systems(
    systems: Sequence[System], log: Log, *, seed: int, tell: Callable[[str, float], None]
) -> tuple[list[PartDraft], list[str]]:
    """Fit every system whose data suffices; gives them, and a note on each that is missing.

    Parameters
    ----------
    systems
        Those to be trained.
    log
        The history.
    seed
        Decides every random choice.
    tell
        Told how far each is.
    """
    parts, notes = list[PartDraft](), list[str]()
    for system in systems:
        name = system.model().name
        stage = f"learning {name.replace('_', ' ')}"
        tell(stage, 0.0)
        try:
            parts.append(_fitted(system, system.rows(log()), seed=seed))
        except NotEnoughData as error:
            notes.append(f"{name} is not learned yet: {error.message}")
        tell(stage, 1.0)
    return parts, notes


def _fitted(system: System, rows: Rows, *, seed: int) -> PartDraft:
    train, test = _by_time(rows)
    judged = system.model().fit(train, seed=seed)
    losses = {"": system.losses(test.y, system.said(judged, test.X))}
    peers = system.peers(train, test)
    losses |= {name: system.losses(test.y, np.asarray(said)) for name, said in peers.items()}
    model = system.model().fit(rows, seed=seed)
    X, body = rows.X[-PARITY_ROWS:], model.to_onnx()
    return PartDraft(
        name=model.name,
        onnx=body,
        facts=model.facts(),
        X=X,
        native=_proven(model, body, X),
        about=_about(model, losses, test, loss=system.loss, seed=seed),
    )


def _proven(model: Learned, body: bytes, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the model says to the rows, as wide as its export; raises `BundleError` if they part."""
    exported = Exported(body).output(X)
    native = np.asarray(model.predict(X), np.float64)
    if native.ndim == 1:
        two = exported.shape[1] == 2
        native = np.stack([1.0 - native, native], axis=1) if two else native[:, np.newaxis]
    check_gap(model.name, exported, native)
    return native.astype(np.float32)


def _by_time(rows: Rows) -> tuple[Rows, Rows]:
    """The oldest rows, and the newest."""
    if len(rows) < LEAST_ROWS:
        raise NotEnoughData(
            f"there are {len(rows)} rows to learn from, and {LEAST_ROWS} are needed.",
            rows=len(rows),
            needed=LEAST_ROWS,
        )
    cut = int(np.searchsorted(rows.seq, rows.seq[int(len(rows) * (1.0 - TEST_SHARE))]))
    return rows[:cut], rows[cut:]  # rows of one event stay together


def _about(
    model: Learned, losses: dict[str, Floats], test: Rows, *, loss: str, seed: int
) -> PartFacts:
    """The gate's word; a peer that says nothing to some of the rows is none."""
    means = {name: float(each.mean()) for name, each in losses.items()}
    if not np.isfinite(means[""]):
        raise NotEnoughData("what it says to later rows cannot be judged.", rows=len(test))
    means = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    best = min((name for name in means if name), key=means.__getitem__)
    gain = bootstrap_gain(
        _mean_loss, losses[best], losses[best], losses[""], groups=test.group, seed=seed
    )
    # `gain` is the peer's mean loss less the model's: the metric looks at what was said only.
    passed = gain.low > 0
    verb = "beats" if passed else "does not surely beat"
    return PartFacts(
        names=model.names,
        features=model.features,
        beats_peer=passed,
        ruling=f"{verb} {best} by {gain.value:.4f} {loss} [{gain.low:.4f}, {gain.high:.4f}] "
        f"on {len(test)} later rows",
        metrics={f"loss.{name}" if name else "loss": value for name, value in means.items()},
        card=model.card(),
    )


def _mean_loss(_y: Floats, losses: Floats) -> float:
    return float(losses.mean())
