"""Decisions within this process: beside the bare scoring of a row, and with long histories."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from experiments.servers.bench import AGENT, Bench, Row, until_learned
from experiments.servers.load import quantile
from experiments.servers.native import CRow, native_model

from onward.data.events import Call, Step, command_of
from onward.features.fold import Fold

__all__ = ["flat_section", "in_process_section"]

SEEN, NEW = "decide, words seen lately", "decide, words never seen"


def in_process_section(bench: Bench) -> list[Row]:
    """A whole decision beside the bare scoring of one row, with a session of 1,000 steps."""
    scorer = CRow(native_model(bench.home, bench.folder), len(Fold().vector(bench.calls[0])))
    rows = [Fold().vector(call) for call in bench.calls[:200]]
    with bench.server() as server:
        server.service.record(bench.steps)
        until_learned(server)
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
            until_learned(server)
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


def timed(work: Callable[[Any], object], items: Sequence[Any]) -> list[float]:
    """Microseconds of each call."""
    took, clock = [], time.perf_counter
    for item in items:
        begin = clock()
        work(item)
        took.append((clock() - begin) * 1e6)
    return took


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


def _renamed(step: Step, number: int) -> Step:
    session = f"long-{number // 500}"
    return msgspec.structs.replace(step, id=f"long-{number}", session=session)
