"""Importing files and folders into a history."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onward.data.errors import FormatError, InputError, NotFound
from onward.data.events import Event, Outcome, Prompt, Step
from onward.data.importers import SOURCES, BrokenLine, import_path, read_path
from onward.data.store import History

Write = Callable[..., Path]


def row(session: str, step: int, **fields: object) -> dict[str, Any]:
    """One line of plain steps."""
    known = {"session": session, "step": step, "tool": "Bash", "input": {"command": "ls"}}
    return known | {"ok": True, "output": f"{session} {step}"} | fields


def claude(session: str, use_id: str) -> list[dict[str, Any]]:
    """A small Claude Code session."""
    use = {"type": "tool_use", "id": use_id, "name": "Read", "input": {"file_path": "a"}}
    got = {"type": "tool_result", "tool_use_id": use_id, "content": "text"}
    shared = {"sessionId": session, "uuid": use_id, "timestamp": "2026-01-22T19:38:03Z"}
    return [
        shared | {"type": "assistant", "message": {"content": [use]}},
        shared | {"type": "user", "message": {"content": [got]}},
    ]


def all_of(history: History) -> list[Event]:
    """Everything in a history, in order."""
    return [event for _, event in history.scan()]


def test_importing_twice_is_importing_once(write: Write, empty_history: History) -> None:
    """The second import finds everything there, and changes nothing."""
    path = write("steps.jsonl", [row("s", number) for number in range(5)])
    first = import_path(path, history=empty_history)
    digest = empty_history.digest()
    second = import_path(path, history=empty_history)

    assert (first.read, first.stored, first.duplicates) == (5, 5, 0)
    assert (second.read, second.stored, second.duplicates) == (5, 0, 5)
    assert empty_history.digest() == digest


@pytest.mark.parametrize("name", ["steps.jsonl", "run.traj"])
def test_a_byte_order_mark_hides_no_format(tmp_path: Path, name: str) -> None:
    """A file that begins with one is recognised, be it of one line."""
    run = {"trajectory": [{"action": "ls", "observation": "a", "response": "I look."}]}
    content = json.dumps(row("s", 0) if name.endswith("jsonl") else run)
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content.encode())

    (step,) = read_path(tmp_path / name)
    assert isinstance(step, Step)
    assert step.input == {"command": "ls"}


def test_a_folder_is_walked_and_each_file_known(write: Write, empty_history: History) -> None:
    """Files of different formats come in together; what no importer knows is told."""
    write("logs/steps.jsonl.gz", [row("plain", 0)])
    write("logs/deep/session.jsonl", claude("cc", "t1"))
    write("logs/package.json", {"name": "x"}, lines=False)
    write("logs/notes.md", "nothing")
    folder = write("logs/readme.txt", "x").parent
    report = import_path(folder, history=empty_history)

    assert report.sources == {"claude_code": 1, "steps": 1}
    assert report.skipped == [str(folder / "package.json")]
    assert (report.stored, report.broken) == (2, [])


def test_sessions_come_in_the_order_of_their_first_time(
    write: Write, empty_history: History
) -> None:
    """Whatever the files are called, the oldest session is appended first, each as one piece."""
    write("x/a.jsonl", [row("late", 0, at=300.0), row("early", 0, at=100.0)])
    folder = write("x/b.jsonl", [row("middle", 0, at=200.0), row("early", 1, at=400.0)]).parent
    import_path(folder, history=empty_history)

    assert [event.session for event in all_of(empty_history)] == [
        "early",
        "early",
        "middle",
        "late",
    ]


def test_files_of_one_session_are_merged_by_time(write: Write) -> None:
    """Prompts and steps of one session that stand in two files are told as they happened."""
    write("x/steps.jsonl", [row("s", 0, at=10.0), row("s", 1, at=30.0)])
    prompts = [{"session": "s", "kind": "prompt", "text": "now", "at": 20.0}]
    folder = write("x/prompts.jsonl", prompts).parent

    assert [type(event) for event in read_path(folder)] == [Step, Prompt, Step]


def test_a_clock_that_runs_back_does_not_reorder_a_file(write: Write) -> None:
    """Within a file the order of its lines stands, whatever their times say."""
    path = write("s.jsonl", [row("s", 0, at=30.0), row("s", 1, at=10.0), row("s", 2, at=20.0)])

    assert [event.at for event in read_path(path) if isinstance(event, Step)] == [30, 10, 20]


def test_broken_lines_are_reported_and_the_rest_is_stored(
    write: Write, empty_history: History
) -> None:
    """The report names file, line and reason of each, and the good lines are in the history."""
    path = write("s.jsonl", [row("s", 0), "{oops", row("s", 1)])
    report = import_path(path, history=empty_history)

    assert [(each.file, each.line) for each in report.broken] == [(str(path), 2)]
    assert report.stored == 2


@pytest.mark.parametrize("source", ["auto", *SOURCES])
def test_a_file_of_another_format_writes_nothing(
    write: Write, empty_history: History, source: str
) -> None:
    """What is not of the format is an error that names the file, and the history stays empty."""
    path = write("letter.jsonl", "Dear all,\nthis is no log.\n")
    with pytest.raises(FormatError, match=r"letter\.jsonl"):
        import_path(path, source=source, history=empty_history)

    assert empty_history.last_seq() == 0


def test_in_a_folder_one_wrong_file_costs_no_other(write: Write, empty_history: History) -> None:
    """A damaged file among good ones is named as a whole."""
    folder = write("x/a.jsonl", [row("s", 0)]).parent
    damaged = write("x/b.traj", '{"trajectory": [')
    report = import_path(folder, history=empty_history)

    assert [(each.file, each.line) for each in report.broken] == [(str(damaged), 0)]
    assert report.stored == 1


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_nothing_to_import_is_an_error(tmp_path: Path, empty_history: History, name: str) -> None:
    """A path that is not there, and a folder without logs, are told apart from success."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match=name):
        import_path(tmp_path / name, history=empty_history)


def test_an_unknown_source_is_an_error(write: Write, empty_history: History) -> None:
    """The message lists the sources that there are."""
    with pytest.raises(InputError, match="claude_code"):
        import_path(write("s.jsonl", [row("s", 0)]), source="x", history=empty_history)


def test_an_empty_file_is_an_error(write: Write, empty_history: History) -> None:
    """A file without a line is of no format."""
    with pytest.raises(FormatError, match="empty"):
        import_path(write("s.jsonl", b""), source="steps", history=empty_history)


def test_a_gzip_file_that_is_cut_off_gives_what_can_be_read(
    write: Write, empty_history: History
) -> None:
    """The whole lines before the cut come in, and the cut is named."""
    rows = [row("s", number, output=f"{number * 7919 % 10007}" * 20) for number in range(5000)]
    path = write("s.jsonl.gz", rows)
    path.write_bytes(path.read_bytes()[:-2000])
    report = import_path(path, history=empty_history)

    assert 0 < report.stored < 5000
    assert "damaged or ends too early" in report.broken[-1].why


def test_a_document_that_is_cut_off_gives_nothing(write: Write, empty_history: History) -> None:
    """Half a JSON document is not read in part."""
    whole = json.dumps({"trajectory": [{"action": "ls", "observation": "", "response": ""}] * 9})
    with pytest.raises(FormatError):
        import_path(write("a.traj", whole[:-40]), history=empty_history)

    assert empty_history.last_seq() == 0


def test_invalid_utf8_is_named(write: Write, empty_history: History) -> None:
    """A line that is no UTF-8 is broken, its neighbours come in."""
    good = json.dumps(row("s", 0)).encode()
    bad = b'{"session": "s", "tool": "\xff\xfe"}'
    report = import_path(write("s.jsonl", good + b"\n" + bad + b"\n"), history=empty_history)

    assert (report.stored, report.broken[0].line) == (1, 2)
    assert "UTF-8" in report.broken[0].why


def test_a_line_of_ten_megabytes_is_read(write: Write, empty_history: History) -> None:
    """Long lines, such as those with images, are read; only the end of an output is kept."""
    rows = [row("s", 0, output="x" * 10_000_000 + "end"), row("s", 1)]
    report = import_path(write("s.jsonl", rows), history=empty_history)
    first = all_of(empty_history)[0]

    assert report.stored == 2
    assert isinstance(first, Step)
    assert (len(first.output), first.output[-3:]) == (4000, "end")


def test_secrets_are_redacted_before_storage(write: Write, empty_history: History) -> None:
    """A password in a command is not in the history."""
    secret = "ghp_" + "a1B2" * 9
    path = write("s.jsonl", [row("s", 0, input={"command": f"curl -H 'X: {secret}'"})])
    import_path(path, history=empty_history)
    (step,) = all_of(empty_history)

    assert isinstance(step, Step)
    assert secret not in step.input["command"]
    assert "redacted" in step.input["command"]


def test_what_is_stored_is_not_rewritten(write: Write, empty_history: History) -> None:
    """The same id with other content is counted as changed; others of its chunk come in."""
    import_path(write("a.jsonl", [row("s", 0)]), history=empty_history)
    changed = [row("s", 0, output="other"), row("s", 1), row("s", 2)]
    report = import_path(write("b.jsonl", changed), history=empty_history)
    first = all_of(empty_history)[0]

    assert (report.changed, report.stored) == (1, 2)
    assert isinstance(first, Step)
    assert first.output == "s 0"


def test_an_event_that_cannot_be_stored_is_named(write: Write, empty_history: History) -> None:
    """An id that no history takes costs its own line only."""
    rows = [row("s", 0), row("s", 1, id="x" * 500), row("s", 2)]
    report = import_path(write("s.jsonl", rows), history=empty_history)

    assert (report.stored, len(report.broken)) == (2, 1)


def test_progress_rises_to_its_end(write: Write, empty_history: History) -> None:
    """The callback sees a share that never falls, and the whole at the end."""
    folder = write("x/a.jsonl", [row("s", number) for number in range(3000)]).parent
    write("x/b.jsonl", [row("t", number) for number in range(3000)])
    seen: list[tuple[int, int, str]] = []
    import_path(folder, history=empty_history, progress=lambda *told: seen.append(told))

    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    assert seen[-1][:2] == (1000, 1000)
    assert len(seen) > 20
    assert {Path(name).name for _, _, name in seen} == {"a.jsonl", "b.jsonl", ""}


def test_reading_gives_what_an_import_stores(write: Write, empty_history: History) -> None:
    """Without a history the same events come in the same order, broken lines first."""
    write("x/a.jsonl", [row("late", 0, at=300.0), "oops", row("early", 0, at=100.0)])
    folder = write("x/b.jsonl", claude("cc", "t1")).parent
    broken, *events = read_path(folder)
    import_path(folder, history=empty_history)

    assert isinstance(broken, BrokenLine)
    assert events == all_of(empty_history)


@pytest.mark.shared_data
def test_real_sets_come_in_whole(shared_agents: Path, empty_history: History) -> None:
    """Everything in the real samples is stored once, by the importer that it belongs to."""
    cc = import_path(shared_agents / "claude_code_jsonl_samples", history=empty_history)
    tau = import_path(shared_agents / "tau_bench_airline", history=empty_history)
    outcomes = [event.outcome for event in all_of(empty_history) if isinstance(event, Step)]

    assert (cc.sources, tau.sources) == ({"claude_code": 17}, {"tau_bench": 1})
    assert cc.stored + cc.duplicates == cc.read
    assert tau.stored == 1164 + 1461
    assert (outcomes.count(Outcome.ERROR), outcomes.count(Outcome.REJECTED)) == (78, 2)


def test_what_may_never_end(empty_history: History) -> None:
    """A device is refused before it is read: it may never end."""
    with pytest.raises(InputError, match="neither a file nor a folder"):
        import_path("/dev/zero", history=empty_history)
