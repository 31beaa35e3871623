"""One suite for the history, on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onward.data.errors import (
    Conflict,
    InputError,
    NotFound,
    SettingsError,
    StoreBusy,
    StoreError,
)
from onward.data.events import (
    Band,
    Call,
    Decision,
    Event,
    Feedback,
    Note,
    Outcome,
    Prompt,
    Reason,
    Sample,
    Step,
    Verdict,
    encode_event,
)
from onward.data.ids import event_id, fresh_id
from onward.data.store import History
from onward.data.store.blocks import BLOCK_EVENTS, KINDS, split_id
from onward.data.store.schema import SQLITE

MakeStep = Callable[..., Step]
Child = Callable[..., "subprocess.Popen[str]"]

ONE_OF_EACH: tuple[Event, ...] = (
    Step(
        id="1", session="a", tool="Bash", outcome=Outcome.ERROR, exit_code=2, input={"n": [1, {}]}
    ),
    Decision(
        id="1",
        call=Call(session="b", tool="Edit"),
        at=2.5,
        band=Band.ASK,
        shadow=True,
        p_success=0.5,
        p_approve=0.25,
        reversible="reversible",
        reasons=[Reason("rule", "because", value=1.0)],
    ),
    Prompt(id="1", session="a", text="weiter, bitte – 続けて 🙂"),
    Verdict(id="1", session="a", decision="1", approved=False),
    Sample(id="1", at=3.0, values={"load_1m": 0.5}),
    Note(id="1", session="a", text="use the lock file", reasons=["two writers"], tags=["store"]),
    Feedback(id="1", session="a", note="1", helped=True),
)

# Small sets, so that numbers meet, leave gaps and come twice.
PREFIXES = st.sampled_from(["", "a", "a-", "a-0", "é", "long" * 50])
IDS = st.builds(lambda prefix, n: f"{prefix}{n}", PREFIXES, st.integers(0, 12) | st.just("x"))
STEPS = st.builds(
    Step,
    id=IDS,
    session=st.sampled_from(["s", "t", "ü"]),
    tool=st.just("Bash"),
    outcome=st.sampled_from(Outcome),
)
PROMPTS = st.builds(Prompt, id=IDS, session=st.just("s"), text=st.text(max_size=3))
per_example = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _events(found: Iterable[tuple[int, Event]]) -> list[Event]:
    return [event for _seq, event in found]


def test_every_kind_comes_back_as_it_went_in(history: History) -> None:
    """Every kind of event is read back equal, in order, with consecutive seqs."""
    assert history.append(ONE_OF_EACH) == [1, 2, 3, 4, 5, 6, 7]

    assert list(history.scan()) == list(enumerate(ONE_OF_EACH, 1))
    assert {type(event) for event in ONE_OF_EACH} == set(KINDS)


def test_one_id_may_name_an_event_of_each_kind(history: History) -> None:
    """Ids are unique for a kind, and an event is found by both."""
    history.append(ONE_OF_EACH)

    for event in ONE_OF_EACH:
        assert history.get(type(event), event.id) == event


def test_counts_by_kind(history: History) -> None:
    """Counts say how many events of each kind there are."""
    assert set(history.count().values()) == {0}

    history.append(ONE_OF_EACH)
    history.append([Prompt(id="2", session="a", text="")])

    others = dict.fromkeys(("Step", "Decision", "Verdict", "Sample", "Note", "Feedback"), 1)
    assert history.count() == {"Prompt": 2, **others}


def test_an_empty_append_is_nothing(history: History) -> None:
    """Appending no events gives no seqs and changes nothing."""
    assert history.append([]) == []
    assert history.last_seq() == 0
    assert list(history.scan()) == []


def test_twice_is_once(history: History, step: MakeStep) -> None:
    """Events that are already there keep their seqs, also among new ones and in one batch."""
    first = history.append([step("a-1"), step("a-2"), step("b")])

    again = history.append([step("a-2"), step("a-3"), step("b"), step("a-3"), step("a-1")])

    assert again == [first[1], 4, first[2], 4, first[0]]
    assert [event.id for event in _events(history.scan())] == ["a-1", "a-2", "b", "a-3"]


@pytest.mark.parametrize("bad", ["a-1", "b", "new"])
def test_other_content_is_a_conflict(history: History, step: MakeStep, bad: str) -> None:
    """An id with other content is refused, and nothing of its batch is stored."""
    history.append([step("a-1"), step("b")])

    with pytest.raises(Conflict, match=bad):
        history.append([step("c"), step("new"), step(bad, tool="Edit")])

    assert history.last_seq() == 2
    assert history.append([step("c")]) == [3]


@per_example
@given(batches=st.lists(st.lists(STEPS | PROMPTS, max_size=8), max_size=5))
def test_behaves_like_a_dictionary_that_remembers_order(
    history: History, batches: list[list[Event]]
) -> None:
    """Whatever is appended in whatever batches, the history is the set of first comers in order."""
    start, salt = history.last_seq(), fresh_id()
    model: dict[tuple[type, str], tuple[int, Event]] = {}
    for batch in batches:
        salted = [_salted(event, salt) for event in batch]
        merged, clash = dict(model), False
        for event in salted:
            seq = start + len(merged) + 1
            clash |= merged.setdefault((type(event), event.id), (seq, event))[1] != event
        if clash:
            with pytest.raises(Conflict):
                history.append(salted)
        else:
            model = merged
            expected = [model[type(event), event.id][0] for event in salted]
            assert history.append(salted) == expected

    assert list(history.scan(after=start)) == list(model.values())


def _salted(event: Event, salt: str) -> Event:
    """The event under an id that no other example uses."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return type(event)(**{**fields, "id": f"{salt}{event.id}"})


@given(first=IDS, second=IDS)
def test_splitting_an_id_loses_nothing(first: str, second: str) -> None:
    """Two ids split alike only if they are the same."""
    assert (split_id(first) == split_id(second)) == (first == second)


@pytest.mark.parametrize("size", [1, BLOCK_EVENTS, BLOCK_EVENTS + 1, 3 * BLOCK_EVENTS - 1])
def test_batches_of_any_size(history: History, step: MakeStep, size: int) -> None:
    """A batch may be larger than a block; each of its events is found."""
    steps = [step(event_id("s", number), output="x" * number) for number in range(size)]

    assert history.append(steps) == list(range(1, size + 1))
    assert _events(history.scan()) == steps
    assert history.get(Step, steps[-1].id) == steps[-1]
    assert history.append(steps) == list(range(1, size + 1))


def test_scans_are_filters(history: History) -> None:
    """Every combination of a scan's limits gives what filtering everything gives."""
    events: list[Event] = []
    for number in range(40):
        name = "ab"[number % 2]
        events.append(Step(id=f"s{number}", session=name, tool="T", outcome=Outcome.OK))
        events.append(Prompt(id=f"p{number}", session=name, text=""))
    for start in range(0, len(events), 7):
        history.append(events[start : start + 7])
    everything = list(enumerate(events, 1))

    for after, until in [(0, None), (0, 13), (13, None), (20, 21), (5, 5), (79, 100)]:
        for kinds in (None, [Step], (Prompt, Sample)):
            for session in (None, "a", "nobody"):
                expected = [
                    (seq, event)
                    for seq, event in everything
                    if after < seq <= (until or 80)
                    and (kinds is None or type(event) in kinds)
                    and session in (None, event.session)
                ]
                found = history.scan(after=after, until=until, kinds=kinds, session=session)
                assert list(found) == expected


def test_a_scan_ends_where_the_history_did(history: History, step: MakeStep) -> None:
    """What is appended during a scan is not part of it, and the scan holds no writer up."""
    history.append([step("a-1"), step("a-2")])
    scan = history.scan()
    next(scan)

    history.append([step("a-3")])

    assert [event.id for event in _events(scan)] == ["a-2"]


def test_unknown_ids_are_not_found(history: History, step: MakeStep) -> None:
    """An id between known ones, or of another kind, is not found."""
    history.append([step("a-1"), step("a-3"), step("a-03")])

    for missing in ["a-2", "a-4", "a-", "a-003", ""]:
        with pytest.raises(NotFound):
            history.get(Step, missing)
    with pytest.raises(NotFound):
        history.get(Prompt, "a-1")


def test_digest_is_of_the_events_alone(history: History, step: MakeStep, tmp_path: Path) -> None:
    """The digest is that of the JSON of the events, however they were grouped and wherever."""
    steps = [step(f"a-{number}", output="x" * 300) for number in range(30)]
    history.append(steps)
    with History.open(tmp_path / "other.db") as other:
        for event in steps:
            other.append([event])

        text = b"".join(encode_event(event) + b"," for event in steps[:20])
        assert history.digest(20) == hashlib.sha256(text).hexdigest() == other.digest(20)
        assert history.digest() == other.digest() != history.digest(29)


def test_what_is_stored_stays(address: str, step: MakeStep) -> None:
    """Events and the history's identity are there when it is opened again."""
    with History.open(address) as history:
        history.append([step("a")])
        identity = history.identity

    with History.open(address) as again:
        assert again.identity == identity
        assert again.get(Step, "a") == step("a")
        assert again.append([step("b")]) == [2]


def test_read_only_reads(address: str, step: MakeStep) -> None:
    """A history that was opened for reading reads, and refuses to write."""
    with History.open(address) as history:
        history.append([step("a")])

    with History.open(address, read_only=True) as reader:
        assert reader.last_seq() == 1
        with pytest.raises(StoreError):
            reader.append([step("b")])
        assert reader.last_seq() == 1


def test_several_processes_append_at_once(address: str, child: Child) -> None:
    """Processes that open a new history and append at once lose nothing and share one order."""
    names, count = ["w", "x", "y"], 40
    children = [child("append", address, name, count) for name in names]
    for process in children:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in children:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in children] == [0, 0, 0]

    with History.open(address) as history:
        found = list(history.scan())
        assert [seq for seq, _event in found] == list(range(1, 3 * count + 1))
        for name in names:
            own = [event.id for _seq, event in found if event.session == name]
            assert own == [f"{name}-{number}" for number in range(count)]


def test_appends_of_others_are_noticed(history: History, address: str, step: MakeStep) -> None:
    """The last seq rises when somebody else appends, and a scan after one's own gives theirs."""
    history.append([step("mine")])
    with History.open(address) as other:
        other.append([step("theirs")])

    assert history.last_seq() == 2
    assert _events(history.scan(after=1)) == [step("theirs")]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"id": "x" * 257},
        {"id": "nul\0"},
        {"at": float("nan")},
        {"duration": float("inf")},
        {"usage": {"cpu_s": float("nan")}},
        {"input": {"object": object()}},
        {"output": "half a pair \ud800"},
        {"session": "half a pair \udfff"},
    ],
)
def test_what_could_not_be_read_back_is_refused(
    history: History, step: MakeStep, fields: dict[str, Any]
) -> None:
    """An event that JSON cannot hold is an input error, and nothing of its batch is stored."""
    with pytest.raises(InputError):
        history.append([step("good"), step(**{"id": "bad", **fields})])

    assert history.last_seq() == 0


def test_a_later_version_is_refused(address: str, history: History) -> None:
    """A history that a later version made is refused with what to do, not misread."""
    with history._database.transaction() as cursor:
        cursor.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")

    with pytest.raises(StoreError, match="update onward"):
        History.open(address)


def _back_to_version_1(history: History) -> None:
    with history._database.transaction() as cursor:
        cursor.execute("ALTER TABLE block DROP COLUMN notes")
        cursor.execute("ALTER TABLE block DROP COLUMN feedback")
        cursor.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")


def test_an_earlier_version_is_brought_up_to_date(address: str, history: History) -> None:
    """A history from before notes keeps its events and its digest, and takes notes."""
    old, new = ONE_OF_EACH[:5], ONE_OF_EACH[5:]
    history.append(old)
    digest = history.digest()
    _back_to_version_1(history)

    with pytest.raises(StoreError, match="once for writing"):
        History.open(address, read_only=True)
    with History.open(address) as again:
        assert (again.identity, again.digest()) == (history.identity, digest)
        assert again.append(new) == [6, 7]
        assert again.count() == dict.fromkeys((kind.__name__ for kind in KINDS), 1)
        assert _events(again.scan()) == list(ONE_OF_EACH)


def test_a_damaged_block_is_named(history: History, step: MakeStep) -> None:
    """A block that cannot be read is a store error, not a crash and not silence."""
    history.append([step("a", output="x" * 9000)])
    with history._database.transaction() as cursor:
        cursor.execute("UPDATE block SET raw_size = 17")

    with pytest.raises(StoreError, match="damaged"):
        list(history.scan())


@pytest.mark.parametrize(
    "url",
    ["mysql://me:hidden@host/db", "postgresql://me:hid:den@ho:st:x/db", "sqlite://", "://"],
)
def test_unusable_addresses(url: str) -> None:
    """An address that cannot be used is a settings error that never shows the password."""
    with pytest.raises(SettingsError) as caught:
        History.open(url)

    assert "hid" not in str(caught.value)


def test_a_server_that_is_away(postgres: Any) -> None:
    """A server that does not answer is a store error that never shows the password."""
    nobody = postgres.set(host="127.0.0.1", port=1, query={}).render_as_string(hide_password=False)

    with pytest.raises(StoreError) as caught:
        History.open(nobody)

    assert "w/o" not in str(caught.value)


def test_nothing_to_read(tmp_path: Path) -> None:
    """Reading a file that is not there says so and makes none; a file of another kind too."""
    with pytest.raises(NotFound):
        History.open(tmp_path / "none.db", read_only=True)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "text.db").write_text("no database, just a long line of text " * 50)
    with pytest.raises(StoreError, match=r"text\.db"):
        History.open(tmp_path / "text.db")


def test_paths_with_odd_characters(tmp_path: Path, step: MakeStep) -> None:
    """A path is a path, whatever characters are in it."""
    path = tmp_path / "a b?c#d%20é&mode=ro" / "h.db"
    with History.open(path) as history:
        history.append([step("a")])

    assert path.exists()
    with History.open(f"sqlite:///{tmp_path}/plain.db") as history:
        assert history.append([step("a")]) == [1]


def test_a_locked_file_is_busy(tmp_path: Path, child: Child, step: MakeStep) -> None:
    """While another process holds the file the history is busy; afterwards it works again."""
    path = tmp_path / "h.db"
    with History.open(path, busy_s=0.05) as history:
        history.append([step("a")])
        holder = child("hold", path)
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(StoreBusy):
            history.append([step("b")])
        assert _events(history.scan()) == [step("a")]

        holder.stdin.write("let go\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "free\n"
        assert history.append([step("b")]) == [2]


def test_a_held_lock_is_busy_on_postgres(postgres_address: str, step: MakeStep) -> None:
    """While somebody holds the right to write on PostgreSQL the history is busy, too."""
    with (
        History.open(postgres_address, busy_s=0.05) as history,
        History.open(postgres_address) as other,
    ):
        with other._database.transaction(), pytest.raises(StoreBusy):
            history.append([step("a")])

        assert history.append([step("a")]) == [1]


def test_a_cut_connection_heals(postgres_address: str, step: MakeStep) -> None:
    """When the server cuts a connection one append fails, and the next one works again."""
    with History.open(postgres_address) as history, History.open(postgres_address) as other:
        history.append([step("a")])
        writer: Any = history._database._writer
        with other._database.reading() as cursor:
            process = writer.driver_connection.info.backend_pid
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))

        with pytest.raises(StoreError):
            history.append([step("b")])
        assert history.append([step("b")]) == [2]
        assert history.last_seq() == 2


def test_statements_translate_safely() -> None:
    """SQLite's statements hold no sign that means something to PostgreSQL's driver."""
    assert not any("%" in text for text in SQLITE)
