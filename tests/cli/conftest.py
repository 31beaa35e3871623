"""Running commands: in this process for speed, in one of their own where that matters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from onward.cli import app
from onward.data.events import Event, Step
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import sample_path
from onward.data.store import History
from onward.training.loop import train
from onward.training.settings import TrainSettings

STEPS = 6000
AWAY = "http://127.0.0.1:9"
"""A tracking URI where nobody answers, and says so at once."""


class Run(msgspec.Struct, frozen=True):
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its answer, which is one JSON document and nothing else."""
        return msgspec.json.decode(self.out)


Cli = Callable[..., Run]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty state directory."""
    return tmp_path / "home"


@pytest.fixture
def cli(home: Path) -> Cli:
    """Runs a command in this process, with the home and MLflow away."""

    def run(*arguments: str, stdin: str | bytes = "", **env: str) -> Run:
        settings = {
            "ONWARD_HOME": str(home),
            "ONWARD_MLFLOW_URI": AWAY,
            "ONWARD_WITHOUT": "all",
            **env,
        }
        done = CliRunner().invoke(app, list(arguments), input=stdin, env=settings)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception  # a traceback is a fault of ours
        return Run(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def shell(home: Path) -> Cli:
    """Runs a command as a shell would, in a process of its own."""

    def run(*arguments: str, **env: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "onward", *arguments],
            env={**os.environ, "ONWARD_HOME": str(home), "ONWARD_WITHOUT": "all", **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose history holds a piece of the bundled one; nobody may change it."""
    home = tmp_path_factory.mktemp("filled")
    found = (event for event in read_path(sample_path()) if not isinstance(event, BrokenLine))
    events: list[Event] = []
    steps = 0
    while steps < STEPS:
        events += (more := list(islice(found, 100)))
        steps += sum(isinstance(event, Step) for event in more)
    with History.open(home / "history.db") as history:
        history.append(events)
    return home


@pytest.fixture(scope="session")
def _live(_filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a live version; nobody may change it."""
    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(_filled, home)
    train(TrainSettings(home=str(home), mlflow_uri=AWAY, without=("all",)))
    return home


@pytest.fixture
def filled(_filled: Path, home: Path) -> Path:
    """A home of one's own whose history holds a piece of the bundled one."""
    return Path(shutil.copytree(_filled, home))


@pytest.fixture
def live(_live: Path, home: Path) -> Path:
    """A home of one's own with a live version."""
    return Path(shutil.copytree(_live, home))
