"""Notes that say the same become one; those that say something else never do."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onward.features.memory.alike import Alike, plain_key

NOTE = "Take the lock file before the settings are written, since two servers may share one home."
COPIES = [
    NOTE.lower(),
    NOTE.replace(",", " -").replace(".", "!"),
    "Please: " + NOTE + " Thanks.",
    NOTE.replace("written", "wriTTen"),
]
OTHERS = [
    NOTE.replace("Take the", "Take no"),
    NOTE.replace("two servers", "3 servers"),
    NOTE.replace("before", "after"),
    "Never " + NOTE.lower(),
    "The lock file is taken by the server.",
    "",
]


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_the_same(copy: str) -> None:
    """Case, punctuation and politeness make no other note."""
    assert Alike().same(NOTE, copy)


@pytest.mark.parametrize("other", OTHERS)
def test_what_turns_the_sense_is_another_note(other: str) -> None:
    """A negation, another number or another order of things is never joined."""
    assert not Alike().same(NOTE, other)


@given(one=st.text(max_size=60), two=st.text(max_size=60))
@example(one="-0", two="")
def test_likeness_has_no_direction(one: str, two: str) -> None:
    """Two texts are as alike in either order, and every text is like itself."""
    alike = Alike()

    assert alike.same(one, two) == alike.same(two, one)
    assert alike.same(one, one)
    assert plain_key(plain_key(one)) == plain_key(one)
