"""How fast the history takes events in, and what learning from it costs.

Each section measures one thing against what it is to be held against, taking turns
(A B A B ...), and reports medians: this way whatever else the machine does hits both.

Run it as ``python experiments/bench_history.py [--json] [SECTION ...]``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.servers.process import free_port, wait_for_port

from onward.data.events import Event, Step
from onward.data.ids import event_id
from onward.data.store import History

Row = dict[str, Any]

GROUPS = (1, 50, 1000)
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "history.parquet"


class Log:
    """The peer: a file of JSON lines, written by hand and synchronized after each group."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._encoder = msgspec.json.Encoder()

    def append(self, events: list[Event]) -> None:
        """Append durably."""
        os.write(self._file, self._encoder.encode_lines(events))
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def append_section(source: list[Event], *, folder: Path, rounds: int) -> list[Row]:
    """Durable appends in groups: the history (synchronous=FULL) beside the log by hand."""
    return [_append_row(source, group, folder=folder, rounds=rounds) for group in GROUPS]


def _append_row(source: list[Event], group: int, *, folder: Path, rounds: int) -> Row:
    """One group size; each turn appends the same events to both, in changing order."""
    events = _endless(source)
    turns = max(4, min(100, 20_000 // group))
    log, history = Log(folder / f"log-{group}"), History.open(folder / f"history-{group}.db")
    rates: dict[str, list[float]] = {"log": [], "history": []}
    cpu: dict[str, list[float]] = {"log": [], "history": []}
    peers: list[tuple[str, Callable[[list[Event]], object]]]
    peers = [("log", log.append), ("history", history.append)]
    for number in range(rounds + 1):
        batches = [list(islice(events, group)) for _ in range(turns)]
        for name, append in peers if number % 2 else peers[::-1]:
            seconds, cpu_seconds = _seconds(append, batches)
            if number:  # the first round warms up
                rates[name].append(group * turns / seconds)
                cpu[name].append(cpu_seconds / (group * turns) * 1e6)
    log.close()
    history.close()
    ratios = [ours / theirs for ours, theirs in zip(rates["history"], rates["log"], strict=True)]
    return {
        "group": group,
        "log_events_per_s": statistics.median(rates["log"]),
        "history_events_per_s": statistics.median(rates["history"]),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2],
        "log_cpu_us": statistics.median(cpu["log"]),
        "history_cpu_us": statistics.median(cpu["history"]),
        "cpu_ratio": statistics.median(cpu["history"]) / statistics.median(cpu["log"]),
        "log_bytes": (folder / f"log-{group}").stat().st_size,
        "history_bytes": (folder / f"history-{group}.db").stat().st_size,
    }


def _seconds(
    append: Callable[[list[Event]], object], batches: list[list[Event]]
) -> tuple[float, float]:
    """By the clock, and of this process's CPU."""
    start, cpu_start = time.perf_counter(), time.process_time()
    for batch in batches:
        append(batch)
    return time.perf_counter() - start, time.process_time() - cpu_start


def scan_section(source: list[Event], *, folder: Path, rounds: int) -> list[Row]:
    """Reading everything back, decoded: what retraining begins with."""
    events = _endless(source)
    with History.open(folder / "scan.db") as history:
        for _ in range(100):
            history.append(list(islice(events, 1000)))
        rates = []
        for _ in range(rounds):
            start = time.perf_counter()
            read = sum(1 for _ in history.scan())
            rates.append(read / (time.perf_counter() - start))
    return [{"events": read, "events_per_s": statistics.median(rates)}]


def _endless(source: list[Event], *, sessions: bool = False) -> Iterator[Event]:
    """The events over and over, each time with other ids, and with other sessions if wanted."""
    for lap in count():
        places: dict[tuple[type, str], int] = {}
        for event in source:
            session = f"{event.session}/{lap}"
            place = places[type(event), session] = places.get((type(event), session), -1) + 1
            changed = {"session": session} if sessions else {}
            yield msgspec.structs.replace(event, id=event_id(session, place), **changed)


def client_section(source: list[Event], *, folder: Path, rounds: int) -> list[Row]:
    """Steps through `Client.record` to a server of its own: stored, and learned, per second."""
    from onward import Client

    steps = (event for event in _endless(source, sessions=True) if isinstance(event, Step))
    rows = []
    with _server(folder) as (process, url), Client(url) as client:
        for group in (100, 1000):
            stored, learned, cpu = [], [], []
            for _ in range(rounds):
                batches = [list(islice(steps, group)) for _ in range(10_000 // group)]
                before, start = sum(process.cpu_times()[:2]), time.perf_counter()
                for batch in batches:
                    client.record(batch)
                stored.append(10_000 / (time.perf_counter() - start))
                while (now := client.status()).folded_seq < now.last_seq:
                    time.sleep(0.005)
                learned.append(10_000 / (time.perf_counter() - start))
                cpu.append((sum(process.cpu_times()[:2]) - before) / 10_000 * 1e6)
            rows.append(
                {
                    "group": group,
                    "stored_per_s": statistics.median(stored),
                    "learned_per_s": statistics.median(learned),
                    "server_cpu_us": statistics.median(cpu),
                }
            )
    return rows


@contextmanager
def _server(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """`onward serve` with a state of its own, from its first answer on."""
    ports = free_port(), free_port()
    settings = dict(
        zip(("ONWARD_HTTP_PORT", "ONWARD_GRPC_PORT"), map(str, ports), strict=True),
        ONWARD_HOME=str(folder / "home"),
    )
    command = [sys.executable, "-m", "onward", "serve"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as child:
        try:
            wait_for_port(ports[0], child)
            yield psutil.Process(child.pid), f"http://127.0.0.1:{ports[0]}"
        finally:
            child.terminate()


def retrain_section(source: list[Event], *, folder: Path, rounds: int, steps: int) -> list[Row]:
    """Learning again from a long history: history to published model, beside LightGBM alone.

    The history is filled and learned from once, so that its rows are folded. Then a little more
    comes in, and each turn retrains in a process of its own: once from the history to a published
    version, once LightGBM alone on the finished matrix, with the same rows and settings.
    """
    events = _endless(source, sessions=True)
    _fill(folder, events, steps)
    first = _in_process(_train, folder)
    turns = max(1, min(rounds, 3))
    runs: dict[str, list[tuple[float, float]]] = {"all": [], "LightGBM": []}
    for number in range(turns):
        _fill(folder, events, max(100, steps // 1000))
        todo = [("all", _train), ("LightGBM", _boost)]
        for name, work in todo if number % 2 else todo[::-1]:
            runs[name].append(_in_process(work, folder))
    seconds = {name: statistics.median(run[0] for run in taken) for name, taken in runs.items()}
    return [
        {
            "steps": steps,
            "first_s": first[0],
            "retrain_s": seconds["all"],
            "lightgbm_s": seconds["LightGBM"],
            "ratio": seconds["all"] / seconds["LightGBM"],
            "peak_gib": max(run[1] for run in (first, *runs["all"])),
        }
    ]


def _fill(folder: Path, events: Iterator[Event], steps: int) -> None:
    """Append events until so many more steps are there."""
    with History.open(folder / "history.db") as history:
        while steps > 0:
            group = list(islice(events, 2000))
            history.append(group)
            steps -= sum(isinstance(event, Step) for event in group)


def _in_process(work: Callable[[Path], float], folder: Path) -> tuple[float, float]:
    """Run work in a fresh process; gives its seconds and its peak memory in GiB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, work, folder).result()


def _measured(work: Callable[[Path], float], folder: Path) -> tuple[float, float]:
    seconds = work(folder)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _train(folder: Path) -> float:
    """History to published model; MLflow's books are part of it."""
    from onward.training.loop import train
    from onward.training.settings import TrainSettings

    start = time.perf_counter()
    train(TrainSettings(home=str(folder), without=("all",)))  # the decision's model alone
    return time.perf_counter() - start


def _boost(folder: Path) -> float:
    """LightGBM alone: its data set and its trees, on the rows that training fits on."""
    import numpy as np

    from onward.models.confidence import Confidence
    from onward.training.rows import folded
    from onward.training.split import Fractions, by_time

    with History.open(folder / "history.db", read_only=True) as history:
        table = folded(history, cache=folder / "cache").table
    ran = table[np.flatnonzero(table.ran)]
    rows = ran[: len(by_time(len(ran), Fractions()).fit)]
    start = time.perf_counter()
    Confidence().fit(rows)
    return time.perf_counter() - start


SECTIONS: dict[str, Callable[..., list[Row]]] = {
    "append": append_section,
    "scan": scan_section,
    "client": client_section,
    "retrain": retrain_section,
}


def _events(path: Path) -> list[Event]:
    from onward.data.importers import BrokenLine, read_path

    return [event for event in read_path(path) if not isinstance(event, BrokenLine)]


def _table(rows: Iterable[Row]) -> str:
    rows = [{name: _short(value) for name, value in row.items()} for row in rows]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    lines = [{name: name for name in widths}, *rows]
    return "\n".join("  ".join(line[n].rjust(w) for n, w in widths.items()) for line in lines)


def _short(value: object) -> str:
    if isinstance(value, list):
        return "-".join(map(_short, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Run the sections and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--events", type=Path, default=SAMPLE, help="history to take events from")
    parser.add_argument("--folder", type=Path, help="where to write; its disk is what is measured")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=1_000_000, help="to retrain on")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    source = _events(told.events)
    found: dict[str, list[Row]] = {}
    for name in told.sections or SECTIONS:
        with tempfile.TemporaryDirectory(dir=told.folder, prefix="onward-bench-") as folder:
            sizes = {"steps": told.steps} if name == "retrain" else {}
            found[name] = SECTIONS[name](source, folder=Path(folder), rounds=told.rounds, **sizes)
        if not told.json:
            print(f"\n{name}: {(SECTIONS[name].__doc__ or '').splitlines()[0]}")
            print(_table(found[name]))
    if told.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
