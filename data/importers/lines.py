"""Reading JSON lines, plain or gzipped, one bad line never costing the good ones."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from onward.data.errors import FormatError, NotFound
from onward.data.events import Event
from onward.data.importers.base import BrokenLine, Told, quiet

__all__ = [
    "DAMAGE",
    "LINE_LIMIT",
    "LineError",
    "emptiness",
    "first_objects",
    "open_bytes",
    "parse_json",
    "parse_object",
    "read_entries",
    "read_lines",
]

LINE_LIMIT = 64 * 2**20
"""Bytes that one line may have. Beyond this it is skipped unread, and named."""

_TOLD_EVERY = 256
_SNIFFED_LINES = 20
_SNIFFED_BYTES = 2**20
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a damaged gzip file raises."""

Entry = object
"""One part of a file: its object, its bytes, or the `LineError` that stands for it."""


class LineError(ValueError):
    """Why one entry cannot be taken in; becomes a `BrokenLine`."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacking gzip by its content, whatever its name."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return cast("IO[bytes]", gzip.GzipFile(path)) if packed else path.open("rb")
    except OSError as error:
        raise NotFound(f"Cannot read {path}: {error.strerror}.", file=str(path)) from error


def read_lines(
    path: Path,
    take: Callable[[dict[str, Any]], Iterable[Event]],
    *,
    finish: Callable[[], Iterable[Event]] = tuple,
    told: Told = quiet,
    expected: str,
) -> Iterator[Event | BrokenLine]:
    """Turn each line of a file into events.

    Parameters
    ----------
    path
        The file, plain or gzipped.
    take
        Turns the object of one line into its events; raises `LineError` where it cannot.
    finish
        Called at the end of the file, for what was still open.
    told
        Called now and then with the share of the file that is read.
    expected
        The format in words, for the error message.

    Raises
    ------
    FormatError
        Not one line was of the format. No event was yielded then.
    """
    return read_entries(path, _numbered(path, told), take, finish=finish, expected=expected)


def read_entries(
    path: Path,
    entries: Iterable[tuple[int, Entry]],
    take: Callable[[dict[str, Any]], Iterable[Event]],
    *,
    finish: Callable[[], Iterable[Event]] = tuple,
    expected: str,
) -> Iterator[Event | BrokenLine]:
    """Turn numbered entries into events; as `read_lines`, whatever they were parsed from."""
    good = 0
    first_why = "it is empty"
    for number, entry in entries:
        try:
            events = list(take(entry if isinstance(entry, dict) else _object(entry)))
        except (LineError, RecursionError) as error:
            why = str(error) if isinstance(error, LineError) else "nested too deeply"
            first_why = first_why if good or number > 1 else why
            yield BrokenLine(str(path), number, why)
            continue
        good += 1
        yield from events
    yield from finish()
    if not good:
        raise FormatError(f"{path} is not {expected} ({first_why}).", file=str(path))


def emptiness(path: Path) -> str:
    """Why a file holds nothing at all, in words; empty where it holds something."""
    try:
        with open_bytes(path) as file:
            head = file.read(_SNIFFED_BYTES)
    except (OSError, *DAMAGE):
        return ""
    if len(head) < _SNIFFED_BYTES and not head.strip():
        return "is empty"
    return "" if head.strip(b"\0") else "holds zero bytes only, as after a crash"


def first_objects(path: Path) -> list[dict[str, Any]]:
    """Parse what can be parsed of the first lines, for sniffing. Never raises."""
    found = []
    try:
        with open_bytes(path) as file:
            for line in islice(iter(lambda: file.readline(_SNIFFED_BYTES), b""), _SNIFFED_LINES):
                try:
                    found.append(parse_object(line.removeprefix(BOM_UTF8)))
                except LineError:
                    continue
    except (OSError, NotFound, *DAMAGE):
        pass  # what could be read until then decides
    return found


def parse_object(line: bytes) -> dict[str, Any]:
    """Parse one line that must hold a JSON object; raises `LineError`."""
    value = parse_json(line)
    if not isinstance(value, dict):
        raise LineError(f"a JSON object is needed here, not {type(value).__name__}")
    return value


def _object(entry: Entry) -> dict[str, Any]:
    if isinstance(entry, LineError):
        raise entry
    if isinstance(entry, bytes):
        return parse_object(entry)
    raise LineError(f"an object is needed here, not {type(entry).__name__}")


def _numbered(path: Path, told: Told) -> Iterator[tuple[int, Entry]]:
    """Every line that is not blank, with its number; an error in its place says what it is."""
    number, size = 0, max(path.stat().st_size, 1)
    with open_bytes(path) as file:
        try:
            while line := file.readline(LINE_LIMIT):
                number += 1
                if number % _TOLD_EVERY == 0:
                    told(_position(file) / size)
                if len(line) == LINE_LIMIT and not line.endswith(b"\n"):
                    _skip_rest(file)
                    yield number, LineError(f"the line is longer than {LINE_LIMIT} bytes")
                    continue
                if number == 1:  # blanks instead of the mark keep the places in the line
                    line = re.sub(rb"\A\xef\xbb\xbf", b"   ", line)
                if line.strip():
                    yield number, line.rstrip()
        except DAMAGE:
            yield number + 1, LineError("the compressed file is damaged or ends too early")
        except OSError as error:
            yield number + 1, LineError(f"the rest cannot be read: {error.strerror}")


def _position(file: IO[bytes]) -> int:
    """Bytes of the file itself that are read, packed or not."""
    inner = file.fileobj if isinstance(file, gzip.GzipFile) else file
    return inner.tell() if inner is not None else 0


def _skip_rest(file: IO[bytes]) -> None:
    while (part := file.readline(2**20)) and not part.endswith(b"\n"):
        pass


def parse_json(line: bytes) -> object:
    """Parse one JSON value; raises `LineError` with what is wrong."""
    try:
        return msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 at byte {_first_odd_byte(line)}") from error
    except RecursionError as error:
        raise LineError("nested too deeply") from error
    except msgspec.MsgspecError as error:
        return _parse_lone_surrogates(line, why=str(error))


def _first_odd_byte(line: bytes) -> int:
    """Where a line stops being UTF-8; the parser's own figure counts from a value's beginning."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(line)


def _parse_lone_surrogates(line: bytes, *, why: str) -> object:
    r"""Parse a line that strict JSON refuses only for half a character.

    Programs that count in UTF-16 cut outputs in the middle of an emoji and write ``\ud83d``
    alone. Such halves become ``?``.
    """
    if b"\\ud" not in line and b"\\uD" not in line:
        raise LineError(f"not JSON: {why}")
    try:
        whole = json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(whole)
    except (ValueError, RecursionError) as error:
        raise LineError(f"not JSON: {why}") from error
