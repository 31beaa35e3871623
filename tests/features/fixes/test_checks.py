"""Failing checks: which runs are of one check, and what is no failure."""

from __future__ import annotations

import msgspec
import pytest
from tests.mending import shell

from onward.data.events import Call
from onward.features.fixes.checks import check_of, failed, same_check


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
