"""SQLite by its own driver: connections that are kept open for whoever comes next.

It has the two methods of SQLAlchemy's engine that the store uses. SQLAlchemy itself would cost a
server on SQLite a fifth of a second at every start and 20 MB for as long as it runs.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from pathlib import Path

from onward.data.errors import StoreError

__all__ = ["NO_ROOM", "SqliteConnection", "SqlitePool", "has_room"]

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says on a full disk, beyond a quota, and beyond the size that files may have."""
_PROBE_BYTES = 1 << 16
KEPT = 8
"""Idle connections that stay open."""


class SqlitePool:
    """Connections to one SQLite file.

    All of them are to the file that the first one found or made: one that takes its place
    later is another history.

    Parameters
    ----------
    path
        The file; made by the first connection where there is none, unless `read_only`.
    read_only
        Changes nothing.
    busy_s
        Seconds to wait for another writer.
    """

    def __init__(self, path: Path, *, read_only: bool, busy_s: float) -> None:
        self._path = path
        self._text = str(path)
        self._mode = "ro" if read_only else "rwc"
        self._file: tuple[int, int] | None = None  # its device and its number there
        self._busy_s = busy_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []

    def raw_connection(self) -> SqliteConnection:
        """A connection for one user at a time; closing it keeps it for the next."""
        with self._lock:
            idle = self._idle.pop() if self._idle else None
        return SqliteConnection(self, idle or self._opened())

    def dispose(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def keep(self, connection: sqlite3.Connection) -> None:
        """Take a connection back."""
        with self._lock:
            if len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def check(self) -> None:
        """See that the path still leads to the file that is open.

        What is written into a file that was removed is lost when the last one who holds it
        lets go of it, and SQLite does not notice.

        Raises
        ------
        StoreError
            The file was removed, or another one was put in its place.
        """
        try:
            found = os.stat(self._text)
        except FileNotFoundError:
            found = None
        if self._file is None or (found and (found.st_dev, found.st_ino) == self._file):
            return
        what = "replaced by another file" if found else "removed"
        raise StoreError(
            f"the history at {self._path} was {what} while it was in use; nothing more is stored. "
            "Put it back, or start again to use what is there then",
            path=str(self._path),
        )

    def _opened(self) -> sqlite3.Connection:
        self.check()
        connection = self._connected()
        if self._file is None:
            found = self._path.stat()
            self._file = found.st_dev, found.st_ino
            self._mode = self._mode.removesuffix("c")
        return connection

    def _connected(self) -> sqlite3.Connection:
        # Autocommit, because the driver's own BEGIN would not take the write lock at once.
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode={self._mode}",
            uri=True,
            timeout=self._busy_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA synchronous = FULL")
        # A checkpoint synchronizes twice more; every 16 MB instead of every 4 is often enough.
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        # Pages of the index that are read back; more did not make appends faster.
        connection.execute("PRAGMA cache_size = -4096")
        return connection


class SqliteConnection:
    """A connection that is lent out."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: SqlitePool, connection: sqlite3.Connection) -> None:
        self._pool = pool
        self._connection: sqlite3.Connection | None = connection

    def cursor(self) -> sqlite3.Cursor:
        """Somewhere to execute."""
        return self._lent().cursor()

    def commit(self) -> None:
        """Make the transaction durable; raises what `SqlitePool.check` does, and then it is not."""
        self._pool.check()
        self._lent().commit()

    def rollback(self) -> None:
        """Undo the transaction."""
        self._lent().rollback()

    def invalidate(self) -> None:
        """Close it for good: it may be broken."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Give it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.rollback()
            self._pool.keep(connection)

    def _lent(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("this connection was given back")
        return self._connection


def has_room(path: Path) -> bool:
    """Whether files beside a history may still grow beyond it.

    SQLite tells of a full disk, but says only that writing failed where a quota or a limit of
    file size was met; so this tries it.
    """
    import tempfile  # slow to import, and hardly ever needed

    try:
        size = max(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")))
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            written = os.pwrite(probe.fileno(), bytes(_PROBE_BYTES), size)
    except OSError as error:
        return error.errno not in NO_ROOM
    return written == _PROBE_BYTES
