"""Decisions through the doors under load, beside the least that a server can be."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec
from experiments.servers.bench import AGENT, Bench, Row
from experiments.servers.load import Load, by_hand, by_stub, h2load, wrk
from experiments.servers.peers import Peer
from experiments.servers.process import Process

__all__ = ["grpc_section", "http_section"]


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
