"""What is exported comes back as it was."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onward.data.errors import FormatError, NotFound
from onward.data.events import (
    Band,
    Call,
    Decision,
    Event,
    Feedback,
    Note,
    Outcome,
    Prompt,
    Sample,
    Step,
    Verdict,
    encode_event,
)
from onward.data.exporters import write_atif, write_parquet
from onward.data.importers import BrokenLine, atif, parquet, read_parquet, steps

IDS = st.uuids().map(str)
SESSIONS = st.sampled_from(["s", "t/agent-1", "2026-01-22 öß.md#x", "../up", ""])
TIMES = st.just(0.0) | st.floats(0, 1e11, allow_nan=False, allow_subnormal=False)
WORDS = st.text(max_size=30)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=8
)
NUMBERS = st.dictionaries(WORDS, st.floats(0, 1e12, allow_nan=False), max_size=3)
STEPS = st.builds(
    Step,
    id=IDS,
    session=SESSIONS,
    tool=WORDS,
    input=st.dictionaries(WORDS, JSON, max_size=3),
    at=TIMES,
    agent=WORDS,
    project=WORDS,
    cwd=WORDS,
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(-(2**31), 2**31 - 1),
    duration=st.none() | st.floats(0, 1e6, allow_nan=False),
    output=WORDS,
    decision=WORDS,
    usage=NUMBERS,
)
PROMPTS = st.builds(
    Prompt, id=IDS, session=SESSIONS, text=WORDS, at=TIMES, agent=WORDS, project=WORDS, role=WORDS
)
CALLS = st.builds(
    Call, session=SESSIONS, tool=WORDS, input=st.dictionaries(WORDS, JSON, max_size=2), at=TIMES
)
OTHERS = (
    st.builds(Sample, id=IDS, at=TIMES, session=SESSIONS, host=WORDS, values=NUMBERS)
    | st.builds(
        Note,
        id=IDS,
        session=SESSIONS,
        text=WORDS,
        at=TIMES,
        about=WORDS,
        reasons=st.lists(WORDS, max_size=2),
        alternatives=st.lists(WORDS, max_size=2),
        tags=st.lists(WORDS, max_size=2),
    )
    | st.builds(
        Feedback, id=IDS, session=SESSIONS, note=WORDS, helped=st.booleans(), at=TIMES, text=WORDS
    )
    | st.builds(Verdict, id=IDS, session=SESSIONS, decision=WORDS, approved=st.booleans(), at=TIMES)
    | st.builds(
        Decision,
        id=IDS,
        call=CALLS,
        at=TIMES,
        band=st.sampled_from(Band),
        shadow=st.booleans(),
        p_success=st.floats(0, 1),
        p_approve=st.floats(0, 1),
        reversible=WORDS,
        reasons=st.just([]),
    )
)
quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples: making a new one takes longer than the example."""
    return tmp_path_factory.mktemp("exported")


def by_session(events: list[Event]) -> dict[str, list[Event]]:
    """The events of each session, in order."""
    sessions = defaultdict(list)
    for event in events:
        sessions[event.session].append(event)
    return dict(sessions)


@given(events=st.lists(STEPS | PROMPTS, max_size=12))
@quick
def test_atif_gives_back_the_same_steps(place: Path, events: list[Event]) -> None:
    """Every session's steps and prompts come back equal and in order."""
    files = write_atif(events, place / "atif")
    back = [each for file in files for each in atif.read(file)]

    assert not [each for each in back if isinstance(each, BrokenLine)]
    assert by_session([each for each in back if not isinstance(each, BrokenLine)]) == by_session(
        events
    )


@given(events=st.lists(STEPS | PROMPTS | OTHERS, max_size=12))
@quick
def test_parquet_gives_back_the_same_events(place: Path, events: list[Event]) -> None:
    """Events of all kinds come back equal and in order."""
    path = place / "history.parquet"

    assert write_parquet(events, path) == len(events)
    assert list(read_parquet(path)) == events


@given(events=st.lists(STEPS | PROMPTS | OTHERS, min_size=1, max_size=12))
@quick
def test_steps_lines_of_our_own_are_read_exactly(place: Path, events: list[Event]) -> None:
    """A line that onward wrote as JSON is the same event when it is read as plain steps."""
    named = [event for event in events if event.session or isinstance(event, Sample | Decision)]
    if not named:
        return  # a step of no session is no plain step
    path = place / "own.jsonl"
    path.write_bytes(b"".join(encode_event(event) + b"\n" for event in named))

    assert list(steps.read(path)) == named


def one_step(**fields: Any) -> Step:
    """A step as an agent makes it."""
    known: dict[str, Any] = {"id": "a-1", "session": "run", "tool": "Bash", "at": 2e9}
    return Step(outcome=Outcome.ERROR, **(known | fields))


def test_atif_files_follow_the_specification(tmp_path: Path) -> None:
    """Required fields are there, steps count from 1, results name their calls."""
    step = one_step(input={"command": "ls"}, exit_code=2, output="no", agent="mini/tiny")
    prompt = Prompt(id="p", session="run", text="go", at=2e9, agent="mini/tiny")
    (path,) = write_atif([prompt, step], tmp_path / "new" / "folder")
    document = json.loads(path.read_text())
    user, agent = document["steps"]

    assert document["schema_version"] == "ATIF-v1.7"
    assert document["session_id"] == "run"
    assert document["agent"] == {"name": "mini", "version": "unknown", "model_name": "tiny"}
    assert [user["step_id"], agent["step_id"]] == [1, 2]
    assert (user["source"], user["message"]) == ("user", "go")
    assert agent["tool_calls"][0]["function_name"] == "Bash"
    assert agent["tool_calls"][0]["arguments"] == {"command": "ls"}
    (result,) = agent["observation"]["results"]
    assert result["source_call_id"] == agent["tool_calls"][0]["tool_call_id"]
    assert result["content"] == "no"
    assert (result["extra"]["is_error"], result["extra"]["exit_code"]) == (True, 2)
    assert agent["timestamp"] == "2033-05-18T03:33:20+00:00"


def test_sessions_may_interleave_and_names_may_be_anything(tmp_path: Path) -> None:
    """Each session has a file of its own below the folder, however it is called."""
    names = ["a/b", "a_b", "../../etc/passwd", "", "x" * 300]
    events = [
        one_step(id=f"{name}-{number}", session=name) for number in range(3) for name in names
    ]
    files = write_atif(events, tmp_path)

    assert len(files) == len(set(files)) == len(names)
    assert all(file.parent == tmp_path and file.is_file() for file in files)
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    """When writing stops half-way the target is what it was, and nothing lies beside it."""
    path = tmp_path / "history.parquet"
    write_parquet([one_step()], path)

    def failing() -> Any:
        yield one_step(id="b")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="broke"):
        write_parquet(failing(), path)
    assert [event.id for event in read_parquet(path)] == ["a-1"]
    assert list(tmp_path.iterdir()) == [path]


def test_parquet_reads_in_batches_and_keeps_the_order(tmp_path: Path) -> None:
    """A table that is longer than one batch is read and written whole."""
    events: list[Event] = [one_step(id=f"a-{number}") for number in range(20_000)]
    write_parquet(events, tmp_path / "long.parquet")

    assert list(read_parquet(tmp_path / "long.parquet")) == events


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    """A file that is cut, is no table of ours, or is not there, is a typed error."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    path, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_parquet([one_step()], path)
    path.write_bytes(path.read_bytes()[:-10])
    pq.write_table(pa.table({"x": [1]}), other)

    with pytest.raises(FormatError, match="damaged"):
        list(read_parquet(path))
    with pytest.raises(FormatError, match="no column"):
        list(read_parquet(other))
    with pytest.raises(NotFound):
        list(read_parquet(tmp_path / "none.parquet"))


def test_a_row_that_is_no_event_is_named(tmp_path: Path) -> None:
    """One bad row is told by its number; the others are read."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    path = tmp_path / "a.parquet"
    write_parquet([one_step(id=f"a-{number}") for number in range(3)], path)
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[1]["outcome"] = "splendid"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    found = list(parquet.read(path))

    assert [each.line for each in found if isinstance(each, BrokenLine)] == [2]
    with pytest.raises(FormatError, match="row 2"):
        list(read_parquet(path))


def test_bytes_changed_at_random_give_events_or_a_typed_error(tmp_path: Path) -> None:
    """A table that was damaged on disk never gives an untyped error."""
    path = tmp_path / "a.parquet"
    write_parquet([one_step(id=f"a-{number}", output="x" * number) for number in range(200)], path)
    whole = path.read_bytes()
    chance = random.Random(5)
    for _ in range(150):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        path.write_bytes(bytes(body))
        try:
            list(parquet.read(path))
        except FormatError:
            continue
