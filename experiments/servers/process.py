"""A server in a process of its own, pinned to one processor, with its processor time."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from copy import copy

import psutil

__all__ = ["CLIENT_CPU", "SERVER_CPU", "Process", "free_port", "pin", "wait_for_port"]

SERVER_CPU, CLIENT_CPU = 0, 1


class Process:
    """A server process, pinned, with its processor time."""

    def __init__(self, command: Sequence[str], port: int, env: dict[str, str]) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command, env=os.environ | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._seen = psutil.Process(self._process.pid)
        pin(self._process.pid, SERVER_CPU)
        wait_for_port(port, self._process)

    def through(self, port: int) -> Process:
        """The same process by another of its ports."""
        other = copy(self)
        other.port = port
        return other

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Resident memory."""
        return float(self._seen.memory_info().rss / 2**20)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


def pin(pid: int, cpu: int) -> None:
    """Keep a process, 0 = this one, on the n-th of the processors that there are."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(pid, {sorted(os.sched_getaffinity(0))[cpu]})


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something listens."""
    end = time.monotonic() + 60
    while True:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"A server did not start: {process.args!r}")
        time.sleep(0.002)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])
