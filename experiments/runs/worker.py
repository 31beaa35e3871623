"""One run that really takes what it says: memory, disk, inodes, open files, processes, CPU.

It follows a shape, so much of its limit at each minute of series time, and asks the kernel for
the difference. Where the kernel refuses (rlimit, full file system), it says so and ends. Only the
standard library is used, so that what it takes is what the shape says and little else. Started
by `experiments.resource_runs`, with its plan as JSON in the first argument.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from math import exp, pi, sin
from pathlib import Path
from typing import Any, Protocol

__all__ = ["SHAPES", "Shape", "main"]

STEP_S = 0.25
"""Real seconds between two looks at the shape."""
UNITS = 256
"""Parts that memory and disk are taken in."""

Shape = Callable[[float], float]
"""Minutes of series time -> share of the limit that is held."""
Plan = dict[str, Any]


# -- shapes ---------------------------------------------------------------------------------------


def _steady(p: Plan) -> Shape:
    rate = (1.05 - p["base"]) / p["length"]
    return lambda m: p["base"] + rate * max(0.0, m - p["onset"])


def _accelerating(p: Plan) -> Shape:
    top = exp(p["bend"]) - 1.0
    return lambda m: (
        p["base"]
        + (1.05 - p["base"])
        * (exp(p["bend"] * max(0.0, min(1.2, (m - p["onset"]) / p["length"]))) - 1.0)
        / top
    )


def _sawtooth(p: Plan) -> Shape:
    def held(m: float) -> float:
        cycle, part = divmod(m, p["period"])
        low = p["base"] + p["creep"] * cycle
        return float(low + (p["top"] - p["base"]) * part / p["period"])

    return held


def _steps(p: Plan) -> Shape:
    return lambda m: p["base"] + p["jump"] * max(0.0, (m - p["onset"]) // p["period"])


def _release(p: Plan) -> Shape:
    rate = (1.0 - p["base"]) / p["length"]
    cycle = p["onset"] + (p["top"] - p["base"]) / rate
    return lambda m: p["base"] + rate * max(0.0, m % cycle - p["onset"])


def _peak(p: Plan) -> Shape:
    def held(m: float) -> float:
        after = m - p["onset"] - p["period"]
        rise = min(1.0, max(0.0, (m - p["onset"]) / p["period"]))
        fall = min(1.0, max(0.0, (after - p["hold"]) / p["period"]))
        return float(p["base"] + (p["top"] - p["base"]) * (rise - fall))

    return held


def _plateau(p: Plan) -> Shape:
    return lambda m: (
        p["base"]
        + (p["top"] - p["base"]) * (1.0 - exp(-3.0 * max(0.0, m - p["onset"]) / p["length"]))
    )


def _flat(p: Plan) -> Shape:
    return lambda m: float(p["base"])


def _bursts(p: Plan) -> Shape:
    """Grows by jumps of any size at any time."""
    draw, rate = random.Random(p["seed"]), (1.05 - p["base"]) / p["length"]
    jumps, at = [], p["onset"]
    while at < 1000.0:
        at += draw.expovariate(1.0 / p["hold"])
        jumps.append((at, draw.expovariate(1.0 / (rate * p["hold"]))))
    return lambda m: float(p["base"] + sum(size for when, size in jumps if when <= m))


def _stages(p: Plan) -> Shape:
    """Grows at a pace that changes now and then, and rests at times."""
    draw, rate = random.Random(p["seed"]), (1.05 - p["base"]) / p["length"]
    paces = [rate * draw.choice((0.0, 0.5, 1.0, 2.0)) for _ in range(200)]

    def held(m: float) -> float:
        whole, part = divmod(max(0.0, m - p["onset"]), p["period"])
        done = sum(paces[: int(whole)]) * p["period"]
        return float(p["base"] + done + paces[int(whole)] * part)

    return held


def _filling(p: Plan) -> Shape:
    """Frees ever less: the floor rises towards a top that stays, or rises slowly."""
    rate = (0.97 - p["base"]) / p["length"]

    def held(m: float) -> float:
        floor = p["base"] + rate * m
        high = max(p["top"] + 0.3 * rate * m, floor)
        return float(floor + (high - floor) * (m % p["period"]) / p["period"])

    return held


def _waves(p: Plan) -> Shape:
    """Swings around what slowly grows, or does not."""
    rate = (0.9 - p["base"]) / p["length"] if p["creep"] else 0.0
    swing = 0.3 * (p["top"] - p["base"])
    return lambda m: (
        p["base"] + rate * m + swing * (1.0 + sin(2.0 * pi * m / p["period"] - pi / 2.0))
    )


def _surge(p: Plan) -> Shape:
    """A slow begin, a steep middle, and then it stays: below the limit, or not."""
    top = 1.1 if p["creep"] else p["top"]
    middle, wide = p["onset"] + p["length"] / 2.0, p["length"] / 10.0
    return lambda m: p["base"] + (top - p["base"]) / (1.0 + exp((middle - m) / wide))


def _ebb(p: Plan) -> Shape:
    """Grows, and goes back as slowly."""
    return lambda m: (
        p["base"]
        + (p["top"] - p["base"]) * max(0.0, 1.0 - abs(m - p["onset"] - p["length"]) / p["length"])
    )


SHAPES: dict[str, Callable[[Plan], Shape]] = {
    "steady": _steady,
    "accelerating": _accelerating,
    "sawtooth": _sawtooth,
    "steps": _steps,
    "release": _release,
    "peak": _peak,
    "plateau": _plateau,
    "flat": _flat,
    "bursts": _bursts,
    "stages": _stages,
    "filling": _filling,
    "waves": _waves,
    "surge": _surge,
    "ebb": _ebb,
}


# -- what is taken --------------------------------------------------------------------------------


class Store(Protocol):
    """What a run takes and gives back, unit by unit."""

    def take(self) -> None:
        """One unit more; raises `MemoryError` or `OSError` where it is refused."""

    def give(self) -> None:
        """One unit less."""


class Memory:
    """Private pages, every one of them touched; the limit is that of the address space."""

    def __init__(self, limit: int, _: Path) -> None:
        with Path("/proc/self/statm").open() as statm:
            size = int(statm.read().split()[0]) * resource.getpagesize()
        self._unit = limit // UNITS // mmap.PAGESIZE * mmap.PAGESIZE
        resource.setrlimit(resource.RLIMIT_AS, (size + limit, size + limit))
        self._held: list[mmap.mmap] = []

    def take(self) -> None:
        """One unit more."""
        try:
            block = mmap.mmap(-1, self._unit, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError from error
        for place in range(0, self._unit, mmap.PAGESIZE):
            block[place] = 1
        self._held.append(block)

    def give(self) -> None:
        """One unit less."""
        self._held.pop().close()


class Files:
    """Files of one unit each in a folder that is a small file system; empty ones for inodes."""

    def __init__(self, limit: int, folder: Path, *, empty: bool = False) -> None:
        self._body = b"" if empty else os.urandom(limit // UNITS)
        self._folder, self._made, self._gone = folder, 0, 0

    def take(self) -> None:
        """One unit more."""
        (self._folder / str(self._made)).write_bytes(self._body)
        self._made += 1

    def give(self) -> None:
        """One unit less: the oldest goes, as when logs are rotated."""
        (self._folder / str(self._gone)).unlink()
        self._gone += 1


class OneFile:
    """One growing file under a limit of file size, where no file system may be mounted."""

    def __init__(self, limit: int, folder: Path) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        self._body = os.urandom(limit // UNITS)
        self._file = (folder / "growing").open("ab", buffering=0)

    def take(self) -> None:
        """One unit more."""
        if self._file.write(self._body) < len(self._body):
            raise OSError("the file may not grow further")

    def give(self) -> None:
        """One unit less."""
        self._file.truncate(max(0, self._file.seek(0, os.SEEK_END) - len(self._body)))


class Descriptors:
    """Open files that are never closed, under RLIMIT_NOFILE."""

    def __init__(self, limit: int, _: Path) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self._held: list[int] = []

    def take(self) -> None:
        """One unit more."""
        self._held.append(os.open(os.devnull, os.O_RDONLY))

    def give(self) -> None:
        """One unit less."""
        os.close(self._held.pop())


class Processes:
    """Children that wait, under RLIMIT_NPROC; each run has a user of its own where it may."""

    def __init__(self, limit: int, folder: Path) -> None:
        if os.getuid() == 0:
            os.setuid(60_000 + int(folder.name.rsplit("-", 1)[1]))
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
        self._held: list[int] = []

    def take(self) -> None:
        """One unit more."""
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        self._held.append(child)

    def give(self) -> None:
        """One unit less."""
        child = self._held.pop()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


STORES: dict[str, Callable[[int, Path], Store]] = {
    "memory": Memory,
    "disk": Files,
    "one_file": OneFile,
    "inodes": lambda limit, folder: Files(limit, folder, empty=True),
    "files": Descriptors,
    "processes": Processes,
}


# -- the run ---------------------------------------------------------------------------------------


def main(plan: Plan) -> None:
    """Follow the plan until its end, or until the kernel refuses; then say ``refused``."""
    shape = SHAPES[plan["shape"]](plan)
    noise, wander = random.Random(plan["seed"]), 0.0
    store = None
    if plan["resource"] != "cpu":
        store = STORES[plan["store"]](plan["limit"], Path(plan["folder"]))
    units, held = plan["units"], 0
    print("ready", flush=True)
    sys.stdin.readline()  # the recorder reads what is held at rest, and says go
    start = time.monotonic()
    while (real := time.monotonic() - start) < plan["real_s"]:
        wander = 0.9 * wander + plan["noise"] * noise.gauss(0.0, 0.5)
        share = max(0.0, shape(real * plan["scale"] / 60.0) + wander)
        if store is None:
            _burn(share * STEP_S)
        else:
            held = _follow(store, held, round(share * units))
        time.sleep(max(0.0, STEP_S - (time.monotonic() - start - real)))


def _follow(store: Store, held: int, wanted: int) -> int:
    try:
        while held < wanted:
            store.take()
            held += 1
    except (MemoryError, OSError):
        print("refused", flush=True)
        time.sleep(30.0)  # the recorder reads what is held, and ends the run
        raise SystemExit(0) from None
    while held > max(0, wanted):
        store.give()
        held -= 1
    return held


def _burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(json.loads(sys.argv[1]))
