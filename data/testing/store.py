"""The file in which runs of tests are kept: ``tests.db`` in the state directory.

It is a file of its own and no part of the history. What a test ran is derived: running the tests
again gives it again, so losing the file costs one full run and no knowledge of the agent. A run
of a thousand tests would be a thousand events each time, and what they rest on is replaced, not
appended. The newest `KEPT_RUNS` runs stay.
"""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from onward.data.errors import NotFound, StoreError
from onward.data.testing.runs import Result, TestRecord, TestRun
from onward.data.testing.source import Source

__all__ = ["FILE", "KEPT_RUNS", "TestStore"]

FILE = "tests.db"
KEPT_RUNS = 300
_VERSION = 1
_T = TypeVar("_T")
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, at REAL, body BLOB);
CREATE TABLE IF NOT EXISTS sources (digest TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, key TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS imports (path TEXT PRIMARY KEY, blocks BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT, digest TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tests (
  node TEXT PRIMARY KEY, run INTEGER, result TEXT, duration REAL, blocks BLOB, rest BLOB
) WITHOUT ROWID;
"""


class TestStore:
    """Runs of tests on disk.

    Parameters
    ----------
    path
        The file; made where there is none, unless `read_only`.
    read_only
        Changes nothing.

    Raises
    ------
    NotFound
        There is no file to read.
    StoreError
        It cannot be used, or a later version of onward made it.
    """

    __test__ = False

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        if read_only and not path.exists():
            raise NotFound(f"No run of tests is recorded at {path}; run `pytest --onward` first.")
        with _translated(str(path)):
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            mode = "ro" if read_only else "rwc"
            place = f"{path.absolute().as_uri()}?mode={mode}"
            self._db = sqlite3.connect(place, uri=True, timeout=30.0, isolation_level=None)
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found == 0 and not read_only:
                self._db.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
                found = _VERSION
        if found != _VERSION:
            self._db.close()
            raise StoreError(
                f"{path} was made by another version of onward; delete it and run all tests once.",
                path=str(path),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of what is written inside, or nothing."""
        with _translated(str(self._path)):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    # -- runs ----------------------------------------------------------------------------------

    def add_run(self, run: TestRun) -> int:
        """Keep a run; gives its number. Runs that nothing needs any more are forgotten."""
        body = zlib.compress(msgspec.msgpack.encode(run), 1)
        sql = "INSERT INTO runs (at, body) VALUES (?, ?)"
        number = self._db.execute(sql, (run.at, body)).lastrowid or 0
        self._db.execute(
            "DELETE FROM runs WHERE id <= ? AND id NOT IN (SELECT run FROM tests)",
            (number - KEPT_RUNS,),
        )
        return number

    def runs(self, numbers: Iterable[int] | None = None) -> Iterator[TestRun]:
        """Runs in order, all or those of these numbers."""
        if numbers is None:
            rows = self._read("SELECT id, body FROM runs ORDER BY id")
        else:
            wanted = ",".join(str(int(number)) for number in sorted(set(numbers)))
            rows = self._read(f"SELECT id, body FROM runs WHERE id IN ({wanted}) ORDER BY id")  # noqa: S608  # numbers only
        for number, body in rows:
            yield msgspec.structs.replace(self._decoded(_unpacked(body), TestRun), id=number)

    def last_run(self) -> TestRun | None:
        """The newest run."""
        rows = self._read("SELECT max(id) FROM runs")
        return None if rows[0][0] is None else next(self.runs([rows[0][0]]))

    # -- tests ---------------------------------------------------------------------------------

    def put_tests(self, tests: Iterable[TestRecord]) -> None:
        """Keep what is known of tests, in place of what was."""
        self._db.executemany(
            "INSERT OR REPLACE INTO tests VALUES (?, ?, ?, ?, ?, ?)",
            (
                (one.node, one.run, one.result.value, one.duration, _packed(one.blocks), _rest(one))
                for one in tests
            ),
        )

    def tests(self) -> dict[str, TestRecord]:
        """Every test that ever ran and was not forgotten, by its id."""
        found = {}
        sql = "SELECT node, run, result, duration, blocks, rest FROM tests"
        for node, run, result, duration, blocks, rest in self._read(sql):
            reads, modules, opaque = self._decoded(rest, tuple[list[str], list[str], bool])
            found[node] = TestRecord(
                node=node,
                run=run,
                result=Result(result),
                duration=duration,
                blocks=_numbers(blocks),
                reads=reads,
                modules=modules,
                opaque=opaque,
            )
        return found

    def forget_tests(self, nodes: Iterable[str]) -> None:
        """Forget tests that are no more."""
        self._db.executemany("DELETE FROM tests WHERE node = ?", ((node,) for node in nodes))

    # -- what they rest on -----------------------------------------------------------------------

    def number_blocks(self, keys: Sequence[str]) -> list[int]:
        """The lasting number of each block, by its ``path::block``."""
        self._db.executemany(
            "INSERT OR IGNORE INTO blocks (key) VALUES (?)", ((key,) for key in keys)
        )
        known = {key: number for number, key in self.blocks().items()}
        return [known[key] for key in keys]

    def blocks(self) -> dict[int, str]:
        """Number -> ``path::block`` of all blocks that ever ran."""
        return dict(self._read("SELECT id, key FROM blocks"))

    def put_imports(self, imports: Mapping[str, Iterable[int]]) -> None:
        """Keep which blocks ran while files were imported."""
        self._db.executemany(
            "INSERT OR REPLACE INTO imports VALUES (?, ?)",
            ((path, _packed(sorted(blocks))) for path, blocks in imports.items()),
        )

    def imports(self) -> dict[str, list[int]]:
        """File -> numbers of the blocks that ran while it was imported."""
        rows = self._read("SELECT path, blocks FROM imports")
        return {path: _numbers(blocks) for path, blocks in rows}

    def put_sources(self, sources: Iterable[Source]) -> None:
        """Keep parsed files by their hash."""
        self._db.executemany(
            "INSERT OR IGNORE INTO sources VALUES (?, ?)",
            ((one.digest, zlib.compress(msgspec.msgpack.encode(one), 1)) for one in sources),
        )

    def sources(self, digests: Iterable[str]) -> dict[str, Source]:
        """Those of these parsed files that are kept."""
        found = {}
        for digest in set(digests):
            for (body,) in self._read("SELECT body FROM sources WHERE digest = ?", digest):
                found[digest] = self._decoded(_unpacked(body), Source)
        return found

    def put_stamps(self, stamps: Mapping[str, tuple[str, str]]) -> None:
        """Keep each file's stamp (size and time) and hash, in place of all that were."""
        self._db.execute("DELETE FROM files")
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
            ((path, stamp, digest) for path, (stamp, digest) in stamps.items()),
        )

    def stamps(self) -> dict[str, tuple[str, str]]:
        """Path -> stamp and hash, as last seen."""
        rows = self._read("SELECT path, stamp, digest FROM files")
        return {path: (stamp, digest) for path, stamp, digest in rows}

    def put_state(self, name: str, body: bytes) -> None:
        """Keep a folded state."""
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, body))

    def state(self, name: str) -> bytes | None:
        """A folded state, or None."""
        rows = self._read("SELECT body FROM state WHERE name = ?", name)
        return rows[0][0] if rows else None

    # -- reading -------------------------------------------------------------------------------

    def _read(self, sql: str, *values: object) -> list[Any]:
        with _translated(str(self._path)):
            return self._db.execute(sql, values).fetchall()

    def _decoded(self, body: bytes, kind: type[_T]) -> _T:
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise StoreError(
                f"{self._path} is damaged; delete it and run all tests once.", path=str(self._path)
            ) from error


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """What SQLite raises, as ours; the store of the history knows how."""
    try:
        yield
    except (sqlite3.Error, OSError):
        from onward.data.store.engine import translated  # slow to import, and hardly ever needed

        with translated(where):
            raise


def _rest(one: TestRecord) -> bytes:
    return msgspec.msgpack.encode((one.reads, one.modules, one.opaque))


def _packed(numbers: Sequence[int]) -> bytes:
    """Ascending numbers as bytes: the distances between them, compressed."""
    steps = array("i", (now - before for now, before in zip(numbers, [0, *numbers], strict=False)))
    return zlib.compress(steps.tobytes(), 1)


def _numbers(body: bytes) -> list[int]:
    steps = array("i")
    steps.frombytes(_unpacked(body))
    return list(accumulate(steps))


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise StoreError("tests.db is damaged; delete it and run all tests once.") from error
