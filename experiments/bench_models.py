"""What predictions cost: each question's answer, each model's call, learning, and training.

Everything runs in this process. Answers stand beside what they rest on, the model's call natively
(LightGBM, where it is trees) and as ONNX, in the same run and taking turns; of the turns the least
and the median are reported, with the ratio to the native call, so that whatever else the machine
does hits all alike. The answerers learn the bundled history and its readings of resources before
they are asked; what users said in it stands in for notes.

Run it as ``python experiments/bench_models.py [--home DIR] [--json]``. Without a home every system
is trained on the bundled history first, in memory, which is timed. With one, the models of its live
bundle answer from its history, and trees of the same settings on made rows are the native call.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData, NotFound
from onward.data.events import Event, Note, Prompt, Sample, Step
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import resources_path, sample_path
from onward.data.store import History
from onward.features.errors.fold import is_error
from onward.features.fixes.changes import FIXES
from onward.models.trees import Trees
from onward.serving import bundle as bundles
from onward.serving.answers.base import Part, Seat
from onward.serving.answers.catalogue import seats
from onward.serving.onnx import OnnxPart
from onward.serving.questions import QUESTIONS
from onward.serving.questions.errors import ErrorListRequest, ErrorRequest
from onward.serving.questions.fixes import AttemptRequest, FixRequest
from onward.serving.questions.forecast import ForecastRequest
from onward.serving.questions.hazard import HazardRequest
from onward.serving.questions.intent import IntentRequest
from onward.serving.questions.memory import MemoryRequest
from onward.serving.questions.next_task import NextRequest
from onward.training.catalogue import all_systems
from onward.training.shelf import Shelf

Rows = dict[str, dict[str, Any]]
Run = Callable[[], object]

GOALS = dict.fromkeys(("next", "hazard", "forecast", "fixes", "errors"), 300.0)
"""Microseconds that half of the answers may take; the others are reported."""
ASKED = {"next_task": 12, "fixes": len(FIXES), "forecast": 4}
"""Rows that a model is asked at once, where that is not one."""
BESIDE = {
    "next (one step)": "next_task",
    "attempt": "attempts",
    "errors": "causes",
    "errors (new)": "causes",
    "errors/list": "",
}
"""The model behind a question, where it is not that of its answerer."""
CHUNK = 250
"""Events that an answerer learns in one turn."""
MADE = 4_000
"""Made rows that stand in for those that a home's bundle does not hold."""


class Model(NamedTuple):
    """A learned system, ready to be asked."""

    part: Part
    X: NDArray[np.float32]
    """As many rows as one question asks."""
    native: Callable[[NDArray[np.float32]], object] | None
    about: dict[str, Any]
    """What training it took; the fixes' fold stands for those that learn from the same."""


def trained(log: Sequence[tuple[int, Event]], folder: Path) -> tuple[dict[str, Model], list[str]]:
    """Every system that the log suffices for, and a note on each other."""
    found, notes = dict[str, Model](), list[str]()
    for system in all_systems(None):
        model = system.model()
        start = perf_counter()
        rows = system.rows(log)
        folded = perf_counter()
        try:
            model.fit(rows, seed=0)
        except NotEnoughData as error:
            notes.append(f"{model.name}: {error.message}")
            continue
        about = {
            "rows": len(rows),
            "fold_s": folded - start,
            "fit_s": perf_counter() - folded,
        }
        (folder / f"{model.name}.onnx").write_bytes(model.to_onnx())
        np.savez(folder / f"{model.name}.npz", X=rows.X[:0], p=rows.X[:0])
        facts = msgspec.json.decode(msgspec.json.encode(model.facts()))
        part = Part("bench", facts, OnnxPart(folder, model.name), True, model.names, model.features)
        X = rows.X[-ASKED.get(model.name, 1) :]
        found[model.name] = Model(part, X, model.predict, about)
    return found, notes


def published(home: Path) -> dict[str, Model]:
    """The models of a home's live bundle."""
    shelf = Shelf(home)
    version = shelf.current()
    if version is None:
        raise SystemExit(f"{home} has no live model; run `onward train` first.")
    bundle = bundles.load(shelf.path(version), error_rate=0.1)
    found = {}
    for name, about in bundle.manifest.parts.items():
        part = bundle.part(name)
        if part is not None:
            X = np.load(bundle.folder / f"{name}.npz")["X"][-ASKED.get(name, 1) :]
            native = _like(about.card.get("settings"), about.names)
            found[name] = Model(part._replace(beats_peer=True), X, native, {})
    return found


def _like(
    settings: Any, names: tuple[str, ...]
) -> Callable[[NDArray[np.float32]], list[object]] | None:
    """Trees of the same settings on made rows: as many, as large, as wide."""
    given = settings if isinstance(settings, dict) else {}
    each = [given] if "rounds" in given else [*given.values()]
    random, heads = np.random.default_rng(0), list[Trees]()
    for one in each:
        if isinstance(one, dict) and "rounds" in one:
            X = random.random((MADE, len(names)), np.float32)
            y = random.integers(one.get("num_class", 2), size=MADE).astype(np.float64)
            heads.append(Trees(one, names=[str(n) for n in range(len(names))]))
            heads[-1].fit(X, y)
    return (lambda X: [head.predict(X) for head in heads]) if heads else None


# -- learning --------------------------------------------------------------------------------------


def notes_of(events: Iterable[Event]) -> Iterator[Event]:
    """What users said, as notes."""
    for event in events:
        if isinstance(event, Prompt) and event.text:
            yield Note(id=event.id, session=event.session, text=event.text[:2_000], at=event.at)


def learning(made: Sequence[Seat], events: Sequence[Event], readings: Sequence[Event]) -> Rows:
    """Microseconds an event, answerer by answerer, a chunk of events in turn."""
    own = {"memory": [*notes_of(events)], "forecast": [*readings]}
    others = [event for event in events if isinstance(event, Step | Prompt)]
    times: dict[str, list[float]] = {seat.answerer.name: [] for seat in made}
    longest = max(len(others), *map(len, own.values()))
    for start in range(0, longest, CHUNK):
        for seat in made:
            name, learn = seat.answerer.name, seat.answerer.learn
            chunk = own.get(name, others)[start : start + CHUNK]
            begun = perf_counter_ns()
            for event in chunk:
                learn(event)
            if chunk:
                times[name].append((perf_counter_ns() - begun) / 1e3 / len(chunk))
    return {
        name: {
            "events": len(own.get(name, others)),
            "min_us": min(each),
            "median_us": median(each),
        }
        for name, each in times.items()
        if each
    }


# -- answering -------------------------------------------------------------------------------------


def requests(events: Sequence[Event], ask: Callable[[str, Any], Any]) -> dict[str, Any]:
    """A question of each kind about the newest events that it can be asked about."""
    steps = [event for event in events if isinstance(event, Step)]
    said = [event for event in events if isinstance(event, Prompt) and event.text]
    bad = [step for step in steps[::-1] if is_error(step) and step.output]
    last, words = steps[-1], (said[-1].text if said else "fix the failing test")[:2_000]
    found: dict[str, Any] = {
        "next": NextRequest(session=last.session, agent=last.agent, project=last.project),
        "next (one step)": NextRequest(
            session=last.session, agent=last.agent, project=last.project, steps=1
        ),
        "hazard": HazardRequest(session=last.session),
        "errors/list": ErrorListRequest(),
        "errors (new)": ErrorRequest(output="zygote.c:7: error: quokka is not a wombat"),
        "memory": MemoryRequest(query=words),
        "intent": IntentRequest(text=words, session=last.session, at=max(last.at, 0.0)),
        "forecast": ForecastRequest(),
    }
    for step in bad:
        if "errors" not in found:
            known = ErrorRequest(output=step.output)
            if ask("errors", known).known:
                found["errors"] = known
        if "fixes" not in found:
            found |= _fix(step, ask)
        if "errors" in found and "fixes" in found:
            break
    return found


def _fix(step: Step, ask: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Questions about the failing check of a step's session; none where it has none."""
    check = FixRequest(session=step.session)
    attempt = AttemptRequest(
        session=step.session,
        tool=step.tool,
        input=step.input,
        agent=step.agent,
        project=step.project,
    )
    try:
        ask("fixes", check)
    except NotFound:
        return {}
    return {"fixes": check, "attempt": attempt} if ask("attempt", attempt).attempt else {}


def in_turns(ways: Mapping[str, Run], *, turns: int, calls: int) -> Rows:
    """Microseconds of a call: half and 99 of 100 take no more, least and median over the turns."""
    halves: dict[str, list[float]] = {way: [] for way in ways}
    nearly: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns + 1):
        for way, run in ways.items():
            took = np.empty(calls)
            for number in range(calls):
                start = perf_counter_ns()
                run()
                took[number] = perf_counter_ns() - start
            if turn:  # the first warms up
                halves[way].append(float(np.quantile(took, 0.5)) / 1e3)
                nearly[way].append(float(np.quantile(took, 0.99)) / 1e3)
    return {
        way: {
            "p50_us": min(halves[way]),
            "p50_median_us": median(halves[way]),
            "p99_us": min(nearly[way]),
            "p99_median_us": median(nearly[way]),
        }
        for way in ways
    }


def _bound(function: Callable[[Any], object], given: Any) -> Run:
    return lambda: function(given)


def measured(
    models: Mapping[str, Model], events: Sequence[Event], readings: Sequence[Event], told: Any
) -> dict[str, Rows]:
    """All that is measured once the models are there."""
    made = seats(None)
    for seat in made:
        for name, use in seat.uses.items():
            use(models[name].part if name in models else None)
    costs = learning(made, events, readings)
    answerers: dict[str, Any] = {seat.answerer.name: seat.answerer for seat in made}
    asked = {one.name: getattr(answerers[one.system], one.method) for one in QUESTIONS}
    given = requests(events, lambda name, request: asked[name](request))
    of = {one.name: BESIDE.get(one.name, one.system) for one in QUESTIONS} | BESIDE
    ways = {
        f"answer {name}": _bound(asked[name.partition(" ")[0]], request)
        for name, request in given.items()
    }
    for name, model in models.items():
        ways[f"onnx {name}"] = _bound(model.part.run, model.X)
        if model.native is not None:
            ways[f"native {name}"] = _bound(model.native, model.X)
    times = in_turns(ways, turns=told.turns, calls=told.calls)
    return {
        "answers": {name: _answer(name, of[name], times) for name in given},
        "models": {name: _call(name, model, times) for name, model in models.items()},
        "learning": costs,
    }


def _answer(name: str, model: str, times: Rows) -> dict[str, Any]:
    """A question's figures beside its model's native call and the goal."""
    row, native = times[f"answer {name}"], times.get(f"native {model}")
    goal = GOALS.get(name)
    return {
        **row,
        "model": model if f"onnx {model}" in times else "",
        "to_native": row["p50_median_us"] / native["p50_median_us"] if native else None,
        "goal_us": goal,
        "met": None if goal is None else row["p50_us"] <= goal,
    }


def _call(name: str, model: Model, times: Rows) -> dict[str, Any]:
    """A model's native call and its ONNX call."""
    onnx, native = times[f"onnx {name}"], times.get(f"native {name}")
    return {
        "rows_asked": len(model.X),
        "native_us": native["p50_us"] if native else None,
        "native_median_us": native["p50_median_us"] if native else None,
        "onnx_us": onnx["p50_us"],
        "onnx_median_us": onnx["p50_median_us"],
        "onnx_to_native": onnx["p50_median_us"] / native["p50_median_us"] if native else None,
        **model.about,
    }


# -- from the command line -------------------------------------------------------------------------


def history(home: Path | None, most: int | None) -> list[tuple[int, Event]]:
    """The events to learn, with their places."""
    if home is not None:
        with History.open(home / "history.db", read_only=True) as stored:
            return [*islice(stored.scan(), most)]
    events = (one for one in read_path(sample_path()) if not isinstance(one, BrokenLine))
    return [*enumerate(islice(events, most), 1)]


def tables(found: Mapping[str, Any]) -> None:
    """Print the figures."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.width = max(console.width, 120)
    for title in ("answers", "models", "learning"):
        rows: Rows = found[title]
        table = Table(title=title)
        columns = list(next(iter(rows.values()), {}))
        for column in ("", *columns):
            table.add_column(column, justify="right", overflow="fold")
        for name, row in rows.items():
            table.add_row(name, *(_short(row.get(column)) for column in columns))
        console.print(table)
    for note in found["notes"]:
        console.print(f"Not trained: {note}")


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
    return "-" if value is None else str(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a state directory with a history and a model")
    parser.add_argument("--events", type=int, help="take no more events than this")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--calls", type=int, default=200, help="of each way in each turn")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    log = history(told.home, told.events)
    events = [event for _, event in log]
    readings = [one for one in read_path(resources_path()) if isinstance(one, Sample)]
    with tempfile.TemporaryDirectory(prefix="onward-bench-") as folder:
        models, notes = (published(told.home), []) if told.home else trained(log, Path(folder))
        found = {**measured(models, events, readings[: told.events], told), "notes": notes}
    if told.json:
        print(json.dumps(found))
    else:
        tables(found)


if __name__ == "__main__":
    main()
