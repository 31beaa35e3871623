"""Words seen, as bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onward.features.seen import bits, is_marked, mark, of_bytes

HASHES = st.sets(st.integers(0, 2**32 - 1), max_size=40)


@given(HASHES, st.integers(0, 2**16))
def test_what_was_marked_is_found(hashes: set[int], mixed: int) -> None:
    """Every marked word is found, and nothing is that lies at no marked place."""
    table = bits(1 << 10)
    mark(table, hashes, mixed)

    places = {(hashed ^ mixed) & 1023 for hashed in hashes}
    assert {place for place in range(1 << 10) if is_marked(table, place)} == places


@given(HASHES)
def test_a_table_of_bytes_becomes_the_same_in_bits(hashes: set[int]) -> None:
    """What an earlier version saved says the same, and a table in bits stays as it is."""
    old = bytearray(1 << 10)
    for hashed in hashes:
        old[hashed & 1023] = 1
    table = bits(1 << 10)
    mark(table, hashes)

    assert of_bytes(old, 1 << 10) == table
    assert of_bytes(table, 1 << 10) is table
