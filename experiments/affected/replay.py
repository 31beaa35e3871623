"""Release after release as commits: what each tool chose, and what would have failed.

At each release three things happen. The code of the next one is laid below the tests of this one
(``code_first``): what fails then was really broken or changed. Small faults are put into files that
the release changed (``mutation``). Then the whole release is laid (``release``), each tool runs
what it chooses, and goes on from what it recorded itself. The truth is a run of everything, without
any tool, in the same tree.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
from experiments.affected.mutations import mutations
from experiments.affected.project import Desk, Outcome
from numpy.typing import NDArray

from onward.features.affected.change import kind_of
from onward.features.affected.fold import NAMES
from onward.features.affected.touch import vector_table
from onward.serving.answers.affected import Ranked, Suite

__all__ = ["Step", "Told", "overhead", "replay"]

ONWARD = ("-p", "onward.pytest_plugin", "--onward")
AFFECTED = ("-p", "onward.pytest_plugin", "--onward-affected")
TESTMON = ("-p", "testmon.pytest_testmon", "--testmon")
TOOLS = {"onward": AFFECTED} | ({"testmon": TESTMON} if find_spec("testmon") else {})
"""Tool -> the options with which it runs what it chooses; testmon where it is installed."""
Say = Callable[[str], None]


class Told(msgspec.Struct):
    """What one tool did at one step."""

    chosen: set[str]
    cpu_s: float = 0.0


class Step(msgspec.Struct, kw_only=True):
    """One change, with the truth and what each tool chose."""

    kind: str
    """``release``, ``code_first`` or ``mutation``."""
    label: str
    tests: list[str]
    failed: set[str]
    fresh: set[str]
    """Those that passed before the change and fail after it."""
    tools: dict[str, Told] = {}
    plain_s: float = 0.0
    vectors: bytes = b""
    """(tests, features) float32, in the order of ``tests``."""
    seconds: list[float] = []
    counts: list[float] = []
    """P(fail) as served without a model."""

    @property
    def table(self) -> NDArray[np.float32]:
        """(tests, features)."""
        return np.frombuffer(self.vectors, np.float32).reshape(-1, len(NAMES))


def replay(
    desk: Desk, releases: Sequence[Path], *, faults: int, seed: int, say: Say
) -> Iterator[Step]:
    """All steps of one project.

    Parameters
    ----------
    desk
        An empty working tree.
    releases
        Oldest first.
    faults
        Mutations at each release.
    seed
        The same gives the same faults.
    say
        Told which release comes next.
    """
    desk.lay(releases[0])
    before = _learn(desk)
    for number, release in enumerate(releases[1:], start=1):
        say(release.parent.name)
        moved = _changed(desk, release)
        step = _code_first(desk, releases[number - 1], release, before, moved)
        if step is not None:
            yield step
        desk.lay(release)
        step, before = _release(desk, release, before)
        yield step
        yield from _faults(desk, release, before, moved, count=faults, seed=seed + number)


def overhead(desk: Desk, *, repeats: int = 3) -> dict[str, float]:
    """CPU seconds of whole runs, by plain pytest and by each tool; byte code may be kept.

    ``first`` records everything from nothing, ``later`` runs and records everything again, and
    ``nothing`` follows when nothing changed and the tool chooses. The least of *repeats*
    runs counts, but for the first.
    """
    found = {}
    desk.run(cached="plain")
    found["plain"] = min(desk.run(cached="plain").cpu_s for _ in range(repeats))
    for name, every, choosing in (
        ("onward", ONWARD, AFFECTED),
        ("testmon", (*TESTMON, "--testmon-noselect"), TESTMON),
    ):
        if name not in TOOLS:
            continue
        home = f"overhead-{name}"
        found[f"{name}_first"] = desk.run(*every, home=home, cached=name).cpu_s
        later = [desk.run(*every, home=home, cached=name).cpu_s for _ in range(repeats)]
        found[f"{name}_later"] = min(later)
        quick = [desk.run(*choosing, home=home, cached=name).cpu_s for _ in range(repeats)]
        found[f"{name}_nothing"] = min(quick)
    return found


def _learn(desk: Desk) -> Outcome:
    """The first runs, by each tool, of everything."""
    desk.run(*ONWARD, home="onward")
    if "testmon" in TOOLS:
        desk.run(*TESTMON, home="testmon")
    return desk.run()


def _release(desk: Desk, release: Path, before: Outcome) -> tuple[Step, Outcome]:
    truth = desk.run()
    step = _step(desk, "release", release.parent.name, truth, before)
    for name, options in TOOLS.items():
        done = desk.run(*options, home=name)
        step.tools[name] = Told(set(done.chosen), done.cpu_s)
    return step, truth


def _code_first(
    desk: Desk, old: Path, new: Path, before: Outcome, moved: Sequence[str]
) -> Step | None:
    """The new code below the old tests."""
    if not any(_is_code(path) for path in moved):
        return None
    desk.lay(new, but=("tests/", *_inner_tests(old), *_inner_tests(new)))
    step = _judged(desk, "code_first", new.parent.name, before)
    desk.lay(old)
    return step


def _faults(
    desk: Desk,
    release: Path,
    before: Outcome,
    moved: Sequence[str],
    *,
    count: int,
    seed: int,
) -> Iterator[Step]:
    """Faults in files that the release changed."""
    files = [path for path in moved if _is_code(path) and (desk.tree / path).exists()]
    random = np.random.default_rng(seed)
    for fault in range(count if files else 0):
        path = desk.tree / files[int(random.integers(len(files)))]
        text = path.read_text(encoding="utf-8")
        made = mutations(text, count=1, seed=seed * 1000 + fault)
        for body, what in made:
            path.write_text(body, encoding="utf-8")
            label = f"{release.parent.name} {path.relative_to(desk.tree)}:{what}"
            step = _judged(desk, "mutation", label, before)
            path.write_text(text, encoding="utf-8")
            if step is not None and step.fresh:
                yield step


def _judged(desk: Desk, kind: str, label: str, before: Outcome) -> Step | None:
    """A change that is looked at and taken back: what each tool would choose."""
    truth = desk.run(timeout_s=60.0)
    if not truth.ended:
        return None
    step = _step(desk, kind, label, truth, before)
    if "testmon" in TOOLS:
        shutil.copyfile(desk.folder / "testmon.testmon", desk.folder / "probe.testmon")
        done = desk.run(*TESTMON, "--collect-only", home="probe")
        step.tools["testmon"] = Told(set(done.chosen), done.cpu_s)
    return step


def _step(desk: Desk, kind: str, label: str, truth: Outcome, before: Outcome) -> Step:
    """The truth, and how onward sees each test. Files that cannot be imported anybody finds."""
    tests = sorted(truth.passed | truth.failed)
    ranked, X = _looked(desk, tests)
    return Step(
        kind=kind,
        label=label,
        tests=tests,
        failed=set(truth.failed),
        fresh=truth.failed & before.passed,
        tools={"onward": Told({one.node for one in ranked if one.tier == "must"})},
        plain_s=truth.cpu_s,
        vectors=X.tobytes(),
        seconds=[truth.seconds.get(node, 0.0) for node in tests],
        counts=[one.p_fail for one in ranked],
    )


def _looked(desk: Desk, tests: Sequence[str]) -> tuple[list[Ranked], NDArray[np.float32]]:
    with Suite(desk.tree, desk.folder / "onward") as suite:
        return suite.rank(tests), vector_table(suite.touch(tests))


def _changed(desk: Desk, release: Path) -> list[str]:
    """Files of the tree that the release has otherwise."""
    found = []
    for path in sorted(release.rglob("*")):
        inside = path.relative_to(release).as_posix()
        here = desk.tree / inside
        if path.is_file() and (not here.exists() or here.read_bytes() != path.read_bytes()):
            found.append(inside)
    return found


def _is_code(path: str) -> bool:
    return (
        kind_of(path) == "python"
        and not path.startswith("tests/")
        and "/tests/" not in path
        and "/" in path
        and not path.endswith("_version.py")
    )


def _inner_tests(release: Path) -> tuple[str, ...]:
    return tuple(
        f"{p.relative_to(release).as_posix()}/" for p in release.rglob("tests") if p.is_dir()
    )
