"""The errors of a history, folded: which ones there are, how often, since when, from what.

Each step that failed gives one message, the line that says what went wrong
(`onward.features.errors.rootcause`), and falls into a cluster of messages that say the same
(`onward.features.errors.templates`). A search that found nothing is no error. Beside each cluster
the fold keeps which programs and exceptions it came from and a few of its messages; texts are cut
to `KEPT_CHARS`. Memory is bounded: the least recently seen are forgotten.
"""

from __future__ import annotations

import zlib

import msgspec

from onward.data.errors import BundleError
from onward.data.events import Call, Event, Outcome, Step
from onward.features.action import action_of
from onward.features.action.types import KIND
from onward.features.errors.masks import masked
from onward.features.errors.rootcause import RootCause, root_cause
from onward.features.errors.templates import Cluster, Miner, MinerState

__all__ = ["ErrorFold", "Seen", "Speaking", "is_error", "program_of", "speaking"]

CAPACITY = 4096
"""Patterns of messages that are kept."""
EXAMPLES = 6
"""Messages of a cluster that are kept."""
KEPT_CHARS = 300
PROGRAMS = 8
"""Programs and exception types that are kept for a cluster."""
_SEARCHES = frozenset({KIND["search"], KIND["read"]})
_FOUND_NOTHING = 1
"""The exit status of a search without a match, of a comparison with a difference."""
_VERSION = 1


class Seen(msgspec.Struct):
    """What is kept of a cluster beside its template."""

    programs: dict[str, int] = {}
    types: dict[str, int] = {}
    examples: dict[str, int] = {}
    """Messages, with how often each came."""
    session: str = ""
    """The session that it was last seen in."""


class Speaking(msgspec.Struct, frozen=True, gc=False):
    """A message as the fold reads it."""

    root: RootCause
    tokens: tuple[str, ...]
    """The message, masked."""


def program_of(call: Call) -> str:
    """The program that decides a call's outcome; the tool itself where it is no shell."""
    return action_of(call).program or call.tool


def is_error(step: Step) -> bool:
    """Whether a step failed, and not only found nothing.

    >>> grep = {"command": "grep -n total a.py"}
    >>> is_error(Step(id="1", session="s", tool="Bash", input=grep, outcome="error", exit_code=1))
    False
    """
    if step.outcome is not Outcome.ERROR:
        return False
    quiet = not root_cause(step.output[-400:]).line
    if quiet and action_of(step).kind in _SEARCHES:
        return step.exit_code not in (None, _FOUND_NOTHING)
    return True


def speaking(output: str, program: str = "") -> Speaking:
    """What an output says went wrong; a silent one is told by its program alone."""
    root = root_cause(output)
    if not root.line:
        return Speaking(root, (program, "failed", "without", "output"))
    return Speaking(root, masked(root.line))


class ErrorFold:
    """All errors that were seen; `learn` takes in one event.

    >>> fold = ErrorFold()
    >>> fold.learn(Step(id="1", session="s", tool="Bash", input={"command": "python a.py"},
    ...                 outcome=Outcome.ERROR, output="KeyError: 'x'"))
    >>> [cluster.template for cluster in fold.miner.clusters.values()]
    ["KeyError: '<*>'"]
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self.miner = Miner(capacity=capacity)
        self.seen: dict[int, Seen] = {}

    def learn(self, event: Event) -> None:
        """Takes in one event; what is no failed step changes nothing."""
        if isinstance(event, Step) and is_error(event):
            program = program_of(event)
            self.take(speaking(event.output, program), program, event)

    def take(self, said: Speaking, program: str, step: Step) -> int:
        """One more message; gives the id of its cluster."""
        number = self.miner.learn_tokens(said.tokens, step.at)
        if len(self.seen) > 2 * len(self.miner.clusters) + 16:
            self._tidy()
        seen = self.seen.get(number)
        if seen is None:
            seen = self.seen[number] = Seen()
        _count(seen.programs, program, PROGRAMS)
        if said.root.type:
            _count(seen.types, said.root.type, PROGRAMS)
        _count(seen.examples, said.root.line[:KEPT_CHARS], EXAMPLES)
        seen.session = step.session
        return number

    def find(self, said: Speaking) -> Cluster | None:
        """The cluster of a message; None = there is none yet. Changes nothing."""
        number = self.miner.find(said.tokens)
        return self.miner.clusters[number] if number else None

    def about(self, cluster: Cluster) -> Seen:
        """What is kept of a cluster, with what is kept of those that were merged into it."""
        found = [self.seen[n] for n in (cluster.id, *cluster.olds) if n in self.seen]
        if len(found) == 1:
            return found[0]
        whole = Seen()
        for part in found:
            _add(whole.programs, part.programs)
            _add(whole.types, part.types)
            _add(whole.examples, part.examples)
            whole.session = whole.session or part.session
        return whole

    def medoid(self, cluster: Cluster) -> str:
        """The message of a cluster that is most like its others."""
        examples = list(self.about(cluster).examples)
        words = [set(text.split()) for text in examples]

        def near(place: int) -> float:
            return sum(len(words[place] & w) / max(len(words[place] | w), 1) for w in words)

        return examples[max(range(len(examples)), key=near)] if examples else ""

    def _tidy(self) -> None:
        """Fold what was merged into one, and drop what the miner forgot."""
        kept = {c.id: self.about(c) for c in self.miner.clusters.values()}
        self.seen = kept

    # -- on disk -------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that goes on the same."""
        state = _State(_VERSION, self.miner.state(), list(self.seen.items()))
        return zlib.compress(msgspec.msgpack.encode(state), 1)

    @classmethod
    def load(cls, body: bytes) -> ErrorFold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(zlib.decompress(body), type=_State)
        except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The state of the errors cannot be read: {error}") from error
        if state.version != _VERSION:
            raise BundleError("The state of the errors is of another version; fold it again.")
        fold = cls(capacity=state.miner.capacity)
        fold.miner = Miner.of(state.miner)
        fold.seen = dict(state.seen)
        return fold


class _State(msgspec.Struct):
    version: int
    miner: MinerState
    seen: list[tuple[int, Seen]]


def _count(table: dict[str, int], key: str, most: int) -> None:
    """One more of a key; the rarest of too many is dropped."""
    table[key] = table.get(key, 0) + 1
    if len(table) > most:
        del table[min((k for k in table if k != key), key=lambda k: table[k])]


def _add(table: dict[str, int], more: dict[str, int]) -> None:
    for key, count in more.items():
        table[key] = table.get(key, 0) + count
    while len(table) > max(EXAMPLES, PROGRAMS):
        del table[min(table, key=lambda k: table[k])]
