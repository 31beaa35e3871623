"""Files that are one JSON document: known by their edges, read as a whole."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from onward.data.errors import FormatError, NotFound
from onward.data.importers.base import Told, quiet, stable_id
from onward.data.importers.lines import DAMAGE, LineError, open_bytes, parse_json

__all__ = [
    "DOCUMENT_LIMIT",
    "content_key",
    "edges",
    "load_document",
    "numbered",
    "objects_in",
    "text_of",
]

DOCUMENT_LIMIT = 512 * 2**20
"""Bytes, unpacked. A document is held in memory as a whole, so it has an end somewhere."""

_EDGE = 64 * 1024
_TOLD_EVERY = 256


def edges(path: Path) -> bytes:
    """Give the first and the last 64 KiB of a file, unpacked, for sniffing. Never raises.

    Writers put the mark of their format in front of the long list of steps, or behind it.
    """
    try:
        status = path.stat()
        return _edges(path, status.st_size, status.st_mtime_ns)
    except (OSError, NotFound, *DAMAGE):
        return b""


@lru_cache(maxsize=1)  # every importer asks about the same file in turn
def _edges(path: Path, size: int, changed_ns: int) -> bytes:
    with open_bytes(path) as file:
        head = end = file.read(_EDGE).removeprefix(BOM_UTF8)
        while (part := file.read(2**20)) and file.tell() < DOCUMENT_LIMIT:
            end = (end + part)[-_EDGE:]
    return head if end is head else head + b"\n" + end


def load_document(path: Path, *, expected: str) -> Any:
    """Parse a file that is one JSON document.

    Parameters
    ----------
    path
        The file, plain or gzipped.
    expected
        The format in words, for the error message.

    Raises
    ------
    FormatError
        It is no JSON, is cut off, or has more than `DOCUMENT_LIMIT` bytes.
    """
    try:
        with open_bytes(path) as file:
            text = file.read(DOCUMENT_LIMIT + 1)
        if len(text) > DOCUMENT_LIMIT:
            raise LineError(f"it has more than {DOCUMENT_LIMIT} bytes")
        return parse_json(text.removeprefix(BOM_UTF8))
    except DAMAGE as error:
        why = "the compressed file is damaged or ends too early"
        raise FormatError(f"{path} is not {expected} ({why}).", file=str(path)) from error
    except LineError as error:
        raise FormatError(f"{path} is not {expected} ({error}).", file=str(path)) from error


def numbered(entries: object, told: Told = quiet) -> Iterator[tuple[int, object]]:
    """Give the entries of a list, counted from 1, and tell how far they are."""
    items = entries if isinstance(entries, list) else []
    for number, entry in enumerate(items, 1):
        if number % _TOLD_EVERY == 0:
            told(number / len(items))
        yield number, entry


def objects_in(value: object) -> list[dict[str, Any]]:
    """Give the objects of a list, and none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of(content: object) -> str:
    r"""Put a message's content into one text, as text or as a list of parts.

    >>> text_of([{"type": "text", "text": "a"}, {"type": "image"}])
    'a\n[image]'
    """
    if isinstance(content, str):
        return content
    parts: Iterable[dict[str, Any]] = objects_in(content)
    return "\n".join(
        part["text"] if isinstance(part.get("text"), str) else f"[{part.get('type', '')}]"
        for part in parts
    )


def content_key(*parts: object) -> str:
    """Tell runs apart that have the same name: eight hexadecimal digits of how they began."""
    return stable_id(*(msgspec.json.encode(part, order="sorted") for part in parts))[:8]
