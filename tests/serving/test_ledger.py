"""The log and what is folded from it, kept in step."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import Conflict, StoreBusy
from onward.data.events import Band, Call, Decision, Outcome, Step, Verdict
from onward.data.ids import fresh_id
from onward.data.store import History
from onward.serving.answers.desk import Answers
from onward.serving.ledger import PART, Ledger
from onward.serving.state import State

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps, Until

CALLS = [
    Call(session=f"s{n % 3}", tool="Bash", input={"command": command}, agent="tester")
    for n, command in enumerate(("git status", "pytest -q tests/test_1.py", "cat src/m2.py", "ls"))
]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A fresh history."""
    with History.open(tmp_path / "h.db") as opened:
        yield opened


@pytest.fixture
def ledger(history: History) -> Iterator[Ledger]:
    """A ledger that starts from the first event."""
    opened = Ledger(history, lambda _whole: State(), commit_s=0.002)
    yield opened
    opened.close()


def decide(ledger: Ledger, call: Call) -> tuple[Decision, np.ndarray]:
    """Log a decision; gives it with the vector that it was made from."""
    with ledger.lock:
        scores = ledger.state.score(call)
        decision = Decision(
            id=fresh_id(),
            call=call,
            at=0.0,
            band=Band.ASK,
            shadow=True,
            p_success=scores.success,
            p_approve=scores.approve,
            reversible="read_only",
        )
        ledger.add(decision, scores)
    return decision, scores.vector


def refolded(history: History) -> State:
    """The state that the log alone gives."""
    state = State()
    for seq, event in history.scan():
        state.learn(event)
        state.seq = seq
    return state


def same(one: State, other: State) -> bool:
    """Whether two states answer alike, and will go on alike."""
    return one.dump() == other.dump()


def test_learns_what_it_logs(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """The running state is the one that the log gives, bit for bit."""
    ledger.record(steps(100)).result()
    decide(ledger, CALLS[0])
    ledger.flush()

    ledger.state.seq = ledger.folded
    assert history.last_seq() == ledger.folded == 101
    assert same(ledger.state, refolded(history))


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_vectors_are_those_of_training(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, steps: MakeSteps
) -> None:
    """However decisions and outcomes interleave, folding the log gives each decision's vector."""
    made: dict[str, np.ndarray] = {}
    with History.open(tmp_path_factory.mktemp("p") / "h.db") as history:
        ledger = Ledger(history, lambda _whole: State(), commit_s=0.0)
        waiting = []
        for number in range(data.draw(st.integers(1, 25))):
            if data.draw(st.booleans()):
                decision, vector = decide(ledger, data.draw(st.sampled_from(CALLS)))
                made[decision.id] = vector
            else:
                count = data.draw(st.integers(1, 3))
                start = 100 * number
                session = data.draw(st.sampled_from(["s0", "s1"]))
                waiting.append(ledger.record(steps(count, session=session, start=start)))
        ledger.close()
        state, found = State(), {}
        for _, event in history.scan():
            if isinstance(event, Decision):
                found[event.id] = state.score(event.call).vector
            state.learn(event)

    assert all(future.result() for future in waiting)
    assert made.keys() == found.keys()
    assert all(np.array_equal(made[key], found[key], equal_nan=True) for key in made)


def test_threads_keep_the_order(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """With many threads at once the state still is that of the log."""

    def work(name: str) -> None:
        for number in range(10):
            decide(ledger, CALLS[number % len(CALLS)])
            ledger.record(steps(3, session=name, start=10 * number)).result()

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.flush()

    ledger.state.seq = ledger.folded
    assert history.last_seq() == 4 * 10 * 4
    assert same(ledger.state, refolded(history))


def test_twice_is_once(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """An event that comes again is neither stored nor learned again, not even in one batch."""
    some = steps(10)
    first = ledger.record(some).result()
    again = ledger.record([*some, *some, *steps(12)]).result()

    assert first == (list(range(1, 11)), 10)
    assert again[1] == 2
    assert again[0][:10] == again[0][10:20] == first[0]
    ledger.state.seq = ledger.folded
    assert same(ledger.state, refolded(history))


def test_the_same_from_two_threads(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """Two callers that send the same events at once get the same places."""
    some = steps(PART * 3)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(ledger.record(some).result()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {tuple(seqs) for seqs, _ in results} == {tuple(range(1, len(some) + 1))}
    assert sum(new for _, new in results) == len(some)
    ledger.flush()
    ledger.state.seq = ledger.folded
    assert same(ledger.state, refolded(history))


def test_conflicts_change_nothing(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """A batch with one id of other content is refused whole, however long it is."""
    known, *_ = steps(1)
    ledger.record([known]).result()
    other = msgspec.structs.replace(known, outcome=Outcome.INTERRUPTED)

    with pytest.raises(Conflict):
        ledger.record([*steps(PART * 2, start=5), other])
    ledger.flush()
    assert history.last_seq() == 1
    assert not ledger.stale


def test_what_waits_is_not_learned_to_be_saved(history: History, steps: MakeSteps) -> None:
    """While desks have much to learn nothing is saved: a decision would have to wait for it."""
    ledger = Ledger(history, lambda _whole: State(answers=Answers(list)), commit_s=0.002)
    ledger.record(steps(PART + 1)).result()
    ledger.flush()
    early, waiting = ledger.dump(), ledger.state.answers.waiting
    ledger.state.answers.catch_up()
    later = ledger.dump()
    ledger.close()

    assert early is None
    assert waiting == PART + 1
    assert later is not None


def test_handing_on_learns_nothing(ledger: Ledger, steps: MakeSteps) -> None:
    """Whoever looks for a decision on its way to the disk learns nothing that is owed."""
    ledger.record(steps(PART * 40)).result()
    decision, _ = decide(ledger, CALLS[0])
    ledger.hand_on()

    assert "still being learned" in ledger.behind
    assert ledger._history.get(Decision, decision.id) == decision


def test_long_batches_are_learned_behind(
    ledger: Ledger, history: History, steps: MakeSteps
) -> None:
    """A long batch is acknowledged as one, owed in the open, and then learned in its place."""
    first, second = steps(PART * 4 + 2)[:-1], steps(PART * 4 + 2)[-1:]
    seqs, new = ledger.record(first).result()
    owed = ledger.behind
    ledger.record(second).result()
    ledger.flush()

    assert (seqs, new) == (list(range(1, PART * 4 + 2)), PART * 4 + 1)
    assert "still being learned" in owed
    assert not ledger.behind
    ledger.state.seq = ledger.folded
    assert same(ledger.state, refolded(history))


def test_events_of_others_come_in(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """What another process appends is learned, few at once in place and many beside."""
    ledger.record(steps(5)).result()
    for count in (20, 1500):
        history.append(steps(count, session=f"other{count}"))
        assert ledger.refresh()

        ledger.state.seq = ledger.folded
        assert ledger.folded == history.last_seq()
        assert same(ledger.state, refolded(history))
    assert not ledger.refresh()


def test_events_of_others_in_between(
    ledger: Ledger, history: History, steps: MakeSteps, until: Until
) -> None:
    """Where another process was faster, the state is folded anew in the order of the log."""
    history.append(steps(5, session="other"))
    ledger.record(steps(5)).result()

    assert ledger.stale
    until(ledger.refresh, "repaired")
    ledger.state.seq = ledger.folded
    assert not ledger.stale
    assert same(ledger.state, refolded(history))


def test_a_decision_that_missed_the_events_of_others(
    history: History, steps: MakeSteps, until: Until
) -> None:
    """A decision that is not stored yet lies behind what others wrote before, and is learned so."""
    ledger = Ledger(history, lambda _whole: State(), commit_s=5.0)
    ledger.record(steps(20)).result()
    history.append(steps(20, session="other"))
    decision, _ = decide(ledger, CALLS[0])
    assert not ledger.refresh()

    done = msgspec.structs.replace(steps(1, start=20)[0], decision=decision.id)
    ledger.record([done]).result()
    until(ledger.refresh, "repaired")
    ledger.state.seq = ledger.folded
    assert same(ledger.state, refolded(history))
    ledger.close()


def test_a_commit_that_fails(tmp_path: Path, steps: MakeSteps) -> None:
    """Events that could not be stored are unlearned, and their sender hears of it."""
    path = tmp_path / "busy.db"
    with History.open(path, busy_s=0.02) as history:
        ledger = Ledger(history, lambda _whole: State(), commit_s=0.002)
        ledger.record(steps(5)).result()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                ledger.record(steps(5, start=5)).result()
            assert ledger.stale
            assert ledger.failing
        assert ledger.refresh()
        ledger.state.seq = ledger.folded
        assert same(ledger.state, refolded(history))

        ledger.record(steps(5, start=5)).result()
        assert not ledger.failing
        ledger.close()


def test_saved_states_go_on(ledger: Ledger, history: History, steps: MakeSteps) -> None:
    """A state that was saved and loaded learns on like one that was not."""
    ledger.record(steps(50)).result()
    saved = ledger.dump()
    assert saved is not None
    ledger.record(steps(50, start=50)).result()

    state = State.load(saved)
    for seq, event in history.scan(after=state.seq):
        state.learn(event)
        state.seq = seq
    assert same(state, refolded(history))


def test_a_refusal_takes_what_was_earned(ledger: Ledger) -> None:
    """A verdict against a step takes the record of its class."""
    step = Step(id="x", session="s", tool="Bash", input={"command": "ls"}, outcome=Outcome.OK)
    ledger.record([step]).result()
    earned = ledger.state.record(CALLS[3]).successes
    decision, _ = decide(ledger, CALLS[3])
    ledger.record([Verdict(id="v", session="s", decision=decision.id, approved=False)]).result()

    assert (earned, ledger.state.record(CALLS[3]).successes) == (1, 0)
