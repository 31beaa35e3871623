"""Load on a server: by ``wrk`` and ``h2load``, or by clients in Python where those are missing."""

from __future__ import annotations

import http.client
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from experiments.servers.process import CLIENT_CPU, pin

__all__ = ["Load", "by_hand", "by_stub", "h2load", "quantile", "wrk"]


class Load(NamedTuple):
    """What a turn of load came to."""

    requests: int
    p50_us: float
    p99_us: float
    failed: int


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile of values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


WRK = """
local lines, bodies, at = {}, {}, 0
for line in io.lines("%s") do lines[#lines + 1] = line end
function init(args)
  wrk.headers["content-type"] = "application/json"
  for i, line in ipairs(lines) do bodies[i] = wrk.format("POST", nil, nil, line) end
end
function request() at = at %% #bodies + 1; return bodies[at] end
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout
  io.write(string.format("BENCH %%d %%d %%.1f %%.1f\\n", summary.requests, bad,
    latency:percentile(50), latency:percentile(99)))
end
"""


def wrk(url: str, bodies: Path, *, clients: int, seconds: float) -> Load:
    """HTTP load by wrk; each request takes the next body of a file, one a line."""
    script = bodies.with_suffix(".lua")
    script.write_text(WRK % bodies)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "-s", str(script), url]
    text = _on_client_cpu(command)
    found = re.search(r"BENCH (\d+) (\d+) (\S+) (\S+)", text)
    if found is None:
        raise SystemExit(f"wrk said nothing useful: {text}")
    return Load(int(found[1]), float(found[3]), float(found[4]), int(found[2]))


def by_hand(url: str, bodies: Path, *, clients: int, seconds: float) -> Load:
    """The same load from Python, where wrk is missing: it is the client that is measured then."""
    place, lines = urlsplit(url), cycle(bodies.read_bytes().splitlines())
    took: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        line = http.client.HTTPConnection(str(place.hostname), place.port or 80)
        while time.monotonic() < end:
            begin = time.perf_counter()
            line.request("POST", place.path, next(lines), {"content-type": "application/json"})
            line.getresponse().read()
            took.append((time.perf_counter() - begin) * 1e6)
        line.close()

    _together(ask, clients)
    return Load(len(took), quantile(took, 0.5), quantile(took, 0.99), 0)


def by_stub(url: str, body: Path, *, clients: int, seconds: float) -> Load:
    """Load on gRPC from Python, where h2load is missing."""
    import grpc

    from onward.serving.pb import decision_pb2, decision_pb2_grpc

    call = decision_pb2.DecideRequest.FromString(body.read_bytes()[5:])
    took: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        with grpc.insecure_channel(urlsplit(url).netloc) as channel:
            stub = decision_pb2_grpc.DecisionsStub(channel)  # type: ignore[no-untyped-call]
            while time.monotonic() < end:
                begin = time.perf_counter()
                stub.Decide(call)
                took.append((time.perf_counter() - begin) * 1e6)

    _together(ask, clients)
    return Load(len(took), quantile(took, 0.5), quantile(took, 0.99), 0)


def _together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def h2load(url: str, body: Path, *, clients: int, seconds: float) -> Load:
    """Load on a gRPC method by h2load."""
    log = body.with_suffix(".log")
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    size = ["-c", str(clients), "-m", "1", "-t", "1", "-D", f"{seconds:g}"]
    log.unlink(missing_ok=True)
    text = _on_client_cpu(["h2load", *size, *headers, "-d", str(body), f"--log-file={log}", url])
    took = [float(line.split()[2]) for line in log.read_text().splitlines()]
    failed = re.search(r"(\d+) failed", text)
    return Load(
        len(took), quantile(took, 0.5), quantile(took, 0.99), int(failed[1]) if failed else 0
    )


def _on_client_cpu(command: Sequence[str]) -> str:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: pin(0, CLIENT_CPU),
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout
