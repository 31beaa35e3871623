"""A piece of the bundled history, and a home that was trained on it once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from onward.data.events import Event, Step
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import sample_path
from onward.data.store import History
from onward.training.loop import Trained, train
from onward.training.settings import TrainSettings

STEPS = 6000
AWAY = "http://127.0.0.1:9"
"""A tracking URI where nobody answers, and says so at once."""


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """The bundled history up to its 6,000th step."""
    found: list[Event] = []
    steps = 0
    for event in read_path(sample_path()):
        if isinstance(event, BrokenLine):
            continue
        found.append(event)
        steps += isinstance(event, Step)
        if steps == STEPS:
            break
    return found


@pytest.fixture(scope="session")
def filled(events: list[Event]) -> Callable[[Path], TrainSettings]:
    """Makes a home with these events in its history; MLflow is away unless told otherwise."""

    def fill(home: Path, count: int = len(events)) -> TrainSettings:
        home.mkdir(parents=True, exist_ok=True)
        with History.open(home / "history.db") as history:
            history.append(events[:count])
        return TrainSettings(home=str(home), mlflow_uri=AWAY, without=("all",))

    return fill


@pytest.fixture(scope="session")
def _trained(
    filled: Callable[..., TrainSettings], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainSettings, Trained]:
    """Trained once for all; nobody may change it."""
    settings = filled(tmp_path_factory.mktemp("trained") / "home")
    return settings, train(settings)


@pytest.fixture
def trained(
    _trained: tuple[TrainSettings, Trained], tmp_path: Path
) -> tuple[TrainSettings, Trained]:
    """A copy of a trained home of one's own, and what its training came to."""
    settings, result = _trained
    shutil.copytree(settings.home, tmp_path / "home")
    again = TrainSettings(home=str(tmp_path / "home"), mlflow_uri=AWAY, without=("all",))
    return again, result
