"""Reads the machine's resources now and then, and hands each reading on as a `Sample`.

Host, cgroup (version 2) and process trees, in the keys of `onward.features.resources.readings`. A
tree is what descends from a session leader or a child of the first process; the largest are named.
What cannot be read (another user's process, no cgroup, no such file) is left out, never an error.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import isnan
from pathlib import Path
from typing import Any, cast

import psutil

from onward.data.errors import SettingsError
from onward.data.events import Sample
from onward.data.ids import fresh_id

__all__ = ["INTERVAL_S", "Sampler", "Trees", "cgroup"]

log = logging.getLogger(__name__)

INTERVAL_S = 15.0
"""Seconds between readings; half of it costs twice as much."""
MAX_TREES = 8
"""Process trees that a reading names."""
_CGROUPS = Path("/sys/fs/cgroup")
_FEWEST_S = 0.05


class Sampler:
    """Reads in a thread of its own between `start` and `stop`, or once by `read`.

    Parameters
    ----------
    hand_on
        What takes each sample. It is called in the sampler's thread; what it raises is logged.
    interval_s
        Seconds between readings, at least 0.05.
    folder
        Where the disk is measured.
    host
        Name of the machine; its own where empty.
    session
        Written into each sample.

    Raises
    ------
    SettingsError
        The interval is too short.

    >>> found = Sampler(print).read()
    >>> found.values["mem_available_bytes"] > 0
    True
    """

    def __init__(
        self,
        hand_on: Callable[[Sample], object],
        *,
        interval_s: float = INTERVAL_S,
        folder: Path = Path(),
        host: str = "",
        session: str = "",
    ) -> None:
        if not interval_s >= _FEWEST_S:
            raise SettingsError(
                f"The sampler cannot read every {interval_s} s; give {_FEWEST_S} s or more."
            )
        self._hand_on = hand_on
        self._interval_s = interval_s
        self._folder = folder
        self._host = host or socket.gethostname()
        self._session = session
        self._trees = Trees()
        self._cgroup = _Cgroup()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        psutil.cpu_percent()  # the first reading is the mean since now

    def start(self) -> None:
        """Begin to read; nothing happens where it reads already."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._loop, name="sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the reading at hand; nothing happens where it does not read."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Sampler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _loop(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self._hand_on(self.read())
            except Exception:
                log.warning("a reading of the machine's resources was lost", exc_info=True)

    def read(self) -> Sample:
        """One reading now."""
        values = dict(_host(self._folder))
        values |= self._cgroup.read()
        values |= self._trees.read()
        return Sample(
            id=fresh_id(),
            at=time.time(),
            session=self._session,
            host=self._host,
            values={key: float(value) for key, value in values.items()},
        )


# -- the host -------------------------------------------------------------------------------------


def _host(folder: Path) -> Iterator[tuple[str, float]]:
    memory = psutil.virtual_memory()
    yield "mem_available_bytes", memory.available
    yield "mem_total_bytes", memory.total
    yield "cpu_percent", psutil.cpu_percent()
    with suppress(OSError):
        yield "load_1m", os.getloadavg()[0]
    with suppress(OSError):
        disk = os.statvfs(folder)
        yield "disk_free_bytes", disk.f_bavail * disk.f_frsize
        yield "disk_total_bytes", (disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize
        if disk.f_files:
            yield "inodes_free", disk.f_favail
            yield "inodes_total", disk.f_files
    with suppress(OSError, ValueError):
        opened, unused, limit = map(int, Path("/proc/sys/fs/file-nr").read_text().split())
        yield "files_open", opened - unused
        yield "files_limit", limit
    with suppress(OSError, ValueError):
        yield "processes_limit", int(Path("/proc/sys/kernel/pid_max").read_text())


# -- the cgroup -----------------------------------------------------------------------------------


class _Cgroup:
    """The cgroup that this process is in, where there is one with limits."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder if folder is not None else cgroup()
        self._cpu: tuple[float, float] | None = None
        self._refused: dict[str, float] = {}

    def read(self) -> dict[str, float]:
        """Keys of the cgroup; none where there is none."""
        if self._folder is None:
            return {}
        found = dict(self._pairs(self._folder))
        return {key: value for key, value in found.items() if not isnan(value)}

    def _pairs(self, folder: Path) -> Iterator[tuple[str, float]]:
        used = _number(folder / "memory.current")
        cache = _table(folder / "memory.stat").get("inactive_file", 0.0)
        yield "cgroup_mem_used_bytes", used - cache
        yield "cgroup_mem_limit_bytes", self._limit("memory.max")
        yield "cgroup_processes", _number(folder / "pids.current")
        yield "cgroup_processes_limit", self._limit("pids.max")
        memory = _table(folder / "memory.events")
        yield "cgroup_mem_refused", self._since("oom", memory.get("oom", 0.0))
        pids = _table(folder / "pids.events")
        yield "cgroup_processes_refused", self._since("pids", pids.get("max", 0.0))
        yield "cgroup_cpu_percent", self._busy(folder)

    def _limit(self, name: str) -> float:
        """The least limit from here up; NaN = there is none."""
        folder = cast("Path", self._folder)
        found = [_number(above / name) for above in (folder, *folder.parents)]
        return min((one for one in found if not isnan(one)), default=float("nan"))

    def _since(self, what: str, count: float) -> float:
        before = self._refused.get(what, count)
        self._refused[what] = count
        return count - before

    def _busy(self, folder: Path) -> float:
        """Percent of its quota that it used since the last reading; NaN = it has none."""
        spent = _table(folder / "cpu.stat").get("usage_usec", float("nan")) / 1e6
        before, self._cpu = self._cpu, (time.monotonic(), spent)
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            if before is not None and quota != "max":
                seconds = (self._cpu[0] - before[0]) * float(quota) / float(period)
                return 100.0 * (spent - before[1]) / max(seconds, 1e-6)
        return float("nan")


def cgroup(of: Path = Path("/proc/self/cgroup"), root: Path = _CGROUPS) -> Path | None:
    """The folder of a process's cgroup of version 2, or None where it has none with memory."""
    with suppress(OSError, UnicodeDecodeError):
        for line in of.read_text().splitlines():
            number, _, path = line.partition("::")
            folder = root / path.lstrip("/")
            if number == "0" and (folder / "memory.current").is_file():
                return folder
    return None


def _number(file: Path) -> float:
    """A file's number; NaN where it has none (``max``)."""
    with suppress(OSError, ValueError):
        return float(file.read_text())
    return float("nan")


def _table(file: Path) -> dict[str, float]:
    """A file of lines ``name number``."""
    with suppress(OSError, ValueError):
        return {name: float(value) for name, value in map(str.split, file.read_text().splitlines())}
    return {}


# -- process trees --------------------------------------------------------------------------------


class Trees:
    """Reads all processes and sums them up by tree; keeps their handles between readings."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._spent: dict[int, float] = {}
        self._at = time.monotonic()

    def read(self) -> dict[str, float]:
        """Keys of the largest trees, and how many processes there are."""
        facts = dict(self._facts())
        now = time.monotonic()
        passed, self._at = max(now - self._at, 1e-3), now
        sums: dict[int, dict[str, float]] = {}
        for pid, one in facts.items():
            tree = sums.setdefault(_root(pid, facts), {})
            for name, value in one["sums"].items():
                tree[name] = tree.get(name, 0.0) + value
        largest = sorted(sums, key=lambda pid: -sums[pid]["rss_bytes"])[:MAX_TREES]
        values: dict[str, float] = {"processes": float(len(facts))}
        for pid in largest:
            stem = f"proc.{pid}.{facts[pid]['name']}"
            spent = sums[pid].pop("cpu_s")
            before = self._spent.get(pid, spent)
            values |= {f"{stem}.{name}": value for name, value in sums[pid].items()}
            values[f"{stem}.cpu_percent"] = max(0.0, 100.0 * (spent - before) / passed)
            values |= self._files(pid, stem)
            self._spent[pid] = spent
        self._spent = {pid: self._spent[pid] for pid in largest}
        return values

    def _facts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Parent, name and numbers of each process that may be read."""
        pids = psutil.pids()
        self._known = {pid: self._known[pid] for pid in pids if pid in self._known}
        for pid in pids:
            with suppress(psutil.Error, OSError):
                process = self._known.get(pid) or psutil.Process(pid)
                self._known[pid] = process
                with process.oneshot():
                    times = process.cpu_times()
                    rss = process.memory_info().rss
                    if rss == 0:  # a thread of the kernel, or a process that has ended
                        continue
                    name = process.name().replace(".", "_")[:32] or "unnamed"
                    sums = {
                        "rss_bytes": float(rss),
                        "cpu_s": times.user + times.system,
                        "processes": 1.0,
                    }
                    yield pid, {"parent": process.ppid(), "name": name, "sums": sums}

    def _files(self, pid: int, stem: str) -> Iterator[tuple[str, float]]:
        """Open files, their limit and what was written, of the tree's first process."""
        with suppress(psutil.Error, OSError):
            process = self._known[pid]
            yield f"{stem}.files", process.num_fds()
            limit = process.rlimit(psutil.RLIMIT_NOFILE)[0]
            if limit > 0:
                yield f"{stem}.files_limit", limit
            yield f"{stem}.written_bytes", process.io_counters().write_bytes


def _root(pid: int, facts: dict[int, dict[str, Any]]) -> int:
    """The session leader above a process, or the last before the first process."""
    for _ in range(64):  # a chain of parents that is longer is none
        parent = facts[pid]["parent"]
        if parent <= 1 or parent not in facts or parent == pid or _leads(pid):
            return pid
        pid = parent
    return pid


def _leads(pid: int) -> bool:
    """Whether a process leads its session."""
    with suppress(OSError):
        return os.getsid(pid) == pid
    return False
