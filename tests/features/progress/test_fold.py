"""The fold behind the hazard: windows, standstills, and no peeking."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.data.events import Outcome, Prompt, Step
from onward.features.progress.fold import MAX_SESSIONS, NAMES, WINDOW, Closed, Progress
from onward.features.progress.standstill import StandstillKind, standstill_of

OK, ERROR = Outcome.OK, Outcome.ERROR


def step(n: int, command: str, output: str = "", outcome: Outcome = OK, session: str = "s") -> Step:
    """A shell step."""
    return Step(
        id=f"{session}-{n}",
        session=session,
        tool="bash",
        input={"command": command},
        agent="a",
        project="p",
        outcome=outcome,
        output=output,
    )


def work(count: int, *, seed: int = 0, sessions: int = 3) -> list[Step]:
    """Steps of several sessions at once: some look, some fail, some change files."""
    random = np.random.default_rng(seed)
    steps = []
    for n in range(count):
        kind = int(random.integers(4))
        command = (f"cat f{n % 9}.py", "pytest -q", f"sed -i s/{n}/x/ a.py", "ls")[kind]
        output = f"line {'abcdefghij'[n % 10] * (1 + n % 5)}" if kind != 2 else ""
        outcome = ERROR if random.random() < 0.3 else OK
        steps.append(step(n, command, output, outcome, f"s{int(random.integers(sessions))}"))
    return steps


def learned(*events: Step | Prompt) -> tuple[Progress, list[Closed]]:
    """A fold after some events, and the windows that they closed."""
    fold = Progress()
    return fold, [closed for event in events for closed in fold.learn(event)]


def test_a_window_closes_when_its_steps_are_known() -> None:
    """Nothing is learned of a window before its end; then it says how many steps were idle."""
    fail = [step(n, "cat x", "no x", ERROR) for n in range(1, 1 + WINDOW)]
    fold, closed = learned(step(0, "ls", "a.py b.py"), *fail[:-1])
    assert closed == []

    assert fold.learn(fail[-1]) == [Closed("s", 1, WINDOW, True)]


def test_a_hand_in_closes_all_windows_and_a_prompt_leaves_them_open() -> None:
    """What is handed in is progress; what the user cut short is not known."""
    ended = step(2, "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
    _, closed = learned(step(0, "ls", "a.py"), step(1, "cat x", "no", ERROR), ended)
    assert [(one.step, one.standstill) for one in closed] == [(1, False), (2, False)]

    fail = [step(n, "cat x", "no x", ERROR) for n in range(4)]
    prompt = Prompt(id="p", session="s", text="Why? Stop that.")
    assert learned(*fail[:2], prompt, fail[2])[1] == []


def test_a_result_that_is_not_known_leaves_a_window_open() -> None:
    """A window is called a standstill only where all of it is known."""
    steps = [step(n, "cat x", "no", ERROR if n % 2 else Outcome.UNKNOWN) for n in range(6)]

    assert learned(*steps)[1] == []


def test_the_vector_after_a_step_knows_nothing_of_later_ones() -> None:
    """Changing what comes later does not change a vector that was given before."""
    steps = work(60)
    fold, _ = learned(*steps[:40])
    before = fold.vector("s1").copy()
    for one in steps[40:]:
        assert np.array_equal(fold.vector("s1"), before, equal_nan=True)
        flipped = ERROR if one.outcome is OK else OK
        other, _ = learned(*steps[:40])
        other.learn(msgspec.structs.replace(one, outcome=flipped, session="s2"))
        assert np.array_equal(learned(*steps[:40])[0].vector("s1"), before, equal_nan=True)
        break


def test_a_saved_fold_goes_on_the_same() -> None:
    """After dump and load every vector and every window is the same bit for bit."""
    steps = work(160)
    whole, _ = learned(*steps[:80])
    again = Progress.load(whole.dump())
    for one in steps[80:]:
        assert again.learn(one) == whole.learn(one)
        assert again.vector(one.session).tobytes() == whole.vector(one.session).tobytes()


def test_it_is_defined_before_the_first_example() -> None:
    """A session that was never met has a vector, of unknowns, and no standstill."""
    fold = Progress()

    assert fold.vector("x").shape == (len(NAMES),)
    assert np.isnan(fold.vector("x")).all()
    assert 0.0 <= fold.peer("x") <= 1.0


def test_memory_is_bounded() -> None:
    """More sessions than fit are forgotten, the longest unused first."""
    fold = Progress()
    sizes = []
    for n in range(6 * MAX_SESSIONS):
        for k in range(3):
            fold.learn(step(k, f"cat f{k}", f"line {'x' * k}", session=f"s{n}"))
        if n % MAX_SESSIONS == MAX_SESSIONS - 1:
            sizes.append(len(fold.dump()))

    assert fold.course("s0") is None
    assert fold.course(f"s{6 * MAX_SESSIONS - 1}") is not None
    assert sizes[-1] < 1.5 * sizes[-2]
    assert len(fold.rates.table) <= fold.rates.capacity


@pytest.mark.parametrize("body", [b"", b"no", b"x\x9c"])
def test_a_damaged_state_is_a_clear_error(body: bytes) -> None:
    """What is no state of progress is refused by name."""
    with pytest.raises(BundleError):
        Progress.load(body)


def test_standstills_are_told_apart() -> None:
    """The same call, calls in turn, failure after failure, and looking for nothing."""
    seen = step(0, "ls", "a.py\nb.py\nthe same")
    turns = [step(n, ("cat a.py", "head b.txt")[n % 2], "the same") for n in range(1, 7)]
    same = [step(n, "cat a.py", "the same") for n in range(1, 5)]
    mixed = [
        step(n, command, f"bad {command}", ERROR)
        for n, command in enumerate(("cat x", "git push", "curl y", "tar xf z"), start=1)
    ]
    looks = [step(n, c, "the same") for n, c in enumerate(("cat a", "ls -l", "wc b"), start=1)]
    found = {}
    for name, steps in {"turns": turns, "same": same, "mixed": mixed, "looks": looks}.items():
        fold, _ = learned(seen, *steps)
        course = fold.course("s")
        assert course is not None
        found[name] = standstill_of(course)

    assert found["turns"].kind is StandstillKind.ALTERNATION
    assert found["same"].kind is StandstillKind.REPEAT
    assert found["mixed"].kind is StandstillKind.CASCADE
    assert found["looks"].kind is StandstillKind.STALL
    assert (found["same"].since, found["same"].since_id, found["same"].times) == (2, "s-1", 4)
