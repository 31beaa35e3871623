"""What a change may do to a test: why it is touched, and numbers that tell how likely it fails.

`TestFold` holds what past runs say of each test: how often and how lately it failed, how long it
takes, whether it flips without cause, which files' changes it failed after. `touches` looks at
one change and every test, and gives each a tier:

- ``must``  it rests on something that changed, or on what nobody can see
- ``may``   a changed file is within its imports, but nothing that it ran or mentions changed
- ``none``  nothing that changed is within its imports
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from onward.data.errors import BundleError
from onward.data.testing.runs import Result, TestRecord, TestRun
from onward.data.testing.source import ANY, Block
from onward.features.change import Change, Tree, spread
from onward.features.rates import Rates, leaning

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "GROUND_PRIORS",
    "NAMES",
    "OUTSIDE",
    "VERSION",
    "Known",
    "TestFold",
    "Touch",
    "by_counts",
    "ground",
    "touches",
    "vector_table",
]

NAMES: tuple[str, ...] = (
    "must",
    "wide",
    "new",
    "own",
    "ran",
    "ran_share",
    "rarest",
    "named",
    "head",
    "removed",
    "mentions",
    "loud",
    "helper",
    "data",
    "opaque",
    "doc",
    "distance",
    "reached",
    "rests_on",
    "fail_rate",
    "last_failed",
    "since_failed",
    "flake",
    "runs",
    "co_change",
    "seconds",
    "change_files",
    "change_blocks",
    "touched_share",
)
"""Names of the numbers in a vector, in order."""
VERSION = "1"
"""Changes whenever the meaning of a feature changes."""
OUTSIDE = ""
"""Stands for a test: what ran and was read outside of all tests."""
_NAN = math.nan
_PRIOR_FAIL = 0.02
_FLAKE = (0.25, 25.0)
"""Flips and steady repeats that a test has before any was seen: one in a hundred is flaky."""
_SURE = 2.0
"""How many expected failures the priors are worth."""
MAX_TESTS = 50_000
MAX_FILES = 2_000
MAX_PARTNERS = 500
_WITNESSES = 20
"""Tests that are asked what a function ran that keeps its results."""
_DOC_TEXT = "__doc__ getdoc help doctest inspect pydoc testmod testfile"
_DOC_READERS = frozenset(_DOC_TEXT.split())
_LOOKERS_TEXT = (
    "exists lexists is_file isfile is_dir isdir stat lstat access getsize getmtime samefile"
)
_LOOKERS = frozenset(_LOOKERS_TEXT.split())


GROUND_PRIORS = {
    "failed": 0.5,
    "own": 0.2,
    "new": 0.05,
    "removed": 0.3,
    "ran_rare": 0.15,
    "ran": 0.06,
    "head": 0.05,
    "loud": 0.03,
    "named": 0.02,
    "wide": 0.02,
    "may": 0.004,
    "none": 0.001,
}
"""What may touch a test, the strongest first, and how often such tests fail until more is known."""


def ground(vector: Sequence[float]) -> str:
    """The strongest thing that touches a test: a key of `GROUND_PRIORS`."""
    for name, column, above in _GROUNDS:
        if vector[column] > above:
            return name
    return "none"


def by_counts(vectors: Iterable[Sequence[float]], grounds: Rates) -> list[float]:
    """P(fail) by running rates of what touched a test: the peer, and the fall-back.

    Within one ground, a test that shares what changed with few others, or is named like it, stands
    above one that shares it with many.
    """
    rates = _ground_rates(grounds)
    rare, named = _PLACE["rarest"], _PLACE["named"]
    found = []
    for vector in vectors:
        p = rates[ground(vector)]
        odds = p / (1.0 - p) * math.exp(0.5 * vector[rare] + 0.5 * vector[named])
        found.append(odds / (1.0 + odds))
    return found


def _ground_rates(grounds: Rates) -> dict[str, float]:
    """P(fail) of each ground: its prior, times how much more often than expected tests failed.

    First all grounds together are held against what was expected, then each against that. So
    tests that are left out time and again, of which nothing new is learned, do not rise above
    those that ran and passed.
    """
    seen = {key: grounds.counts(key) for key in GROUND_PRIORS}
    failed = sum(bad for bad, _ in seen.values())
    expected = sum(GROUND_PRIORS[key] * (bad + good) for key, (bad, good) in seen.items())
    level = (failed + _SURE) / (expected + _SURE)
    rates = {}
    for key, (bad, good) in seen.items():
        usual = level * GROUND_PRIORS[key]
        own = (bad + _SURE) / (usual * (bad + good) + _SURE)
        rates[key] = min(max(usual * own, 1e-4), 0.95)
    return rates


_PLACE = {name: at for at, name in enumerate(NAMES)}
_GROUNDS = tuple(
    (name, _PLACE[column], above)
    for name, column, above in (
        ("failed", "last_failed", 0.0),
        ("own", "own", 0.0),
        ("new", "new", 0.0),
        ("removed", "removed", 0.0),
        ("ran_rare", "rarest", 0.1),
        ("ran", "ran", 0.0),
        ("head", "head", 0.0),
        ("loud", "loud", 0.0),
        ("loud", "helper", 0.0),
        ("wide", "wide", 0.0),
        ("named", "must", 0.0),
        ("may", "reached", 0.0),
    )
)
_HISTORY = NAMES[_PLACE["fail_rate"] : _PLACE["seconds"] + 1]


class _Stat(msgspec.Struct, array_like=True):
    """What past runs say of one test."""

    good: float = 0.0
    bad: float = 0.0
    runs: int = 0
    failed: bool = False
    last_failed: int = -1
    flips: float = 0.0
    steady: float = 0.0
    seconds: float = 0.0


_NO_STAT = _Stat()


class TestFold:
    """What past runs say of each test. Bounded: the tests that ran least recently are forgotten.

    >>> TestFold().flake("a test that never ran")
    0.009900990099009901
    """

    __test__ = False

    def __init__(self) -> None:
        self.count = 0
        self._stats: dict[str, _Stat] = {}
        self._partners: dict[str, dict[str, float]] = {}
        self._changes = Rates(capacity=MAX_FILES)
        self.grounds = Rates(keep=0.999)

    def learn(self, run: TestRun) -> None:
        """Takes in one run, in order."""
        verdicts = run.verdicts
        table = _vectors(run)
        must = [row[_PLACE["must"]] for row in table] or [1.0] * len(verdicts.nodes)
        for vector, failed in zip(table, verdicts.failed, strict=False):
            self.grounds.learn(ground(vector), failed)
        self.count += 1
        for path in run.changed[:MAX_FILES]:
            self._changes.learn(path, True)
        for at, node in enumerate(verdicts.nodes):
            failed = verdicts.failed[at]
            seconds = verdicts.seconds[at] if at < len(verdicts.seconds) else 0.0
            self._learn_test(node, failed, seconds, touched=bool(must[at]))
            if failed and verdicts.fresh[at]:
                self._learn_partners(node, run.changed)

    def _learn_test(self, node: str, failed: bool, seconds: float, *, touched: bool) -> None:
        stat = self._stats.pop(node, None) or _Stat()
        if stat.runs and not touched:
            flipped = failed != stat.failed
            stat.flips += flipped
            stat.steady += not flipped
        stat.good = 0.9 * stat.good + (not failed)
        stat.bad = 0.9 * stat.bad + failed
        stat.seconds = seconds if stat.runs == 0 else 0.7 * stat.seconds + 0.3 * seconds
        stat.runs += 1
        stat.failed = failed
        if failed:
            stat.last_failed = self.count
        self._stats[node] = stat
        if len(self._stats) > MAX_TESTS:
            del self._stats[next(iter(self._stats))]

    def _learn_partners(self, node: str, changed: Sequence[str]) -> None:
        for path in changed[:MAX_FILES]:
            partners = self._partners.pop(path, None) or {}
            partners[node] = partners.get(node, 0.0) + 1.0
            self._partners[path] = partners
            if len(partners) > MAX_PARTNERS:
                del partners[next(iter(partners))]
        while len(self._partners) > MAX_FILES:
            del self._partners[next(iter(self._partners))]

    def flake(self, node: str) -> float:
        """Posterior mean of P(it flips although nothing that it rests on changed)."""
        stat = self._stats.get(node, _NO_STAT)
        flips, steady = _FLAKE
        return (flips + stat.flips) / (flips + stat.flips + steady + stat.steady)

    def seconds(self, node: str) -> float:
        """How long it takes, seconds; 0 where it never ran."""
        return self._stats.get(node, _NO_STAT).seconds

    def numbers(self, node: str, changed: Iterable[str]) -> tuple[float, ...]:
        """The features from ``fail_rate`` to ``seconds``."""
        stat = self._stats.get(node, _NO_STAT)
        since = _NAN if stat.last_failed < 0 else math.log1p(self.count - stat.last_failed)
        return (
            leaning((stat.bad, stat.good), _PRIOR_FAIL),
            float(stat.failed),
            since,
            self.flake(node),
            math.log1p(stat.runs),
            max((self._together(path, node) for path in changed), default=0.0),
            math.log1p(1e3 * stat.seconds),
        )

    def _together(self, path: str, node: str) -> float:
        partners = self._partners.get(path)
        if not partners or node not in partners:
            return 0.0
        return partners[node] / (sum(self._changes.counts(path)) + 1.0)

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same."""
        return msgspec.msgpack.encode(
            _State(VERSION, self.count, self._stats, self._partners, self._changes, self.grounds)
        )

    @classmethod
    def load(cls, body: bytes) -> TestFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except msgspec.DecodeError as error:
            raise BundleError(f"The tests' state cannot be read: {error}") from error
        if state.version != VERSION:
            raise BundleError("The tests' state was made with other features.")
        fold = cls()
        fold.count, fold._stats, fold._partners = state.count, state.stats, state.partners
        fold._changes, fold.grounds = state.changes, state.grounds
        return fold


class _State(msgspec.Struct, array_like=True):
    version: str
    count: int
    stats: dict[str, _Stat]
    partners: dict[str, dict[str, float]]
    changes: Rates
    grounds: Rates


def _vectors(run: TestRun) -> list[array[float]]:
    """A row of features for each test, as logged; none where they are of another version."""
    verdicts = run.verdicts
    if verdicts.width != len(NAMES) or verdicts.version != VERSION:
        return []
    flat = array("f")
    flat.frombytes(verdicts.vectors)
    return [flat[at : at + len(NAMES)] for at in range(0, len(flat), len(NAMES))]


# -- one change, every test ------------------------------------------------------------------------


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
    found.update(zip(_HISTORY, numbers, strict=True))
    vector = [found.get(name, 0.0) for name in NAMES]
    return Touch(node=node, tier=tier, reasons=view.reasons, vector=vector)


def _unknown(known: Known, node: str) -> Touch:
    found: dict[str, float] = {"must": 1.0, "new": 1.0, "distance": _NAN, "touched_share": _NAN}
    numbers = known.fold.numbers(node, ())
    found.update(zip(_HISTORY, numbers, strict=True))
    vector = [found.get(name, 0.0) for name in NAMES]
    return Touch(node=node, tier="must", reasons=["it never ran here"], vector=vector)


class _View:
    """One change, made ready to be held against many tests."""

    def __init__(self, known: Known, run: int, own: Mapping[str, str]) -> None:
        self.change, self.reasons = known.changes[run], list[str]()
        self._known, self._old, self._new = known, known.trees[run], known.tree
        self._key = known.blocks
        self._changed = set[int]()
        self._removed = set[int]()
        self._docs = set[int]()
        self._mentions = set[int]()
        self._reads_docs = set[int]()
        self._looks = set[int]()
        self._head = set[int]()
        self._spread_kept()
        self._mark_blocks()
        if self._spread_imports():
            spread(self.change, self._old)
            spread(self.change, self._new)
            self._mark_blocks()
        self._tests = {key.partition("::")[0] for key in own.values()}
        self._helpers = self._changed_helpers(set(own.values()))
        self._users = self._use_counts()
        self._orphans = self._unreached()
        self._reached: dict[tuple[str, ...], tuple[dict[str, int], dict[str, int]]] = {}
        self._always = self._outside()
        self._origins = set().union(*self.change.names.values(), self.change.loud)
        share = sum(not self._changed.isdisjoint(one.blocks) for one in known.records.values())
        self._share = float(share) / max(len(known.records), 1)

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
            ran = {key for number in record.blocks if (key := self._key.get(number, "")) in blocks}
            for key in ran & keepers:
                seen[key] += 1
                if seen[key] <= _WITNESSES and self._changed_below(key, ran, blocks):
                    for name in blocks[key].keeps:
                        self.change.names.setdefault(name, set()).add(key.partition("::")[0])

    def _changed_below(self, key: str, ran: set[str], blocks: Mapping[str, Block]) -> bool:
        """Whether a block that changed is among those that one may have called."""
        by_name: dict[str, list[str]] = {}
        for other in ran:
            by_name.setdefault(_bare(other), []).append(other)
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
        for number, key in self._key.items():
            if key in change.blocks:
                self._changed.add(number)
                if not self._is_there(key):
                    self._removed.add(number)
            if key in change.docs:
                self._docs.add(number)
            if _bare(key) in names:
                self._head.add(number)
            if (block := blocks.get(key)) is not None:
                self._mark_names(number, block)

    def _mark_names(self, number: int, block: Block) -> None:
        names = self.change.names
        if names and (ANY in block.names or any(name in names for name in block.names)):
            self._mentions.add(number)
        if not _DOC_READERS.isdisjoint(block.names):
            self._reads_docs.add(number)
        if not _LOOKERS.isdisjoint(block.names):
            self._looks.add(number)

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
            hot = (self._changed | self._mentions).intersection(numbers)
            if hot:
                moved = True
                self._spread_import(path, self._led_to(hot, numbers))
        return moved

    def _led_to(self, hot: Iterable[int], numbers: Iterable[int]) -> set[str]:
        """Names of blocks, and of those that mention them, and so on."""
        blocks = {
            key: block
            for number in numbers
            if (block := self._old_block(key := self._key.get(number, ""))) is not None
        }
        names = {_bare(self._key[number]) for number in hot}
        grown = True
        while grown:
            more = {
                _bare(key) for key, block in blocks.items() if not names.isdisjoint(block.names)
            }
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
            if not self._changed.isdisjoint(outside.blocks):
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
        ran = {self._key[n].partition("::")[0] for n in record.blocks if n in self._key}
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
        hit = sorted(self._changed.intersection(blocks))
        near = change.files & (old.keys() | new.keys())
        origins = self._origins & (old.keys() | new.keys())
        mentions = bool(origins) and not self._mentions.isdisjoint(blocks)
        loud = change.loud & (old.keys() | new.keys())
        gone = change.gone & old.keys()
        helper = path in self._helpers or self._foreign(near, path)
        documented = not self._docs.isdisjoint(blocks)
        doc = documented and not self._reads_docs.isdisjoint(blocks)
        read = self._read(record)
        below = any(path.startswith(f"{folder}/" if folder else "") for folder in change.conftests)
        own_changed = own in change.blocks or own in change.added
        if hit:
            reasons.append(f"it ran {_readable(self._key[hit[0]])}, which changed")
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
                not self._looks.isdisjoint(blocks) and self._moved_data()
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
            "head": float(not self._head.isdisjoint(blocks)),
            "removed": math.log1p(len(self._removed.intersection(blocks))),
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
            name = _words(self._key[number].partition("::")[2])
            best = max(best, len(words & name) / max(len(name), 1))
        return best


def _bare(key: str) -> str:
    """The last name of a block.

    >>> _bare("a.py::Box.get")
    'get'
    """
    return key.rpartition("::")[2].rpartition(".")[2]


def _words(name: str) -> set[str]:
    """The words of a name, in lower case.

    >>> sorted(_words("TestCache::test_get_item"))
    ['cache', 'get', 'item']
    """
    parts = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return {part.lower() for part in parts} - {"test", "tests"}


def _is_test(key: str) -> bool:
    """Whether a block looks like a test, collected or not."""
    return _bare(key).startswith("test")


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
