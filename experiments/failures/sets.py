"""Messages with the events that people found in them, and failed builds with their causes."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import msgspec

from onward.data.errors import FormatError
from onward.features.errors.causes import Case

__all__ = ["System", "read_cases", "read_systems"]


class System(msgspec.Struct, frozen=True):
    """The messages of one system, with the events that people found in them."""

    name: str
    messages: list[str]
    events: list[str]


def read_systems(data: Path) -> list[System]:
    """All systems of a folder; raises `FormatError` where a file is none of the kind."""
    found = sorted((data / "errors" / "loghub_2k").glob("*/*_structured.csv"))
    return [_system(path) for path in found]


def _system(path: Path) -> System:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            table = list(csv.DictReader(lines))
        events = [row["EventId"] for row in table]
        return System(path.parent.name, [row["Content"] for row in table], events)
    except (KeyError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} holds no messages with events: {error!r}") from error


def read_cases(data: Path) -> list[Case]:
    """The failed builds of a folder; raises `FormatError` where the file is none of the kind."""
    path = data / "errors" / "bump" / "failures.jsonl.gz"
    if not path.exists():
        return []
    try:
        with gzip.open(path) as lines:
            return [msgspec.json.decode(line, type=Case) for line in lines if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise FormatError(f"{path} cannot be read: {error}", path=str(path)) from error
