"""The tables and statements of the history, for SQLite and for PostgreSQL.

``block`` holds the events, ``run`` the index of ids, ``shelf`` which blocks a session is
in, ``meta`` the schema's version and the history's identity. Statements are written out
once here, and run as they are: nothing is compiled on the way of an append.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["POSTGRES", "SCHEMA", "SQLITE", "Statements"]

SCHEMA = 2
"""Version of what is stored; a history of a later version is refused, not misread. Version 1 holds
blocks in JSON only, and no notes; it is brought up to date when it is opened for writing."""


class Statements(NamedTuple):
    """Everything that the store says to a database; here in the words of SQLite."""

    is_made: str = "SELECT 1 FROM sqlite_master WHERE name = 'meta'"
    """Whether the tables are there; they are made all at once."""

    prepare: str = "PRAGMA journal_mode = WAL"
    """Once, before the tables are made."""

    begin: str = "BEGIN IMMEDIATE"
    """Takes the one right to write, so that the order of seqs is the order of commits."""

    create: str = """
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS block (
            seq INTEGER PRIMARY KEY, first INTEGER NOT NULL,
            steps INTEGER NOT NULL, decisions INTEGER NOT NULL, prompts INTEGER NOT NULL,
            verdicts INTEGER NOT NULL, samples INTEGER NOT NULL,
            raw_size INTEGER NOT NULL, body BLOB NOT NULL,
            notes INTEGER NOT NULL DEFAULT 0, feedback INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE IF NOT EXISTS run (
            prefix TEXT NOT NULL, kind INTEGER NOT NULL,
            low INTEGER NOT NULL, high INTEGER NOT NULL, block INTEGER NOT NULL,
            PRIMARY KEY (prefix, kind, low)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS shelf (
            session TEXT NOT NULL, block INTEGER NOT NULL,
            PRIMARY KEY (session, block)) WITHOUT ROWID"""
    """The tables. A block's number is the seq of its last event; its columns steps to
    samples, notes and feedback count the events of each kind up to and with it."""

    upgrade: str = """
        ALTER TABLE block ADD COLUMN notes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE block ADD COLUMN feedback INTEGER NOT NULL DEFAULT 0;
        UPDATE meta SET value = '2' WHERE name = 'schema'"""
    """From version 1 to 2."""

    meta: str = "SELECT value FROM meta WHERE name = ?"
    add_meta: str = "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING"

    last: str = """SELECT seq, steps, decisions, prompts, verdicts, samples,
        notes, feedback FROM block ORDER BY seq DESC LIMIT 1"""
    """The newest block: its seq and the totals, in the order of `KINDS`."""

    overlaps: str = """SELECT 1 FROM (
            SELECT json_extract(value, '$[0]') AS new_prefix,
                json_extract(value, '$[1]') AS new_kind,
                json_extract(value, '$[2]') AS new_low,
                json_extract(value, '$[3]') AS new_high
            FROM json_each(?)) AS new
        WHERE (SELECT high FROM run
            WHERE prefix = new_prefix AND kind = new_kind AND low <= new_high
            ORDER BY low DESC LIMIT 1) >= new_low
        LIMIT 1"""
    """Whether any of the runs (JSON) holds an id that is there. Runs of one prefix never
    overlap, so the nearest one below is the only one to look at."""

    find: str = """SELECT high, block FROM run
        WHERE prefix = ? AND kind = ? AND low <= ? ORDER BY low DESC LIMIT 1"""
    """The run in which an id would be, and its block."""

    add_block: str = """INSERT INTO block (seq, first, steps, decisions, prompts, verdicts, samples,
        notes, feedback, raw_size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
    add_run: str = "INSERT INTO run VALUES (?, ?, ?, ?, ?)"
    add_shelf: str = "INSERT INTO shelf VALUES (?, ?)"

    read: str = """SELECT seq, first, raw_size, body FROM block
        WHERE seq > ? AND first <= ? ORDER BY seq LIMIT ?"""
    """Blocks from after a seq up to a seq, and how many at most."""

    read_session: str = """SELECT seq, first, raw_size, body FROM block
        WHERE seq IN (SELECT block FROM shelf
            WHERE session = ? AND block > ? ORDER BY block LIMIT ?)
        AND first <= ? ORDER BY seq"""
    """The same for one session: its key, after, how many, up to."""

    read_block: str = "SELECT seq, first, raw_size, body FROM block WHERE seq = ?"


SQLITE = Statements()


def _for_postgres(text: str) -> str:
    for ours, theirs in (
        ("?", "%s"),
        ("INTEGER", "BIGINT"),
        ("BLOB", "BYTEA"),
        (" TEXT NOT NULL", ' TEXT COLLATE "C" NOT NULL'),
        (" WITHOUT ROWID", ""),
        ("json_extract(value, '$[0]')", "value ->> 0"),
        ("json_extract(value, '$[1]')", "(value ->> 1)::bigint"),
        ("json_extract(value, '$[2]')", "(value ->> 2)::bigint"),
        ("json_extract(value, '$[3]')", "(value ->> 3)::bigint"),
        ("json_each(%s)", "json_array_elements(%s::json) AS value"),
    ):
        text = text.replace(ours, theirs)
    return text


POSTGRES = Statements(*map(_for_postgres, SQLITE))._replace(
    is_made="SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'meta'",
    prepare="SELECT",
    # The lock's number is the letters "onward"; it is let go of at the end of the transaction.
    begin=f"SELECT pg_advisory_xact_lock({int.from_bytes(b'onward', 'big')})",
)
