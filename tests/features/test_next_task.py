"""The fold behind the next step: labels, counts, weights, and what they promise together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import BundleError
from onward.data.events import Call, Event, Outcome, Prompt, Step
from onward.features.next_task.counts import Counts
from onward.features.next_task.fold import CANDIDATES, NAMES, NextFold
from onward.features.next_task.label import NOTHING, OTHER, frequent, label_of
from onward.features.next_task.labels import MAX_LABELS
from onward.features.next_task.trail import MAX_EXACT, MAX_FILES, MAX_FOLLOWED
from onward.features.next_task.weights import LabelWeights


def shell(command: str) -> Call:
    """A shell call."""
    return Call(session="s", tool="Bash", input={"command": command})


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


@dataclass(frozen=True)
class Labelled:
    """A command with its label."""

    command: str
    label: str


@pytest.mark.parametrize(
    "case",
    [
        Labelled("ls -l", "ls"),
        Labelled("cd a && git -C b push | tee log", "git push"),
        Labelled("FOO=1 timeout 5 npm run build", "npm run"),
        Labelled("pip3 install x", "pip install"),
        Labelled("python3 -m pytest -q", "python -m pytest"),
        Labelled("python -m pip install x", "pip install"),
        Labelled("source v/bin/activate && python a.py", "python"),
        Labelled("cd /tmp", "cd"),
        Labelled("# nothing", NOTHING),
        Labelled("", NOTHING),
        Labelled("if (((", NOTHING),
    ],
    ids=lambda case: case.command or "empty",
)
def test_the_label_is_the_command_word_that_the_line_is_about(case: Labelled) -> None:
    """Folders, variables and wrappers are passed over; git, pip, npm keep their sub-command."""
    found = label_of(shell(case.command))
    assert found == case.label or (case.command.startswith("if") and found)


def test_a_tool_is_its_own_label_and_no_tool_has_none() -> None:
    """What is no shell is called by its tool, and a step without a tool has no label."""
    assert label_of(Call(session="s", tool="Read", input={"file_path": "a"})) == "Read"
    assert label_of(Call(session="s", tool="")) == ""


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_has_a_label(text: str) -> None:
    """No command line is so broken that it has no label."""
    assert label_of(shell(text))


def test_rare_labels_are_those_below_half_a_percent() -> None:
    """A label counts as frequent from one in two hundred on; steps without one do not count."""
    assert frequent(["a"] * 398 + ["b"] * 2 + [""] * 999 + ["c"]) == ("a",)
    assert frequent(["a"] * 396 + ["b"] * 2) == ("a", "b")
    assert frequent([]) == ()


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=4), st.integers(0, 5)), max_size=40),
    st.lists(st.integers(0, 6), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_chained_counts_stay_a_distribution(
    learned: list[tuple[list[int], int]], asked: list[int]
) -> None:
    """Whatever was counted, leaning contexts on each other gives shares of 1."""
    counts = Counts(capacity=8, keep=0.9)
    for contexts, label in learned:
        counts.learn(contexts, label)
    p = counts.chain(asked, np.full(6, 1 / 6))
    assert p.sum() == pytest.approx(1.0)
    assert (p > 0).all()
    assert len(counts.table) <= 8


def plainly(learned: list[tuple[int, int]], context: int, keep: float) -> np.ndarray:
    """What a context says of 40 labels from nothing else, as it is defined."""
    counts: dict[int, float] = {}
    for one, label in learned:
        if one == context:
            counts = {other: count * keep for other, count in counts.items()}
            counts[label] = counts.get(label, 0.0) + 1.0
    lean = 0.5 * len(counts) + 0.5 if counts else 1.0
    share = 1.0 / (sum(counts.values()) + lean)
    p = np.full(40, 1 / 40) * lean * share
    for label, count in counts.items():
        p[label] += count * share
    return p


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 39)), max_size=120),
    st.sampled_from([1.0, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_counts_are_the_same_however_they_are_kept(
    learned: list[tuple[int, int]], keep: float
) -> None:
    """With one label, a few or many, a context says what it is defined to, on disk and back too."""
    counts = Counts(keep=keep)
    for context, label in learned:
        counts.learn([context], label)
    flat, packed = np.full(40, 1 / 40), msgspec.msgpack.encode(counts.dump())
    back = Counts.load(msgspec.msgpack.decode(packed))
    assert [*back.table] == [*counts.table]
    for context in range(3):
        p = counts.chain([context], flat)
        assert p == pytest.approx(plainly(learned, context, keep), abs=1e-12)
        assert np.array_equal(p, back.chain([context], flat))
        if keep == 1.0:
            came = [label for one, label in learned if one == context]
            assert counts.met(context, 7) == (came.count(7), len(came))


def test_running_weights_come_back_bit_for_bit() -> None:
    """Weights are the same after a dump, those of unused slots and labels too."""
    weights, back = LabelWeights(), LabelWeights()
    for n in range(30):
        slots = np.array([n % 5, 7, 32_767])
        weights.learn(slots, weights.predict(slots, 3 + n), n % 7)
    back.load(weights.dump())
    assert back.dump() == weights.dump()
    slots = np.arange(0, 32_768, 7)
    assert np.array_equal(back.predict(slots, 40), weights.predict(slots, 40))


def test_running_weights_learn_what_slots_tell() -> None:
    """After some steps the slot of a label speaks for it, and predicting changes nothing."""
    weights = LabelWeights()
    for n in range(60):
        slots = np.array([n % 2, 7])
        weights.learn(slots, weights.predict(slots, 3), n % 2)
    before = weights.dump()
    first = weights.predict(np.array([0, 7]), 3)
    assert first.argmax() == 0
    assert weights.predict(np.array([1, 7]), 3).argmax() == 1
    assert np.array_equal(first, weights.predict(np.array([0, 7]), 3))
    assert weights.predict(np.array([0]), 90).sum() == pytest.approx(1.0, abs=1e-5)
    assert weights.dump() == before


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
    assert sum(second.values()) <= 1.0 + 1e-9
    assert fold.followed("s", "", "", "a")["history"][0] > 90


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
