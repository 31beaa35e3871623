"""Systems beside decisions: what cannot be judged is left out, and said so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("lightgbm")
pytest.importorskip("sklearn")

from tests.models.test_hazard import log

from onward.models import hazard
from onward.models.base import Rows
from onward.training.systems import PartDraft, System, brier_losses, fit_systems


def nothing(_model: Any, X: NDArray[np.float32]) -> NDArray[Any]:
    """No number for any row."""
    return np.full(len(X), np.nan)


def one_silent(train: Rows, test: Rows) -> dict[str, NDArray[np.float64]]:
    """The base rate, and a peer that has no number for some rows."""
    silent = np.full(len(test), train.y.mean())
    silent[::7] = np.nan
    return {"silent": silent, "base": np.full(len(test), train.y.mean())}


def learned(**changes: Any) -> tuple[list[PartDraft], list[str]]:
    """The hazard, trained in some other way."""
    ways: dict[str, Any] = {"said": lambda model, X: model.probability(X), "peers": hazard.peers}
    system = System(
        hazard.rows, hazard.Hazard, losses=brier_losses, loss="Brier", **(ways | changes)
    )
    return fit_systems([system], log, seed=0, tell=lambda stage, share: None)


def test_what_says_no_number_is_left_out() -> None:
    """A system whose loss on later rows is no number is not published, and a note says so."""
    parts, notes = learned(said=nothing)

    assert parts == []
    assert notes == ["hazard is not learned yet: what it says to later rows cannot be judged."]


def test_a_peer_that_says_no_number_is_no_peer() -> None:
    """Where a peer is silent on some rows it is not measured against, and leaves no figure."""
    (part,), notes = learned(peers=one_silent)

    assert notes == []
    assert set(part.about.metrics) == {"loss", "loss.base"}
    assert " base by " in part.about.ruling
