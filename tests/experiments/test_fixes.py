"""The experiment on fixes runs from the command line on any set of this layout."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.mending import mending_log

pytest.importorskip("lightgbm")

SCRIPT = Path(__file__).parents[2] / "experiments" / "fixes.py"


def test_a_test_folder_is_judged_by_set_and_method(tmp_path: Path) -> None:
    """With --test every set gets the figures of every method beside its peers, as JSON."""
    for place, seed in (("train", 0), ("test", 1)):
        folder = tmp_path / place / "made-up"
        folder.mkdir(parents=True)
        with gzip.open(folder / "steps.jsonl.gz", "wb") as out:
            for _, step in mending_log(110, seed=seed):
                out.write(msgspec.json.encode(step) + b"\n")
    command = [sys.executable, str(SCRIPT), "--train", str(tmp_path / "train")]
    command += ["--test", str(tmp_path / "test"), "--alone", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)

    assert done.returncode == 0, done.stderr
    methods = json.loads(done.stdout)["made-up"]
    assert methods["onward"]["attempt_auc"] > methods["action"]["attempt_auc"]
    assert methods["onward"]["hit_1"] > methods["overall"]["hit_1"]
    assert methods["onward"]["hit_1_low"] <= methods["onward"]["hit_1_high"]
    assert {"words", "base", "backed_off", "ridge", "keyword"} <= methods.keys()


def test_an_empty_folder_is_said_as_such(tmp_path: Path) -> None:
    """A folder without sets ends with 2 and a sentence, not a traceback."""
    command = [sys.executable, str(SCRIPT), "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "steps.jsonl" in done.stderr
