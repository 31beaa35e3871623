"""A change, made ready to be held against many tests: which blocks it marks, and how.

What functions once worked out and keep, and what imports ran, passes a change on to those who never
run the changed code themselves; both are followed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from onward.data.testing.runs import TestRecord
from onward.data.testing.source import ANY, Block
from onward.features.affected.change import Change, Tree, spread
from onward.features.affected.fold import TestFold

__all__ = ["Known", "Marks", "bare"]

_WITNESSES = 20
"""Tests that are asked what a function ran that keeps its results."""
_DOC_TEXT = "__doc__ getdoc help doctest inspect pydoc testmod testfile"
_DOC_READERS = frozenset(_DOC_TEXT.split())
_LOOKERS_TEXT = (
    "exists lexists is_file isfile is_dir isdir stat lstat access getsize getmtime samefile"
)
_LOOKERS = frozenset(_LOOKERS_TEXT.split())


class Known(msgspec.Struct, kw_only=True):
    """All that is known when a change is looked at."""

    tree: Tree
    """The project as it is now."""
    changes: dict[int, Change]
    """Run -> what differs between the tree that it ran on and the one now."""
    trees: dict[int, Tree]
    """Run -> the tree that it ran on."""
    records: dict[str, TestRecord]
    """Every test that ran; `OUTSIDE` stands for what ran outside of all tests."""
    blocks: dict[int, str]
    """Number -> ``path::block``."""
    imports: dict[str, list[int]]
    """File -> numbers of the blocks that ran while it was imported."""
    unwatched: set[str] = set()
    """Files that are loaded in ways in which their blocks are not seen."""
    fold: TestFold


class Marks:
    """Blocks by what a change does to them; blocks are told by their numbers.

    Parameters
    ----------
    known
        All that is known. Its change of this run grows: names that got another meaning on the way.
    run
        The run that the change is counted from.

    Attributes
    ----------
    changed, removed
        Their code differs; they are no more.
    docs, reads_docs
        Only their docstring differs; they read docstrings.
    mentions
        They mention a name whose meaning differs.
    looks
        They ask whether files are there.
    head
        Their arguments or decorators differ, or those of one of the same name.
    """

    def __init__(self, known: Known, run: int) -> None:
        self.change = known.changes[run]
        self.key = known.blocks
        self._known, self._old, self._new = known, known.trees[run], known.tree
        self.changed, self.removed = set[int](), set[int]()
        self.docs, self.reads_docs = set[int](), set[int]()
        self.mentions, self.looks, self.head = set[int](), set[int](), set[int]()
        self._spread_kept()
        self._mark_blocks()
        if self._spread_imports():
            spread(self.change, self._old)
            spread(self.change, self._new)
            self._mark_blocks()

    def _spread_kept(self) -> None:
        """What a function worked out once and kept, others get without running it.

        So where something changed that such a function ran, its name has another meaning. What it
        ran is told by the tests that ran it: of their blocks those that it mentions, and so on.
        """
        blocks = {
            f"{path}::{block.name}": block
            for path, source in self._old.sources.items()
            for block in source.blocks
        }
        keepers = {key for key, block in blocks.items() if block.keeps}
        seen: Counter[str] = Counter()
        for record in self._known.records.values() if keepers else ():
            ran = {key for number in record.blocks if (key := self.key.get(number, "")) in blocks}
            for key in ran & keepers:
                seen[key] += 1
                if seen[key] <= _WITNESSES and self._changed_below(key, ran, blocks):
                    for name in blocks[key].keeps:
                        self.change.names.setdefault(name, set()).add(key.partition("::")[0])

    def _changed_below(self, key: str, ran: set[str], blocks: Mapping[str, Block]) -> bool:
        """Whether a block that changed is among those that one may have called."""
        by_name: dict[str, list[str]] = {}
        for other in ran:
            by_name.setdefault(bare(other), []).append(other)
        front, known = [key], {key}
        while front:
            one = front.pop()
            if one in self.change.blocks:
                return True
            names = blocks[one].names
            called = ran if ANY in names else [o for name in names for o in by_name.get(name, ())]
            fresh = set(called) - known
            known |= fresh
            front += fresh
        return False

    def _mark_blocks(self) -> None:
        change, sources = self.change, self._old.sources
        names = change.names
        blocks = {
            f"{path}::{block.name}": block
            for path, source in sources.items()
            for block in source.blocks
        }
        for number, key in self.key.items():
            if key in change.blocks:
                self.changed.add(number)
                if not self._is_there(key):
                    self.removed.add(number)
            if key in change.docs:
                self.docs.add(number)
            if bare(key) in names:
                self.head.add(number)
            if (block := blocks.get(key)) is not None:
                self._mark_names(number, block)

    def _mark_names(self, number: int, block: Block) -> None:
        names = self.change.names
        if names and (ANY in block.names or any(name in names for name in block.names)):
            self.mentions.add(number)
        if not _DOC_READERS.isdisjoint(block.names):
            self.reads_docs.add(number)
        if not _LOOKERS.isdisjoint(block.names):
            self.looks.add(number)

    def _is_there(self, key: str) -> bool:
        path, _, name = key.partition("::")
        source = self._new.sources.get(path)
        return source is not None and any(block.name == name for block in source.blocks)

    def _spread_imports(self) -> bool:
        """What an import ran gives what the file makes of it another meaning; True if any did.

        The statements that may have called it are those that mention it, or what led to it. Where
        there is none, Python called it by itself, and the file is loud.
        """
        moved = False
        for path, numbers in self._known.imports.items():
            hot = (self.changed | self.mentions).intersection(numbers)
            if hot:
                moved = True
                self._spread_import(path, self._led_to(hot, numbers))
        return moved

    def _led_to(self, hot: Iterable[int], numbers: Iterable[int]) -> set[str]:
        """Names of blocks, and of those that mention them, and so on."""
        blocks = {
            key: block
            for number in numbers
            if (block := self._old_block(key := self.key.get(number, ""))) is not None
        }
        names = {bare(self.key[number]) for number in hot}
        grown = True
        while grown:
            more = {bare(key) for key, block in blocks.items() if not names.isdisjoint(block.names)}
            grown = not more <= names
            names |= more
        return names

    def _old_block(self, key: str) -> Block | None:
        path, _, name = key.partition("::")
        source = self._old.sources.get(path)
        found = (block for block in (source.blocks if source else ()) if block.name == name)
        return next(found, None)

    def _spread_import(self, path: str, names: set[str]) -> None:
        source = self._old.sources.get(path)
        callers = [
            one
            for one in (source.statements if source else ())
            if ANY in one.names or not names.isdisjoint(one.names)
        ]
        if not callers or any(name.startswith("__") for name in names):
            self.change.loud.add(path)
        for one in callers:
            if one.effect:
                self.change.loud.add(path)
            for name in one.defines:
                self.change.names.setdefault(name, set()).add(path)


def bare(key: str) -> str:
    """The last name of a block.

    >>> bare("a.py::Box.get")
    'get'
    """
    return key.rpartition("::")[2].rpartition(".")[2]
