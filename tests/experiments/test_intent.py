"""The experiment on intent runs from the command line, on a set in the layout of the real ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from experiments.intent import main
from tests.talking import talk

from onward.data.events import Prompt, Step


def test_the_experiment_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The script measures a made set and prints its figures as JSON; a wrong folder is told."""
    folder = tmp_path / "made"
    folder.mkdir()
    prompts, steps = [], []
    for _, event in talk(250):
        row = {"traj": event.session, "prompt_time": event.at}
        if isinstance(event, Prompt):
            prompts.append(row | {"kind": "prompt", "prompt": event.text})
        elif isinstance(event, Step):
            steps.append(row | {"tool": event.tool, "input": json.dumps(event.input), "ok": True})
    for name, lines in (("prompts", prompts), ("steps", steps)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as out:
            out.writelines(json.dumps(line) + "\n" for line in lines)
    code = main(["--train", str(tmp_path), "--json", "--plots", str(tmp_path / "plots")])
    figures = json.loads(capsys.readouterr().out)["made"]

    assert code == 0
    assert figures["n"] == 50
    assert figures["onward"]["go_ahead"] > 0.5
    assert figures["onward"]["precision"] > 0.8
    assert figures["prompts as verdicts"]["regret.pairs"] > 200
    assert figures["onward"]["accuracy"] > figures["most frequent"]["accuracy"]
    assert (tmp_path / "plots" / "intent-made.png").exists()
    assert main(["--train", str(tmp_path / "none")]) == 2
    assert "No set" in capsys.readouterr().err
