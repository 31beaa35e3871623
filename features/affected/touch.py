"""One change beside every test: why each is touched, and the numbers behind P(fail).

`touches` gives each test a tier:

- ``must``  it rests on something that changed, or on what nobody can see
- ``may``   a changed file is within its imports, but nothing that it ran or mentions changed
- ``none``  nothing that changed is within its imports
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from onward.data.testing.runs import OUTSIDE, Result, TestRecord
from onward.features.affected.fold import HISTORY, NAMES
from onward.features.affected.marks import Known, Marks, bare

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Touch", "touches", "vector_table"]

_NAN = math.nan


class Touch(msgspec.Struct, kw_only=True):
    """What a change may do to one test."""

    node: str
    tier: str
    reasons: list[str] = []
    vector: list[float]
    """As `NAMES`."""


def touches(known: Known, nodes: Sequence[str], own: Mapping[str, str]) -> list[Touch]:
    """Every test beside the change since it last ran.

    Parameters
    ----------
    known
        All that is known.
    nodes
        The tests that there are now.
    own
        Test -> ``path::block`` of its own function, where it has one.
    """
    views = {run: _View(known, run, own) for run in known.changes}
    return [_touch(known, views, node, own.get(node, "")) for node in nodes]


def _touch(known: Known, views: Mapping[int, _View], node: str, own: str) -> Touch:
    record = known.records.get(node)
    view = views.get(record.run) if record is not None else None
    if record is None or view is None:
        return _unknown(known, node)
    found = view.look(record, own)
    tier = "must" if found["must"] else "may" if found["reached"] else "none"
    changed = view.change.files
    numbers = known.fold.numbers(node, changed)
    found.update(zip(HISTORY, numbers, strict=True))
    vector = [found.get(name, 0.0) for name in NAMES]
    return Touch(node=node, tier=tier, reasons=view.reasons, vector=vector)


def _unknown(known: Known, node: str) -> Touch:
    found: dict[str, float] = {"must": 1.0, "new": 1.0, "distance": _NAN, "touched_share": _NAN}
    numbers = known.fold.numbers(node, ())
    found.update(zip(HISTORY, numbers, strict=True))
    vector = [found.get(name, 0.0) for name in NAMES]
    return Touch(node=node, tier="must", reasons=["it never ran here"], vector=vector)


class _View:
    """One change, made ready to be held against many tests."""

    def __init__(self, known: Known, run: int, own: Mapping[str, str]) -> None:
        self._marks = Marks(known, run)
        self.change, self.reasons = known.changes[run], list[str]()
        self._known, self._old, self._new = known, known.trees[run], known.tree
        self._tests = {key.partition("::")[0] for key in own.values()}
        self._helpers = self._changed_helpers(set(own.values()))
        self._users = self._use_counts()
        self._orphans = self._unreached()
        self._reached: dict[tuple[str, ...], tuple[dict[str, int], dict[str, int]]] = {}
        self._always = self._outside()
        self._origins = set().union(*self.change.names.values(), self.change.loud)
        changed, records = self._marks.changed, known.records.values()
        share = sum(not changed.isdisjoint(one.blocks) for one in records)
        self._share = float(share) / max(len(known.records), 1)

    def _changed_helpers(self, own: set[str]) -> set[str]:
        """Files of tests in which something changed that is no test of its own."""
        found = set()
        for key in self.change.blocks | self.change.added:
            path = key.partition("::")[0]
            if path in self._tests and key not in own and not _is_test(key):
                found.add(path)
        for path in self._tests:
            source = self._old.sources.get(path)
            for block in source.blocks if source else ():
                key = f"{path}::{block.name}"
                if key in own or _is_test(key):
                    continue
                if self.change.names and not self.change.names.keys().isdisjoint(block.names):
                    found.add(path)
        return found

    def _use_counts(self) -> Counter[int]:
        """Block -> tests that ran it."""
        return Counter(number for one in self._known.records.values() for number in one.blocks)

    def _unreached(self) -> list[str]:
        """Files that were loaded although no import statement below any test leads to them.

        Somebody loads them in a way of his own, so every test may rest on them.
        """
        tests = {node.partition("::")[0] for node in self._known.records if node}
        starts = tests | {one for path in tests for one in _conftests(path)}
        return sorted(self._known.imports.keys() - self._old.imports().reach_all(starts).keys())

    def _outside(self) -> list[str]:
        """Why every test is touched."""
        found = list(self.change.wide)
        outside = self._known.records.get(OUTSIDE)
        if outside is not None:
            if not self._marks.changed.isdisjoint(outside.blocks):
                found.append("what runs while tests are collected changed")
            if self._read(outside):
                found.append("a file that is read while tests are collected changed")
        unread = self.change.data - self._moved_data() - self._ever_read()
        if unread:
            found.append(f"nobody was seen reading {min(unread)}")
        return found

    def _moved_data(self) -> set[str]:
        """Data files that came or went."""
        old, new = self._old.digests, self._new.digests
        return {path for path in self.change.data if (path in old) != (path in new)}

    def _ever_read(self) -> set[str]:
        reads = {path for one in self._known.records.values() for path in one.reads}
        return reads | {p for p in self.change.data if f"{p.rpartition('/')[0]}/" in reads}

    def _read(self, record: TestRecord) -> bool:
        """Whether it read a file that differs, or listed a directory in which one came or went."""
        old, new = self._old.digests, self._new.digests
        for path in record.reads:
            if path in self.change.files:
                return True
            if path.endswith("/") and any(
                f.startswith(path.lstrip("/")) and (f in old) != (f in new)
                for f in self.change.files
            ):
                return True
        return False

    def _reach(self, record: TestRecord) -> tuple[dict[str, int], dict[str, int]]:
        """What its imports may run, in the old state and now."""
        path = record.node.partition("::")[0]
        ran = {self._marks.key[n].partition("::")[0] for n in record.blocks if n in self._marks.key}
        starts = tuple(sorted({path, *_conftests(path), *record.modules, *ran, *self._orphans}))
        known = self._reached.get(starts)
        if known is None:
            old, new = self._old.imports(), self._new.imports()
            known = self._reached[starts] = (old.reach_all(starts), new.reach_all(starts))
        return known

    def look(self, record: TestRecord, own: str) -> dict[str, float]:
        """Features from ``must`` to ``rests_on``; the grounds stand in ``reasons``."""
        change, path = self.change, record.node.partition("::")[0]
        reasons: list[str] = list(self._always[:1])
        old, new = self._reach(record)
        blocks = record.blocks
        hit = sorted(self._marks.changed.intersection(blocks))
        near = change.files & (old.keys() | new.keys())
        origins = self._origins & (old.keys() | new.keys())
        mentions = bool(origins) and not self._marks.mentions.isdisjoint(blocks)
        loud = change.loud & (old.keys() | new.keys())
        gone = change.gone & old.keys()
        helper = path in self._helpers or self._foreign(near, path)
        documented = not self._marks.docs.isdisjoint(blocks)
        doc = documented and not self._marks.reads_docs.isdisjoint(blocks)
        read = self._read(record)
        below = any(path.startswith(f"{folder}/" if folder else "") for folder in change.conftests)
        own_changed = own in change.blocks or own in change.added
        if hit:
            reasons.append(f"it ran {_readable(self._marks.key[hit[0]])}, which changed")
        grounds = {
            "its own code changed": own_changed,
            "code beside it in its file changed": helper,
            "it mentions a name whose meaning changed": mentions,
            f"importing {min(loud, default='')} may do something else": bool(loud),
            f"it imported {min(gone, default='')}, which is gone": bool(gone),
            "a conftest.py above it changed": below,
            "it read a file that changed": read,
            "it runs what cannot be seen": record.opaque and bool(change),
            "it reads docstrings, and one changed": doc,
            "it looks whether files are there, and one came or went": bool(
                not self._marks.looks.isdisjoint(blocks) and self._moved_data()
            ),
            "it failed when it last ran": record.result is Result.FAILED,
        }
        reasons += [text for text, holds in grounds.items() if holds]
        self.reasons = reasons
        distance = min((new.get(f, old.get(f, 99)) for f in near), default=_NAN)
        return {
            "must": float(bool(reasons)),
            "wide": float(bool(self._always)),
            "own": float(own_changed),
            "ran": math.log1p(len(hit)),
            "ran_share": len(hit) / max(len(blocks), 1),
            "rarest": max((1.0 / self._users[number] for number in hit), default=0.0),
            "named": self._likeness(record.node, hit),
            "head": float(not self._marks.head.isdisjoint(blocks)),
            "removed": math.log1p(len(self._marks.removed.intersection(blocks))),
            "mentions": float(mentions),
            "loud": float(bool(loud or gone)),
            "helper": float(helper or below),
            "data": float(read),
            "opaque": float(record.opaque),
            "doc": float(documented),
            "distance": float(distance),
            "reached": math.log1p(len(near)),
            "rests_on": math.log1p(len(blocks)),
            "change_files": math.log1p(len(change.files)),
            "change_blocks": math.log1p(len(change.blocks)),
            "touched_share": self._share,
        }

    def _foreign(self, near: set[str], path: str) -> bool:
        """Whether a file changed whose blocks are not seen, and that is not the test's own."""
        return any(f != path and (f in self._tests or f in self._known.unwatched) for f in near)

    def _likeness(self, node: str, hit: Sequence[int]) -> float:
        """The largest share of a changed block's words that the test's name holds."""
        words = _words(node.partition("::")[2].partition("[")[0])
        best = 0.0
        for number in hit[:50]:
            name = _words(self._marks.key[number].partition("::")[2])
            best = max(best, len(words & name) / max(len(name), 1))
        return best


def _words(name: str) -> set[str]:
    """The words of a name, in lower case.

    >>> sorted(_words("TestCache::test_get_item"))
    ['cache', 'get', 'item']
    """
    parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return {part.lower() for part in parts} - {"test", "tests"}


def _is_test(key: str) -> bool:
    """Whether a block looks like a test, collected or not."""
    return bare(key).startswith("test")


def _conftests(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join((*parts[:end], "conftest.py")) for end in range(len(parts) + 1)]


def _readable(key: str) -> str:
    path, _, name = key.partition("::")
    return f"{name} in {path}"


def vector_table(found: Sequence[Touch]) -> NDArray[np.float32]:
    """(n, len(NAMES)) float32 of several tests."""
    import numpy as np  # what runs in somebody's tests stays light until a model is used

    table = np.array([one.vector for one in found], np.float32)
    return table.reshape(len(found), len(NAMES))
