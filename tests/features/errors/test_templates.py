"""Templates: clusters that merge, split and keep their ids."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import BundleError
from onward.features.errors.masks import masked
from onward.features.errors.templates import OFTEN, VALUES, Merge, Miner, MinerState

NAMES = ("ann", "bob", "cid", "dan", "eve", "fay")
LINES = st.lists(
    st.builds(
        lambda verb, name, tail: f"session {verb} for {name}{tail}",
        st.sampled_from(["opened", "closed"]),
        st.sampled_from([*NAMES, "x1"]),
        st.sampled_from(["", " by root", " by sys"]),
    ),
    max_size=60,
)


def fed(lines: list[str]) -> Miner:
    """A miner that took in these lines."""
    miner = Miner()
    for number, line in enumerate(lines):
        miner.learn(line, float(number + 1))
    return miner


def find(miner: Miner, line: str) -> int:
    """The cluster of a line."""
    return miner.find(masked(line))


def test_many_words_in_one_place_are_values() -> None:
    """When enough different words stood in one place, their clusters become the oldest of them."""
    miner = Miner()
    ids = [miner.learn(f"session opened for {name} at desk") for name in NAMES]

    assert len(set(ids[: VALUES - 1])) == VALUES - 1
    assert {miner.resolve(number) for number in ids} == {ids[0]}
    assert miner.cluster(ids[1]).template == "session opened for <*> at desk"
    assert miner.cluster(ids[0]).count == len(NAMES)
    assert {merge.why for merge in miner.cluster(ids[0]).merges} == {"many"}


def test_a_number_tells_of_a_value_at_once() -> None:
    """A word in a place where a number was seen is a value."""
    miner = fed(["session opened for x1 at desk", "session opened for ann at desk"])

    assert len(miner.clusters) == 1


def test_values_are_known_elsewhere() -> None:
    """Words that are values behind a word in one message are values behind it in another."""
    miner = fed([f"session opened for user {name} now" for name in NAMES])
    first = [miner.learn(f"session closed for user {name}") for name in NAMES[:2]]

    assert miner.resolve(first[0]) == miner.resolve(first[1])


def test_what_a_message_begins_with_says_what_it_is() -> None:
    """Different first words, and words that deny, keep messages apart."""
    miner = fed([f"{name} startup succeeded" for name in NAMES])
    more = fed(["found 3 errors", "found no errors"])

    assert len(miner.clusters) == len(NAMES)
    assert len(more.clusters) == 2


def test_kinds_are_split_again() -> None:
    """Few words that each keep coming back are kinds: the largest part keeps the id for good."""
    miner = Miner()
    words = ["alpha", "beta", "gamma", "delta"]
    ids = [miner.learn(f"state is {word} today") for word in words]
    merged = miner.resolve(ids[0])
    for _ in range(2 * OFTEN):
        for word in words:
            miner.learn(f"state is {word} today")
    miner.learn("state is alpha today")
    found = [find(miner, f"state is {word} today") for word in words]

    assert len(set(found)) == len(words)
    assert merged in found
    assert not set(found) & (set(ids) - {merged})
    assert {merge.kind for merge in miner.cluster(merged).merges} == {"merge", "split"}
    assert (
        sum(cluster.count for cluster in miner.clusters.values())
        == len(words) * (2 * OFTEN + 1) + 1
    )


def test_clusters_are_joined_from_outside() -> None:
    """A join for another reason leads both ids to one cluster and is told."""
    miner = fed(["no space left on device", "the disk is full"])
    one, two = (find(miner, line) for line in ("no space left on device", "the disk is full"))
    kept = miner.join(one, two, Merge(0.0, "merge", 0, "model"))

    assert miner.resolve(one) == miner.resolve(two) == kept
    assert miner.cluster(two).merges[-1].why == "model"
    assert miner.join(one, two, Merge(0.0, "merge", 0, "model")) == kept


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_ids_lead_to_where_their_messages_are(lines: list[str]) -> None:
    """Every id that was ever given leads to a cluster, counts add up, and no id comes twice."""
    miner = Miner()
    given_ids = [miner.learn(line) for line in lines]

    assert all(miner.resolve(number) in miner.clusters for number in given_ids)
    assert sum(cluster.count for cluster in miner.clusters.values()) == len(lines)
    assert all(find(miner, line) in miner.clusters for line in lines)
    assert not set(miner.clusters) & set(miner.aliases)


@settings(max_examples=40, deadline=None)
@given(LINES, LINES)
def test_what_was_dumped_goes_on_the_same(before: list[str], after: list[str]) -> None:
    """A miner from a state gives the same ids as the one that went on."""
    miner = fed(before)
    body = msgspec.msgpack.encode(miner.state())
    other = Miner.of(msgspec.msgpack.decode(body, type=MinerState))

    assert [other.learn(line, 9.0) for line in after] == [miner.learn(line, 9.0) for line in after]
    assert sorted(other.clusters) == sorted(miner.clusters)


def test_asking_changes_nothing() -> None:
    """To find a message leaves the state as it is, byte for byte."""
    miner = fed([f"session opened for {name}" for name in NAMES])
    before = msgspec.msgpack.encode(miner.state())
    find(miner, "session opened for zed")
    find(miner, "something new")

    assert msgspec.msgpack.encode(miner.state()) == before
    assert find(Miner(), "something new") == 0


def test_memory_is_bounded() -> None:
    """On a long stream of new messages the tables stay at their capacity."""
    miner = Miner(capacity=200)
    words = [a + b + c for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyz"]
    for number in range(6000):
        miner.learn(f"{words[number % 600]} met {words[(7 * number) % 600]} in {words[number % 9]}")

    assert len(miner) <= 200
    assert len(miner.clusters) <= 200
    assert len(miner.aliases) <= 400
    assert len(msgspec.msgpack.encode(miner.state())) < 400_000


def test_another_version_is_told() -> None:
    """A state of another version is refused with what to do."""
    state = Miner().state()
    state.version = -1

    with pytest.raises(BundleError, match="another version"):
        Miner.of(state)
