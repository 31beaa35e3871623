"""What past runs say of each test, and how likely tests fail that a change touches in some way.

`TestFold` holds how often and how lately each test failed, how long it takes, whether it flips
without cause, and which files' changes it failed after. `ground` tells the strongest thing that
touches a test from its features, and `by_counts` how often such tests failed so far. The features
themselves come from `onward.features.affected.touch`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from onward.data.errors import BundleError
from onward.data.testing.runs import TestRun
from onward.features.rates import Rates, leaning

if TYPE_CHECKING:
    pass

__all__ = [
    "GROUND_PRIORS",
    "HISTORY",
    "NAMES",
    "VERSION",
    "TestFold",
    "by_counts",
    "ground",
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
_NAN = math.nan
_PRIOR_FAIL = 0.02
_FLAKE = (0.25, 25.0)
"""Flips and steady repeats that a test has before any was seen: one in a hundred is flaky."""
_SURE = 2.0
"""How many expected failures the priors are worth."""
MAX_TESTS = 50_000
MAX_FILES = 2_000
MAX_PARTNERS = 500
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
HISTORY = NAMES[_PLACE["fail_rate"] : _PLACE["seconds"] + 1]


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
