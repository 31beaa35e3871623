"""Histories of earlier versions, whose blocks are JSON."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from onward.data.events import Step
from onward.data.store import History, blocks
from onward.data.store.schema import SCHEMA

MakeStep = Callable[..., Step]


@pytest.fixture
def old(history: History, step: MakeStep, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """Steps that lie in the history as version 1 stored them, small and compressed."""
    steps = [step("a-1"), step("a-2", output="x" * 9000)]
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "_encode", msgspec.json.encode)
        for each in steps:
            history.append([each])
    with history._database.transaction() as cursor:
        cursor.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
    return steps


def test_old_blocks_are_read_beside_new_ones(
    address: str, history: History, old: list[Step], step: MakeStep
) -> None:
    """A history of version 1 opens, goes on, and gives back all of it, and is version 2 then."""
    with history._database.transaction() as cursor:  # version 1 knew no notes
        for column in ("notes", "feedback"):
            cursor.execute(f"ALTER TABLE block DROP COLUMN {column}")
    with History.open(address) as later:
        assert later.append([step("a-3"), old[0]]) == [3, 1]
        assert [event for _, event in later.scan()] == [*old, step("a-3")]
        assert later.get(Step, "a-2") == old[1]
        assert later._database.meta("schema") == str(SCHEMA)


def test_the_digest_does_not_tell_how_it_is_stored(
    history: History, old: list[Step], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same events have the same digest, in old blocks and in new ones."""
    with History.open(tmp_path_factory.mktemp("new") / "h.db") as new:
        new.append(old)
        assert new.digest() == history.digest()
        assert new.digest(1) == history.digest(1)


def test_a_number_too_large_for_messagepack_is_kept(history: History, step: MakeStep) -> None:
    """An integer beyond 64 bits comes back as it was."""
    big = step("big", input={"n": 2**70})
    history.append([step("small"), big])

    assert history.get(Step, "big") == big
