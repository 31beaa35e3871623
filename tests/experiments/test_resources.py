"""The experiment on resources runs from the command line; the recorder really records."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from onward.data.events import Sample
from onward.data.importers import read_parquet
from onward.features.resources.readings import readings

pytest.importorskip("lightgbm")
pytest.importorskip("pyarrow")

HERE = Path(__file__).parents[2]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script with these arguments."""
    command = [sys.executable, str(HERE / "experiments" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """A small folder of series, laid out as the benchmark is."""
    random = np.random.default_rng(0)
    folder = tmp_path / "resources" / "nab" / "data" / "realCloud"
    folder.mkdir(parents=True)
    for name in ("ec2_cpu_a", "ec2_cpu_b", "disk_c"):
        level = 40.0 + np.cumsum(random.normal(size=500)) + random.normal(size=500)
        lines = ["timestamp,value"]
        for place, value in enumerate(level):
            at = datetime.fromtimestamp(1.4e9 + 300 * place, UTC)
            lines.append(f"{at:%Y-%m-%d %H:%M:%S},{value:.3f}")
        (folder / f"{name}.csv").write_text("\n".join(lines))
    return tmp_path


def test_series_are_judged_by_name_and_method(benchmark: Path) -> None:
    """Each series of processor use gets figures beside its peers, as JSON; others only teach."""
    done = run("resources.py", "--data", str(benchmark), "--json", "--no-runs", "--no-bundled")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"nab/ec2_cpu_a", "nab/ec2_cpu_b", "nab", "nab_unseen"} == set(found)
    one = found["nab/ec2_cpu_a"]
    assert 0.6 < one["cover_15"] < 0.95
    assert {"persistence", "mean_6", "trend_6", "trend_12", "frozen"} == set(one["peers"])
    assert found["nab"]["series"] == 2


def test_without_series_it_says_so(tmp_path: Path) -> None:
    """An empty folder is a clear message and no traceback."""
    done = run("resources.py", "--data", str(tmp_path), "--no-runs")

    assert done.returncode == 2
    assert "no series" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")
def test_runs_really_take_what_they_say(tmp_path: Path) -> None:
    """Recorded runs hold memory and files under their limits, and say where they were refused."""
    out = tmp_path / "runs.parquet"
    shapes = ("--shapes", "steady", "accelerating")
    done = run("resource_runs.py", "--out", str(out), "--runs", "18", "--scale", "1200", *shapes)
    assert done.returncode == 0, done.stderr
    runs: dict[str, list[Sample]] = {}
    for event in read_parquet(out):
        assert isinstance(event, Sample)
        runs.setdefault(event.host, []).append(event)

    ends = {host: next(iter(readings(found[-1].values).values())) for host, found in runs.items()}
    assert any(host.startswith("steady-memory") for host in runs)
    assert any(one.refused for one in ends.values())
    assert all(one.used <= 1.1 * one.limit for one in ends.values())


def test_the_bundled_runs_are_small_and_varied() -> None:
    """They take less than a megabyte, are of fourteen kinds, and many of them are exhausted."""
    file = HERE / "data" / "sample" / "resources.parquet"
    samples = [event for event in read_parquet(file) if isinstance(event, Sample)]
    refused = {one.host for one in samples if any(r.refused for r in readings(one.values).values())}
    hosts = {one.host for one in samples}

    assert file.stat().st_size <= 1_000_000
    assert len({host.split("-")[0] for host in hosts}) == 14
    assert 0.25 < len(refused) / len(hosts) < 0.75
    assert len({one.id for one in samples}) == len(samples)
