"""What counts as progress, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.events import Outcome, Step
from onward.features.action import action_of
from onward.features.progress.gains import MAX_FACTS, MAX_LINES, Gain, Ledger, masked, masked_lines

OK, ERROR = Outcome.OK, Outcome.ERROR


def step(command: str, output: str = "", outcome: Outcome = OK, **more: Any) -> Step:
    """A shell step."""
    given = {"id": "x", "session": "s", "tool": "bash", "input": {"command": command}}
    return Step(**{**given, "outcome": outcome, "output": output, **more})


def gains(*steps: Step) -> list[Gain]:
    """What each step of a session gained."""
    ledger = Ledger()
    return [ledger.learn(one, action_of(one)).gain for one in steps]


def test_a_line_counts_once() -> None:
    """A line is news the first time; the same line with other numbers is not."""
    assert gains(
        step("cat a.log", "worker 3 started at 12:00:01"),
        step("cat b.log", "worker 7 started at 12:09:44"),
        step("cat c.log", "worker 7 stopped"),
    ) == [Gain.LINE, Gain.NONE, Gain.LINE]


def test_a_failure_gains_nothing_however_new() -> None:
    """An error cascade is no progress."""
    assert (
        gains(
            step("cat a", "cat: a: No such file", ERROR),
            step("pip install b", "no matching distribution", ERROR),
            step("git push", "fatal: no remote", ERROR),
        )
        == [Gain.NONE] * 3
    )


def test_a_check_that_fails_anew_is_a_diagnosis_once_per_state_of_files() -> None:
    """What a failing check tells first is learned; telling it again is not, until files change."""
    red = step("pytest -q", "E   assert total == 5", ERROR)
    other = step("pytest -q", "E   KeyError: price", ERROR)
    change = step("sed -i s/a/b/ shop.py")

    assert gains(red, red, other) == [Gain.DIAGNOSIS, Gain.NONE, Gain.NONE]
    assert gains(red, change, other) == [Gain.DIAGNOSIS, Gain.STATE, Gain.DIAGNOSIS]


def test_a_check_that_passes_again_is_a_gain_once() -> None:
    """A failing check that now passes counts; a flaky one that flips for ever does not."""
    red, green = step("python t.py", "boom", ERROR), step("python t.py", "fine")

    assert gains(red, green, red, green, red, green)[1:] == [
        Gain.CHECK,
        *[Gain.NONE] * 4,
    ]


def test_going_back_and_forth_ends() -> None:
    """Two changes in turn make each state new but once, and once more when they are redone."""
    forth, back = step("sed -i s/a/b/ shop.py"), step("sed -i s/b/a/ shop.py")
    found = gains(*[forth, back] * 6)

    assert found[:2] == [Gain.STATE] * 2
    assert set(found[3:]) == {Gain.NONE}


@pytest.mark.parametrize("form", ["running, {} %", "part {}/60 done", '"points_count": {}', "{}"])
def test_a_job_that_advances_is_progress(form: str) -> None:
    """Asking the same again is progress while a counter moves on, and none when it rests."""
    asked = [step("cat job", form.format(n)) for n in (10, 20, 30, 30, 30)]

    assert [gain > 0 for gain in gains(*asked)] == [True, True, True, False, False]


def test_counting_tries_is_no_progress() -> None:
    """A number that only says how often it was tried moves nothing on."""
    tries = [step("./connect", f"attempt {n}/9 timed out") for n in range(1, 6)]

    assert set(gains(*tries)[2:]) == {Gain.NONE}


def test_nothing_found_is_nothing_gained() -> None:
    """A line that says that there is nothing is no news."""
    assert gains(step("find . -name x", "No files found")) == [Gain.NONE]


@pytest.mark.parametrize(
    "last",
    [
        step("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git diff", outcome=Outcome.UNKNOWN),
        step("", tool="submit", input={}),
    ],
)
def test_a_hand_in_is_progress(last: Step) -> None:
    """Handing in counts, by tool or by command, also where its result is not told."""
    assert gains(last) == [Gain.HAND_IN]


def test_what_has_no_result_is_unknown() -> None:
    """A call without its result is neither progress nor standstill."""
    assert gains(step("ls", outcome=Outcome.UNKNOWN)) == [Gain.UNKNOWN]


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_numbers_are_masked(a: int, b: int) -> None:
    """Two lines that differ in a number are one line."""
    assert masked(f"took {a} seconds") == masked(f"took {b} seconds")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=80), st.text(max_size=200), st.sampled_from(Outcome))))
def test_no_text_is_too_odd(found: list[tuple[str, str, Outcome]]) -> None:
    """Whatever a step says, it gains something or nothing; a step twice never gains a line."""
    ledger = Ledger()
    for command, output, outcome in found:
        one = step(command, output, outcome)
        ledger.learn(one, action_of(one))
        again = ledger.learn(one, action_of(one))
        assert again.gain is not Gain.LINE
        assert again.novel == 0


def test_a_ledger_is_bounded() -> None:
    """However long a session is, the tables keep their size."""
    ledger = Ledger()
    for n in range(3 * MAX_FACTS):
        lines = "\n".join(f"{chr(97 + i % 26)}x{'y' * (i % 7)} word {n}{'z' * i}" for i in range(9))
        one = step(f"python {'p' * (n % 50)}.py --n{n} > out{n}.txt", lines)
        ledger.learn(one, action_of(one))

    assert len(ledger.young) + len(ledger.old) <= 2 * MAX_LINES
    for table in (ledger.changes, ledger.ran, ledger.counters, ledger.answers, ledger.failing):
        assert len(table) <= MAX_FACTS
    assert masked_lines("") == set()
