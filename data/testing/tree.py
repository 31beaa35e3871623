"""The files of a project and their hashes, read again only where they may have changed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

from onward.data.testing.source import digest_of

__all__ = ["Stamps", "environment", "is_foreign", "links", "scan"]

Stamps = dict[str, tuple[str, str]]
"""Path below the root, with ``/`` -> stamp (size and times) and hash."""
_FOREIGN_TEXT = """
__pycache__ node_modules site-packages venv env build dist htmlcov mlruns
"""
_FOREIGN = frozenset(_FOREIGN_TEXT.split())
_LEFTOVERS = (".pyc", ".pyo", ".testmondata", "-journal", "-wal", "-shm", ".log", "~")
_RACY_S = 2.0
"""A file that is younger than this may change again without a new stamp."""


def is_foreign(path: str) -> bool:
    """Whether a path below a project is none of its own: hidden, built or installed.

    >>> is_foreign(".git/HEAD"), is_foreign("src/a.py")
    (True, False)
    """
    *folders, name = path.split("/")
    return (
        any(part in _FOREIGN or part.startswith(".") for part in folders)
        or name.startswith(".")
        or name.endswith(_LEFTOVERS)
    )


def scan(root: Path, known: Mapping[str, tuple[str, str]]) -> Stamps:
    """Every file of a project; those whose stamp is *known* are not read again."""
    found: Stamps = {}
    newest = time.time() - _RACY_S
    for path, entry in _files(str(root), ""):
        try:
            facts = entry.stat()
            stamp = f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ctime_ns}"
            before = known.get(path)
            if before is not None and before[0] == stamp:
                found[path] = before
                continue
            digest = digest_of(Path(entry.path).read_bytes())
        except OSError:
            continue  # gone meanwhile, or not to be read: then tests cannot read it either
        found[path] = (stamp if max(facts.st_mtime, facts.st_ctime) < newest else "", digest)
    return found


def _files(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if not is_foreign(path + "/"):
                yield from _files(entry.path, path + "/")
        elif entry.is_file() and not is_foreign(path):
            yield path, entry


def links(root: Path) -> dict[str, str]:
    """Directories that are links to others of the project: path -> the real one's."""
    found: dict[str, str] = {}
    top = os.path.realpath(root) + os.sep
    for folder, folders, _ in os.walk(root):
        prefix = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if prefix == "." else f"{prefix}/"
        folders[:] = [name for name in folders if not is_foreign(f"{prefix}{name}/")]
        for name in folders:
            path = os.path.join(folder, name)
            if os.path.islink(path) and (real := os.path.realpath(path)).startswith(top):
                found[prefix + name] = real[len(top) :].replace(os.sep, "/")
    return found


def environment() -> str:
    """A hash of the Python that runs and of the packages that are installed for it."""
    parts = [sys.version, sys.platform]
    for folder in sys.path:
        if folder.endswith(("site-packages", "dist-packages")) and os.path.isdir(folder):
            parts += [n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-link"))]
    return blake2b("\n".join(sorted(parts)).encode(), digest_size=8).hexdigest()
