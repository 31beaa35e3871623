"""What the fix of a mended check is called."""

from __future__ import annotations

import pytest
from tests.mending import shell

from onward.features.fixes.changes import FIXES
from onward.features.fixes.fold import Fixes


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
