"""Runs that really get stuck, and some that only look so: commands run in a throw-away folder.

A scripted agent does a little ordinary work and then goes round in circles, as `CIRCLES` says; or
it does what is fine (`FINE`): it waits for a job that advances, or mends a program step by step.
Nothing is made up: each step's output and exit code are those of the command that ran.

Run it alone to see what the runs look like::

    python experiments/stuck_runs.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onward.data.events import Outcome, Step

__all__ = ["CIRCLES", "FINE", "Run", "play", "runs"]

ROUNDS = 10
"""Steps in circles, or of what is fine."""
LONGEST = 20.0
"""Seconds that a command may take."""
TICK = 0.1
"""Seconds between two signs of life of a job that advances."""


@dataclass(frozen=True)
class Run:
    """A run that was played."""

    name: str
    steps: list[Step]
    begins: int
    """Steps before the circle, or before what is fine."""
    stuck: bool


_PROGRAM = """\
import sys
def total(rows):
    return sum(row["price"] for row in rows)
if __name__ == "__main__":
    print("total", total([{"price": 2}, {"price": 3}]))
"""
_WORK = (
    "pwd; ls",
    f"cat > shop.py <<'EOF'\n{_PROGRAM}EOF",
    "python3 shop.py",
    "grep -n total shop.py",
    "printf 'mode=fast\\nretries=3\\n' > fast.cfg; printf 'mode=safe\\nretries=9\\n' > safe.cfg",
    "cat fast.cfg safe.cfg",
)
"""What the agent does before: six steps that gain something."""

_UNREACHABLE = """\
python3 - <<'EOF'
import os, random, sys, time
print(f"{time.time():.6f} [{os.getpid()}] connecting from port {random.randint(2000, 60000)}")
print(f"error: no worker answers, request {random.getrandbits(64):016x}", file=sys.stderr)
sys.exit(1)
EOF"""
_WAITING = """\
python3 - <<'EOF'
import os, random, time
print(f"{time.strftime('%H:%M:%S')} pid {os.getpid()}: still waiting, {time.time():.3f}")
print(f"id {random.getrandbits(48):012x}: nothing to report")
EOF"""


def _same() -> Iterator[str]:
    """The very same failing call."""
    yield from ["python3 shop_test.py"] * ROUNDS


def _changing_failure() -> Iterator[str]:
    """One goal; each output differs by time, process, port and request."""
    yield from [_UNREACHABLE] * ROUNDS


def _changing_success() -> Iterator[str]:
    """The same, but each call succeeds and says nothing new."""
    yield from [_WAITING] * ROUNDS


def _other_words() -> Iterator[str]:
    """One goal in ever other words; the cause stays."""
    for n in range(ROUNDS):
        flag = ("-v", "-q", "-x", "--verbose", "-vv", "--quiet")[n % 6]
        yield f"python3 -m shop_tests {flag} --seed {n}"


def _alternating() -> Iterator[str]:
    """Two settings in turn, neither of which works."""
    for n in range(ROUNDS):
        name = ("fast", "safe")[n % 2]
        yield f"cp {name}.cfg live.cfg && grep -q mode=right live.cfg"


def _back_and_forth() -> Iterator[str]:
    """A change, a check, the change taken back, a check; from the second round on a circle."""
    for n in range(ROUNDS + _FIRST_ROUND["back_and_forth"]):
        yield (
            "sed -i 's/price/cost/' shop.py",
            "python3 shop.py",
            "sed -i 's/cost/price/' shop.py",
            "python3 shop.py",
        )[n % 4]


def _cascade() -> Iterator[str]:
    """Error after error in one tool after the other; the last ones come round again."""
    yield from (
        "cat settings.toml",
        "python3 -c 'import no_such_module_here'",
        "python3 -m pip install --no-index no-such-module-here",
        "make -f no_such_makefile",
        "git -C . push no-such-remote main",
        "tar xf no_such_archive.tar",
        "no-such-program --version",
        "python3 -m no_such_module_here",
        "cat setup.cfg",
        "ls no_such_folder",
        "cp no_such_file.txt copy.txt",
        "sh no_such_script.sh",
    )


def _rereading() -> Iterator[str]:
    """The same files again, in ever other pieces."""
    for n in range(ROUNDS):
        yield ("cat shop.py", "head -n 3 shop.py", "cat fast.cfg", "tail -n 2 shop.py")[n % 4]


def _dead_job() -> Iterator[str]:
    """Waiting for a job that does not advance."""
    for _ in range(ROUNDS):
        yield "sleep 0.1; cat job.log 2>/dev/null; date +%s; echo '[job] running'"


def _job(sign: str) -> str:
    """A job in the background that gives a sign of life every `TICK` seconds."""
    loop = f"for n in range(60):\n    {sign}; time.sleep({TICK})"
    start = "python3 job.py >/dev/null 2>&1 & sleep 0.5"
    return f"cat > job.py <<'EOF'\nimport os, time\n{loop}\nEOF\n{start}"


def _advancing_percent() -> Iterator[str]:
    """Waiting for a job whose percentage grows."""
    yield _job("open('job.txt', 'w').write(f'running, {n} %')")
    for _ in range(ROUNDS):
        yield f"sleep {2 * TICK}; cat job.txt"


def _advancing_files() -> Iterator[str]:
    """Waiting for a job that fills a folder."""
    yield _job("os.makedirs('out', exist_ok=True); open(f'out/{n}.txt', 'w').close()")
    for _ in range(ROUNDS):
        yield f"sleep {2 * TICK}; ls out | wc -l"


def _advancing_parts() -> Iterator[str]:
    """Waiting for a job that tells which part it is at."""
    yield _job("open('job.log', 'a').write(f'part {n}/60 done' + chr(10))")
    for _ in range(ROUNDS):
        yield f"sleep {2 * TICK}; tail -n 1 job.log"


def _mending() -> Iterator[str]:
    """A failing check, a change, the check again: each time a little further."""
    for n in range(ROUNDS // 2):
        yield f"printf 'def part_{n}():\\n    return {n}\\n' >> parts.py"
        yield f"python3 -c 'import parts; parts.part_{n}(); parts.part_{n + 1}()'"


_FIRST_ROUND = {"back_and_forth": 4}
"""Steps of a circle that are work: nothing comes again before."""

CIRCLES: dict[str, Callable[[], Iterable[str]]] = {
    "same_call": _same,
    "changing_failure": _changing_failure,
    "changing_success": _changing_success,
    "other_words": _other_words,
    "alternating": _alternating,
    "back_and_forth": _back_and_forth,
    "error_cascade": _cascade,
    "rereading": _rereading,
    "dead_job": _dead_job,
}
"""Ways to go round in circles."""
FINE: dict[str, Callable[[], Iterable[str]]] = {
    "advancing_percent": _advancing_percent,
    "advancing_files": _advancing_files,
    "advancing_parts": _advancing_parts,
    "mending": _mending,
}
"""What looks like it and is fine."""


def play(name: str, *, folder: Path) -> Run:
    """Play one run in a folder of its own."""
    script = {**CIRCLES, **FINE}[name]()
    commands = [*_WORK, *script]
    begins = len(_WORK) + _FIRST_ROUND.get(name, 0)
    steps = [_step(name, n, command, folder) for n, command in enumerate(commands)]
    return Run(name, steps, begins, name in CIRCLES)


def runs() -> Iterator[Run]:
    """Play all runs, each in a folder that is gone afterwards."""
    for name in (*CIRCLES, *FINE):
        # A process that a command left behind may still write there.
        with tempfile.TemporaryDirectory(prefix="stuck-", ignore_cleanup_errors=True) as folder:
            yield play(name, folder=Path(folder))


def _step(name: str, number: int, command: str, folder: Path) -> Step:
    """Run one command of the script; its output and exit code as they come."""
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LONGEST,
        check=False,
    )
    return Step(
        id=f"stuck-{name}-{number}",
        session=f"stuck-{name}",
        tool="Bash",
        input={"command": command},
        agent="scripted",
        project="stuck",
        outcome=Outcome.OK if done.returncode == 0 else Outcome.ERROR,
        exit_code=done.returncode,
        output=done.stdout[-4000:],
    )


def main() -> int:
    """Show the runs."""
    for run in runs():
        print(f"\n{run.name}: {'in circles' if run.stuck else 'fine'} from step {run.begins + 1}")
        for step in run.steps[run.begins :]:
            first = step.input["command"].splitlines()[0]
            output = " / ".join(step.output.split("\n"))
            print(f"  {step.outcome.value:>5}  {first[:50]:<50}  {output[:60]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
