"""The fold behind the next step, and what its parts promise together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from random import Random

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.data.events import Event, Outcome, Prompt, Step
from onward.features.next_task.fold import CANDIDATES, NAMES, NextFold
from onward.features.next_task.label import OTHER
from onward.features.next_task.labels import MAX_LABELS
from onward.features.next_task.trail import MAX_EXACT, MAX_FILES, MAX_FOLLOWED


def steps(count: int, *, seed: int = 0, sessions: int = 3) -> Iterator[Step]:
    """Steps of a few sessions in turn, with files, failures and outputs."""
    random = np.random.default_rng(seed)
    lines = (
        "cat a{}.py",
        "python t{}.py",
        "sed -i s/a/b/ a{}.py",
        "git diff",
        "ls {}",
        "grep x a{}",
    )
    for n in range(count):
        line = lines[int(random.integers(len(lines)))]
        good = bool(random.random() < 0.8)
        yield Step(
            id=str(n),
            session=f"s{n % sessions}",
            tool="bash",
            input={"command": line.format(random.integers(9))},
            at=1e9 + 60.0 * n,
            agent="a",
            project=f"p{n % 2}",
            outcome=Outcome.OK if good else Outcome.ERROR,
            output="3 passed" if good else "Traceback (most recent call last):\nValueError: b.py",
        )


def asked(fold: NextFold, session: str = "s0") -> tuple[tuple[str, ...], bytes, bytes]:
    """An answer, for comparing bit for bit."""
    found = fold.ask(session, agent="a", project="p0")
    return found.labels, found.X.tobytes(), found.voices.tobytes()


def test_defined_before_the_first_step() -> None:
    """A fold that learned nothing answers with one row for everything."""
    found = NextFold().ask("s")
    assert found.labels == (OTHER,)
    assert found.X.shape == (1, len(NAMES))
    assert NextFold().ahead("s", [(OTHER, 1.0)])


def test_a_question_changes_nothing() -> None:
    """Asked again it says the same, and what is learned later does not depend on asking."""
    quiet, busy = NextFold(), NextFold()
    for step in steps(60):
        first = asked(busy)
        assert asked(busy) == first
        busy.ahead("s0", [("ls", 1.0)])
        busy.followed("s0", "a", "p0", "ls")
        busy.learn(step)
        quiet.learn(step)
    assert asked(quiet) == asked(busy)


def test_candidates_are_few_and_ranked() -> None:
    """There are at most 12 candidates, with probabilities, and each once."""
    fold = NextFold()
    for step in steps(200):
        fold.learn(step)
    found = fold.ask("s0", agent="a", project="p0")
    assert len(found.labels) == len(set(found.labels)) <= CANDIDATES
    assert ((found.voices > 0) & (found.voices <= 1)).all()
    narrow = fold.ask("s0", agent="a", project="p0", vocabulary=("git diff", "ls", "never"))
    assert set(narrow.labels) == {"git diff", "ls", "never", OTHER}
    assert narrow.voices.sum(1) == pytest.approx(np.ones(6), abs=1e-4)


def test_dump_and_load_go_on_the_same() -> None:
    """What was dumped and loaded gives the same rows bit for bit, also after more steps."""
    fold = NextFold()
    log: list[Event] = [*steps(150)]
    log.insert(40, Prompt(id="p", session="s0", text="Fix the failing test", at=1e9))
    for event in log[:100]:
        fold.learn(event)
    other = NextFold.load(fold.dump())
    for event in log[100:]:
        assert asked(fold) == asked(other)
        fold.learn(event)
        other.learn(event)
    assert fold.dump() == other.dump()


@pytest.mark.parametrize("body", [b"", b"rubbish", b"\x78\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_damaged_state_is_refused(body: bytes) -> None:
    """What is no dump raises the error that says so."""
    with pytest.raises(BundleError):
        NextFold.load(body)


@pytest.mark.parametrize("at", [0.01, 0.5, 0.99])
def test_a_dump_that_was_cut_short_or_hit_is_refused(at: float) -> None:
    """Where a dump was cut, or its packed part is rubbish, loading says so."""
    fold = NextFold()
    for step in steps(40):
        fold.learn(step)
    body = fold.dump()
    with pytest.raises(BundleError):
        NextFold.load(body[: int(len(body) * at)])
    packed = msgspec.msgpack.decode(body)
    with pytest.raises(BundleError):
        NextFold.load(msgspec.msgpack.encode(packed | {"rest": packed["rest"][:-9]}))


def test_a_step_does_not_see_its_own_outcome() -> None:
    """What is asked before a step is the same however the step then comes out."""
    ok, bad = NextFold(), NextFold()
    log = [*steps(40)]
    for step in log[:-1]:
        ok.learn(step)
        bad.learn(step)
    session = log[-1].session
    before = asked(ok, session)
    ok.learn(log[-1])
    bad.learn(msgspec.structs.replace(log[-1], outcome=Outcome.ERROR, output="FAILED x"))
    assert asked(bad, "s9") == asked(ok, "s9")  # another session: only the label was learned
    assert asked(ok, session) != before
    assert asked(ok, session) != asked(bad, session)


def test_quiet_learning_moves_only_its_own_session() -> None:
    """With teaching off, a step changes what its session is asked, and no other session's."""
    fold = NextFold()
    for step in steps(90):
        fold.learn(step)
    other, own = asked(fold, "s1"), asked(fold, "s0")
    step = Step(
        id="x", session="s0", tool="bash", input={"command": "ls"}, agent="b", outcome=Outcome.OK
    )
    fold.learn(step, teach=False)
    assert asked(fold, "s1")[1] == other[1]
    assert asked(fold, "s0") != own


def test_memory_is_bounded_on_a_long_stream() -> None:
    """Ever new sessions, tools, files and words fill tables of fixed capacity only."""
    fold = NextFold()
    for n in range(1500):
        tool = f"tool{n // 4}" if n % 2 else "Read"
        given = {"file_path": f"/d{n}/f{n}.py", "text": f"word{n} other{n}"}
        session = "long" if n % 3 else f"s{n}"
        fold.learn(
            Step(
                id=str(n),
                session=session,
                tool=tool,
                input=given,
                outcome=Outcome.OK,
                output=f"out{n}\n" * 5,
            )
        )
    trail = fold._trails["long"]
    assert len(fold._trails) <= 128
    assert len(fold._labels.ids) <= MAX_LABELS
    assert len(trail.files) <= MAX_FILES
    assert len(trail.exacts) <= MAX_EXACT
    assert len(trail.followed) <= MAX_FOLLOWED
    assert len(trail.marks) <= 8


def test_it_looks_three_steps_ahead() -> None:
    """In a fixed round of labels the second and third steps are the right ones."""
    fold = NextFold()
    for n in range(300):
        tool = ("a", "b", "c")[n % 3]
        fold.learn(Step(id=str(n), session="s", tool=tool, outcome=Outcome.OK))
    second, third = fold.ahead("s", [("a", 0.9), ("b", 0.1)])
    assert max(second, key=second.__getitem__) == "b"
    assert max(third, key=third.__getitem__) == "c"
    assert sum(second.values()) == pytest.approx(1.0)
    assert fold.followed("s", "", "", "a")["history"][0] > 90


def test_what_comes_between_does_not_hide_the_third_step() -> None:
    """A label that always comes two steps after another is found, whatever lies between."""
    fold, random = NextFold(), Random(1)
    for n in range(600):
        tool = ("a", random.choice("xyz"), "c", "b", random.choice("xyz"), "d")[n % 6]
        fold.learn(Step(id=str(n), session="s", tool=tool, outcome=Outcome.OK))
    _, third = fold.ahead("s", [("a", 1.0)])
    assert max(third, key=third.__getitem__) == "c"
    assert third["c"] > 0.8


def test_another_process_gives_the_same_rows() -> None:
    """Hashes do not depend on the process: what is trained in one serves in another."""
    code = (
        "from onward.data.events import Outcome, Step\n"
        "from onward.features.next_task.fold import NextFold\n"
        "fold = NextFold()\n"
        "for n in range(60):\n"
        "    tool = 'ab'[n % 2]\n"
        "    fold.learn(Step(id=str(n), session='s', tool=tool, input={'k': 'word'},\n"
        "               agent='x', outcome=Outcome.OK, output='some text'))\n"
        "import zlib\n"
        "print(zlib.crc32(fold.ask('s', agent='x').X.tobytes()))\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
