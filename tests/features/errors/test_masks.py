"""Masks: what a value's shape gives away, whatever the system that wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onward.features.errors.masks import MAX_TOKENS, WILD, masked, shown

PAIRS = (
    ("took 12 ms", "took 3.5 seconds"),
    ("read /var/log/a.log", "read ./b/c.txt"),
    ("peer 10.0.0.1:80 is away", "peer db.example.com is away"),
    ("no module named 'yaml'", "no module named 'a.b'"),
    ("see https://a.example/x?y=1", "see http://b.example"),
    ("started Mon Jun 3 10:00:00 2024", "started 2024-06-03"),
    ("freed blocks 1, 2, 3", "freed blocks 7"),
    ("from host ()", "from host (a1)"),
    ("core(3) is hot", "core(14) is hot"),
    ("flag is true", "flag is null"),
    ("\x1b[31mfailed 3\x1b[0m", "failed 4"),
)


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_values_of_a_known_shape_are_one(one: str, two: str) -> None:
    """Messages that differ in a value's digits, path, host, quotes, time or list are the same."""
    assert masked(one) == masked(two)
    assert WILD in masked(one)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Input/output error", "Read/write error"),
        ("can't open", "cannot open"),
        ("sqlite3.OperationalError: locked", "sqlite3.IntegrityError: locked"),
        ("loss of power", "loss of signal"),
    ],
)
def test_words_stay(one: str, two: str) -> None:
    """What is no value keeps two messages apart, also the name of an exception with a digit."""
    assert masked(one) != masked(two)


@given(st.text(max_size=300))
def test_any_text_is_masked(text: str) -> None:
    """No text fails, masks are bounded, and a shown template masks to text."""
    tokens = masked(text)

    assert len(tokens) <= MAX_TOKENS
    assert isinstance(shown(tokens), str)


@given(st.lists(st.sampled_from(["disk", "is", "full", "7", "a.b/c"]), max_size=9))
def test_masking_is_done_once(words: list[str]) -> None:
    """Masking what is masked changes nothing."""
    tokens = masked(" ".join(words))

    assert masked(" ".join(tokens)) == tokens


def test_long_messages_are_cut_between_words() -> None:
    """A word that the limit would cut in half is left out, so lists of any length are alike."""
    assert masked("freed " + "blk_123456789 " * 500) == masked("freed blk_1")
