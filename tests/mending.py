"""Made-up sessions in which checks fail and are mended, for the tests of fixes."""

from __future__ import annotations

import random
from collections.abc import Iterator

from onward.data.events import Outcome, Step

__all__ = ["mending_log", "shell"]

ERRORS = {
    "own": 'Traceback (most recent call last):\n  File "run.py", line 3, in <module>\n'
    "    total(x)\nNameError: name 'total{n}' is not defined",
    "module": 'Traceback (most recent call last):\n  File "run.py", line 1, in <module>\n'
    "ModuleNotFoundError: No module named 'pkg{n}'",
    "outside": "curl: (7) Failed to connect to box port {n}: Connection refused",
}
CHECKS = {"own": "python run.py", "module": "python run.py", "outside": "curl http://box/health"}
FIXES = {
    "own": ("sed -i '3s/total/sum/' run.py", "pip install left-pad", "sed -i 's/a/b/' other.json"),
    "module": ("pip install pkg", "sed -i '3s/total/sum/' run.py", "ls"),
    "outside": ("", "ls", ""),
}


def shell(number: int, session: str, command: str, *, ok: bool, output: str = "") -> Step:
    """One shell step."""
    return Step(
        id=f"{session}-{number}",
        session=session,
        tool="bash",
        input={"command": command},
        at=1e9 + number,
        agent="made-up",
        project=f"p{len(session) % 2}",
        outcome=Outcome.OK if ok else Outcome.ERROR,
        exit_code=0 if ok else 1,
        output=output,
    )


def mending_log(sessions: int, *, seed: int = 0) -> list[tuple[int, Step]]:
    """A log of so many sessions: the right fix works nine times in ten, a wrong one seldom."""
    draw = random.Random(seed)
    steps = [step for n in range(sessions) for step in _session(n, draw)]
    return list(enumerate(steps, start=1))


def _session(number: int, draw: random.Random) -> Iterator[Step]:
    session, step = f"s{seed_name(number)}", 0
    for _ in range(2):
        kind = draw.choice(sorted(ERRORS))
        output = ERRORS[kind].format(n=draw.randrange(9))
        yield shell(step, session, CHECKS[kind], ok=False, output=output)
        for _ in range(3):
            right = draw.random() < 0.6
            fix = FIXES[kind][0] if right else draw.choice(FIXES[kind][1:])
            if fix:
                yield shell(step + 1, session, fix, ok=True)
            good = draw.random() < (0.9 if right else 0.15)
            step += 2
            yield shell(step, session, CHECKS[kind], ok=good, output="" if good else output)
            if good:
                break
        step += 1


def seed_name(number: int) -> str:
    """A session's name whose length alternates, so that there are two projects."""
    return f"{number:04d}" + "x" * (number % 2)
