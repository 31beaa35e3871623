"""The experiment on affected tests runs from source releases to figures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("lightgbm")

SCRIPT = Path(__file__).parents[2] / "experiments" / "affected_tests.py"
TESTS = """
from made.lib import add, double

def test_add():
    assert add(1, 2) == 3

def test_double():
    assert double(2) == 4
"""
RELEASES = {
    "1.0": "def add(a, b):\n    return a + b\n\ndef double(a):\n    return 2 * a\n",
    "1.1": "def add(a, b):\n    return a + b + 1\n\ndef double(a):\n    return 2 * a\n",
}


def a_release(folder: Path, version: str, code: str) -> None:
    """A source release whose second version breaks one of two tests."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"made-{version}.tar.gz", "w:gz") as archive:
        files = {"made/__init__.py": "", "made/lib.py": code, "tests/test_lib.py": TESTS}
        for name, text in files.items():
            entry = tarfile.TarInfo(f"made-{version}/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script with these arguments."""
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


def test_releases_give_figures(tmp_path: Path) -> None:
    """The broken test is found, the other is skipped, and what it costs stands beside it."""
    (tmp_path / "_site").mkdir()
    for version, code in RELEASES.items():
        a_release(tmp_path / "made", version, code)

    done = run(
        "--data", str(tmp_path), "--projects", "made", "--faults", "0", "--repeats", "1", "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["made"]
    for kind in ("release", "code_first"):
        assert found[kind]["onward"]["recall"] == 1.0
        assert found[kind]["onward"]["skipped"] == 0.5
    assert found["cost"]["onward"]["first"] > 0
    again = run(
        "--data", str(tmp_path), "--projects", "made", "--json", "--plots", str(tmp_path / "plots")
    )
    assert json.loads(again.stdout)["made"] == found
    assert len(list((tmp_path / "plots").glob("*.png"))) == 3


def test_without_releases_it_says_so(tmp_path: Path) -> None:
    """A folder without releases is a clear message and no traceback."""
    (tmp_path / "_site").mkdir()
    done = run("--data", str(tmp_path), "--projects", "made")

    assert done.returncode == 2
    assert "releases" in done.stderr
    assert "Traceback" not in done.stderr
