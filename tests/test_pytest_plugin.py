"""The pytest plugin on small projects: in order, recorded, and never stale."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from onward.serving.answers.affected import Suite

ROOT = Path(__file__).parents[1]

LIBRARY = """
    import functools
    from pkg import settings

    LIMIT = 3

    def add(a, b):
        "Adds."
        return a + b

    def limited(a):
        return min(a, LIMIT)

    def built():
        return {"a": 1}

    @functools.lru_cache
    def table():
        return built()

    def lookup(key):
        return table()[key]

    class Shape:
        sides = 0
        def area(self):
            return 0

    class Square(Shape):
        sides = 4
        def area(self):
            return 4
    """
TESTS = """
    import json
    import pathlib
    import subprocess
    import sys
    import pytest
    from pkg import lib

    HERE = pathlib.Path(__file__).parent

    @pytest.fixture(scope="module")
    def shared():
        return lib.add(1, 1)

    def helper():
        return 1

    def test_add():
        assert lib.add(1, 2) == 3

    def test_limited():
        assert lib.limited(5) == 3

    def test_table_first():
        assert lib.lookup("a") == 1

    def test_table_again():
        assert lib.lookup("a") == 1

    def test_area():
        assert lib.Square().area() == 4

    def test_shared_first(shared):
        assert shared == 2

    def test_shared_again(shared):
        assert shared == 2

    def test_data():
        assert json.loads((HERE / "case.json").read_text()) == {"a": 1}

    def test_listing():
        assert sorted(p.name for p in HERE.glob("*.json"))

    def test_process():
        subprocess.run([sys.executable, "-c", "import pkg.other"], check=True)

    def test_there():
        assert not (HERE / "flag.ini").exists()

    def test_dynamic():
        import importlib
        assert importlib.import_module("pkg.plugin").NAME
    """
FILES = {
    "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n[tool.pytest.ini_options]\n",
    "pkg/__init__.py": "",
    "pkg/settings.py": "DEBUG = False\n",
    "pkg/other.py": "X = 1\n",
    "pkg/plugin.py": "NAME = 'plugin'\n",
    "pkg/lib.py": LIBRARY,
    "tests/test_lib.py": TESTS,
    "tests/test_other.py": "def test_alone():\n    assert True\n",
    "tests/case.json": '{"a": 1}',
    "pkg/table.csv": "1,2",
    "README.md": "Hello\n",
}
ALL = {f"tests/test_lib.py::{line.split()[1].split('(')[0]}" for line in TESTS.splitlines()
       if line.strip().startswith("def test_")} | {"tests/test_other.py::test_alone"}  # fmt: skip


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Files of a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def run(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Pytest with the plugin, in a process of its own."""
    paths = os.pathsep.join([str(folder), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "onward.pytest_plugin", "-v", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ONWARD_HOME": str(folder / ".onward"),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose tests all ran once; nobody may change it."""
    folder = tmp_path_factory.mktemp("recorded") / "project"
    write(folder, FILES)
    done = run(folder, "--onward")
    assert done.returncode == 0, done.stdout
    assert "onward:" not in done.stdout
    return folder


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> Path:
    """The same, to change."""
    import shutil

    return Path(shutil.copytree(recorded, tmp_path / "project"))


def touched(folder: Path) -> set[str]:
    """Tests that must run."""
    with Suite(folder, folder / ".onward", read_only=True) as suite:
        return {one.node.rpartition("::")[2] for one in suite.rank() if one.tier == "must"}


def replace(folder: Path, name: str, old: str, new: str) -> None:
    """One edit."""
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


BLIND = {"test_process", "test_dynamic"}
"""Start a process, or look names up while they run: nobody knows what these rest on."""


def test_nothing_changed_touches_nothing(project: Path) -> None:
    """Right after a run of everything no test is touched, and none is owed."""
    assert touched(project) == set()
    with Suite(project, project / ".onward", read_only=True) as suite:
        assert suite.owed() == []


EDITS = {
    "a body touches who ran it, also through a shared fixture": (
        ("pkg/lib.py", "return a + b", "return b + a"),
        {"test_add", "test_shared_first", "test_shared_again"},
    ),
    "a constant touches who mentions it": (
        ("pkg/lib.py", "LIMIT = 3", "LIMIT = 4"),
        {"test_limited"},
    ),
    "what a cached function ran touches also who found it computed": (
        ("pkg/lib.py", '{"a": 1}', '{"a": 2}'),
        {"test_table_first", "test_table_again"},
    ),
    "a class attribute touches who uses a subclass": (
        ("pkg/lib.py", "sides = 0", "sides = 1"),
        {"test_area"},
    ),
    "a comment touches nobody": (("pkg/lib.py", "LIMIT = 3", "LIMIT = 3  # three"), None),
    "a docstring that nobody reads touches nobody": (("pkg/lib.py", '"Adds."', '"Sums."'), set()),
    "prose touches nobody who was not seen reading it": (("README.md", "Hello", "Bye"), set()),
    "its own body touches the test alone": (
        ("tests/test_lib.py", "lib.add(1, 2) == 3", "lib.add(2, 1) == 3"),
        {"test_add"},
    ),
    "data touches who read it": (("tests/case.json", "1", "2"), {"test_data"}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_touches_what_rests_on_it(project: Path, name: str) -> None:
    """Each edit touches the tests that rest on what it changed, and those that cannot be seen."""
    (path, old, new), wanted = EDITS[name]
    replace(project, path, old, new)

    found = touched(project)
    if wanted is None:
        assert found <= BLIND
    else:
        assert found - BLIND == wanted
        assert "test_process" in found


UNSEEN = {
    "settings": {"pyproject.toml": FILES["pyproject.toml"] + "addopts = '-q'\n"},
    "conftest": {"conftest.py": "X = 1\n"},
    "compiled code": {"pkg/fast.c": "int main;"},
    "data that nobody was seen reading": {"pkg/table.csv": "1,3"},
    "a package that came": {"pkg/sub/__init__.py": ""},
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_cannot_be_seen_touches_everything(project: Path, name: str) -> None:
    """Settings, conftest, compiled code, unknown data and new packages touch every test."""
    write(project, UNSEEN[name])

    assert touched(project) == {one.rpartition("::")[2] for one in ALL}


def test_other_packages_touch_everything(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the installed packages are others, every test is touched."""
    monkeypatch.setattr("onward.serving.answers.affected.environment", lambda: "another")

    assert len(touched(project)) == len(ALL)


def test_a_file_that_is_gone_touches_who_imported_it(project: Path) -> None:
    """A deleted module touches every test whose imports could run it, and no other."""
    (project / "pkg/settings.py").unlink()

    found = touched(project)
    assert found == {one.rpartition("::")[2] for one in ALL} - {"test_alone"}


def test_a_new_file_touches_who_listed_its_folder(project: Path) -> None:
    """A test that listed a directory is touched when a file comes into it."""
    write(project, {"tests/more.json": "{}"})

    assert touched(project) == {"test_listing", "test_there", "test_process"}


def test_a_new_file_touches_who_looks_for_it(project: Path) -> None:
    """A test that asks whether a file is there, without opening it, is touched when one comes."""
    write(project, {"tests/flag.ini": ""})

    assert "test_there" in touched(project)


def test_a_module_imported_by_name_touches_who_imported_it(project: Path) -> None:
    """An import that no import statement tells is seen while it happens."""
    replace(project, "pkg/plugin.py", "'plugin'", "''")

    assert "test_dynamic" in touched(project)


def test_a_module_behind_a_link_touches_who_imports_it(project: Path) -> None:
    """Where a package holds links to folders elsewhere, modules are known by both names."""
    write(project, {"parts/__init__.py": "", "parts/one.py": "SIZE = 1\n"})
    (project / "pkg" / "parts").symlink_to(project / "parts")
    test = "from pkg.parts.one import SIZE\n\n\ndef test_link():\n    assert SIZE\n"
    write(project, {"tests/test_link.py": test})
    assert run(project, "--onward").returncode == 0
    replace(project, "parts/one.py", "1", "2")

    assert touched(project) - BLIND == {"test_link"}


def test_what_nobody_is_seen_importing_touches_everything(project: Path) -> None:
    """A module that only a loader of its own leads to is within reach of every test."""
    loader = """
        import importlib
        TABLE = importlib.import_module("pkg.hid" + "den").TABLE
        def test_hidden():
            assert TABLE
        """
    write(
        project,
        {"pkg/hidden.py": "TABLE = {}\nTABLE.update(a=1)\n", "tests/test_hidden.py": loader},
    )
    assert run(project, "--onward").returncode == 0
    replace(project, "pkg/hidden.py", "a=1", "a=2")

    assert len(touched(project)) == len(ALL) + 1


def test_a_broken_file_touches_who_imports_it(project: Path) -> None:
    """A file that cannot be parsed touches every test that reaches it."""
    replace(project, "pkg/lib.py", "def add(a, b):", "def add(a, b:")

    assert len(touched(project)) == len(ALL) - 1


def test_only_touched_tests_run_and_the_rest_is_owed(project: Path) -> None:
    """With --onward-affected the rest is left out, said, and owed until everything ran."""
    replace(project, "pkg/lib.py", "return a + b", "return a - b")

    done = run(project, "--onward-affected")
    assert done.returncode == 1
    assert "test_add FAILED" in done.stdout
    assert "test_alone" not in done.stdout
    assert "They are owed" in done.stdout
    with Suite(project, project / ".onward", read_only=True) as suite:
        assert "tests/test_other.py::test_alone" in suite.owed()
    assert run(project, "--onward").returncode == 1
    with Suite(project, project / ".onward", read_only=True) as suite:
        assert suite.owed() == []


def test_likeliest_failures_come_first(project: Path) -> None:
    """Without a cut every test runs, those that are touched before the others."""
    replace(project, "pkg/lib.py", "return min(a, LIMIT)", "return max(a, LIMIT)")

    done = run(project, "--onward")
    order = [line.split(" ")[0] for line in done.stdout.splitlines() if "::" in line.split(" ")[0]]
    order = [one for one in dict.fromkeys(order) if one in ALL]
    assert set(order) == ALL
    assert order.index("tests/test_lib.py::test_limited") < 2


def test_a_failed_test_stays_touched_until_it_passes(project: Path) -> None:
    """A failure is chosen again although nothing changed since."""
    replace(project, "pkg/lib.py", "return 4", "return 5")
    run(project, "--onward-affected")

    assert "test_area" in touched(project)
    replace(project, "pkg/lib.py", "return 5", "return 4")
    assert run(project, "--onward").returncode == 0
    assert touched(project) == set()


def test_a_budget_leaves_out_what_does_not_fit(project: Path) -> None:
    """No second at all runs nothing, and says what is owed."""
    done = run(project, "--onward-budget", "0")

    assert "left out" in done.stdout
    assert "PASSED" not in done.stdout


@pytest.mark.parametrize("arguments", [[], ["."], ["--budget", "60"]])
def test_the_command_means_the_current_directory(project: Path, arguments: list[str]) -> None:
    """`onward affected` shows the tests of the directory that it runs in, or of the one named."""
    replace(project, "tests/test_other.py", "True", "1")

    done = subprocess.run(
        [sys.executable, "-m", "onward", "affected", "--ids", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "ONWARD_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "tests/test_other.py::test_alone" in done.stdout.split()


def test_workers_record_as_one(project: Path, tmp_path: Path) -> None:
    """Under xdist the same is recorded as in one process."""
    alone = tmp_path / "alone"
    write(project, {"tests/conftest.py": ""})
    run(project, "--onward", ONWARD_HOME=str(alone))
    many = tmp_path / "many"
    done = run(project, "--onward", "-p", "xdist.plugin", "-n", "2", ONWARD_HOME=str(many))
    assert done.returncode == 0, done.stdout

    def rests(home: Path) -> dict[str, set[str]]:
        with Suite(project, home, read_only=True) as suite:
            known = suite.known()
            return {
                node: {known.blocks[n] for n in one.blocks}
                for node, one in known.records.items()
                if node and "again" not in node and "first" not in node
            }

    assert rests(many) == rests(alone)


def test_without_the_option_nothing_happens(tmp_path: Path) -> None:
    """The plugin that is merely installed leaves no file and changes nothing."""
    write(tmp_path, FILES)

    assert run(tmp_path).returncode == 0
    assert not (tmp_path / ".onward").exists()


def test_a_damaged_file_keeps_no_test_from_running(project: Path) -> None:
    """Where the records cannot be used the tests run as without them, and it is said."""
    (project / ".onward" / "tests.db").write_bytes(b"nothing that can be used" * 100)

    done = run(project, "--onward")
    assert done.returncode == 0
    assert "not ordered or recorded" in done.stdout


def test_the_command_shows_it_as_json(project: Path) -> None:
    """`onward affected` answers one document: what is touched, why, and what is owed."""
    replace(project, "pkg/lib.py", "return min(a, LIMIT)", "return max(a, LIMIT)")
    from typer import Typer
    from typer.testing import CliRunner

    from onward.cli.affected import affected

    app = Typer()
    app.command()(affected)
    done = CliRunner().invoke(app, [str(project), "--json"])
    found = msgspec.json.decode(done.stdout)
    assert found["changed"] == ["pkg/lib.py"]
    first = found["chosen"][0]
    assert first["node"] == "tests/test_lib.py::test_limited"
    assert "limited in pkg/lib.py" in first["reasons"][0]
    assert 0.0 < first["p_fail"] < 1.0
    assert found["owed"] == len(ALL)
    assert CliRunner().invoke(app, [str(project)]).exit_code == 0
