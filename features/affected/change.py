"""What differs between two states of a project, as far as tests could notice.

Blocks changed for themselves; names got another meaning, and pass it on to what is made of them
while modules are imported; files are *loud* where their import may do more than define names.
What cannot be judged makes the change *wide*: then it may touch every test.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigError
from typing import Any

import msgspec

from onward.data.testing.source import ANY, Source, Statement
from onward.features.affected.imports import Imports

__all__ = ["Change", "Tree", "change_between", "kind_of", "settings_of", "spread"]

_NATIVE_TEXT = ".c .h .cc .cpp .hpp .pyx .pxd .pxi .rs .f90 .f .so .pyd .dll .dylib"
_NATIVE = _NATIVE_TEXT.split()
_PROSE_TEXT = ".md .rst .txt .png .jpg .gif .svg .po .pot .css .in .lock .yml .yaml .bat .sh"
_PROSE = _PROSE_TEXT.split()
_PROSE_NAMES_TEXT = "LICENSE COPYING AUTHORS CHANGES CHANGELOG README NEWS PKG-INFO MAKEFILE"
_PROSE_NAMES = _PROSE_NAMES_TEXT.split()
_BESIDE_TEXT = "docs doc .github examples example benchmarks benchmark changelog.d"
_BESIDE = _BESIDE_TEXT.split()
_CONFIG = frozenset({"pyproject.toml", "setup.cfg", "pytest.ini", "tox.ini", "pytest.toml"})
_BUILD = frozenset({"setup.py", "noxfile.py", "tasks.py", "conf.py", "versioneer.py"})
# parts of pyproject.toml that no test runs by
_ASIDE_TEXT = """
build-system project.version project.description project.readme project.classifiers
project.authors project.maintainers project.urls project.keywords project.license project.license-
files project.dynamic project.optional-dependencies dependency-groups tool.ruff tool.black
tool.isort tool.mypy tool.flake8 tool.pylint tool.pyright tool.coverage tool.towncrier
tool.setuptools tool.setuptools_scm tool.flit tool.hatch tool.poetry tool.uv tool.tox
tool.cibuildwheel tool.sphinx tool.codespell tool.interrogate tool.bumpversion tool.pdm
tool.check-manifest
"""
_ASIDE = frozenset(_ASIDE_TEXT.split())
_RUN_BY = frozenset({"tool:pytest", "pytest", "options.entry_points"})


class Tree(msgspec.Struct, kw_only=True):
    """One state of a project."""

    digests: dict[str, str]
    """Path -> hash of its content."""
    sources: dict[str, Source]
    """Path -> the parsed file, of each ``.py``."""
    settings: str = ""
    """What `settings_of` gave."""
    environment: str = ""
    """Hash of the Python and its packages."""
    links: dict[str, str] = {}
    """Directories that are links to others of the project."""
    graph: Imports | None = None

    def imports(self) -> Imports:
        """Its import graph."""
        if self.graph is None:
            self.graph = Imports(self.sources, self.links)
        return self.graph


class Change(msgspec.Struct, kw_only=True):
    """What differs."""

    files: set[str] = set()
    """Files that differ, are new or gone."""
    blocks: set[str] = set()
    """``path::block`` of those whose code differs or is gone."""
    added: set[str] = set()
    """Those that are new."""
    docs: set[str] = set()
    """Those of which only the docstring differs."""
    names: dict[str, set[str]] = {}
    """Name whose meaning differs -> the files in which it began."""
    loud: set[str] = set()
    """Files whose import may have other effects."""
    gone: set[str] = set()
    """Python files that are no more."""
    data: set[str] = set()
    """Other files that differ, which somebody may read."""
    prose: set[str] = set()
    """Other files that differ, which no test reads unless it was seen to."""
    conftests: set[str] = set()
    """Directories whose ``conftest.py`` differs."""
    wide: list[str] = []
    """Why it may touch every test; empty: it does not."""

    def __bool__(self) -> bool:
        return bool(self.files or self.wide)


def kind_of(path: str) -> str:
    """``python``, ``conftest``, ``config``, ``build``, ``native``, ``prose`` or ``data``.

    >>> kind_of("src/a.py"), kind_of("docs/index.rst"), kind_of("tests/cases.json")
    ('python', 'prose', 'data')
    """
    name = path.rpartition("/")[2]
    suffix = f".{name.rpartition('.')[2]}"
    beside = path.partition("/")[0] in _BESIDE or ".egg-info/" in path
    stem = name.partition(".")[0].upper()
    kinds = {
        "conftest": name == "conftest.py",
        "config": name in _CONFIG,
        "build": name in _BUILD and "/" not in path,
        "native": suffix in _NATIVE,
        "python": suffix == ".py" and not beside,
        "prose": beside or suffix in _PROSE or stem in _PROSE_NAMES,
    }
    return next((kind for kind, holds in kinds.items() if holds), "data")


def settings_of(files: Mapping[str, bytes]) -> str:
    r"""What the settings files at the root say that tests may run by, as one text.

    A file that cannot be parsed counts as it is.

    >>> settings_of({"pyproject.toml": b"[project]\nversion = '2'"})
    '[]'
    """
    parts = []
    for name in sorted(_CONFIG & files.keys()):
        body = files[name]
        try:
            found = _toml(body) if name.endswith(".toml") else _ini(body, name)
        except (ValueError, ConfigError):
            found = {name: body.hex()}
        if found:
            parts.append([name, found])
    return msgspec.json.encode(parts, order="sorted", enc_hook=str).decode()


def _toml(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, rows in tomllib.loads(body.decode()).items():
        for name, value in rows.items() if isinstance(rows, dict) else [("", rows)]:
            key = f"{section}.{name}"
            if section not in _ASIDE and key not in _ASIDE:
                found[key] = value
    return found


def _ini(body: bytes, name: str) -> dict[str, Any]:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read_string(body.decode())
    wanted = parser.sections() if name == "pytest.ini" else _RUN_BY.intersection(parser.sections())
    return {section: dict(parser[section]) for section in wanted}


def change_between(old: Tree, new: Tree) -> Change:
    """Compare two states of a project."""
    change = Change(names=defaultdict(set))
    if old.environment != new.environment:
        change.wide.append("the Python or its packages are others")
    if old.settings != new.settings:
        change.wide.append("the settings that tests run by differ")
    for path in old.digests.keys() | new.digests.keys():
        before, after = old.digests.get(path), new.digests.get(path)
        if before != after:
            change.files.add(path)
            _compare(change, path, old, new)
    if change.names or change.loud:
        spread(change, old)
        spread(change, new)
    return change


def _compare(change: Change, path: str, old: Tree, new: Tree) -> None:
    kind = kind_of(path)
    if kind == "conftest":
        change.conftests.add(path.rpartition("/")[0])
    elif kind == "native":
        change.wide.append(f"{path} is compiled code")
    elif kind in {"prose", "build"} or (kind == "config" and "/" not in path):
        change.prose.add(path)
    elif kind != "python":
        change.data.add(path)
    elif path.endswith("__init__.py") and (path not in old.digests or path not in new.digests):
        change.wide.append(f"{path} came or went, so packages are others")
    else:
        _compare_python(change, path, old.sources.get(path), new.sources.get(path))


def _compare_python(change: Change, path: str, old: Source | None, new: Source | None) -> None:
    if old is None or new is None:
        change.names[path.rpartition("/")[2].removesuffix(".py")].add(path)
    if new is None:
        change.gone.add(path)
    if (old and old.broken) or (new and new.broken):
        change.loud.add(path)
        return
    _compare_blocks(change, path, old, new)
    if old and new and _effects(old) != _effects(new):
        change.loud.add(path)
    for statement in _differing(old.statements if old else [], new.statements if new else []):
        if statement.effect:
            change.loud.add(path)
        for name in statement.defines:
            change.names[name].add(path)


def _compare_blocks(change: Change, path: str, old: Source | None, new: Source | None) -> None:
    before = {block.name: block for block in old.blocks} if old else {}
    after = {block.name: block for block in new.blocks} if new else {}
    for name in before.keys() | after.keys():
        one, other, key = before.get(name), after.get(name), f"{path}::{name}"
        if one is None:
            change.added.add(key)
        elif other is None or one.code != other.code:
            change.blocks.add(key)
        elif one.doc != other.doc:
            change.docs.add(key)


def _effects(source: Source) -> list[str]:
    """What has effects, in order: the order may matter."""
    return [one.code for one in source.statements if one.effect]


def _differing(old: Iterable[Statement], new: Iterable[Statement]) -> Iterator[Statement]:
    """Statements that stand in only one of two files; where only the order differs, none."""
    left: dict[str, list[Statement]] = defaultdict(list)
    for one in old:
        left[one.code].append(one)
    for one in new:
        if left[one.code]:
            left[one.code].pop()
        else:
            yield one
    for rest in left.values():
        yield from rest


def spread(change: Change, tree: Tree) -> None:
    """What is made of a name with another meaning has another meaning too; changes *change*."""
    graph = tree.imports()
    origins = set().union(*change.names.values()) | change.loud
    files = [
        (path, source, reached)
        for path, source in tree.sources.items()
        if (reached := origins.intersection(graph.reach(path)))
    ]
    moved = True
    while moved:
        moved = False
        for path, source, reached in files:
            for statement in source.statements:
                moved |= _pass_on(change, path, statement, reached)


def _pass_on(change: Change, path: str, statement: Statement, reached: set[str]) -> bool:
    names = statement.names
    if ANY in names:
        began = {place for places in change.names.values() for place in places} & reached
    else:
        began = set().union(*(change.names[n] for n in names if n in change.names)) & reached
    if not began:
        return False
    moved = False
    if statement.effect and path not in change.loud:
        change.loud.add(path)
        moved = True
    for name in statement.defines:
        if not began <= change.names[name]:
            change.names[name] |= began
            moved = True
    return moved
