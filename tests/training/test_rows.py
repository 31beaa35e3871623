"""The cache of folded rows: the same as folding all of it, in whatever parts it came."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onward.data.events import Band, Call, Decision, Event, Step
from onward.data.store import History
from onward.features.examples import Examples, examples
from onward.models.traits import traits_of
from onward.training.rows import folded

COUNT = 400


@pytest.fixture(scope="module")
def decided(events: list[Event]) -> list[Event]:
    """Some events, of which every third step was decided on some events before it."""
    some: list[Event] = []
    for place, event in enumerate(events[:COUNT]):
        if isinstance(event, Step) and place % 3 == 0 and len(some) > 5:
            names = Call.__struct_fields__
            call = Call(**{name: getattr(event, name) for name in names})
            some.insert(len(some) - 4, decision(f"d{place}", call))
            some.append(msgspec.structs.replace(event, decision=f"d{place}"))
        else:
            some.append(event)
    return some


def decision(name: str, call: Call) -> Decision:
    """A decision on a call."""
    return Decision(
        id=name,
        call=call,
        at=0.0,
        band=Band.ASK,
        shadow=True,
        p_success=0.5,
        p_approve=0.5,
        reversible="reversible",
    )


def same(a: Examples, b: Examples) -> bool:
    """Whether two tables are equal, bit for bit."""
    return np.array_equal(a.X, b.X, equal_nan=True) and all(
        getattr(a, name).tolist() == getattr(b, name).tolist()
        for name in ("outcome", "project", "agent", "session", "at", "seq")
    )


@given(cuts=st.lists(st.integers(1, COUNT), max_size=4))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_parts_equal_the_whole(
    cuts: list[int], decided: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever the history stood at earlier trainings, the rows are those of one fold of it all."""
    home = tmp_path_factory.mktemp("cache")
    with History.open(home / "history.db") as history:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(decided)], strict=True):
            if decided[start:end]:
                history.append(decided[start:end])
            result = folded(history, cache=home / "cache")
        whole = examples(history.scan())

    assert same(result.table, whole)
    assert result.last_seq == len(decided)
    traits = [traits_of(event) for event in decided if isinstance(event, Step)]
    assert result.traits.of(np.arange(len(whole))) == traits


def test_fold_goes_on_from_the_cache(decided: list[Event], tmp_path: Path) -> None:
    """The state that comes with cached rows is that of a fold of everything."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided)
        first = folded(history, cache=tmp_path / "cache")
        again = folded(history, cache=tmp_path / "cache")

    assert first.fold.dump() == again.fold.dump()
    assert first.digest == again.digest


def test_what_a_crash_left_does_not_count(decided: list[Event], tmp_path: Path) -> None:
    """Rows that were appended but never counted are overwritten by the next fold."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided[:100])
        folded(history, cache=tmp_path / "cache")
        for file in (tmp_path / "cache").rglob("*.[fiu][0-9]*"):
            with file.open("ab") as out:
                out.write(b"half a row that a crash left")
        history.append(decided[100:])
        result = folded(history, cache=tmp_path / "cache")
        whole = examples(history.scan())

    assert same(result.table, whole)


@pytest.mark.parametrize("name", ["X.f32", "outcome.i1", "session.i4", "traits.u4", "traited.i8"])
def test_rows_that_a_power_cut_took_are_folded_anew(
    name: str, decided: list[Event], tmp_path: Path
) -> None:
    """Where a file holds fewer rows than the state counts, nothing is learned from zeros."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided[:100])
        folded(history, cache=tmp_path / "cache")
        (file,) = (tmp_path / "cache").rglob(name)
        with file.open("r+b") as out:
            out.truncate(file.stat().st_size // 2)
        history.append(decided[100:])
        result = folded(history, cache=tmp_path / "cache")
        whole = examples(history.scan())

    assert same(result.table, whole)
    traits = [traits_of(event) for event in decided if isinstance(event, Step)]
    assert result.traits.of(np.arange(len(whole))) == traits


def test_other_features_start_anew(decided: list[Event], tmp_path: Path) -> None:
    """Rows of another version of the features are not used, and go."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided[:50])
        old = tmp_path / "cache" / f"{history.identity}-0123456789ab"
        old.mkdir(parents=True)
        (old / "state.msgpack").write_bytes(b"old")
        result = folded(history, cache=tmp_path / "cache")

    assert not old.exists()
    assert len(result.table) == sum(isinstance(event, Step) for event in decided[:50])


def test_damaged_state_starts_anew(decided: list[Event], tmp_path: Path) -> None:
    """A state file that cannot be read costs time and nothing else."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided[:80])
        first = folded(history, cache=tmp_path / "cache")
        for file in (tmp_path / "cache").rglob("state.msgpack"):
            file.write_bytes(b"\x81")
        again = folded(history, cache=tmp_path / "cache")

    assert same(first.table, again.table)


def test_empty_history(tmp_path: Path) -> None:
    """A history without events has no rows."""
    with History.open(tmp_path / "history.db") as history:
        assert len(folded(history, cache=tmp_path / "cache").table) == 0


def test_traits_of_some_rows(decided: list[Event], tmp_path: Path) -> None:
    """Any rows can be asked for their traits, in any order."""
    with History.open(tmp_path / "history.db") as history:
        history.append(decided)
        traits = folded(history, cache=tmp_path / "cache").traits

    steps = [event for event in decided if isinstance(event, Step)]
    assert traits.of(np.array([7, 0, 3])) == [traits_of(steps[row]) for row in (7, 0, 3)]
