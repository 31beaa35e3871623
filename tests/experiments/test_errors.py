"""The experiment on errors runs from the command line and beats its peers on made-up data."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("drain3")
pytest.importorskip("sklearn")

from experiments.failures.grouping import f1_of_groups, f1_of_pairs, grouping_accuracy

SCRIPT = Path(__file__).parents[2] / "experiments" / "errors.py"
NAMES = ("ann", "bob", "cid", "dan", "eve", "fay")
SAYINGS = {"COMPILE": "cannot find symbol in class", "TEST": "assertion failed in some tests"}


def write(folder: Path) -> Path:
    """Two systems and a table of failed builds."""
    for system in ("Lamp", "Pump"):
        place = folder / "errors" / "loghub_2k" / system
        place.mkdir(parents=True)
        with (place / f"{system}_2k.log_structured.csv").open("w", newline="") as out:
            table = csv.writer(out)
            table.writerow(["Content", "EventId"])
            for number in range(60):
                name = NAMES[number % len(NAMES)]
                table.writerow([f"{system} opened for {name} at {number}", "E1"])
                table.writerow([f"{system} closed after {number} ms by order", "E2"])
    cases = folder / "errors" / "bump"
    cases.mkdir(parents=True)
    with gzip.open(cases / "failures.jsonl.gz", "wt") as out:
        for number in range(60):
            kind = list(SAYINGS)[number % 2]
            log = f"[INFO] start\n[ERROR] {SAYINGS[kind]} p{number % 5}\n"
            row = {"case": str(number), "project": f"p{number % 5}", "category": kind, "log": log}
            out.write(json.dumps(row) + "\n")
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


def test_the_script_prints_figures(tmp_path: Path) -> None:
    """With --json: by set, method and metric, with intervals; words that vary are found."""
    done = run("--data", str(write(tmp_path)), "--json", "--draws", "10", "--quick")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loghub"]["onward"]["ga"]["value"] == 1.0
    assert found["loghub"]["masks_only"]["ga"]["value"] < 1.0
    assert {"onward", "regexes", "tfidf_whole_log"} <= set(found["bump"])
    assert found["bump"]["onward"]["accuracy"]["value"] == 1.0
    assert found["speed"]["known"]["p50_us"] > 0


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    """A folder without data ends with one sentence and status 2."""
    done = run("--data", str(tmp_path))

    assert done.returncode == 2
    assert "holds neither" in done.stderr
    assert "Traceback" not in done.stderr


def test_measures_are_the_published_ones() -> None:
    """A group counts only when it is exactly an event; pairs count by themselves."""
    true = ["a", "a", "b", "b"]

    assert grouping_accuracy([1, 1, 1, 1], true) == 0.0
    assert f1_of_pairs([1, 1, 1, 1], true) == pytest.approx(0.5)
    assert f1_of_groups([1, 1, 2, 3], true) == pytest.approx(0.4)
