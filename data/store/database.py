"""One open database: its transactions, and its tables when it is new."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onward.data.errors import StoreError
from onward.data.store.engine import Engine, connect, parse_url, place_of, translated
from onward.data.store.schema import POSTGRES, SCHEMA, SQLITE, Statements

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["Database"]


class Database:
    """Connections are opened and pooled for it; statements go to the driver as they are.

    SQLAlchemy does that for PostgreSQL, `SqlitePool` for SQLite. A statement through SQLAlchemy's
    own execution costs some 20 µs more, a tenth of the synchronization that an append waits for.
    """

    def __init__(self, engine: Engine, sql: Statements, where: str) -> None:
        self.sql = sql
        self._where = where
        self._engine = engine
        self._writing = threading.Lock()
        self._writer: Any = None  # kept open between transactions

    @classmethod
    def open(cls, url_or_path: str | Path, *, read_only: bool, busy_s: float) -> Database:
        """Open, and make the tables where there are none; see `History.open`."""
        url = parse_url(url_or_path)
        sql = SQLITE if isinstance(url, Path) else POSTGRES
        where = place_of(url)
        with translated(where):
            database = cls(connect(url, read_only=read_only, busy_s=busy_s), sql, where)
        try:
            if not read_only:
                database._make()
            database._check()
        except BaseException:
            database.close()
            raise
        return database

    def _make(self) -> None:
        if not self._is_made():
            self._create()
        if self.meta("schema") == "1":
            self._upgrade()

    def _is_made(self) -> bool:
        with self.reading() as cursor:
            cursor.execute(self.sql.is_made)
            return cursor.fetchone() is not None

    def _create(self) -> None:
        with self.reading() as cursor:
            cursor.execute(self.sql.prepare)
        with self.transaction() as cursor:
            for table in self.sql.create.split(";"):
                cursor.execute(table)
            cursor.execute(self.sql.add_meta, ("schema", str(SCHEMA)))
            cursor.execute(self.sql.add_meta, ("identity", secrets.token_hex(8)))

    def _upgrade(self) -> None:
        with self.transaction() as cursor:
            cursor.execute(self.sql.meta, ("schema",))
            row: Any = cursor.fetchone()
            if row[0] == "1":  # else another process was first
                for change in self.sql.upgrade.split(";"):
                    cursor.execute(change)

    def _check(self) -> None:
        made = int(self.meta("schema"))
        if made < SCHEMA:
            raise StoreError(
                f"an earlier version of onward made the history at {self._where}; open it once for "
                "writing, as `onward serve` does, to bring it up to date"
            )
        if made > SCHEMA:
            raise StoreError(
                f"a later version of onward made the history at {self._where}; update onward to "
                "use it"
            )

    def meta(self, name: str) -> str:
        """A fact about the store itself: ``schema`` or ``identity``."""
        with self.reading() as cursor:
            cursor.execute(self.sql.meta, (name,))
            row: Any = cursor.fetchone()
        if row is None:
            raise StoreError(
                f"{self._where} is no history of onward, or its first opening was cut short"
            )
        return str(row[0])

    @contextmanager
    def transaction(self) -> Iterator[DBAPICursor]:
        """A durable transaction of the one writer; what raises in it undoes all of it."""
        with self._writing, translated(self._where):
            connection = self._writer or self._engine.raw_connection()
            self._writer = None
            try:
                with closing(connection.cursor()) as cursor:
                    cursor.execute(self.sql.begin)
                    yield cursor
                    connection.commit()
            except BaseException:
                with suppress(Exception):  # it may be the connection that broke
                    connection.rollback()
                connection.invalidate()
                raise
            self._writer = connection

    @contextmanager
    def reading(self) -> Iterator[DBAPICursor]:
        """A cursor for a look-up; keep it open for a short time only."""
        with translated(self._where):
            connection = self._engine.raw_connection()
            try:
                with closing(connection.cursor()) as cursor:
                    yield cursor
            finally:
                connection.close()  # back to the pool

    def close(self) -> None:
        """Close all connections. Using the database afterwards opens it again."""
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()
