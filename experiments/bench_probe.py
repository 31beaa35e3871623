"""What watching costs: the probe beside tracing, profiling and coverage, as multiples of nothing.

Run::

    python experiments/bench_probe.py [--calls 200000] [--json]

A loop that does hardly anything but call a method runs under each; the least of five runs counts,
all in one process. It is the worst case: code that does more between calls costs less to watch.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import msgspec

from onward.data.testing.probe import Probe

__all__ = ["main", "measure"]

SOURCE = """
class Box:
    def put(self, x):
        return x + 1

def work(n):
    box, total = Box(), 0
    for i in range(n):
        total += box.put(i)
        total += len(str(i))
        total ^= (i * 3) & 7
    return total
"""
REPEATS = 5


def measure(calls: int) -> dict[str, float]:
    """Way of watching -> time as a multiple of running unwatched."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench_probe_work.py").write_text(SOURCE, encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            plain = _least(_fresh(), calls, nullcontext)
            found = {name: _least(_fresh(), calls, way) / plain for name, way in _ways().items()}
            probe = Probe(Path(folder))
            probe.install()
            found["probe"] = _least(_fresh(), calls, nullcontext) / plain
            probe.remove()
        finally:
            sys.path.remove(folder)
    return found


def _fresh() -> ModuleType:
    sys.modules.pop("bench_probe_work", None)
    importlib.invalidate_caches()
    return importlib.import_module("bench_probe_work")


def _least(module: ModuleType, calls: int, way: Callable[[], AbstractContextManager[Any]]) -> float:
    times = []
    for _ in range(REPEATS):
        with way():
            began = time.perf_counter()
            module.work(calls)
            times.append(time.perf_counter() - began)
    return min(times)


def _ways() -> dict[str, Callable[[], AbstractContextManager[Any]]]:
    ways: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "settrace, calls only": _traced,
        "setprofile": _profiled,
    }
    try:
        import coverage
    except ImportError:
        return ways

    @contextmanager
    def covered() -> Any:
        watching = coverage.Coverage(data_file=None, include=["*bench_probe_work*"])
        watching.start()
        try:
            yield
        finally:
            watching.stop()

    return {**ways, "coverage": covered}


@contextmanager
def _traced() -> Any:
    seen = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        seen.add(frame.f_code)

    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(None)


@contextmanager
def _profiled() -> Any:
    seen = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What watching which code runs costs.")
    parser.add_argument("--calls", type=int, default=200_000, help="calls in the loop")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    found = measure(given.calls)
    if given.json:
        print(msgspec.json.encode(found).decode())
        return 0
    for name, times in found.items():
        print(f"{name:>22} {times:6.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
