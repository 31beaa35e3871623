"""Records runs that really leak, fill, fork and recover, for the forecast to learn from.

Run::

    python experiments/resource_runs.py --out FILE.parquet [--runs 208] [--seed 0] [--more]

Each run is a process of its own (`experiments.runs.worker`) under a limit that the kernel
enforces: address space, a small tmpfs (where one may be mounted, else a limit of file size), its
inodes, open files, processes. It takes what its shape says until the end, or until it is refused.
Time is scaled: one real second counts as a minute. Many run at the same time, for they mostly
sleep. The readings are `Sample` events in onward's Parquet table: one a minute of series time,
host and session being the run, in the keys of a host (`onward.features.resources.readings`), what
is left and the total being those under the limit; a ``..._refused`` key marks the end of what was
refused.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, cast

import psutil

from onward.data.events import Sample
from onward.data.exporters.parquet import write_parquet
from onward.data.importers import read_parquet

__all__ = ["main", "plans", "record"]

WORKER = Path(__file__).parent / "runs" / "worker.py"
EPOCH = 1_700_000_000.0
"""Where the series time of every run begins."""
MIB = 1 << 20

MIX = (
    *(("memory", shape) for shape in ("steady", "accelerating", "sawtooth", "steps", "release")),
    *(("memory", shape) for shape in ("peak", "plateau", "flat")),
    *(("disk", shape) for shape in ("steady", "sawtooth", "steps", "release", "accelerating")),
    *(("inodes", shape) for shape in ("steady", "sawtooth")),
    *(("files", shape) for shape in ("steady", "flat", "steps", "accelerating", "plateau")),
    *(("processes", shape) for shape in ("steady", "accelerating", "release", "peak")),
    ("cpu", "flat"),
)
"""What is run, in turn."""
MORE = tuple(
    (kind, shape)
    for shape in ("bursts", "stages", "filling", "waves", "surge", "ebb")
    for kind in ("memory", "disk", "files", "processes")
)
"""Further shapes, which were recorded later."""


def plans(
    count: int,
    *,
    seed: int = 0,
    scale: float = 60.0,
    minutes: float = 200.0,
    shapes: Collection[str] = (),
    more: bool = False,
) -> list[Any]:
    """So many plans, drawn by seed; ``minutes`` is the longest series time; empty = all shapes."""
    draw, mix = random.Random(seed), MORE if more else MIX
    made = [
        _plan(number, draw, scale, minutes, of=mix[number % len(mix)]) for number in range(count)
    ]
    return [plan for plan in made if not shapes or plan["shape"] in shapes]


def _plan(
    number: int, draw: random.Random, scale: float, minutes: float, *, of: tuple[str, str]
) -> dict[str, Any]:
    kind, shape = of
    base = draw.uniform(0.1, 0.45)
    limit = {
        "memory": draw.randint(12, 48) * MIB,
        "disk": draw.randint(4, 24) * MIB,
        "inodes": draw.randint(300, 1500),
        "files": draw.randint(96, 900),
        "processes": draw.randint(24, 60),
        "cpu": 100,
    }[kind]
    return {
        "name": f"{shape}-{kind}-{number:04d}",
        "resource": kind,
        "shape": shape,
        "seed": draw.randrange(1 << 30),
        "limit": limit,
        "units": 256 if kind in {"memory", "disk"} else limit,
        "scale": scale,
        "real_s": draw.uniform(0.75, 1.0) * minutes * 60.0 / scale,
        "base": base if kind != "cpu" else draw.uniform(0.02, 0.12),
        "noise": draw.choice((0.0, 0.002, 0.006, 0.015)),
        "onset": draw.uniform(3.0, 50.0),
        "length": draw.uniform(25.0, 150.0) * (2.0 if draw.random() < 0.15 else 1.0),
        "bend": draw.uniform(1.0, 3.5),
        "period": draw.uniform(3.0, 12.0) if shape == "peak" else draw.uniform(6.0, 40.0),
        "hold": draw.uniform(1.0, 12.0),
        "top": base + draw.uniform(0.3, 0.9) * (0.92 - base),
        "creep": draw.choice((0.0, 0.0, 0.01, 0.03, 0.05)),
        "jump": draw.uniform(0.02, 0.1),
    }


@dataclass
class Run:
    """One process, and what was read of it."""

    plan: dict[str, Any]
    process: subprocess.Popen[str]
    told: TextIO
    """What it says."""
    tree: psutil.Process
    folder: Path
    mounted: bool
    started: float
    base: float = 0.0
    cpu_s: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    refused: bool = False

    @property
    def over(self) -> bool:
        """Whether it was refused, or has ended."""
        return self.refused or self.process.poll() is not None


def record(todo: Sequence[dict[str, Any]], *, at_once: int = 40) -> Iterator[list[Sample]]:
    """Run all plans, so many at a time; gives the readings of each run as it ends."""
    waiting, running = list(reversed(todo)), list[Run]()
    home = Path(tempfile.mkdtemp(prefix="runs-"))
    home.chmod(0o755)
    try:
        while waiting or running:
            tick = time.monotonic()
            for _ in range(min(4, at_once - len(running), len(waiting))):
                running.append(_start(waiting.pop(), home))
            for run in running:
                _read(run)
            for run in [run for run in running if run.over]:
                running.remove(run)
                _end(run)
                yield run.samples
            real = 60.0 / (running[0].plan["scale"] if running else 60.0)
            time.sleep(max(0.0, real - (time.monotonic() - tick)))
    finally:
        for run in running:
            _end(run)
        shutil.rmtree(home, ignore_errors=True)


def _start(plan: dict[str, Any], home: Path) -> Run:
    folder = home / plan["name"]
    folder.mkdir()
    mounted = plan["resource"] in {"disk", "inodes"} and _mount(plan, folder)
    store = plan["resource"]
    if store == "inodes" and not mounted:
        raise SystemExit("resource_runs: runs of inodes need the right to mount a tmpfs")
    if store == "disk" and not mounted:
        store = "one_file"
    given = json.dumps(plan | {"folder": str(folder), "store": store})
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", str(WORKER), given],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told, tell = cast("TextIO", process.stdout), cast("TextIO", process.stdin)
    told.readline()  # "ready"
    os.set_blocking(told.fileno(), False)
    tree = psutil.Process(process.pid)
    run = Run(plan, process, told, tree, folder, mounted, time.monotonic())
    run.base = _used(run)
    tell.write("go\n")
    tell.flush()
    return run


def _mount(plan: dict[str, Any], folder: Path) -> bool:
    size = plan["limit"] if plan["resource"] == "disk" else 4 * MIB
    inodes = plan["limit"] if plan["resource"] == "inodes" else 4096
    options = f"size={size},nr_inodes={inodes},mode=777"
    if os.getuid() != 0 or shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _used(run: Run) -> float:
    """What the run holds now, in the unit of its limit; seconds for the processor."""
    kind, tree = run.plan["resource"], run.tree
    if kind in {"disk", "inodes"}:
        return _stored(run, inodes=kind == "inodes")
    read: dict[str, Callable[[], float]] = {
        "memory": lambda: tree.memory_info().rss,
        "files": tree.num_fds,
        "processes": lambda: len(tree.children()),
        "cpu": lambda: sum(tree.cpu_times()[:2]),
    }
    return float(read[kind]())


def _stored(run: Run, *, inodes: bool) -> float:
    if not run.mounted:
        return float(sum(file.stat().st_size for file in run.folder.iterdir()))
    disk = os.statvfs(run.folder)
    if inodes:
        return float(disk.f_files - disk.f_ffree)
    return float((disk.f_blocks - disk.f_bfree) * disk.f_frsize)


def _read(run: Run) -> None:
    """One reading more, unless the run has ended."""
    with suppress(psutil.Error):
        run.refused = "refused" in (run.told.readline() or "")
        used, now = _used(run), time.monotonic() - run.started
        if run.process.poll() is not None:
            return
        values = _values(run, used, now)
        run.samples.append(
            Sample(
                id=f"{run.plan['name']}-{len(run.samples):03d}",
                at=EPOCH + round(now * run.plan["scale"], 1),
                session=run.plan["name"],
                host=run.plan["name"],
                values=values,
            )
        )


def _values(run: Run, used: float, now: float) -> dict[str, float]:
    kind, limit = run.plan["resource"], float(run.plan["limit"])
    if kind == "cpu":
        last = run.samples[-1].at - EPOCH if run.samples else 0.0
        spent, run.base = used - run.base, used
        real = max(0.1, now - last / run.plan["scale"])
        return {"cpu_percent": round(100.0 * spent / real, 2)}
    if kind == "memory":
        used = max(0.0, used - run.base)
    left = max(0.0, limit - used)
    values = {
        "memory": {"mem_available_bytes": left, "mem_total_bytes": limit},
        "disk": {"disk_free_bytes": left, "disk_total_bytes": limit},
        "inodes": {"inodes_free": left, "inodes_total": limit},
        "files": {"files_open": used, "files_limit": limit},
        "processes": {"processes": used, "processes_limit": limit},
    }[kind]
    prefix = {"memory": "mem"}.get(kind, kind)
    return values | ({f"{prefix}_refused": 1.0} if run.refused else {})


def _end(run: Run) -> None:
    with suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGKILL)  # the run's own session
    run.process.wait()
    if run.mounted:
        subprocess.run(["umount", str(run.folder)], capture_output=True, check=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the runs into one file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--runs", type=int, default=208, help="how many runs")
    parser.add_argument("--seed", type=int, default=0, help="what is drawn")
    parser.add_argument("--at-once", type=int, default=40, help="runs at the same time")
    parser.add_argument("--minutes", type=float, default=200.0, help="longest series time")
    parser.add_argument("--scale", type=float, default=60.0, help="series seconds a real second")
    parser.add_argument("--shapes", nargs="*", default=(), help="only these, of the runs drawn")
    parser.add_argument("--more", action="store_true", help="the further shapes")
    parser.add_argument("--append", action="store_true", help="keep what the file holds")
    given = parser.parse_args(arguments)
    todo = plans(
        given.runs,
        seed=given.seed,
        scale=given.scale,
        minutes=given.minutes,
        shapes=given.shapes,
        more=given.more,
    )
    runs = sorted(record(todo, at_once=given.at_once), key=lambda samples: samples[0].host[-4:])
    before = list(read_parquet(given.out)) if given.append else []
    fresh = (sample for samples in runs for sample in samples)
    count = write_parquet(chain(before, fresh), given.out)
    print(f"{len(runs)} runs, {count} readings, {given.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
