"""How events lie in the store: packed in blocks, their ids as ranges.

One row for each event would spend most of its time in the database's trees. Instead, up
to `BLOCK_EVENTS` events that are appended together become one *block*: an array in
MessagePack, compressed with LZ4 where it is large. Blocks of earlier versions, and those that hold
a number too large for MessagePack, are JSON; the first byte tells. The index of ids holds
*runs*: the ids ``p-3``, ``p-4``, ``p-5`` of one block are one entry. Ids without a running
number get an entry each, so every id works and those of `onward.data.ids` are the fastest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, get_args

import lz4.block
import msgspec

from onward.data.errors import InputError, StoreError
from onward.data.events import Decision, Event, Prompt, Sample, Step

__all__ = [
    "KINDS",
    "Block",
    "Run",
    "as_json",
    "id_runs",
    "pack",
    "session_key",
    "split_id",
    "unpack",
]

KINDS: tuple[type, ...] = get_args(Event)
"""The kinds of events; a kind's place here is its number in the store."""

BLOCK_EVENTS = 256
"""More make appends and scans faster, and finding one event slower."""
PACK_BYTES = 2048
"""Smaller blocks stay plain: LZ4 gains little on them."""
MAX_ID = 256
"""Characters."""
_SESSION_KEY = 64
_DIGITS = 15
"""More of them would not fit into the database's integers."""
_LAST_NUMBER = 10**_DIGITS - 1

_KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
_JSON = b"["
"""The first byte of an array in JSON; none in MessagePack begins with it."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Event])
_json_encoder = msgspec.json.Encoder()
_json_decoder = msgspec.json.Decoder(list[Event])


class Run(msgspec.Struct, array_like=True, gc=False):
    """The ids ``prefix + str(n)`` for n from low to high, all of one kind and one block.

    An id without a number is its prefix with number -1.
    """

    prefix: str
    kind: int
    low: int
    high: int


_NO_RUN = Run("", 0, 0, 0)


class Block(NamedTuple):
    """Events that lie together."""

    counts: tuple[int, ...]
    """How many of each of `KINDS`."""
    raw_size: int
    """Bytes of the array if the body is compressed, else 0."""
    body: bytes
    runs: list[Run]
    sessions: set[str]


def split_id(event_id: str) -> tuple[str, int]:
    """An id as prefix and running number; -1 where it does not end in one.

    ``prefix + str(number)`` is the id again, so two ids never become the same pair.

    >>> split_id("ab-17"), split_id("ab-007"), split_id("ab-0"), split_id("ab")
    (('ab-', 17), ('ab-00', 7), ('ab-', 0), ('ab', -1))
    """
    prefix = event_id.rstrip("0123456789")
    digits = event_id[len(prefix) :][-_DIGITS:]
    number = digits.lstrip("0") or digits[-1:]
    if not number:
        return event_id, -1
    return event_id[: len(event_id) - len(number)], int(number)


def kind_number(kind: type) -> int:
    """The number of a kind of event in the store."""
    try:
        return _KIND_NUMBER[kind]
    except KeyError:
        raise InputError(f"{kind.__name__} is no kind of event that the history keeps") from None


def session_key(session: str) -> str:
    """A session's name as the index of sessions has it; sessions may share a key."""
    return session[:_SESSION_KEY].replace("\0", "")


def pack(events: Sequence[Event]) -> list[Block]:
    """The blocks that hold these events, in order.

    Raises
    ------
    InputError
        An event cannot be stored and read back: it is of no known kind, has an unusable
        id, a number that is not finite, or text that is not valid Unicode.
    """
    parts = [events[at : at + BLOCK_EVENTS] for at in range(0, len(events), BLOCK_EVENTS)]
    return [_block(part, _compress(_encode(part))) for part in parts]


def _block(events: Sequence[Event], body: tuple[int, bytes]) -> Block:
    runs = id_runs(events)
    counts = [0] * len(KINDS)
    for run in runs:
        counts[run.kind] += run.high - run.low + 1
    return Block(tuple(counts), *body, runs, {event.session for event in events})


def _encode(events: Sequence[Event]) -> bytes:
    try:
        return _encoder.encode(events)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _in_json(events)


def _in_json(events: Sequence[Event]) -> bytes:
    try:
        return _json_encoder.encode(events)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"an event cannot be written as JSON: {error}") from error


def _compress(body: bytes) -> tuple[int, bytes]:
    """The size of what was compressed, or 0 if it was not, and the body as it is stored."""
    if len(body) <= PACK_BYTES:
        return 0, body
    return len(body), lz4.block.compress(body, store_size=False)


def id_runs(events: Sequence[Event]) -> list[Run]:
    """The ids of a block as runs; the events are checked on the way."""
    runs: list[Run] = []
    awaited: dict[tuple[type, str], Run] = {}  # runs that may go on, by the id that they wait for
    run, expected = _NO_RUN, ""  # the latest one, which mostly goes on
    kind: type = type(None)
    for event in events:
        name = event.id
        if name != expected or type(event) is not kind:
            if expected:
                awaited[kind, expected] = run
            kind = type(event)
            found = awaited.pop((kind, name), None)
            if found is None:
                run = _new_run(event)
                runs.append(run)
            else:
                run = found
                run.high += 1
        else:
            run.high += 1
        expected = f"{run.prefix}{run.high + 1}" if run.high < _LAST_NUMBER else ""
    _check_numbers(events)
    return runs


def _check_numbers(events: Sequence[Event]) -> None:
    """Refuse numbers that JSON does not know; one sum over all of them mostly tells."""
    total = sum([event.at for event in events])
    for event in events:
        if type(event) is not Prompt:
            total += _sum_of_numbers(event)
    if not math.isfinite(total):
        for event in events:
            if not math.isfinite(event.at + _sum_of_numbers(event)):
                raise InputError(f"event {event.id!r} has a number that is not finite")


def _new_run(event: Event) -> Run:
    if not 0 < len(event.id) <= MAX_ID or "\0" in event.id:
        raise InputError(f"an id has 1 to {MAX_ID} characters and no NUL: {event.id[:60]!r}")
    prefix, number = split_id(event.id)
    return Run(prefix, kind_number(type(event)), number, number)


def _sum_of_numbers(event: Event) -> float:
    """Finite if all probabilities, readings and times but its own are."""
    if isinstance(event, Step):
        own = event.duration or 0.0
        return own + sum(event.usage.values()) if event.usage else own
    if isinstance(event, Decision):
        grounds = sum([reason.value or 0.0 for reason in event.reasons])
        return event.call.at + event.p_success + event.p_approve + grounds
    return sum(event.values.values()) if isinstance(event, Sample) else 0.0


def unpack(raw_size: int, body: bytes) -> list[Event]:
    """The events of a block as it was stored.

    Raises
    ------
    StoreError
        The block is damaged.
    """
    try:
        data = _plain(raw_size, body)
        return (_json_decoder if data[:1] == _JSON else _decoder).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, lz4.block.LZ4BlockError) as error:
        raise StoreError(f"a block of the history is damaged: {error}") from error


def as_json(raw_size: int, body: bytes) -> bytes:
    """A block's events as a JSON array, the same however they lie in the store."""
    data = _plain(raw_size, body)
    return data if data[:1] == _JSON else _json_encoder.encode(unpack(raw_size, body))


def _plain(raw_size: int, body: bytes) -> bytes:
    if not raw_size:
        return body
    data: bytes = lz4.block.decompress(body, uncompressed_size=raw_size)
    return data
