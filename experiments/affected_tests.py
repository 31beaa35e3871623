"""Which tests a change needs, on real projects, beside pytest-testmon and running everything.

Run::

    python experiments/affected_tests.py --data DIR [--projects a,b] [--faults 2] [--json]

DIR keeps the source releases (fetched from PyPI where they are missing) and what was measured of
each project (``_steps``; measured again with ``--fresh``). Releases follow each other as commits;
see `experiments.affected.replay` for the three kinds of steps. For each project and kind:

- ``skipped``   share of tests that a tool left out; the mean over steps
- ``recall``    share of the failing tests among those that it chose; ``recall_fresh`` counts only
                tests that passed before the change
- ``missed``    failing tests that it left out
- ``first``     CPU time of a first, recording run as a multiple of plain pytest; ``later`` of a run
                of everything that records again; ``nothing`` of a run after no change

Intervals are 95 % bootstraps over steps. All of a project's tests are run without any tool in every
step, which is the truth; tests in files that cannot be imported are left out: anybody finds those.

The second part ranks: P(fail) of each pair of change and test by a model of the *other* projects,
beside its peers. ``apfd`` is the mean, over steps with a fresh failure, of the share of tests that
come after a failing one (1 is best, .5 is chance); ``found_at_10`` the share of freshly failing
tests among the first tenth; ``recall_at_90`` and ``time_at_90`` what is found, and in which share
of the time, where ``--onward-recall 0.9`` cuts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import OnwardError
from onward.models.affected import Affected, peers
from onward.models.base import Rows, stacked
from onward.training.metrics import auc, brier, ece

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.affected.project import PROJECTS, Desk, extras, releases
from experiments.affected.replay import TOOLS, Step, overhead, replay

__all__ = ["main", "measure", "rank", "rows_of"]

KINDS = ("release", "code_first", "mutation")
DRAWS = 500
Floats = NDArray[np.float64]


class Measured(msgspec.Struct):
    """One project's steps and what the tools cost."""

    steps: list[Step]
    cost: dict[str, float]


# -- measuring -------------------------------------------------------------------------------------


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


# -- choosing --------------------------------------------------------------------------------------


def chosen(steps: Sequence[Step]) -> dict[str, dict[str, float]]:
    """Tool -> figures over steps."""
    found = {}
    for tool in TOOLS:
        rows = np.array([_counts(step, tool) for step in steps], np.float64)
        figures: dict[str, float] = {"steps": len(steps)}
        if len(rows):
            figures |= _figures(rows)
        found[tool] = figures
    found["run_all"] = {"steps": len(steps), "skipped": 0.0, "recall": 1.0, "recall_fresh": 1.0}
    return found


def _counts(step: Step, tool: str) -> tuple[float, ...]:
    """Share left out; failing, found; freshly failing, found."""
    tests, told = set(step.tests), step.tools[tool].chosen
    left = 1.0 - len(told & tests) / max(len(tests), 1)
    return (
        left,
        len(step.failed),
        len(step.failed & told),
        len(step.fresh),
        len(step.fresh & told),
    )


def _figures(rows: Floats) -> dict[str, float]:
    random = np.random.default_rng(0)
    draws = [rows[random.integers(len(rows), size=len(rows))] for _ in range(DRAWS)]
    figures: dict[str, float] = {}
    for name, of in _MEASURES.items():
        figures[name] = of(rows)
        spread = [value for draw in draws if not np.isnan(value := of(draw))]
        if spread:
            low, high = np.percentile(spread, [2.5, 97.5])
            figures[f"{name}_low"], figures[f"{name}_high"] = float(low), float(high)
    figures["failing"], figures["missed"] = (
        float(rows[:, 1].sum()),
        float((rows[:, 1] - rows[:, 2]).sum()),
    )
    figures["fresh"], figures["missed_fresh"] = (
        float(rows[:, 3].sum()),
        float((rows[:, 3] - rows[:, 4]).sum()),
    )
    return figures


def _share(rows: Floats, part: int, whole: int) -> float:
    total = rows[:, whole].sum()
    return float(rows[:, part].sum() / total) if total else float("nan")


_MEASURES: dict[str, Callable[[Floats], float]] = {
    "skipped": lambda rows: float(rows[:, 0].mean()),
    "recall": lambda rows: _share(rows, 2, 1),
    "recall_fresh": lambda rows: _share(rows, 4, 3),
}


def costs(cost: dict[str, float]) -> dict[str, dict[str, float]]:
    """Tool -> CPU time as a multiple of plain pytest's."""
    return {
        tool: {
            what: cost[f"{tool}_{what}"] / cost["plain"] for what in ("first", "later", "nothing")
        }
        for tool in TOOLS
    }


# -- ranking ---------------------------------------------------------------------------------------


def rows_of(project: str, steps: Iterable[Step]) -> Rows:
    """Pairs of change and test, with whether the test failed; ``seq`` numbers the steps."""
    tables = []
    for number, step in enumerate(steps, start=1):
        n = len(step.tests)
        y = np.array([node in step.failed for node in step.tests], np.float64)
        group = np.full(n, f"{project}:{step.label}:{number}", object)
        tables.append(Rows(step.table, y, group, np.full(n, number, np.int64)))
    return stacked(tables)


def rank(measured: dict[str, Measured]) -> dict[str, dict[str, Any]]:
    """Project -> method -> figures; each project by a model of all the others.

    Under ``all`` stand, over the steps of all projects, each method's APFD and how much the model's
    lies above it.
    """
    found: dict[str, dict[str, Any]] = {}
    scores: dict[str, list[float]] = {}
    tables = {name: rows_of(name, one.steps) for name, one in measured.items()}
    for name, one in measured.items():
        others = [table for other, table in tables.items() if other != name]
        if not others:
            return {}
        train, test = stacked(others), tables[name]
        model = Affected().fit(train)
        said = {"onward": model.calibrated(test.X), **peers(train, test)}
        found[name] = {method: _ranked(one.steps, test, p) for method, p in said.items()}
        for method, p in said.items():
            scores.setdefault(method, []).extend(score[0] for score in _scores(one.steps, test, p))
    found["all"] = {method: _gain(scores["onward"], peer) for method, peer in scores.items()}
    return found


def _gain(ours: Sequence[float], peer: Sequence[float]) -> dict[str, float]:
    """A peer's APFD, and the model's less the peer's with its interval over steps."""
    less = np.array(ours) - np.array(peer)
    random = np.random.default_rng(0)
    draws = [less[random.integers(len(less), size=len(less))].mean() for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return {
        "apfd": float(np.mean(peer)),
        "gain": float(less.mean()),
        "gain_low": float(low),
        "gain_high": float(high),
        "steps": len(less),
    }


def _ranked(steps: Sequence[Step], test: Rows, p: Floats) -> dict[str, float]:
    figures: dict[str, float] = {}
    if p.min() >= 0.0 and p.max() <= 1.0:
        figures = {"auc": auc(test.y, p), "brier": brier(test.y, p), "ece": ece(test.y, p)}
    else:
        figures = {"auc": auc(test.y, p)}
    scores = _scores(steps, test, p)
    if scores:
        table = np.array(scores)
        random = np.random.default_rng(0)
        draws = [table[random.integers(len(table), size=len(table))].mean(0) for _ in range(DRAWS)]
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        for at, metric in enumerate(("apfd", "found_at_10", "recall_at_90", "time_at_90")):
            figures[metric] = float(table[:, at].mean())
            figures[f"{metric}_low"], figures[f"{metric}_high"] = float(low[at]), float(high[at])
    figures["steps"] = len(scores)
    return figures


def _scores(steps: Sequence[Step], test: Rows, p: Floats) -> list[tuple[float, ...]]:
    """Of each step with a fresh failure: APFD, found in the first tenth, and the cut at .9."""
    scores: list[tuple[float, ...]] = []
    for number, step in enumerate(steps, start=1):
        said = p[test.seq == number]
        fresh = np.array([node in step.fresh for node in step.tests])
        if fresh.any() and not fresh.all():
            cut = _cut(fresh, said, np.array(step.seconds))
            scores.append((_apfd(fresh, said), _found(fresh, said, 0.1), *cut))
    return scores


def _cut(fresh: NDArray[np.bool_], p: Floats, seconds: Floats) -> tuple[float, float]:
    """Recall and share of the time where 90 % of the expected failures are to be held."""
    weight = p - min(p.min(), 0.0)  # a score that is no probability is taken as a weight
    order = np.argsort(-weight, kind="stable")
    last = int(np.searchsorted(np.cumsum(weight[order]), 0.9 * weight.sum()))
    kept = order[: last + 1]
    return float(fresh[kept].sum() / fresh.sum()), float(seconds[kept].sum() / seconds.sum())


def _apfd(fresh: NDArray[np.bool_], p: Floats) -> float:
    """Average percentage of faults detected (Rothermel et al., 1999); ties count as half."""
    n, m = len(fresh), int(fresh.sum())
    above = np.array([(p > one).sum() + ((p == one).sum() - 1) / 2.0 for one in p[fresh]])
    return float(1.0 - (above + 1).sum() / (n * m) + 1.0 / (2 * n))


def _found(fresh: NDArray[np.bool_], p: Floats, share: float) -> float:
    """Share of failing tests among the first; as many places as there are failures at least."""
    first = max(int(np.ceil(share * len(p))), 1)
    jitter = np.random.default_rng(0).random(len(p))
    order = np.lexsort((jitter, -p))[:first]
    return float(fresh[order].sum() / min(fresh.sum(), first))


# -- command line ----------------------------------------------------------------------------------


def report(measured: dict[str, Measured]) -> dict[str, Any]:
    """All figures by project."""
    ranked = rank(measured)
    found: dict[str, Any] = {
        name: {
            **{kind: chosen([s for s in one.steps if s.kind == kind]) for kind in KINDS},
            "cost": costs(one.cost),
            "ranking": ranked.get(name, {}),
        }
        for name, one in measured.items()
    }
    if ranked:
        found["all"] = {"ranking": ranked["all"]}
    return found


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=190)
    table = Table("project", "change", "steps", "tool", "skipped", "recall", "fresh", "missed")
    whole = found.pop("all", {"ranking": {}})["ranking"]
    for name, figures in found.items():
        for kind in KINDS:
            for tool in TOOLS:
                row = figures[kind][tool]
                if row["steps"]:
                    table.add_row(
                        name, kind, str(row["steps"]), tool, _span(row, "skipped"),
                        _span(row, "recall"), _span(row, "recall_fresh"),
                        f"{row['missed']:.0f} of {row['failing']:.0f}",
                    )  # fmt: skip
    console.print(table)
    table = Table(
        "project", "tool", "first run", "later run", "nothing changed", title="CPU / plain"
    )
    for name, figures in found.items():
        for tool, row in figures["cost"].items():
            table.add_row(
                name, tool, *(f"{row[what]:.2f}" for what in ("first", "later", "nothing"))
            )
    console.print(table)
    table = Table(
        "project",
        "method",
        "AUC",
        "Brier",
        "ECE",
        "APFD",
        "first 10 %",
        "cut at .9: recall",
        "time",
    )
    for name, figures in found.items():
        for method, row in figures["ranking"].items():
            cells = [f"{row[m]:.3f}" if m in row else "" for m in ("auc", "brier", "ece")]
            spans = [_span(row, m) for m in ("apfd", "found_at_10", "recall_at_90", "time_at_90")]
            table.add_row(name, method, *cells, *spans)
    console.print(table)
    table = Table("all projects", "APFD", "the model's less this")
    for method, row in whole.items():
        table.add_row(method, f"{row['apfd']:.3f}", _span(row, "gain"))
    console.print(table)


def plot(found: dict[str, Any], folder: Path) -> None:
    """One figure a kind of change: what each tool leaves out, and which failures it still finds."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    projects = [name for name in found if name != "all"]
    for kind in KINDS:
        figure = Figure(figsize=(9, 3.5), layout="constrained")
        for axes, what in zip(figure.subplots(1, 2), ("skipped", "recall"), strict=True):
            for place, tool in enumerate(TOOLS):
                rows = [found[name][kind][tool] for name in projects]
                at = np.arange(len(rows)) + place / (len(TOOLS) + 1)
                axes.bar(at, [row.get(what, 0.0) for row in rows], 1 / (len(TOOLS) + 1), label=tool)
            axes.set_xticks(range(len(projects)), projects, rotation=30)
            axes.set(title=f"{kind}: {what}", ylim=(0, 1.02))
        axes.legend()
        figure.savefig(folder / f"affected-{kind}.png")


def _span(row: dict[str, float], name: str) -> str:
    if np.isnan(row.get(name, np.nan)):
        return "none"
    if f"{name}_low" not in row:
        return f"{row[name]:.3f}"
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="Affected tests on real projects.")
    parser.add_argument("--data", type=Path, required=True, help="folder of source releases")
    parser.add_argument("--projects", default=",".join(PROJECTS), help="names, comma-separated")
    parser.add_argument("--faults", type=int, default=2, help="mutations at each release")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the least counts")
    parser.add_argument("--fresh", action="store_true", help="measure again")
    parser.add_argument("--costs", action="store_true", help="measure the costs again")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="folder for plots")
    given = parser.parse_args(arguments)
    try:
        measured = {
            name: measure(
                name,
                given.data.resolve(),
                faults=given.faults,
                repeats=given.repeats,
                fresh=given.fresh,
                costs=given.costs,
            )
            for name in given.projects.split(",")
        }
        found = report(measured)
    except OnwardError as error:
        print(f"affected_tests: {error.message}", file=sys.stderr)
        return 2
    if given.plots is not None:
        plot(found, given.plots)
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
