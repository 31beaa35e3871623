"""How fast a decision is: in process, over HTTP, over gRPC, and from a cold start.

Bare servers stand beside ours in the same run, taking turns; medians of the turns and their ratios
are reported, so that whatever else the machine does hits both. A server is pinned to one
processor and its clients to another; its own processor time is read before and after, which
gives requests per core-second.

The load comes from ``wrk`` and ``h2load``; where one is missing a client in Python stands in,
which is slower than the servers, and the table says so.

Run it as ``python experiments/bench_serving.py [--home DIR] [--json] [SECTION ...]``. Without a
home it trains on the bundled history first. ``--peer NAME PYTHON`` adds a server of others
(``mlserver``, ``bentoml``, ``mlflow``), from an environment of its own; see `servers/peers.py`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.servers.bench import Bench, Row
from experiments.servers.doors import grpc_section, http_section
from experiments.servers.in_process import flat_section, in_process_section
from experiments.servers.process import Process, free_port

from onward.data.importers import import_path
from onward.data.samples import sample_path
from onward.data.store import History

# -- a cold start


@contextmanager
def started(home: Path) -> Iterator[Process]:
    """Ours on a given home, just started."""
    port = free_port()
    env = {"ONWARD_HOME": str(home), "ONWARD_HTTP_PORT": str(port), "ONWARD_GRPC_PORT": "0"}
    process = Process([sys.executable, "-m", "onward.serving.server"], port, env)
    try:
        yield process
    finally:
        process.stop()


def _first_answer(server: Process, body: bytes) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    line.request("POST", "/v1/decide", body, {"content-type": "application/json"})
    line.getresponse().read()
    line.close()


def cold_section(bench: Bench) -> list[Row]:
    """From starting the process to the first decision, beside the server by hand."""
    body = msgspec.json.encode(bench.calls[0])
    home = bench.copy()
    with started(home) as warm:  # saves the state that a second start goes on from
        _first_answer(warm, body)
    took: dict[str, list[float]] = {"raw": [], "onward": []}
    for _ in range(max(5, bench.turns)):
        for name, seconds in took.items():
            begin = time.perf_counter()
            server = bench.bare("http") if name == "raw" else started(home)
            with server as process:
                _first_answer(process, body)
                seconds.append(time.perf_counter() - begin)
    floor = statistics.median(took["raw"])
    return [
        {
            "server": name,
            "first_answer_s": statistics.median(seconds),
            "ratio": statistics.median(seconds) / floor,
        }
        for name, seconds in took.items()
    ]


# -- the run


SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "in-process": in_process_section,
    "http": http_section,
    "grpc": grpc_section,
    "flat": flat_section,
    "cold": cold_section,
}


def prepared_home(folder: Path) -> Path:
    """A home with the bundled history and a model trained on it."""
    from onward.training.loop import train
    from onward.training.settings import TrainSettings

    home = folder / "home"
    with History.open(home / "history.db") as history:
        import_path(sample_path(), history=history)
    trained = train(TrainSettings(home=str(home), without=("all",)))  # decisions alone are timed
    if not (home / "bundles" / "current").exists():
        (home / "bundles" / "current").write_text(trained.version)
    return home


def main() -> None:
    """Run the sections and print their tables."""
    os.environ["OMP_WAIT_POLICY"] = "passive"  # else LightGBM's idle threads hold a processor
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], metavar="SECTION")
    parser.add_argument("--home", type=Path, help="a state directory with a history and a model")
    parser.add_argument("--turns", type=int, default=5, help="turns of each candidate")
    parser.add_argument("--seconds", type=int, default=3, help="length of a turn under load")
    parser.add_argument(
        "--peer", nargs=2, action="append", default=[], metavar=("NAME", "PYTHON"), help="see above"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    asked = parser.parse_args()
    console = Console(stderr=asked.json)
    for tool in ("wrk", "h2load"):
        if shutil.which(tool) is None:
            console.print(f"{tool} is missing; a client in Python stands in and bounds the load.")
    with tempfile.TemporaryDirectory(prefix="onward-bench-") as place:
        folder = Path(place)
        home = asked.home or prepared_home(folder)
        peers = {name: Path(python).absolute() for name, python in asked.peer}
        bench = Bench(home, folder, turns=asked.turns, seconds=asked.seconds, peers=peers)
        found = {}
        for name in asked.sections or SECTIONS:
            found[name] = SECTIONS[name](bench)
            console.print(table_of(name, found[name]))
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")


def table_of(title: str, rows: Sequence[Row]) -> Table:
    """Rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{v:,.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    return table


if __name__ == "__main__":
    main()
