"""The benchmark of predictions runs, on a little of the bundled history."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lightgbm")

from onward.serving.answers.catalogue import seats

SCRIPT = Path(__file__).parents[2] / "experiments" / "bench_models.py"


def test_it_measures_every_question_and_model() -> None:
    """Each question has its times, each trained model both calls, each answerer its cost."""
    quick = ("--events", "1500", "--turns", "2", "--calls", "5", "--json")
    command = [sys.executable, str(SCRIPT), *quick]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert {"next", "hazard", "errors", "forecast", "intent", "memory"} <= found["answers"].keys()
    assert {"next_task", "forecast"} <= found["models"].keys()
    assert found["learning"].keys() == {seat.answerer.name for seat in seats(None)}
    for row in found["answers"].values():
        assert 0.0 < row["p50_us"] <= row["p50_median_us"]
        assert row["p50_us"] <= row["p99_us"]
    for row in found["models"].values():
        assert row["onnx_to_native"] > 0.0
        assert min(row["fold_s"], row["fit_s"], row["rows"]) > 0
