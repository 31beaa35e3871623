"""What a test ran, without tracing and without changing what it runs."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from onward.data.testing.probe import Probe

SOURCE = '''
"""A module."""
import json

class Box:
    "A box."
    def get(self, key):
        "Gets."
        return key

    def steps(self):
        yield 1

async def later():
    return 2

def fail(n):
    return 1 / n

def reads(path):
    with open(path) as file:
        return file.read()

def outer():
    def inner():
        return 1
    return inner

VALUE = Box().get(3)
'''


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    """An installed probe below which ``watched_one`` lies."""
    (tmp_path / "watched_one.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Probe(tmp_path)
    made.install()
    yield made
    made.remove()
    sys.modules.pop("watched_one", None)


def imported() -> ModuleType:
    """The watched module."""
    return importlib.import_module("watched_one")


def ran(probe: Probe) -> set[str]:
    """Names of the blocks that ran since the last look."""
    return {probe.keys[number].partition("::")[2] for number in probe.take().blocks}


def test_it_sees_each_block_once_it_runs(probe: Probe) -> None:
    """Functions, methods, generators and what is nested are seen under their outermost name."""
    module = imported()
    probe.take()

    module.Box().get(1)
    assert ran(probe) == {"Box.get"}
    list(module.Box().steps())
    assert ran(probe) == {"Box.steps"}
    inner = module.outer()
    assert ran(probe) == {"outer"}
    inner()
    assert ran(probe) == set()


def test_what_runs_at_import_belongs_to_the_file(probe: Probe) -> None:
    """Blocks that a module runs while it is imported are its own, not the importer's."""
    imported()

    seen = probe.take()
    assert seen.blocks == []
    assert seen.modules == {"watched_one.py"}
    names = {probe.keys[n] for n in probe.ran_at_import["watched_one.py"]}
    assert names == {"watched_one.py::Box.get"}


def test_code_is_the_same_to_whoever_looks(probe: Probe) -> None:
    """Docstrings, source, line numbers, globals and hashes of code are what they were."""
    module = imported()

    assert module.Box.get.__doc__ == "Gets."
    assert module.__doc__ == "A module."
    assert "return key" in inspect.getsource(module.Box.get)
    assert {name for name in vars(module) if not name.startswith("__")} == {
        "Box", "VALUE", "fail", "json", "later", "outer", "reads",
    }  # fmt: skip
    assert hash(module.fail.__code__) == hash(module.fail.__code__)
    with pytest.raises(ZeroDivisionError) as caught:
        module.fail(0)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.line == "return 1 / n"


def test_files_folders_and_processes_are_seen(probe: Probe, tmp_path: Path) -> None:
    """Reading a file, listing a directory and starting a process are told; writing is not."""
    module = imported()
    (tmp_path / "data.txt").write_text("x")
    probe.take()

    module.reads(tmp_path / "data.txt")
    assert probe.take().reads == {"data.txt"}
    with pytest.raises(FileNotFoundError):
        module.reads(tmp_path / "missing.txt")
    assert probe.take().reads == {"missing.txt"}
    list(tmp_path.iterdir())
    assert probe.take().reads == {"/"}
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert probe.take().opaque


def test_what_was_imported_before_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was imported before the probe came is told as unseen."""
    (tmp_path / "watched_early.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("watched_early")
    probe = Probe(tmp_path)
    probe.install()
    probe.remove()
    del sys.modules["watched_early"]

    assert probe.unseen == {"watched_early.py"}


def test_a_file_loaded_by_its_path_is_watched(probe: Probe, tmp_path: Path) -> None:
    """Also a module that is loaded from a path, past the import system's search, is watched."""
    (tmp_path / "plug.py").write_text("def go():\n    return 1\n")
    spec = importlib.util.spec_from_file_location("plug", tmp_path / "plug.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    probe.take()

    module.go()
    assert ran(probe) == {"go"}
