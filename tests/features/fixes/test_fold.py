"""Failing checks, attempts and fixes as a fold: it never peeks, forgets, or trips over a text."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mending import mending_log, shell

from onward.data.errors import BundleError
from onward.data.events import Call, Outcome, Step
from onward.features.fixes.changes import FIXES
from onward.features.fixes.faults import signature
from onward.features.fixes.fold import NAMES, REMEDY_NAMES, TRANSIENT_NAMES, Fixes
from onward.features.fixes.mined import mine
from onward.features.fixes.transient import retry_after


def bash(command: str) -> Call:
    """A call of a shell."""
    return Call(session="s", tool="bash", input={"command": command})


def test_no_peeking() -> None:
    """A step's own outcome and output change nothing of what is asked before it."""
    log = mending_log(20)
    for place in range(len(log)):
        step = log[place][1]
        other = msgspec.structs.replace(step, outcome=Outcome.OK, exit_code=0, output="other")
        if step.outcome is Outcome.OK or place % 7:
            continue
        one, two = Fixes(), Fixes()
        for _, event in log[:place]:
            one.learn(event)
            two.learn(event)
        asked, again = one.attempt(step), two.attempt(other)

        assert (asked is None) == (again is None)
        if asked is not None and again is not None:
            np.testing.assert_array_equal(asked.X, again.X)


def test_dump_and_load_go_on_the_same() -> None:
    """A state that was dumped and loaded gives the same rows, bit for bit, from there on."""
    log = mending_log(40)
    whole, early = list(mine(log)), Fixes()
    list(mine(log[:150], early))
    late = list(mine(log[150:], Fixes.load(early.dump())))

    for one, other in zip(whole[-len(late) :], late, strict=True):
        np.testing.assert_array_equal(one.attempt, other.attempt)
        np.testing.assert_array_equal(one.remedies, other.remedies)
    with pytest.raises(BundleError):
        Fixes.load(early.dump()[:50])


def test_bounded_memory_on_a_long_stream() -> None:
    """However many sessions, files and errors come, the state stops growing."""
    fixes, sizes = Fixes(), []
    for number in range(3000):
        session = f"s{number // 20}"
        output = f"{'a' * (number % 97)}Error: {number % 50} went wrong"
        fixes.learn(shell(number, session, f"sed -i s/a/b/ f{number}.py", ok=True))
        fixes.learn(shell(number, session, f"python x{number % 37}.py", ok=False, output=output))
        if number in (1999, 2999):
            sizes.append(len(fixes.dump()))

    assert sizes[1] < 1.2 * sizes[0]


def test_defined_before_the_first_example() -> None:
    """An empty state has a row for every fix, and numbers for a rerun, of a first failure."""
    fixes = Fixes()
    fixes.learn(shell(0, "s", "make", ok=False, output="make: *** No rule"))
    failing = fixes.failing("s")

    assert failing is not None
    assert fixes.remedies("s", failing).shape == (len(FIXES), len(REMEDY_NAMES))
    assert fixes.transient("s", failing).shape == (len(TRANSIENT_NAMES),)
    asked = fixes.attempt(bash("make"))
    assert asked is not None
    assert asked.X.shape == (len(NAMES),)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.text(max_size=200))
def test_any_text_is_read(output: str, command: str) -> None:
    """No command and no output crashes the fold; a signature is short and has no line break."""
    fixes = Fixes()
    for number, ok in enumerate((False, True)):
        fixes.learn(shell(number, "s", command, ok=ok, output=output))
    fixes.learn(Step(id="z", session="s", tool="Edit", input={"x": [1]}, outcome=Outcome.ERROR))

    said = signature(output)
    assert len(said) <= 140
    assert "\n" not in said
    assert retry_after(output, now=1.0) is None or retry_after(output, now=1.0) >= 0.0  # type: ignore[operator]
