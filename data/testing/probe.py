"""Which blocks a test ran, without tracing.

Python's tracing slows every instruction down. So while a probe is installed, files of the project
are compiled with one more statement at the beginning of each block, which sets a byte. Nothing
is written to disk, line numbers, names and docstrings stay, and the byte array is no global of
the module. What is not Python is seen by an audit hook: files that were read, directories that
were listed, processes that were started.

What it cannot see, it says: modules that were imported before it came, and files that were loaded
in other ways, are `Probe.unseen`; a test that started a process or loaded a library is ``opaque``.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import msgspec

from onward.data.testing.source import functions

__all__ = ["Probe", "Seen"]

_MARK = "\0onward\0"
"""Stands in compiled code where the byte array will."""
_OPAQUE_TEXT = """
subprocess.Popen os.fork os.forkpty os.exec os.posix_spawn os.spawn os.system ctypes.dlopen
socket.connect
"""
_OPAQUE = frozenset(_OPAQUE_TEXT.split())
_REMEMBERED = 20_000
_LISTS = frozenset({"os.listdir", "os.scandir"})


class Seen(msgspec.Struct, kw_only=True):
    """What was seen during a stretch of time."""

    blocks: list[int] = []
    """Numbers of the blocks that ran, ascending; `Probe.keys` has their names."""
    reads: set[str] = set()
    """Files that were opened, below the root; directories that were listed end with ``/``."""
    modules: set[str] = set()
    """Files that were imported."""
    opaque: bool = False
    """Something ran that cannot be seen: a process, a foreign library, a connection."""

    def joined(self, others: Iterable[Seen]) -> Seen:
        """All of it and of others as one."""
        parts = (self, *others)
        return Seen(
            blocks=sorted(set().union(*(one.blocks for one in parts))),
            reads=set().union(*(one.reads for one in parts)),
            modules=set().union(*(one.modules for one in parts)),
            opaque=any(one.opaque for one in parts),
        )


class _Hits(bytearray):
    """A byte for each block; a constant of code, and so hashable by identity."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()  # where code is pickled and runs elsewhere, nobody listens


class Probe:
    """Watches what runs below a directory.

    Parameters
    ----------
    root
        The project; links in its path are resolved.
    skip
        Whether a file, by its path below the root, is none of the project's.

    Attributes
    ----------
    keys
        ``path::block`` by number.
    ran_at_import
        File -> numbers of the blocks that ran while it was imported.
    loaded
        Files whose blocks are watched.
    unseen
        Files that were imported before it came.
    """

    def __init__(self, root: Path, *, skip: Callable[[str], bool] = lambda path: False) -> None:
        self.root = os.path.realpath(root) + os.sep
        self.keys: list[str] = []
        self.ran_at_import: dict[str, set[int]] = {}
        self.unseen: set[str] = set()
        self.loaded: set[str] = set()
        self._skip = skip
        self._below: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._hits = _Hits()
        self._seen = Seen(reads=set(), modules=set())
        self._active = False
        self._loading = 0
        self._original: tuple[Any, Any] | None = None

    def install(self) -> None:
        """Begin to watch; only imports from now on are seen."""
        for module in list(sys.modules.values()):
            path = self.below(getattr(module, "__file__", None) or "")
            if path:
                self.unseen.add(path)
        self._original = SourceFileLoader.get_code, SourceFileLoader.exec_module
        get_code, exec_module = self._original

        def watched_code(loader: SourceFileLoader, name: str) -> CodeType | None:
            path = self.below(loader.path)
            if not path:
                found: CodeType | None = get_code(loader, name)
                return found
            self._loading += 1
            try:
                body = loader.get_data(loader.path)
            finally:
                self._loading -= 1
            return self._compiled(body, loader.path, path)

        def watched_exec(loader: SourceFileLoader, module: ModuleType) -> None:
            path = self.below(loader.path)
            if not path:
                exec_module(loader, module)
            else:
                self._execute(path, lambda: exec_module(loader, module))

        loader: Any = SourceFileLoader
        loader.get_code, loader.exec_module = watched_code, watched_exec
        self._active = True
        sys.addaudithook(self._audit)

    def remove(self) -> None:
        """Stop watching. An audit hook stays for good, and does nothing from now on."""
        self._active = False
        if self._original is not None:
            loader: Any = SourceFileLoader
            loader.get_code, loader.exec_module = self._original
            self._original = None

    def take(self) -> Seen:
        """What was seen since the last call."""
        seen, self._seen = self._seen, Seen(reads=set(), modules=set())
        seen.blocks = self._taken()
        return seen

    def put(self, seen: Seen) -> None:
        """Give back what `take` gave, so that the next call gives it too."""
        for place in seen.blocks:
            self._hits[place] = 1
        self._seen.reads |= seen.reads
        self._seen.modules |= seen.modules
        self._seen.opaque |= seen.opaque

    def unwatched(self) -> list[str]:
        """Files that were imported before it came, or loaded in other ways, in order."""
        modules = list(sys.modules.values())
        paths = {self.below(getattr(module, "__file__", None) or "") for module in modules}
        there = {path for path in paths if path.endswith(".py")}
        return sorted((there - self.loaded) | self.unseen)

    def below(self, path: str) -> str:
        """A path as seen from the root, with ``/``; empty for what is not the project's."""
        known = self._below.get(path)
        if known is None:
            if len(self._below) > _REMEMBERED:
                self._below.clear()
            known = self._below[path] = self._placed(path)
        return known

    def _placed(self, path: str) -> str:
        folder, name = os.path.split(path)
        real = self._real.get(folder)  # resolving links is slow, and folders are few
        if real is None:
            real = self._real[folder] = os.path.realpath(folder) if path else ""
        path = os.path.join(real, name)
        if not path.startswith(self.root):
            return ""
        inside = path[len(self.root) :].replace(os.sep, "/")
        return "" if self._skip(inside) else inside

    def _taken(self) -> list[int]:
        hits, found = self._hits, list[int]()
        place = hits.find(1)
        while place >= 0:
            found.append(place)
            hits[place] = 0
            place = hits.find(1, place + 1)
        return found

    def _execute(self, path: str, execute: Callable[[], None]) -> None:
        """Import a file; what runs meanwhile is counted as its own, not as the importer's."""
        outer = self._taken()
        self._seen.modules.add(path)
        try:
            execute()
        finally:
            self.ran_at_import.setdefault(path, set()).update(self._taken())
            for place in outer:
                self._hits[place] = 1

    def _compiled(self, body: bytes, real: str, path: str) -> CodeType:
        tree = ast.parse(body, real)
        self.loaded.add(path)
        for name, node, _ in functions(tree):
            _mark(node, len(self.keys))
            self.keys.append(f"{path}::{name}")
        self._hits.extend(bytes(len(self.keys) - len(self._hits)))
        code = compile(tree, real, "exec", dont_inherit=True)
        return _filled(code, self._hits)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            self._opened(arguments[0], arguments[1])
        elif event in _LISTS:
            self._listed(arguments[0])
        elif event in _OPAQUE:
            self._seen.opaque = True

    def _opened(self, path: object, mode: object) -> None:
        if self._loading or not isinstance(path, (str, bytes)):
            return
        if isinstance(mode, str) and mode[:1] in "wx":
            return
        inside = self.below(os.path.abspath(os.fsdecode(path)))
        if inside and not inside.endswith(".pyc"):
            self._seen.reads.add(inside)

    def _listed(self, path: object) -> None:
        if sys._getframe(2).f_code.co_filename.startswith("<frozen importlib"):
            return  # the import system looks for modules
        if isinstance(path, (str, bytes)) or path is None:
            where = os.path.abspath(os.fsdecode(path or "."))
            if where + os.sep == self.root:
                self._seen.reads.add("/")
            elif inside := self.below(where):
                self._seen.reads.add(inside + "/")


def _mark(node: ast.FunctionDef | ast.AsyncFunctionDef, number: int) -> None:
    """Sets byte *number* as the first thing that a function does, after its docstring."""
    at = 1 if ast.get_docstring(node, clean=False) is not None else 0
    where = node.body[min(at, len(node.body) - 1)]
    target = ast.Subscript(ast.Constant(_MARK), ast.Constant(number), ast.Store())
    mark = ast.Assign([target], ast.Constant(1))
    for one in ast.walk(mark):
        ast.copy_location(one, where)
        if hasattr(one, "end_lineno"):
            one.end_lineno, one.end_col_offset = where.lineno, where.col_offset  # type: ignore[attr-defined]
    ast.fix_missing_locations(mark)
    node.body.insert(at, mark)


def _filled(code: CodeType, hits: _Hits) -> CodeType:
    """The code with the byte array wherever a mark stands for it."""
    constants = tuple(
        hits if one == _MARK else _filled(one, hits) if isinstance(one, CodeType) else one
        for one in code.co_consts
    )
    return code.replace(co_consts=constants)
