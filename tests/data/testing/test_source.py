"""Files as blocks and statements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onward.data.testing.source import ANY, read_source

CODE = b"""
import os
LIMIT = 3

class Box(dict):
    size = 1
    def get(self, key):
        "Doc."
        return self.size + LIMIT

@register
def f(x):
    return getattr(x, x.name)
"""


def test_comments_and_layout_change_nothing() -> None:
    """Only the syntax tree counts."""
    other = CODE.replace(b"LIMIT = 3", b"LIMIT   =  3  # three").replace(b"\n\n", b"\n\n\n# x\n")
    one, two = read_source(CODE), read_source(other)

    assert one.digest != two.digest
    assert (one.blocks, one.statements) == (two.blocks, two.statements)


def test_each_part_changes_alone() -> None:
    """A body changes its block, a docstring its doc, a constant the statement that defines it."""
    one = read_source(CODE)
    body = read_source(CODE.replace(b"self.size +", b"self.size -"))
    doc = read_source(CODE.replace(b"Doc.", b"Other."))
    constant = read_source(CODE.replace(b"LIMIT = 3", b"LIMIT = 4"))

    assert body.blocks[0].code != one.blocks[0].code
    assert body.statements == one.statements
    assert doc.blocks[0].code == one.blocks[0].code
    assert doc.blocks[0].doc != one.blocks[0].doc
    assert constant.blocks == one.blocks
    moved = [s for s in constant.statements if s not in one.statements]
    assert [s.defines for s in moved] == [["LIMIT"]]


def test_names_effects_and_lookups_are_told() -> None:
    """A block tells the names that it mentions; unknown calls have effects; lookups mean any."""
    source = read_source(CODE)
    by_name = {block.name: block for block in source.blocks}

    assert {"LIMIT", "Box", "get"} <= set(by_name["Box.get"].names)
    assert ANY in by_name["f"].names
    assert [s.defines for s in source.statements if s.effect] == [["f"]]


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_can_be_read(body: bytes) -> None:
    """Whatever the bytes, a source comes back; what cannot be parsed is broken."""
    source = read_source(body)

    assert source.broken or not source.blocks or source.blocks[0].name
