"""Failing checks, attempts and fixes: what counts as what, and a fold that never peeks."""

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
from onward.features.fixes.checks import check_of, failed, same_check
from onward.features.fixes.faults import CLASSES, fault_of, signature
from onward.features.fixes.fold import NAMES, REMEDY_NAMES, TRANSIENT_NAMES, Fixes
from onward.features.fixes.mined import mine
from onward.features.fixes.transient import retry_after


def bash(command: str) -> Call:
    """A call of a shell."""
    return Call(session="s", tool="bash", input={"command": command})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("python a.py", "cd src && python3 a.py --verbose", True),
        ("python a.py", "python b.py", False),
        ("pytest tests/test_a.py", "python -m pytest tests/test_a.py::test_x -q", True),
        ("pytest tests/test_a.py", "pytest", False),
        ("npm run build", "npm run build -- --watch", True),
        ("npm run build", "npm run lint", False),
        ("sleep 5 && git push", "git push", True),
        ("sed -i s/a/b/ a.py && python a.py", "python a.py", True),
    ],
)
def test_runs_of_one_check(one: str, other: str, same: bool) -> None:
    """Calls are runs of one check by program, sub-command and a shared target."""
    first, second = check_of(bash(one)), check_of(bash(other))

    assert first is not None
    assert second is not None
    assert same_check(first, second) is same


@pytest.mark.parametrize("command", ["grep x a.py", "diff a b", "test -f a", "rg x | head"])
def test_an_empty_lookup_is_no_error(command: str) -> None:
    """A look-up that ends with 1 and says nothing is no failing check; one that complains is."""
    quiet = shell(
        0, "s", command, ok=False, output="<returncode>1</returncode>\n<output>\n</output>"
    )
    loud = msgspec.structs.replace(quiet, exit_code=2, output="a.py: No such file or directory")
    check = check_of(quiet)

    assert check is not None
    assert not failed(quiet, check)
    assert failed(loud, check)


def fix_between(*commands: str, error: str = "KeyError: 'a'") -> str:
    """The fix of a check that failed, given the commands from there to its next run."""
    fixes = Fixes()
    fixes.learn(shell(0, "s", "python run.py", ok=False, output=error))
    for number, command in enumerate(commands[:-1], start=1):
        fixes.learn(shell(number, "s", command, ok=True))
    tried = fixes.learn(shell(9, "s", commands[-1], ok=True))
    assert tried is not None
    return FIXES[tried.attempt.fix]


@pytest.mark.parametrize(
    ("commands", "fix"),
    [
        (("sed -i s/a/b/ run.py", "python run.py"), "edit@own"),
        (("sed -i s/a/b/ lib.py", "python run.py"), "edit@named"),
        (("sed -i s/a/b/ far.py", "python run.py"), "edit@code"),
        (("cat > new.json <<E\n{}\nE", "python run.py"), "create@other"),
        (("pip install x", "ls", "python run.py"), "install"),
        (("git checkout -- a", "python run.py"), "git"),
        (("ls", "python run.py --fast"), "command@options"),
        (("PYTHONPATH=. python run.py",), "command@environment"),
        (("cd sub && python run.py",), "command@directory"),
        (("cat notes.txt", "python run.py"), "read@other"),
        (("python run.py",), "again"),
        (("sed -i s/a/b/ run.py && python run.py",), "edit@own"),
    ],
)
def test_a_fix_is_the_last_change_before_the_run(commands: tuple[str, ...], fix: str) -> None:
    """The fix of a mended check is an action and a place, seen from the check and its error."""
    error = 'File "lib.py", line 3, in f\nKeyError: 1'

    assert fix_between(*commands, error=error) == fix


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


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("bash: foo: command not found", "no_program"),
        ("SyntaxError: invalid syntax", "syntax"),
        ("ssh: connect to host x port 22: Connection refused", "network"),
        ("Permission denied (publickey)", "permission"),
        ("", "empty"),
    ],
)
def test_classes_of_errors(output: str, kind: str) -> None:
    """An error's class is its meaning, whatever program gave it."""
    assert CLASSES[fault_of(output).kind] == kind


@pytest.mark.parametrize(
    ("output", "seconds"),
    [
        ("HTTP 429\nRetry-After: 120", 120.0),
        ("retry-after: Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("x-ratelimit-reset: 45", 45.0),
        ("x-ratelimit-reset: 1700000000", None),
        ("Please try again in 2 hours and 5 minutes.", 7500.0),
        ("retry after 250ms", 0.25),
        ("limit reached, resets at 1970-01-01T00:00:40+00:00", 30.0),
        ("resets at 1969-01-01T00:00:40+00:00", None),
        ("nothing of the kind", None),
    ],
)
def test_reset_times_are_read(output: str, seconds: float | None) -> None:
    """Durations, headers, dates and epochs become seconds from now; nonsense becomes none."""
    assert retry_after(output, now=10.0) == seconds


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
