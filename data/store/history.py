"""The history: what happened, in one order, kept for good."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from onward.data.errors import Conflict, NotFound, StoreError
from onward.data.events import Event
from onward.data.store.blocks import (
    KINDS,
    Block,
    Run,
    as_json,
    id_runs,
    kind_number,
    pack,
    session_key,
    split_id,
    unpack,
)
from onward.data.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["History"]

E_ = TypeVar("E_", bound=Event)

_READ_BLOCKS = 32
"""Blocks fetched at once by a scan: its memory, and how long it holds a snapshot."""


class History:
    """All events that were ever recorded, in the order in which they were.

    Every event has a *seq*: a number that rises by one with each event, in the order of
    commits, on both databases. An append is one durable transaction: when it returns, its
    events survive ``kill -9`` and power loss; when it raises, none of them is there.
    Several threads and processes may append at once: only the one that holds the
    database's write lock gives out seqs, and it lets go of the lock when it commits.

    >>> import tempfile
    >>> from onward.data.events import Outcome, Step
    >>> step = Step(id="a-1", session="s", tool="Read", outcome=Outcome.OK)
    >>> with tempfile.TemporaryDirectory() as folder, History.open(f"{folder}/h.db") as history:
    ...     history.append([step]), history.append([step]), history.get(Step, "a-1") == step
    ([1], [1], True)
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql
        self.identity = database.meta("identity")
        """A name that this history got when it was made and keeps; for caches."""

    @classmethod
    def open(
        cls, url_or_path: str | Path, *, read_only: bool = False, busy_s: float = 5.0
    ) -> History:
        """Open a history, and make it where there is none.

        Parameters
        ----------
        url_or_path
            A path, ``sqlite:///path`` or ``postgresql://user:password@host/name``.
        read_only
            Makes nothing and changes nothing.
        busy_s
            Seconds to wait for another writer before `StoreBusy`. More makes fewer of
            them, and a stuck writer is noticed later.

        Raises
        ------
        NotFound
            Read-only, and there is none.
        SettingsError, Unavailable
            The address cannot be read, or its driver is not installed.
        StoreError
            It cannot be opened, or a later version of onward made it.
        """
        return cls(Database.open(url_or_path, read_only=read_only, busy_s=busy_s))

    def append(self, events: Sequence[Event]) -> list[int]:
        """Store events durably, all or none, and give the seq of each.

        An event whose id is already there for its kind is not stored again; its old seq
        is given.

        Raises
        ------
        Conflict
            An id is already there with other content.
        InputError
            An event cannot be stored and read back.
        StoreBusy, StoreFull, StoreError
            The database could not do it.
        """
        if not events:
            return []
        blocks = pack(events)  # before the lock: it is the larger part of the work
        with self._database.transaction() as cursor:
            last, *totals = self._last(cursor)
            runs = [run for block in blocks for run in block.runs]
            if _unique(events) and not self._known(cursor, runs):
                seqs = list(range(last + 1, last + 1 + len(events)))
            else:
                seqs, fresh = self._sort_out(cursor, events, last=last)
                blocks = pack(fresh)
            self._insert(cursor, blocks, last=last, totals=totals)
        return seqs

    def _last(self, cursor: DBAPICursor) -> tuple[int, ...]:
        cursor.execute(self._sql.last)
        row = cursor.fetchone()
        return tuple(row) if row else (0,) * (1 + len(KINDS))

    def fresh(self, events: Sequence[Event]) -> list[Event]:
        """Those of these events that `append` would store, each once; stores nothing.

        One look-up for all of them where none is there yet.

        Raises
        ------
        Conflict
            An id is already there with other content.
        """
        with self._database.reading() as cursor:
            if _unique(events) and not self._known(cursor, id_runs(events)):
                return list(events)
            return self._sort_out(cursor, events, last=0)[1]

    def _known(self, cursor: DBAPICursor, runs: list[Run]) -> bool:
        """Whether any id may be there already."""
        if len(runs) == 1:  # the usual single event: half the time of the look-up for many
            (run,) = runs
            cursor.execute(self._sql.find, (run.prefix, run.kind, run.high))
            row = cursor.fetchone()
            return row is not None and row[0] >= run.low
        cursor.execute(self._sql.overlaps, (msgspec.json.encode(runs).decode(),))
        return cursor.fetchone() is not None

    def _sort_out(
        self, cursor: DBAPICursor, events: Sequence[Event], *, last: int
    ) -> tuple[list[int], list[Event]]:
        """The seq of each event, and those that are new."""
        seen: dict[tuple[type, str], tuple[int, Event]] = {}
        loaded: dict[int, None] = {}
        seqs, fresh = [], []
        for event in events:
            key = type(event), event.id
            block = None if key in seen else self._block_of(cursor, *key)
            if block is not None and block not in loaded:
                loaded[block] = None
                for seq, old in self._load(cursor, block):
                    seen[type(old), old.id] = seq, old
            if key not in seen:
                fresh.append(event)
                seen[key] = last + len(fresh), event
            seq, old = seen[key]
            if old != event:
                raise Conflict(
                    f"{key[0].__name__} {event.id!r} is already there with other content",
                    id=event.id,
                )
            seqs.append(seq)
        return seqs, fresh

    def _block_of(self, cursor: DBAPICursor, kind: type, event_id: str) -> int | None:
        prefix, number = split_id(event_id)
        cursor.execute(self._sql.find, (prefix, kind_number(kind), number))
        row = cursor.fetchone()
        return row[1] if row and row[0] >= number else None

    def _load(self, cursor: DBAPICursor, block: int) -> Iterator[tuple[int, Event]]:
        cursor.execute(self._sql.read_block, (block,))
        row = cursor.fetchone()
        if row is None:
            raise StoreError(f"block {block} of the history is missing")
        return zip(range(row[1], row[0] + 1), unpack(row[2], row[3]), strict=True)

    def _insert(
        self, cursor: DBAPICursor, blocks: list[Block], *, last: int, totals: list[int]
    ) -> None:
        rows, runs, shelf = [], [], []
        for block in blocks:
            first, last = last + 1, last + sum(block.counts)
            totals = [total + count for total, count in zip(totals, block.counts, strict=True)]
            rows.append((last, first, *totals, block.raw_size, block.body))
            runs += [(*msgspec.structs.astuple(run), last) for run in block.runs]
            shelf += [(key, last) for key in set(map(session_key, block.sessions))]
        for statement, values in (
            (self._sql.add_block, rows),
            (self._sql.add_run, runs),
            (self._sql.add_shelf, shelf),
        ):
            if len(values) == 1:
                cursor.execute(statement, values[0])
            elif values:
                cursor.executemany(statement, values)

    def scan(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        kinds: Collection[type] | None = None,
        session: str | None = None,
    ) -> Iterator[tuple[int, Event]]:
        """Events with their seqs, in order, streamed in chunks of constant memory.

        What is appended while the scan runs does not become part of it, and the scan
        holds no writer up.

        Parameters
        ----------
        after, until
            Only seqs above ``after`` and up to ``until``; by default up to the newest.
        kinds
            Only events of these types; by default all.
        session
            Only events of this session; quick however long the history is.
        """
        until = self.last_seq() if until is None else until
        wanted = None if kinds is None else tuple(kinds)
        for first, events in self._blocks(after, until, session):
            for seq, event in enumerate(events, first):
                if (
                    after < seq <= until
                    and (wanted is None or isinstance(event, wanted))
                    and (session is None or event.session == session)
                ):
                    yield seq, event

    def _blocks(
        self, after: int, until: int, session: str | None
    ) -> Iterator[tuple[int, list[Event]]]:
        for _last, first, raw_size, body in self._rows(after, until, session):
            yield first, unpack(raw_size, body)

    def _rows(self, after: int, until: int, session: str | None = None) -> Iterator[Any]:
        """Stored blocks that hold seqs of ``(after, until]``."""
        values: tuple[int | str, ...]
        while after < until:
            if session is None:
                statement, values = self._sql.read, (after, until, _READ_BLOCKS)
            else:
                statement = self._sql.read_session
                values = (session_key(session), after, _READ_BLOCKS, until)
            with self._database.reading() as cursor:
                cursor.execute(statement, values)
                rows = cursor.fetchall()
            if not rows:
                return
            yield from rows
            after = rows[-1][0]

    def get(self, kind: type[E_], event_id: str) -> E_:
        """The event of a kind and id.

        Raises
        ------
        NotFound
            There is none.
        """
        with self._database.reading() as cursor:
            block = self._block_of(cursor, kind, event_id)
            found = self._load(cursor, block) if block is not None else ()
            for _seq, event in found:
                if event.id == event_id and isinstance(event, kind):
                    return event
        raise NotFound(f"there is no {kind.__name__.lower()} {event_id!r}", id=event_id)

    def last_seq(self) -> int:
        """The seq of the newest event, 0 in an empty history.

        One look-up at the end of a tree, however long the history is: poll it to notice
        what other processes appended, then ``scan(after=...)``.
        """
        with self._database.reading() as cursor:
            return self._last(cursor)[0]

    def count(self) -> dict[str, int]:
        """How many events of each kind there are; constant time."""
        with self._database.reading() as cursor:
            _, *totals = self._last(cursor)
        return {kind.__name__: total for kind, total in zip(KINDS, totals, strict=True)}

    def digest(self, until: int | None = None) -> str:
        """SHA-256 of all events up to a seq, as JSON: what a model learned from.

        The same events in the same order give the same digest, in whatever groups they
        were appended and on either database.
        """
        until = self.last_seq() if until is None else until
        digest = hashlib.sha256()
        for last, first, raw_size, body in self._rows(0, until):
            text = as_json(raw_size, body)
            if last > until:
                text = _cut(text, until - first + 1)
            digest.update(text[1:-1] + b",")
        return digest.hexdigest()

    def close(self) -> None:
        """Let go of the database. Using the history afterwards opens it again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _unique(events: Sequence[Event]) -> bool:
    """Whether no id comes twice for a kind; ids alone are quicker to compare."""
    return len({event.id for event in events}) == len(events) or (
        len({(type(event), event.id) for event in events}) == len(events)
    )


def _cut(text: bytes, count: int) -> bytes:
    """The first events of a JSON array, as an array, byte for byte."""
    return msgspec.json.encode(msgspec.json.decode(text, type=list[msgspec.Raw])[:count])
