"""The experiment on P(success) runs from the command line and beats knowing nothing."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lightgbm")

SCRIPT = Path(__file__).parents[2] / "experiments" / "confidence.py"
PEERS = {"onward", "frozen", "frozen_recalibrated", "counts", "counts_recalibrated", "program"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def write_set(folder: Path, *, seed: int, timed: bool) -> None:
    """Steps of six repositories: a file that was never listed cannot be read."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    with gzip.open(folder / "steps.jsonl.gz", "wt") as out:
        for number in range(900):
            known = random.random() < 0.7
            row: dict[str, Any] = {
                "session": f"s{number // 10}",
                "project": f"p{number // 150}",
                "agent": folder.name,
                "tool": "bash",
                "input": {"command": f"cat {'a' if known else 'b'}{number % 7}.py"},
                "ok": bool(random.random() < (0.97 if known else 0.4)),
            }
            out.write(json.dumps(row | ({"at": 1e9 + number} if timed else {})) + "\n")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two sets, one with times and one without."""
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "timed", seed=0, timed=True)
    write_set(folder / "untimed", seed=1, timed=False)
    return folder


def test_a_test_folder_is_judged_by_set_and_method(sets: Path, tmp_path: Path) -> None:
    """With --test every set of it, never met in training, gets the figures of every method."""
    write_set(tmp_path / "timed", seed=2, timed=True)
    write_set(tmp_path / "untimed", seed=3, timed=False)
    done = run("--train", str(sets), "--test", str(tmp_path), "--json")
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    timed, untimed = found["timed"], found["untimed"]
    assert {"onward", *timed["peers"]} >= PEERS
    assert untimed["auc"] > untimed["peers"]["base"]["auc"] + 0.1
    for figures in (timed, timed["peers"]["counts"]):
        assert {"coverage_at_5", "error_at_10", "n", "ece_low"} <= set(figures)


def test_without_sets_it_says_so(tmp_path: Path) -> None:
    """An empty folder is a clear message and no traceback."""
    done = run("--train", str(tmp_path))

    assert done.returncode == 2
    assert "No set" in done.stderr
    assert "Traceback" not in done.stderr
