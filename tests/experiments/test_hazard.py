"""The experiment on the hazard runs from the command line, and its stuck runs are real."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightgbm")

from experiments.stuck_runs import play

SCRIPT = Path(__file__).parents[2] / "experiments" / "hazard.py"
METHODS = {"hazard", "base", "repeat_3", "repeat_4", "repeat_5", "since_gain", "counts"}
WORDS = ("ash", "beech", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")


def write_set(folder: Path, *, seed: int, sessions: int = 60, projects: int = 6) -> None:
    """Sessions of some repositories that now and then get stuck."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    with gzip.open(folder / "steps.jsonl.gz", "wt") as out:
        for session in range(sessions):
            idle = 0
            for _ in range(18):
                stuck = random.random() < (0.15 if idle < 2 else 0.7)
                idle = idle + 1 if stuck else 0
                words = " ".join(random.choice(WORDS, 5))
                row = {
                    "session": f"s{session}",
                    "project": f"p{session % projects}",
                    "agent": "a",
                    "tool": "bash",
                    "input": {"command": "make" if stuck else f"cat {words.split()[0]}"},
                    "ok": not stuck,
                    "output": "boom" if stuck else words,
                }
                out.write(json.dumps(row) + "\n")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_figures_come_by_set_method_and_metric(tmp_path: Path) -> None:
    """Every method gets every metric with its interval; the stuck runs stand beside them."""
    write_set(tmp_path / "train" / "one", seed=0)
    write_set(tmp_path / "test" / "one", seed=1)
    done = run("--train", str(tmp_path / "train"), "--test", str(tmp_path / "test"), "--json")
    found = json.loads(done.stdout)

    assert done.returncode == 0
    assert set(found["one"]) == METHODS
    assert {"auc", "ece_low", "precision_at_5", "literal_auc"} <= set(found["one"]["counts"])
    assert found["one"]["hazard"]["auc"] > 0.6
    assert {"alarm_after", "stuck", "right"} <= set(found["stuck_runs"]["same_call"])
    assert found["speed"]["answer_p50"] > 0


def test_without_sets_it_says_so(tmp_path: Path) -> None:
    """An empty folder is a clear message and no traceback."""
    done = run("--train", str(tmp_path))

    assert done.returncode == 2
    assert "No set" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stuck_run_is_real(tmp_path: Path) -> None:
    """Its outputs are those of commands that ran: the program that it writes is there."""
    played = play("other_words", folder=tmp_path)

    assert (tmp_path / "shop.py").exists()
    assert played.stuck
    assert all(step.exit_code for step in played.steps[played.begins :])
