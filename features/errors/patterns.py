"""Masked messages, and families of them that differ in one word: the tables behind the templates.

A *hole* is a place of a pattern whose word might be a value. Patterns with the same tokens around
the same hole are one family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from onward.features.errors.masks import WILD

__all__ = ["Cluster", "Families", "Family", "Key", "Merge", "Pattern", "family_of", "holes"]

MAX_HOLES = 32
"""Words of a pattern that may turn out to be values, from its beginning."""
_WORDS = 512
"""Known values that are kept behind one token."""
_SAYING = frozenset({"no", "not", "none", "never"})
"""Words that turn a message's meaning round are no values."""

Key = tuple[int, int]
"""Hashes of what stands before a hole and behind it; they never leave the process."""


class Pattern(msgspec.Struct):
    """One masked message."""

    id: int
    tokens: tuple[str, ...]
    cluster: int
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    tops: list[int] = []
    """Merged patterns of the families that it belongs to."""
    holds: int = 0
    """How many families it is the merged pattern of."""


class Family(msgspec.Struct):
    """Patterns that are the same but for one word."""

    place: int
    left: str
    """The token before that word."""
    need: int
    """How many different words make them values; 0 = nothing does."""
    first: bool
    """No word comes before the hole."""
    members: dict[int, None] = {}
    top: int = 0
    """The merged pattern; 0 = not merged."""
    kinds: bool = False
    """It was split, and is not merged again."""


class Merge(msgspec.Struct, frozen=True, gc=False):
    """Why two clusters became one, or one became two."""

    at: float
    kind: str
    """``merge`` or ``split``."""
    other: int
    """The id that became an alias, or the new one that was split off."""
    why: str
    """``shape``, ``many``, ``known``, ``member``, ``kinds``, or a reason from outside."""
    words: tuple[str, ...] = ()
    """Some of the words that stood in the place in question."""


class Cluster(msgspec.Struct):
    """Messages that say the same."""

    id: int
    template: str
    count: int = 0
    first: float = 0.0
    """When it was first seen; Unix seconds."""
    last: float = 0.0
    merges: list[Merge] = []
    patterns: dict[int, None] = {}
    olds: list[int] = []
    """Ids that are aliases of it."""


def holes(tokens: tuple[str, ...]) -> list[tuple[Key, int]]:
    """The places of a pattern whose word may be a value, each with the key of its family.

    >>> [place for _, place in holes(("user", "ann", "is", "not", "in"))]
    [0, 1, 2, 4]
    """
    after = 0
    behind = [0] * len(tokens)
    for place in range(len(tokens) - 1, -1, -1):
        behind[place] = after
        after = hash((tokens[place], after))
    found: list[tuple[Key, int]] = []
    before = 0
    for place, token in enumerate(tokens):
        if _is_word(token) and token.lower() not in _SAYING:
            found.append(((before, behind[place]), place))
            if len(found) == MAX_HOLES:
                break
        before = hash((before, token))
    return found


def family_of(tokens: tuple[str, ...], place: int, *, values: int, first: int) -> Family:
    """The family around a hole, without members; so many words make values of them."""
    before = any(_is_constant(token) for token in tokens[:place])
    behind = any(_is_constant(token) for token in tokens[place + 1 :])
    need = values if before else first if behind else 0
    left = tokens[place - 1] if place else ""
    return Family(place=place, left=left, need=need, first=not before)


def _is_word(token: str) -> bool:
    return token == WILD or any(map(str.isalnum, token))


def _is_constant(token: str) -> bool:
    return token != WILD and any(map(str.isalpha, token))


class Families:
    """The families of many patterns, and which words are values behind which token.

    Parameters
    ----------
    values
        So many different words in one place are values.
    first
        The same, where no other word comes before them.
    """

    def __init__(self, patterns: Mapping[int, Pattern], *, values: int, first: int) -> None:
        self._patterns = patterns
        self._values = values
        self._first = first
        self._all: dict[Key, Family] = {}
        self.behind: dict[str, dict[str, None]] = {}
        """Token -> words that are values behind it."""
        self._waiting: dict[str, dict[Key, None]] = {}
        """Token -> families behind it that are not merged."""

    def merged(self, tokens: tuple[str, ...]) -> Iterator[Family]:
        """The merged families that a message belongs to."""
        for key, _ in holes(tokens):
            family = self._all.get(key)
            if family is not None and family.top:
                yield family

    def of(self, pattern: Pattern) -> Iterator[Family]:
        """All families of a pattern that was added."""
        for key, _ in holes(pattern.tokens):
            yield self._all[key]

    def add(self, pattern: Pattern) -> list[Family]:
        """Put a pattern into the families around its places; gives them."""
        found = []
        for key, place in holes(pattern.tokens):
            family = self._all.get(key)
            if family is None:
                family = family_of(pattern.tokens, place, values=self._values, first=self._first)
                self._all[key] = family
                self._waiting.setdefault(family.left, {})[key] = None
            family.members[pattern.id] = None
            found.append(family)
        return found

    def remove(self, pattern: Pattern) -> list[Family]:
        """Take a pattern out; gives the merged families that have no member any more."""
        done = []
        for key, _ in holes(pattern.tokens):
            family = self._all[key]
            family.members.pop(pattern.id, None)
            if family.top and len(family.members) == (family.top in family.members):
                done.append(family)
            if not family.members:
                del self._all[key]
                self._served(family, key)
        return done

    def members(self, family: Family) -> list[Pattern]:
        """The patterns of a family, the oldest first."""
        return [self._patterns[number] for number in sorted(family.members)]

    def words(self, family: Family) -> set[str]:
        """The words that stand in the hole of a family."""
        return {self._patterns[number].tokens[family.place] for number in family.members}

    def due(self, family: Family) -> str:
        """Why a family's words are values; empty = they may be kinds."""
        if family.top or family.kinds or not family.need or len(family.members) < 2:
            return ""
        words = self.words(family)
        if len(words) >= family.need:
            return "many"
        if family.first:
            return ""
        if WILD in words and not self._crowded(family):
            return "shape"
        known = self.behind.get(family.left, {})
        return "known" if 2 * sum(word in known for word in words) >= len(words) else ""

    def know(self, family: Family, words: Iterable[str]) -> list[Family]:
        """Words of a merged family are values behind its token; gives families that share some."""
        known = self.behind.setdefault(family.left, {})
        fresh = set(words) - known.keys() - {WILD}
        known.update(dict.fromkeys(sorted(fresh)))
        while len(known) > _WORDS:
            del known[next(iter(known))]
        return self._sharing(family.left, fresh)

    def waiting(self, family: Family) -> None:
        """A family is not merged any more."""
        key = self._key(family)
        self._waiting.setdefault(family.left, {})[key] = None

    def served(self, family: Family) -> None:
        """A family is merged now."""
        self._served(family, self._key(family))

    def _key(self, family: Family) -> Key:
        tokens = self._patterns[next(iter(family.members))].tokens
        return next(key for key, place in holes(tokens) if place == family.place)

    def _served(self, family: Family, key: Key) -> None:
        waiting = self._waiting.get(family.left, {})
        waiting.pop(key, None)
        if not waiting:
            self._waiting.pop(family.left, None)

    def _sharing(self, left: str, words: set[str]) -> list[Family]:
        """Families behind a token that are not merged and hold one of these words."""
        if not words:
            return []
        found = [self._all[key] for key in self._waiting.get(left, ())]
        shared = [f for f in found if len(f.members) > 1 and not self.words(f).isdisjoint(words)]
        return sorted(shared, key=lambda f: min(f.members))

    def _crowded(self, family: Family) -> bool:
        """Another value stands beside the hole: where one ends and the other begins is unsure."""
        tokens, place = self._patterns[next(iter(family.members))].tokens, family.place
        return WILD in tokens[max(place - 1, 0) : place] + tokens[place + 1 : place + 2]

    # -- on disk -------------------------------------------------------------------------------

    def marks(self) -> list[tuple[int, int, int, bool]]:
        """A member, the place, the merged pattern and the split mark of families that have any."""
        return [
            (min(family.members), family.place, family.top, family.kinds)
            for family in self._all.values()
            if family.top or family.kinds
        ]

    def restore(self, marks: Iterable[tuple[int, int, int, bool]]) -> None:
        """Build the tables again from the patterns and from `marks`."""
        for _, pattern in sorted(self._patterns.items()):
            self.add(pattern)
        for number, place, top, kinds in marks:
            family = next(f for f in self.of(self._patterns[number]) if f.place == place)
            family.top, family.kinds = top, kinds
            if top:
                self.served(family)
