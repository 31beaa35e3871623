"""What one session of pytest saw, also in several processes, as one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from onward.data.testing.runs import OUTSIDE, Result, TestRecord

__all__ = ["Book"]


class Book:
    """What all workers saw, under one numbering of blocks."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.imports: dict[str, set[int]] = {}
        self.unwatched: set[str] = set()
        self.own: dict[str, str] = {}
        self.found: list[str] = []
        self.whole = True
        self._numbers: dict[str, int] = {}
        self._maps: dict[str, list[int]] = {}
        self._ran: set[int] = set()
        self._read: set[str] = set()

    def add(self, worker: str, table: dict[str, Any]) -> None:
        """Take in what one worker sent."""
        numbers = self._maps[worker] = [self._number(key) for key in table["keys"]]
        for path, places in table["imports"].items():
            self.imports.setdefault(path, set()).update(numbers[place] for place in places)
        self.unwatched.update(table["unwatched"])
        self.own.update(table["own"])
        self.found = table["found"] or self.found
        self.whole &= table["whole"]
        self._ran.update(numbers[place] for place in table["blocks"])
        self._read.update(table["reads"])

    def _number(self, key: str) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return self._numbers[key]

    def record(self, node: str, test: dict[str, Any]) -> TestRecord:
        """What is known of one test now."""
        seen = test["seen"]
        numbers = self._maps.get(test["worker"], [])
        result: Result = Result.PASSED
        if test["failed"]:
            result = Result.FAILED
        elif test["skipped"]:
            result = Result.SKIPPED
        own = [self._number(seen["own"])] if seen["own"] else []
        return TestRecord(
            node=node,
            result=result,
            duration=test["s"],
            blocks=[*(numbers[place] for place in seen["blocks"]), *own],
            reads=seen["reads"],
            modules=seen["modules"],
            opaque=seen["opaque"],
        )

    def gone(self, nodes: Iterable[str], root: Path) -> list[str]:
        """Of recorded tests those that are no more: their file was collected without them.

        Nothing is known to be gone where only parts of files were asked for.
        """
        if not self.whole:
            return []
        there, files = set(self.found), {_file_of(node) for node in self.found}
        return [
            node
            for node in nodes
            if node != OUTSIDE
            and node not in there
            and (_file_of(node) in files or not (root / _file_of(node)).exists())
        ]

    def outside(self, before: TestRecord | None) -> TestRecord:
        """What ran and was read outside of all tests; parts of a suite add to what is known."""
        reads = self._read | (set(before.reads) if before and not self.whole else set())
        return TestRecord(node=OUTSIDE, blocks=sorted(self._ran), reads=sorted(reads))


def _file_of(node: str) -> str:
    return node.partition("::")[0]
