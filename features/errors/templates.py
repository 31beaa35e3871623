"""Templates of messages, found online: which words of a message vary, and which say what it is.

`onward.features.errors.masks` hides what a value's shape gives away; what is left is a *pattern*.
Patterns that are the same but for one word form a *family*. The word is a value, and the family one
cluster, where

- a value with a shape (a number, a path) was seen in the same place, or
- at least `VALUES` different words stood there (`FIRST` where no word comes before it, for what a
  message begins with mostly says what it is), or
- at least half of its words are known values behind the same token, from another family.

A family that turned out to be a value is merged: its largest cluster keeps its id, the others
become aliases of it, with the evidence. Where few words stand in a merged family and each keeps
coming back (`OFTEN` times), they are kinds and no values: the family is split, and the largest part
keeps the id. Ids are never used twice. A message whose pattern is known costs one look-up.

The tables hold a bounded number of patterns; the least recently seen are forgotten.

References
----------
He et al., *Drain: an online log parsing approach with fixed depth tree*, ICWS 2017; Makanju et al.,
*Clustering event logs using iterative partitioning*, KDD 2009 (words counted by place); Yu et al.,
*Brain: log parsing with bidirectional parallel tree*, TSC 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from onward.data.errors import BundleError
from onward.features.errors.masks import WILD, masked, shown
from onward.features.errors.patterns import Cluster, Families, Family, Merge, Pattern

__all__ = ["FIRST", "OFTEN", "VALUES", "Cluster", "Merge", "Miner", "MinerState"]

VALUES = 4
"""So many different words in one place are values."""
FIRST = 16
"""The same, where no other word comes before them."""
OFTEN = 64
"""Words that each came so often, and are fewer than twice `VALUES`, are kinds."""
CAPACITY = 20_000
"""Patterns that are kept; about 3 kB each."""
KEPT_MERGES = 8
"""Merges and splits that a cluster remembers."""
_VERSION = 1


class MinerState(msgspec.Struct):
    """What `Miner.state` gives."""

    version: int
    next: int
    values: int
    capacity: int
    clusters: list[Cluster]
    patterns: list[Pattern]
    marks: list[tuple[int, int, int, bool]]
    behind: list[tuple[str, list[str]]]


class Miner:
    """Takes in messages one by one, and gives each its cluster.

    Parameters
    ----------
    values
        So many different words in one place are values.
    capacity
        Patterns that are kept.

    >>> miner = Miner()
    >>> a, b = miner.learn("disk 3 is full"), miner.learn("disk 14 is full")
    >>> a == b, miner.cluster(a).template
    (True, 'disk <*> is full')
    """

    def __init__(self, *, values: int = VALUES, capacity: int = CAPACITY) -> None:
        self.values = values
        self.capacity = capacity
        self.clusters: dict[int, Cluster] = {}
        self.aliases: dict[int, int] = {}
        self._patterns: dict[int, Pattern] = {}
        self._known: dict[tuple[str, ...], Pattern] = {}
        """In the order of forgetting."""
        self._families = Families(self._patterns, values=values, first=FIRST)
        self._next = 1

    def __len__(self) -> int:
        return len(self._patterns)

    # -- asking --------------------------------------------------------------------------------

    def find(self, tokens: tuple[str, ...]) -> int:
        """The cluster that a masked message falls into; 0 = none. Changes nothing."""
        for _ in range(4):  # each round takes one more word for a value
            known = self._known.get(tokens)
            if known is not None:
                return known.cluster
            family = next(self._families.merged(tokens), None)
            if family is None:
                return 0
            tokens = self._patterns[family.top].tokens
        return 0

    def cluster(self, number: int) -> Cluster:
        """A cluster by its id, or by one that became an alias of it; raises `KeyError`."""
        return self.clusters[self.resolve(number)]

    def tokens(self, cluster: Cluster) -> tuple[str, ...]:
        """The most general pattern of a cluster."""
        patterns = [self._patterns[number] for number in cluster.patterns]
        return max(patterns, key=lambda p: (p.tokens.count(WILD), -p.id)).tokens

    def resolve(self, number: int) -> int:
        """The id that a cluster goes by now."""
        while number in self.aliases:
            number = self.aliases[number]
        return number

    # -- learning ------------------------------------------------------------------------------

    def learn(self, text: str, at: float = 0.0) -> int:
        """Take in a message; gives the id of its cluster."""
        return self.learn_tokens(masked(text), at)

    def learn_tokens(self, tokens: tuple[str, ...], at: float = 0.0) -> int:
        """The same, for a message that is masked already."""
        pattern = self._known.pop(tokens, None)
        if pattern is None:
            pattern = self._new(tokens, at)
        self._known[tokens] = pattern
        cluster = self.clusters[pattern.cluster]
        for seen in (pattern, cluster):
            seen.count += 1
            seen.first = seen.first or at
            seen.last = at
        if pattern.tops and pattern.count >= OFTEN and pattern.count & (pattern.count - 1) == 0:
            self._reconsider(pattern, at)
        while len(self._patterns) > self.capacity and self._forget():
            pass
        return pattern.cluster

    def join(self, one: int, two: int, why: Merge) -> int:
        """Two clusters are one for a reason from outside; gives the id that is kept."""
        first, second = self.cluster(one), self.cluster(two)
        if first is second:
            return first.id
        tie, tied = next(iter(first.patterns)), next(iter(second.patterns))
        self._patterns[tie].tops.append(tied)  # so that a split elsewhere leaves them together
        return self._unite(first, second, why).id

    def _new(self, tokens: tuple[str, ...], at: float) -> Pattern:
        """A pattern that was not seen before, with its cluster."""
        family = next(self._families.merged(tokens), None)
        if family is None:
            cluster = self._cluster(tokens, at)
        else:
            cluster = self.clusters[self._patterns[family.top].cluster]
        pattern = self._add(tokens, cluster, at)
        self._enter(pattern, at)
        return pattern

    def _cluster(self, tokens: tuple[str, ...], at: float) -> Cluster:
        cluster = Cluster(self._number(), shown(tokens), first=at)
        self.clusters[cluster.id] = cluster
        return cluster

    def _add(self, tokens: tuple[str, ...], cluster: Cluster, at: float) -> Pattern:
        pattern = Pattern(self._number(), tokens, cluster.id, first=at, last=at)
        cluster.patterns[pattern.id] = None
        self._patterns[pattern.id] = self._known[tokens] = pattern
        return pattern

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    # -- merging -------------------------------------------------------------------------------

    def _enter(self, pattern: Pattern, at: float) -> None:
        """Put a pattern into its families; merge those where it is due."""
        for family in self._families.add(pattern):
            if family.top:
                self._link(pattern, family, at, why="member")
                self._know(family, [pattern.tokens[family.place]], at)
            elif why := self._families.due(family):
                self._merge(family, at, why=why)

    def _merge(self, family: Family, at: float, *, why: str) -> None:
        """All members of a family become one cluster."""
        members = self._families.members(family)
        model, place = members[0].tokens, family.place
        tokens = (*model[:place], WILD, *model[place + 1 :])
        top = self._known.get(tokens)
        fresh = top is None
        if top is None:
            largest = max(members, key=lambda p: self.clusters[p.cluster].count)
            top = self._add(tokens, self.clusters[largest.cluster], at)
        family.top = top.id
        top.holds += 1
        self._families.served(family)
        for member in members:
            self._link(member, family, at, why=why)
        if fresh:
            self._enter(top, at)
        self._know(family, self._families.words(family), at)

    def _know(self, family: Family, words: Iterable[str], at: float) -> None:
        """Words are values behind a family's token: others with them may be due now."""
        for other in self._families.know(family, words):
            if why := self._families.due(other):
                self._merge(other, at, why=why)

    def _link(self, member: Pattern, family: Family, at: float, *, why: str) -> None:
        """A member and its merged pattern share a cluster from now on."""
        top = self._patterns[family.top]
        if member is top:
            return
        if top.id not in member.tops:
            member.tops.append(top.id)
        one, two = self.clusters[member.cluster], self.clusters[top.cluster]
        if one is not two:
            words = tuple(p.tokens[family.place] for p in self._families.members(family)[:5])
            two = self._unite(one, two, Merge(at, "merge", 0, why, words))
        if top.tokens.count(WILD) > two.template.count(WILD):
            two.template = shown(top.tokens)

    def _unite(self, one: Cluster, two: Cluster, why: Merge) -> Cluster:
        """Two clusters become one, which keeps the id of the larger (the older, if alike)."""
        keep, drop = (one, two) if (one.count, -one.id) >= (two.count, -two.id) else (two, one)
        keep.count += drop.count
        keep.first = min(filter(None, (keep.first, drop.first)), default=0.0)
        keep.last = max(keep.last, drop.last)
        note = msgspec.structs.replace(why, other=drop.id)
        keep.merges = [*keep.merges, *drop.merges, note][-KEPT_MERGES:]
        for number in drop.patterns:
            self._patterns[number].cluster = keep.id
        keep.patterns.update(drop.patterns)
        keep.olds += [*drop.olds, drop.id]
        self.aliases[drop.id] = keep.id
        del self.clusters[drop.id]
        return keep

    # -- splitting -----------------------------------------------------------------------------

    def _reconsider(self, pattern: Pattern, at: float) -> None:
        """Split the families of a pattern whose words turned out to be kinds."""
        for family in list(self._families.of(pattern)):
            members = [p for p in self._families.members(family) if p.count]
            words = {member.tokens[family.place] for member in members}
            few = len(words) < 2 * self.values and WILD not in words
            if family.top and few and min(p.count for p in members) >= OFTEN:
                self._split(family, members, at)

    def _split(self, family: Family, members: Sequence[Pattern], at: float) -> None:
        """Each word of a family becomes a cluster of its own; the largest part keeps the id."""
        top = self._patterns[family.top]
        old = self.clusters[top.cluster]
        for member in members:
            member.tops = [number for number in member.tops if number != top.id]
        self._release(family)
        family.kinds = True
        words = tuple(member.tokens[family.place] for member in members[:5])
        parts = sorted(self._parts(old), key=lambda part: -sum(p.count for p in part))
        for part in parts[1:]:
            fresh = self._cluster(part[0].tokens, at)
            old.merges = [*old.merges, Merge(at, "split", fresh.id, "kinds", words)][-KEPT_MERGES:]
            _settle(fresh, part)
        _settle(old, parts[0])

    def _release(self, family: Family) -> None:
        self._patterns[family.top].holds -= 1
        family.top = 0
        if family.members:
            self._families.waiting(family)

    def _parts(self, cluster: Cluster) -> list[list[Pattern]]:
        """The patterns of a cluster, in groups that hang together."""
        group = {number: number for number in cluster.patterns}

        def root(number: int) -> int:
            while group[number] != number:
                number = group[number]
            return number

        for number in cluster.patterns:
            for top in self._patterns[number].tops:
                if top in group:
                    group[root(number)] = root(top)
        parts: dict[int, list[Pattern]] = {}
        for number in cluster.patterns:
            parts.setdefault(root(number), []).append(self._patterns[number])
        return list(parts.values())

    # -- forgetting ----------------------------------------------------------------------------

    def _forget(self) -> bool:
        """Drop the pattern that was not seen for longest; one that stands for others waits."""
        for _ in range(len(self._known)):
            pattern = next(iter(self._known.values()))
            del self._known[pattern.tokens]
            if not pattern.holds:
                self._drop(pattern)
                return True
            self._known[pattern.tokens] = pattern
        return False

    def _drop(self, pattern: Pattern) -> None:
        for family in self._families.remove(pattern):
            self._release(family)
        del self._patterns[pattern.id]
        cluster = self.clusters[pattern.cluster]
        del cluster.patterns[pattern.id]
        if not cluster.patterns:
            del self.clusters[cluster.id]
            for old in cluster.olds:
                self.aliases.pop(old, None)

    # -- on disk -------------------------------------------------------------------------------

    def state(self) -> MinerState:
        """All that was learned, as plain data."""
        return MinerState(
            version=_VERSION,
            next=self._next,
            values=self.values,
            capacity=self.capacity,
            clusters=list(self.clusters.values()),
            patterns=list(self._known.values()),
            marks=self._families.marks(),
            behind=[(left, list(words)) for left, words in self._families.behind.items()],
        )

    @classmethod
    def of(cls, state: MinerState) -> Miner:
        """A miner that goes on from a `state`; raises `BundleError` where it is of another kind."""
        if state.version != _VERSION:
            raise BundleError("The templates were learned by another version; learn them again.")
        miner = cls(values=state.values, capacity=state.capacity)
        miner._next = state.next
        miner.clusters = {cluster.id: cluster for cluster in state.clusters}
        miner.aliases = {old: c.id for c in state.clusters for old in c.olds}
        miner._known = {pattern.tokens: pattern for pattern in state.patterns}
        miner._patterns.update((pattern.id, pattern) for pattern in state.patterns)
        miner._families.behind = {left: dict.fromkeys(words) for left, words in state.behind}
        miner._families.restore(state.marks)
        return miner


def _settle(cluster: Cluster, part: Sequence[Pattern]) -> None:
    """Give a part of a split cluster its numbers."""
    widest = max(part, key=lambda pattern: pattern.tokens.count(WILD))
    cluster.template = shown(widest.tokens)
    cluster.count = sum(pattern.count for pattern in part)
    cluster.first = min((pattern.first for pattern in part if pattern.count), default=0.0)
    cluster.last = max(pattern.last for pattern in part)
    cluster.patterns = dict.fromkeys(pattern.id for pattern in part)
    for pattern in part:
        pattern.cluster = cluster.id
