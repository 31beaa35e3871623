"""A project from its source releases, laid out as one working tree, and its tests run in it."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onward.data.errors import NotFound
from onward.data.testing.tree import is_foreign

__all__ = ["PROJECTS", "Desk", "Outcome", "releases"]

PROJECTS: dict[str, tuple[str, ...]] = {
    "toolz": ("0.9.0", "0.10.0", "0.11.0", "0.11.1", "0.11.2", "0.12.0", "0.12.1", "1.0.0"),
    "cachetools": ("4.2.4", "5.0.0", "5.2.0", "5.3.0", "5.3.1", "5.3.3", "5.4.0", "5.5.0"),
    "sqlparse": ("0.4.1", "0.4.2", "0.4.3", "0.4.4", "0.5.0", "0.5.1", "0.5.2", "0.5.3"),
    "itsdangerous": ("1.1.0", "2.0.0", "2.0.1", "2.1.0", "2.1.1", "2.1.2", "2.2.0"),
    "click": ("8.0.4", "8.1.0", "8.1.2", "8.1.3", "8.1.4", "8.1.6", "8.1.7", "8.1.8"),
    "marshmallow": ("3.18.0", "3.19.0", "3.20.0", "3.20.1", "3.21.0", "3.21.2", "3.22.0"),
}
"""Projects whose source releases carry tests that run quickly and without a network."""
NEEDED = ("freezegun", "pytz", "simplejson")
"""Packages that some of their tests import."""
TIMEOUT_S = 240.0


def releases(name: str, data: Path, *, fetch: bool = True) -> list[Path]:
    """The unpacked releases of a project, oldest first; fetched where they are not there yet.

    Raises
    ------
    NotFound
        Fewer than two releases could be had.
    """
    folder = data / name
    if fetch:
        for version in PROJECTS.get(name, ()):
            stem = re.sub(r"[-_.]+", "[-_.]", name)
            if not any(re.fullmatch(f"{stem}-{re.escape(version)}.tar.gz", one.name, re.IGNORECASE)
                       for one in folder.glob("*.tar.gz")):  # fmt: skip
                _pip("download", "--no-binary", ":all:", "-d", str(folder), f"{name}=={version}")
    found = []
    for archive in folder.glob("*.tar.gz"):
        version = archive.name.removesuffix(".tar.gz").rpartition("-")[2]
        if name in PROJECTS and version not in PROJECTS[name]:
            continue
        place = folder / "unpacked" / version
        if not place.exists():
            with tarfile.open(archive) as file:
                _unpack(file, place)
        found.append(next(one for one in sorted(place.iterdir()) if one.is_dir()))
    if len(found) < 2:
        raise NotFound(f"Fewer than two releases of {name} lie in {folder}.", path=str(folder))
    return sorted(found, key=lambda one: _numbers(one.parent.name))


def extras(data: Path) -> Path:
    """A folder with the packages that some tests need; those that cannot be had are left out."""
    folder = data / "_site"
    if not folder.exists():
        folder.mkdir(parents=True)
        for name in NEEDED:
            _pip("install", "--target", str(folder), name)
    return folder


def _pip(what: str, *rest: str) -> None:
    command = [sys.executable, "-m", "pip", what, "-q", "--no-deps", "--no-input", *rest]
    subprocess.run(command, capture_output=True, timeout=300, check=False)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


@dataclass
class Outcome:
    """What one run of pytest did."""

    chosen: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Files that could not be imported."""
    failed: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    """CPU seconds of the process and its children: on a shared machine the clock says little."""
    ended: bool = True
    """False: it ran out of time or crashed."""


class Desk:
    """A working tree that one release after the other is laid into."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.tree = folder / "tree"
        self.folder = folder
        self._site = site
        self.tree.mkdir(parents=True, exist_ok=True)

    def lay(self, release: Path, *, but: Sequence[str] = ()) -> list[str]:
        """Make the tree that of a release; files below *but* stay. Gives the paths that moved."""
        there = _files(self.tree)
        wanted = _files(release)
        moved = []
        for path in there.keys() - wanted.keys():
            if not path.startswith(tuple(but)):
                (self.tree / path).unlink()
                moved.append(path)
        for path, source in wanted.items():
            if path.startswith(tuple(but)) and path in there:
                continue
            if path.startswith(tuple(but)) and but:
                continue
            target = self.tree / path
            if target.exists() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            moved.append(path)
        return sorted(moved)

    def run(
        self, *options: str, home: str = "", cached: str = "", timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        """Run pytest with these options; *home* names the state of the tool that records."""
        told = self.folder / "told.json"
        told.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "pytest", "-q"]
        command += ["-o", f"cache_dir={self.folder / 'cache'}"]  # testmon needs one
        command += ["-p", "experiments.affected.told", "--continue-on-collection-errors"]
        command += ["-o", "addopts=", "-o", "filterwarnings=default", "-o", "xfail_strict=false"]
        ended = True
        try:
            done = subprocess.run(
                [*command, *options],
                cwd=self.tree,
                env=self._env(home, cached),
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
            ended = done.returncode in {0, 1, 2, 5}
        except subprocess.TimeoutExpired:
            ended = False
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if not told.exists():
            return Outcome(cpu_s=cpu, ended=False)
        return _read(told, cpu, ended)

    def _env(self, home: str, cached: str) -> dict[str, str]:
        root = Path(__file__).parents[2]
        source = self.tree / "src"
        paths = [source if source.is_dir() else self.tree, root / "src", root, self._site]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONHASHSEED": "0",
            "TOLD_TO": str(self.folder / "told.json"),
            "ONWARD_HOME": str(self.folder / (home or "home")),
            "TESTMON_DATAFILE": str(self.folder / f"{home or 'home'}.testmon"),
        }
        if cached:
            env["PYTHONPYCACHEPREFIX"] = str(self.folder / f"cache-{cached}")
        else:
            env["PYTHONDONTWRITEBYTECODE"] = "1"
        return env


def _files(folder: Path) -> dict[str, Path]:
    found = {}
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).as_posix()
        if path.is_file() and not is_foreign(inside):
            found[inside] = path
    return found


def _read(told: Path, cpu_s: float, ended: bool) -> Outcome:
    body = json.loads(told.read_text(encoding="utf-8"))
    results = body["results"]
    return Outcome(
        chosen=body["chosen"],
        broken=body["broken"],
        failed={node for node, (failed, _, _) in results.items() if failed},
        passed={
            node for node, (failed, skipped, _) in results.items() if not failed and not skipped
        },
        seconds={node: seconds for node, (_, _, seconds) in results.items()},
        cpu_s=cpu_s,
        ended=ended,
    )


def _unpack(file: tarfile.TarFile, place: Path) -> None:
    """Take out what lies below the folder; Python before 3.11.4 does not check that itself."""
    if hasattr(tarfile, "data_filter"):
        file.extractall(place, filter="data")
        return
    for member in file.getmembers():
        inside = (place / member.name).resolve().is_relative_to(place.resolve())
        if inside and (member.isfile() or member.isdir()):
            file.extract(member, place)
