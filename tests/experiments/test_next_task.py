"""The experiment on the next step runs from the command line, on agents and on process logs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightgbm")

SCRIPT = Path(__file__).parents[2] / "experiments" / "next_task.py"
PEERS = {"frozen", "weights", "counts", "ngram", "lightgbm", "frequent"}
COMMANDS = ("cat a.py", "sed -i s/a/b/ a.py", "pytest -q", "git diff")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


def write_agents(folder: Path, *, seed: int) -> None:
    """Rounds of commands; a test that failed is followed by an edit."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    at, good = 0, True
    with gzip.open(folder / "steps.jsonl.gz", "wt") as out:
        for number in range(600):
            at = 1 if not good else (at + 1) % 4
            good = COMMANDS[at] != "pytest -q" or bool(random.random() < 0.5)
            row = {
                "session": f"s{number // 20}",
                "project": f"p{number // 200}",
                "agent": "a",
                "tool": "bash",
                "input": {"command": COMMANDS[at]},
                "at": 1e9 + number,
                "ok": good,
            }
            out.write(json.dumps(row) + "\n")


def write_cases(folder: Path) -> None:
    """A process log of short cases, one of two ways each."""
    folder.mkdir(parents=True)
    lines = ["CaseID,ActivityID,CompleteTimestamp"]
    for case in range(80):
        for place, label in enumerate((1, 2, 3, 4, 5) if case % 2 else (1, 3, 2, 4, 6)):
            clock = datetime.fromtimestamp(1e9 + 9e4 * case + 600 * place, UTC)
            lines.append(f"{case},{label},{clock:%Y-%m-%d %H:%M:%S}")
    (folder / "made.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the layout of the real histories."""
    folder = tmp_path_factory.mktemp("data")
    write_agents(folder / "agents" / "made_agent", seed=0)
    write_cases(folder / "next_task" / "process_logs")
    return folder


def test_agents_and_process_logs_are_judged_in_one_run(data: Path) -> None:
    """Every set gets the figures of the model, with those of its peers beside them."""
    done = run("--data", str(data), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    agents, cases = found["made_agent"], found["made"]
    assert set(agents["peers"]) == PEERS
    assert set(cases["peers"]) == PEERS - {"frozen"} | {"online"}
    assert agents["top1"] > agents["peers"]["frequent"]["top1"] + 0.3
    assert agents["n"] == 120
    assert cases["n"] == 27 * 3  # of 27 cases with 5 events, those after 2, 3 and 4
    assert cases["top1"] > 0.9
    for figures in (agents, cases["peers"]["ngram"]):
        assert {"top1_low", "top3_high", "coverage_70", "precision_70", "ece"} <= set(figures)


def test_one_folder_trains_and_another_is_judged(data: Path, tmp_path: Path) -> None:
    """With --test the whole of the other folder is judged; the agents' folder alone will do."""
    write_agents(tmp_path / "made_agent", seed=7)
    done = run("--train", str(data / "agents"), "--test", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["made_agent"]["n"] == 600


def test_without_sets_it_says_so(tmp_path: Path) -> None:
    """An empty folder is a clear message and no traceback."""
    done = run("--data", str(tmp_path))
    assert done.returncode == 2
    assert "No set" in done.stderr
    assert "Traceback" not in done.stderr
