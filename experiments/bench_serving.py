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
import ctypes
import http.client
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.servers.load import Load, by_hand, by_stub, h2load, quantile, wrk
from experiments.servers.peers import Peer, started_peer
from experiments.servers.process import Process, free_port

from onward.data.events import Call, Outcome, Step, command_of
from onward.data.importers import import_path
from onward.data.samples import sample_path
from onward.data.store import History
from onward.features.fold import Fold
from onward.models.bundle import CONFIDENCE
from onward.serving.client import Client
from onward.serving.server import Server
from onward.serving.settings import Settings

Row = dict[str, Any]

BARE = Path(__file__).parent / "servers" / "bare.py"
SESSION_STEPS = 1_000
SEEN, NEW = "decide, words seen lately", "decide, words never seen"
AGENT = "bench"


# -- what is asked


def real_steps(home: Path, count: int) -> list[Step]:
    """Steps of the history, as one session of the bench's own agent."""
    with History.open(home / "history.db", read_only=True) as history:
        found = (event for _, event in history.scan(kinds=(Step,)) if isinstance(event, Step))
        shells = [step for step in islice(found, 20 * count) if command_of(step)]
    return [
        Step(
            id=f"bench-{number}",
            session="bench",
            tool=step.tool,
            input=step.input,
            outcome=step.outcome if step.outcome is not Outcome.UNKNOWN else Outcome.OK,
            output=step.output,
            agent=AGENT,
            project="bench",
            at=1.7e9 + number,
        )
        for number, step in enumerate((shells * (count // len(shells) + 1))[:count])
    ]


def calls_of(steps: Sequence[Step]) -> list[Call]:
    """Their calls, to be decided on."""
    return [
        Call(session="bench", tool=s.tool, input=s.input, agent=AGENT, project="bench", at=s.at)
        for s in steps
    ]


# -- in process


class CRow:
    """LightGBM's fastest way to score one row: its C interface, without its Python package."""

    def __init__(self, model: Path, columns: int) -> None:
        import importlib.util

        spec = importlib.util.find_spec("lightgbm")
        if spec is None or spec.origin is None:
            raise SystemExit("The in-process section needs lightgbm: pip install 'onward[train]'.")
        self._lib = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "lib_lightgbm.so"))
        self._handle, rounds = ctypes.c_void_p(), ctypes.c_int()
        self._lib.LGBM_BoosterCreateFromModelfile(
            str(model).encode(), ctypes.byref(rounds), ctypes.byref(self._handle)
        )
        self._config = ctypes.c_void_p()
        self._lib.LGBM_BoosterPredictForMatSingleRowFastInit(
            self._handle, 0, 0, 0, 0, columns, b"num_threads=1", ctypes.byref(self._config)
        )
        self._out, self._size = (ctypes.c_double * 1)(), ctypes.c_int64()

    def __call__(self, row: np.ndarray) -> float:
        """Score one row of float32."""
        self._lib.LGBM_BoosterPredictForMatSingleRowFast(
            self._config,
            row.ctypes.data_as(ctypes.c_void_p),
            ctypes.byref(self._size),
            self._out,
        )
        return self._out[0]


def native_model(home: Path, folder: Path) -> Path:
    """A LightGBM model of the shape of the published one, in LightGBM's own format."""
    from onward.features.examples import examples
    from onward.models.confidence import Confidence

    with History.open(home / "history.db", read_only=True) as history:
        rows = examples(islice(history.scan(), 20_000), Fold())
    path = folder / "model.txt"
    Confidence().fit(rows).trees._booster.save_model(str(path))
    return path


def timed(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    """Microseconds of each call."""
    took, clock = [], time.perf_counter
    for item in items:
        begin = clock()
        work(item)
        took.append((clock() - begin) * 1e6)
    return took


def in_process_section(bench: Bench) -> list[Row]:
    """A whole decision beside the bare scoring of one row, with a session of 1,000 steps."""
    scorer = CRow(native_model(bench.home, bench.folder), len(Fold().vector(bench.calls[0])))
    rows = [Fold().vector(call) for call in bench.calls[:200]]
    with bench.server() as server:
        server.service.record(bench.steps)
        fresh = _reworded(bench.calls)
        took: dict[str, list[list[float]]] = {"C row": [], SEEN: [], NEW: []}
        for turn in range(bench.turns):
            took["C row"].append(timed(scorer, rows * 20))
            timed(server.service.decide, bench.calls)  # the last turn's new words drove them out
            took[SEEN].append(timed(server.service.decide, bench.calls))
            took[NEW].append(timed(server.service.decide, fresh[turn * 500 : turn * 500 + 500]))
    floor = statistics.median(statistics.median(turn) for turn in took["C row"])
    return [
        {
            "what": name,
            "p50_us": (p50 := statistics.median(statistics.median(turn) for turn in turns)),
            "p99_us": statistics.median(quantile(turn, 0.99) for turn in turns),
            "times_c_row": p50 / floor,
        }
        for name, turns in took.items()
    ]


def _reworded(calls: Sequence[Call]) -> list[Call]:
    """The same calls with words that were never parsed before."""
    return [
        Call(
            session=call.session,
            tool=call.tool,
            input={"command": f"{command_of(call)} # {number}-{round_}"},
            agent=AGENT,
            project="bench",
            at=call.at,
        )
        for round_ in range(8)
        for number, call in enumerate(calls)
    ]


# -- servers


class Bench:
    """What all sections share.

    Parameters
    ----------
    home
        A state directory with a history and a model.
    folder
        For files of the bench itself.
    turns, seconds
        How often and how long each candidate runs.
    peers
        Servers of others: name -> the Python of their environment.
    """

    def __init__(
        self, home: Path, folder: Path, *, turns: int, seconds: float, peers: Mapping[str, Path]
    ) -> None:
        self.home, self.folder, self._peers = home, folder, peers
        self.turns, self.seconds = turns, seconds
        self.steps = real_steps(home, SESSION_STEPS)
        self.calls = calls_of(self.steps)
        self.model = next((home / "bundles").glob(f"*/{CONFIDENCE}"))

    @contextmanager
    def peers(self, scheme: str) -> Iterator[dict[str, Peer]]:
        """The servers of others that speak this, each on the processor of servers."""
        with ExitStack() as stack:
            row = [float(x) for x in np.nan_to_num(Fold().vector(self.calls[0]))]
            native = native_model(self.home, self.folder) if self._peers else Path()
            found = {}
            for name, python in self._peers.items():
                folder = self.folder / f"{name}-{scheme}"
                doors = stack.enter_context(
                    started_peer(name, python, model=native, row=row, folder=folder)
                )
                if scheme in doors:
                    found[name] = doors[scheme]
            yield found

    def copy(self) -> Path:
        """The home once more, so that nothing that a turn leaves counts in the next."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "home"
        shutil.copytree(self.home, place, ignore=shutil.ignore_patterns("ml*"))
        return place

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Ours, within this process."""
        server = Server(
            Settings(
                home=str(self.copy()), http_port=0, grpc_port=0, without=("all",), sample_s=0.0
            )
        )
        server.start()
        _until_learned(server)
        try:
            yield server
        finally:
            server.stop()

    @contextmanager
    def ours(self) -> Iterator[tuple[Process, Process]]:
        """Ours as a process of its own: its HTTP and its gRPC port, with the session recorded."""
        ports = free_port(), free_port()
        names = ("ONWARD_HTTP_PORT", "ONWARD_GRPC_PORT")
        env = {
            "ONWARD_WITHOUT": "all",
            "ONWARD_HOME": str(self.copy()),
            **dict(zip(names, map(str, ports), strict=True)),
        }
        process = Process([sys.executable, "-m", "onward.serving.server"], ports[0], env)
        with Client(f"http://127.0.0.1:{ports[0]}", timeout_s=60) as client:
            client.record(self.steps)
            while client.health().status != "ok":
                time.sleep(0.05)
        try:
            yield process, process.through(ports[1])
        finally:
            process.stop()

    @contextmanager
    def bare(self, kind: str) -> Iterator[Process]:
        """A bare server."""
        port = free_port()
        script = [sys.executable, str(BARE), kind, str(port), str(self.model)]
        process = Process(script, port, {})
        try:
            yield process
        finally:
            process.stop()


# -- the doors


def http_section(bench: Bench) -> list[Row]:
    """POST /v1/decide beside a server by hand that runs the same model."""
    bodies = bench.folder / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(msgspec.json.encode(call) for call in bench.calls[:200]))
    load = wrk if shutil.which("wrk") else by_hand

    def turn(server: Process | Peer, clients: int) -> Load:
        if isinstance(server, Peer):
            return load(server.url, server.body, clients=clients, seconds=bench.seconds)
        url = f"http://127.0.0.1:{server.port}/v1/decide"
        return load(url, bodies, clients=clients, seconds=bench.seconds)

    with bench.bare("http") as raw, bench.ours() as (ours, _), bench.peers("http") as others:
        candidates: dict[str, Process | Peer] = {"raw": raw, "onward": ours, **others}
        return door_rows("http", candidates, turn, bench, clients=(1, 8, 64), floor="raw")


def grpc_section(bench: Bench) -> list[Row]:
    """Decide over gRPC beside echoes without a model."""
    from onward.serving.pb import decision_pb2 as pb

    call = bench.calls[0]
    request = pb.DecideRequest(
        session="bench",
        tool=call.tool,
        input_json=msgspec.json.encode(call.input),
        agent=AGENT,
        project="bench",
        at=call.at,
    ).SerializeToString()
    body = bench.folder / "request.bin"
    body.write_bytes(b"\0" + len(request).to_bytes(4, "big") + request)
    load = h2load if shutil.which("h2load") else by_stub

    def turn(server: Process | Peer, clients: int) -> Load:
        if isinstance(server, Peer):
            url = server.url.replace("grpc:", "http:")
            return h2load(url, server.body, clients=clients, seconds=bench.seconds)
        url = f"http://127.0.0.1:{server.port}/onward.v1.Decisions/Decide"
        return load(url, body, clients=clients, seconds=bench.seconds)

    with (
        bench.bare("grpc") as echo,
        bench.bare("grpc-aio") as aio,
        bench.ours() as (_, ours),
        bench.peers("grpc") as others,
    ):
        candidates: dict[str, Process | Peer] = {
            "echo": echo,
            "aio echo": aio,
            "onward": ours,
            **others,
        }
        return door_rows("grpc", candidates, turn, bench, clients=(1, 8, 64), floor="aio echo")


def door_rows(
    door: str,
    candidates: Mapping[str, Process | Peer],
    turn: Callable[[Process | Peer, int], Load],
    bench: Bench,
    *,
    clients: Sequence[int],
    floor: str,
) -> list[Row]:
    """Each candidate with each number of clients, taking turns."""
    rows = []
    for count in clients:
        seen: dict[str, list[Row]] = {name: [] for name in candidates}
        for number in range(bench.turns):
            order = list(candidates) if number % 2 else list(candidates)[::-1]
            for name in order:
                seen[name].append(_turn_row(candidates[name], turn, count))
        medians = {name: _medians(turns) for name, turns in seen.items()}
        least = medians[floor]
        for name, row in medians.items():
            rows.append(
                {
                    "door": door,
                    "server": name,
                    "clients": count,
                    **row,
                    "p50_ratio": row["p50_us"] / least["p50_us"],
                    "core_ratio": row["per_core_s"] / least["per_core_s"],
                    "rss_mb": candidates[name].rss_mb(),
                }
            )
    return rows


def _turn_row(
    server: Process | Peer, turn: Callable[[Process | Peer, int], Load], clients: int
) -> Row:
    before = server.cpu_s()
    load = turn(server, clients)
    cpu = max(server.cpu_s() - before, 1e-9)
    return {
        "p50_us": load.p50_us,
        "p99_us": load.p99_us,
        "per_core_s": load.requests / cpu,
        "failed": load.failed,
    }


def _medians(turns: Sequence[Row]) -> Row:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


# -- flat in the history, and cold


def flat_section(bench: Bench) -> list[Row]:
    """A decision with histories of different lengths behind it."""
    rows = []
    for count in (1_000, 10_000, 100_000):
        with bench.server() as server:
            long = (bench.steps * (count // len(bench.steps) + 1))[:count]
            for start in range(0, count, 5_000):
                part = long[start : start + 5_000]
                renamed = [_renamed(step, start + place) for place, step in enumerate(part)]
                server.service.record(renamed)
            _until_learned(server)
            timed(server.service.decide, bench.calls)
            took = timed(server.service.decide, bench.calls * 2)
        rows.append(
            {
                "steps_more": count,
                "p50_us": statistics.median(took),
                "p99_us": quantile(took, 0.99),
            }
        )
    return rows


def _until_learned(server: Server) -> None:
    """Until all that was recorded is in the numbers that answer."""
    while server.service.health().status != "ok":
        time.sleep(0.05)


def _renamed(step: Step, number: int) -> Step:
    session = f"long-{number // 500}"
    return msgspec.structs.replace(step, id=f"long-{number}", session=session)


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
