"""The experiment on a fresh install and a user's own steps runs from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.experiments.test_confidence import write_set
from tests.experiments.test_odd_sets import write_good

pytest.importorskip("lightgbm")

SCRIPT = Path(__file__).parents[2] / "experiments" / "own_history.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_steps_are_learned(tmp_path: Path) -> None:
    """Where files decide what fails, own steps make the shipped version tell them apart."""
    write_set(tmp_path / "timed", seed=0, timed=True)
    done = run("--train", str(tmp_path), "--own", "0,all", "--json")
    found = json.loads(done.stdout)["timed"]

    assert (done.returncode, done.stderr) == (0, "")
    assert found["0"]["live"] == ["bundled"]
    assert found["all"]["live"] == ["own"]
    assert found["all"]["onward"]["n"] == 180
    assert found["all"]["onward"]["brier"] < found["0"]["onward"]["brier"]


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A folder without sets and numbers that are none end with a sentence, not a traceback."""
    empty, odd = run("--train", str(tmp_path)), run("--train", str(tmp_path), "--own", "many")

    assert (empty.returncode, odd.returncode) == (2, 2)
    assert "No set" in empty.stderr
    assert "--own takes" in odd.stderr
    assert "Traceback" not in empty.stderr + odd.stderr


def test_a_set_without_steps_of_ones_own_is_named(tmp_path: Path) -> None:
    """A test set that no training set shares its name with is said to be left out."""
    write_set(tmp_path / "train" / "mine", seed=0, timed=True)
    write_set(tmp_path / "test" / "theirs", seed=1, timed=True)
    done = run("--train", str(tmp_path / "train"), "--test", str(tmp_path / "test"))

    assert done.returncode == 2
    assert "theirs is left out" in done.stderr
    assert "No set could be judged" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_fails_nothing_is_trained(tmp_path: Path) -> None:
    """A set without a failing step ends with a sentence, before any training."""
    write_good(tmp_path / "good")
    done = run("--train", str(tmp_path))

    assert done.returncode == 2
    assert "came out alike" in done.stderr
    assert "Traceback" not in done.stderr
