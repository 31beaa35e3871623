"""What was measured of a project, kept so that it is measured once."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from experiments.affected.project import Desk, extras, releases
from experiments.affected.replay import Step, overhead, replay

__all__ = ["Measured", "measure"]


class Measured(msgspec.Struct):
    """One project's steps and what the tools cost."""

    steps: list[Step]
    cost: dict[str, float]


def measure(
    name: str, data: Path, *, faults: int, repeats: int, fresh: bool = False, costs: bool = False
) -> Measured:
    """Replay a project, or read what was measured before; *costs* measures only those again."""
    kept = data / "_steps" / f"{name}.msgpack"
    before = None
    if kept.exists() and not fresh:
        before = msgspec.msgpack.decode(kept.read_bytes(), type=Measured)
        if not costs:
            return before
    found = releases(name, data)
    folder = Path(tempfile.mkdtemp(prefix=f"affected-{name}-"))
    try:
        desk = Desk(folder, extras(data))
        if before is not None:
            desk.lay(found[-1])
        steps = (
            before.steps
            if before is not None
            else list(replay(desk, found, faults=faults, seed=0, say=_saying(name)))
        )
        done = Measured(steps, overhead(desk, repeats=repeats))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(msgspec.msgpack.encode(done))
    return done


def _saying(name: str) -> Callable[[str], None]:
    return lambda version: print(f"{name} {version}", file=sys.stderr, flush=True)
