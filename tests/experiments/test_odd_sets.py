"""Experiments on sets of one or two repositories, and beside a set that holds next to nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.experiments.test_hazard import write_set
from tests.mending import mending_log

pytest.importorskip("lightgbm")

from experiments import confidence, fixes, hazard, next_task
from experiments.confidence import words_peer
from experiments.held_out.sets import read_sets

from onward.features.progress.fold import Progress
from onward.models.hazard import folded

SCRIPTS = {"confidence": confidence.main, "hazard": hazard.main, "next_task": next_task.main}


def write_good(folder: Path) -> None:
    """Six steps of two sessions; all go well."""
    folder.mkdir(parents=True)
    with gzip.open(folder / "steps.jsonl.gz", "wt") as out:
        for number in range(6):
            row = {"session": f"s{number % 2}", "tool": "bash", "input": {"command": "ls"}}
            out.write(json.dumps(row | {"ok": True}) + "\n")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of one repository, one of two, and one of six steps that all went well."""
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "single", seed=0, sessions=40, projects=1)
    write_set(folder / "double", seed=1, sessions=40, projects=2)
    write_good(folder / "odd")
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_odd_set_costs_the_others_nothing(
    script: str, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sets of one and of two repositories get their figures, beside one that is left out."""
    status = SCRIPTS[script](["--train", str(sets), "--json"])
    told = capsys.readouterr()
    found = json.loads(told.out)

    assert status == 0
    assert {"single", "double"} <= found.keys()
    assert "odd" not in found
    assert f"{script}: odd is left out: " in told.err
    ours = found["single"].get(script, found["single"])
    metric = "top1" if script == "next_task" else "brier"
    assert ours[f"{metric}_low"] < ours[f"{metric}_high"]  # over sessions: one repository has none


@pytest.mark.parametrize("script", SCRIPTS)
def test_where_no_set_can_be_judged(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six steps alone end with 2 and a sentence that names their set."""
    write_good(tmp_path / "odd")
    status = SCRIPTS[script](["--train", str(tmp_path), "--json"])
    told = capsys.readouterr()

    assert (status, told.out) == (2, "")
    assert "odd is left out" in told.err


def test_fixes_of_one_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks of a single repository are judged by other sessions; the odd set is left out."""
    (tmp_path / "single").mkdir()
    with gzip.open(tmp_path / "single" / "steps.jsonl.gz", "wb") as out:
        for _, step in mending_log(110, seed=0):
            out.write(msgspec.json.encode(msgspec.structs.replace(step, project="", at=0.0)))
            out.write(b"\n")
    write_good(tmp_path / "odd")
    status = fixes.main(["--train", str(tmp_path), "--alone", "--json"])
    told = capsys.readouterr()

    assert status == 0
    assert json.loads(told.out).keys() == {"single", "single by repository"}
    assert "fixes: odd is left out: " in told.err


def test_words_where_all_went_well(tmp_path: Path) -> None:
    """The peer says what it knows where it met one outcome alone."""
    write_good(tmp_path / "odd")
    (odd,) = read_sets(tmp_path)

    assert words_peer([odd], odd).tolist() == [1.0] * 6


def test_peers_of_the_hazard_without_windows_of_ones_own(tmp_path: Path) -> None:
    """A training set too short for any window leaves the peers what the other sets taught."""
    write_set(tmp_path / "more", seed=0)
    write_set(tmp_path / "test", seed=1, sessions=6)
    write_good(tmp_path / "odd")
    more, odd, test = read_sets(tmp_path)
    found = hazard.judge([odd], [folded(more.log, Progress())], test)

    assert {"counts", "base", "repeat_3"} <= found.said.keys()
    assert all(np.isfinite(p).all() for p in found.said.values())


def test_a_test_set_without_steps_is_left_out(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --test, too, a set of prompts alone costs the others nothing."""
    write_set(tmp_path / "single", seed=2, sessions=10, projects=1)
    (tmp_path / "said").mkdir()
    with gzip.open(tmp_path / "said" / "steps.jsonl.gz", "wt") as out:
        out.write(json.dumps({"session": "s", "kind": "prompt", "text": "go on"}) + "\n")
    status = confidence.main(["--train", str(sets), "--test", str(tmp_path), "--json"])
    told = capsys.readouterr()

    assert status == 0
    assert json.loads(told.out).keys() == {"single", "cold_start"}
    assert "confidence: said is left out: " in told.err
