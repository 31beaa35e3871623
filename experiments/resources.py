"""Resources: forecasts, intervals and alarms on real series and real runs, beside trivial peers.

Run::

    python experiments/resources.py --data DIR [--json] [--plots FOLDER]
    python experiments/resources.py --train DIR --test DIR [--json]
    python experiments/resources.py --runs FILE [--json]

DIR is the folder of the Numenta Anomaly Benchmark, or one that holds it as ``resources/nab``. With
``--data`` the model learns from the first 60 % of every series and from the bundled runs, and the
last 40 % of each series of processor use (``cpu`` in its name) are judged; with ``--test`` it
learns from the whole of ``--train``, and each such series of ``--test`` is judged whole. The judged
stream is walked as it is served: forecast, then learn, tick by tick. Without ``--no-runs`` the
bundled runs are judged, too: each by a model of other runs, and each kind by one of other kinds
only; or, with ``--runs``, a file of `experiments.resource_runs`, by a model of the bundled ones.

``onward`` is what is served: trees, mixed online with simple forecasts, intervals adapted
online. ``frozen`` is the trees alone. Peers: ``persistence``, ``mean_6`` (mean of the last six),
``trend_6`` and ``trend_12`` (least squares); for alarms ``threshold`` (90 % used) and ``trend``
(that of the last 12 reaches the limit within 10 minutes). ``cover`` is the share inside the 80 %
interval. An exhaustion is announced where the alarm is on five minutes before; an alarm is false
where nothing is exhausted within an hour. Series are drawn anew for the 95 % intervals.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onward.data.errors import NotFound, OnwardError
from onward.data.events import Step
from onward.data.importers import read_parquet
from onward.data.samples import resources_path, sample_path
from onward.features.resources.peaks import PEAK, Peaks
from onward.features.resources.series import View
from onward.models.base import Rows, stacked
from onward.models.forecast import Forecast, rows_of

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.runs.figures import alarms, by_series, coverage, wins
from experiments.runs.walk import Story, Walk, read_nab, read_runs, views, walk

__all__ = ["main", "measure_nab", "measure_peaks", "measure_runs"]

EARLY = 0.6
"""Share of a series that is learned from."""
ASKED = 400
"""Ticks of a long series that teach, about."""
PARTS = 3
Figures = dict[str, dict[str, float]]


# -- the benchmark's series ------------------------------------------------------------------------


def measure_nab(
    train: Sequence[Story],
    test: Sequence[Story] | None,
    runs: Sequence[Story],
    *,
    unseen: bool = True,
) -> tuple[dict[str, Figures], list[Walk]]:
    """Figures by series, ``nab`` over all, ``nab_unseen`` by models that never saw the series."""
    until = EARLY if test is None else 1.0
    rows = {one.name: _rows(one, until) for one in train}
    shared = [rows_of(one.points()) for one in runs]
    judged = [one for one in (train if test is None else test) if one.cpu]
    if not judged:
        raise NotFound("No series of processor use is there: none has cpu in its name.")
    start = EARLY if test is None else 0.0
    seen = {one.name: views(one) for one in judged}
    model = _fitted([*rows.values(), *shared])
    walks = [walk(one, seen[one.name], model) for one in judged]
    found = {f"nab/{one.story.name}": by_series(one, start) for one in walks}
    overall = wins(list(found.values()))
    _beside(overall, coverage(walks, start))
    found["nab"] = overall
    if test is None and unseen:
        others = _unseen(judged, rows, shared, seen)
        found["nab_unseen"] = wins([by_series(one, start) for one in others])
        _beside(found["nab_unseen"], coverage(others, start))
    return found, walks


def _unseen(
    judged: Sequence[Story],
    rows: dict[str, Rows],
    shared: Sequence[Rows],
    seen: dict[str, list[View]],
) -> list[Walk]:
    """Each series walked with a model that learned from others only."""
    found = []
    for part in range(PARTS):
        held = [one for place, one in enumerate(judged) if place % PARTS == part]
        if not held:
            continue
        names = {one.name for one in held}
        model = _fitted([*(r for name, r in rows.items() if name not in names), *shared])
        found += [walk(one, seen[one.name], model) for one in held]
    return found


def _rows(story: Story, until: float = 1.0) -> Rows:
    ticks = until * len(story.readings)
    return rows_of(story.points(until), stride=max(1, round(ticks / ASKED)))


def _fitted(parts: Sequence[Rows]) -> Forecast:
    return Forecast().fit(stacked([part for part in parts if len(part)]))


def _beside(figures: Figures, more: Figures) -> None:
    for name, row in more.items():
        figures[name] |= row


# -- runs ------------------------------------------------------------------------------------------


def measure_runs(runs: Sequence[Story], fresh: Sequence[Story] | None = None) -> dict[str, Figures]:
    """``runs``, ``runs_unseen_kind`` and, where there are fresh ones, ``runs_fresh``."""
    rows = {one.name: rows_of(one.points()) for one in runs}
    if fresh is not None:
        model = _fitted(list(rows.values()))
        return {"runs_fresh": _run_figures([walk(one, views(one), model) for one in fresh])}
    seen = {one.name: views(one) for one in runs}
    place = {one.name: i for i, one in enumerate(runs)}
    kinds = sorted({one.kind for one in runs})
    return {
        "runs": _run_figures(_crossed(runs, rows, seen, lambda one: place[one.name] % PARTS)),
        "runs_unseen_kind": _run_figures(
            _crossed(runs, rows, seen, lambda one: kinds.index(one.kind) % PARTS)
        ),
    }


def _crossed(
    runs: Sequence[Story],
    rows: dict[str, Rows],
    seen: dict[str, list[View]],
    part: Callable[[Story], int],
) -> list[Walk]:
    """Each run walked with a model of the runs of other parts."""
    found = []
    for held in sorted({part(one) for one in runs}):
        model = _fitted([rows[one.name] for one in runs if part(one) != held])
        found += [walk(one, seen[one.name], model) for one in runs if part(one) == held]
    return found


def _run_figures(walks: Sequence[Walk]) -> Figures:
    """Alarms, coverage, and errors as shares of the limit, averaged over runs."""
    found = alarms(walks)
    _beside(found, {"onward": coverage(walks)["onward"]})
    found["frozen"] = coverage(walks)["frozen"]
    usable = [one for one in walks if len(one.at) > 60]
    series = [by_series(one, 0.0) for one in usable]
    limits = [one.story.readings[-1][1].limit for one in usable]
    for name in series[0] if series else ():
        for minutes in (5, 15, 30):
            key = f"mae_{minutes}"
            shares = [row[name][key] / limit for row, limit in zip(series, limits, strict=True)]
            found.setdefault(name, {})[f"{key}_share"] = float(np.nanmean(shares))
    return found


# -- peaks -----------------------------------------------------------------------------------------


def measure_peaks(steps: Iterable[Step]) -> Figures:
    """How often a command stayed below its class's 90 %, and the pinball loss there."""
    learned, everything, lines = Peaks(), Peaks(), list[tuple[float, ...]]()
    for step in steps:
        peak = step.usage.get(PEAK, 0.0)
        if not peak > 0.0:
            continue
        said, plain = learned.of(step), everything.table.get("")
        if said is not None and plain:
            overall = float(np.quantile(plain, 0.9))
            lines.append((peak, said.median, said.high, float(np.median(plain)), overall))
        learned.learn(step)
        everything.table[""] = [*(plain or [])[-999:], peak]
    if not lines:
        return {}
    table = np.log2(np.array(lines))
    found: Figures = {}
    for name, median, high in (("onward", 1, 2), ("overall", 3, 4)):
        miss = table[:, 0] - table[:, high]
        found[name] = {
            "below_high": float((miss <= 0.0).mean()),
            "pinball_90": float(np.maximum(0.9 * miss, -0.1 * miss).mean()),
            "doublings_off": float(np.abs(table[:, 0] - table[:, median]).mean()),
            "n": len(table),
        }
    return found


# -- command line ----------------------------------------------------------------------------------


def report(given: argparse.Namespace) -> tuple[dict[str, Figures], list[Walk]]:
    """All figures that were asked for, by set."""
    runs = [] if given.no_bundled else read_runs(resources_path())
    found: dict[str, Figures] = {}
    walks: list[Walk] = []
    if data := given.data or given.train:
        test = read_nab(given.test) if given.test else None
        found, walks = measure_nab(read_nab(data), test, runs, unseen=not given.no_unseen)
    if given.runs:
        found |= measure_runs(runs, read_runs(given.runs))
    elif not given.no_runs:
        found |= measure_runs(runs)
    if not given.no_runs:
        history = read_parquet(sample_path())
        found["peaks"] = measure_peaks(one for one in history if isinstance(one, Step))
    return found, walks


def by_set(found: dict[str, Figures]) -> dict[str, Any]:
    """Each set's figures of ``onward``, those of the others under ``peers``."""
    return {
        name: figures.get("onward", {})
        | {"peers": {other: row for other, row in figures.items() if other != "onward"}}
        for name, figures in found.items()
    }


def tables(found: dict[str, Figures]) -> Iterable[Any]:
    """One table a set."""
    from rich.table import Table

    for name, figures in found.items():
        columns = dict.fromkeys(
            key for row in figures.values() for key in row if not key.endswith(("_low", "_high"))
        )
        shown = Table("method", *columns, title=name)
        for method, row in figures.items():
            shown.add_row(method, *(_cell(row, column) for column in columns))
        yield shown


def _cell(row: dict[str, float], column: str) -> str:
    if column not in row:
        return ""
    value = f"{row[column]:.4g}"
    if f"{column}_low" in row:
        value += f" ({row[column + '_low']:.3g} to {row[column + '_high']:.3g})"
    return value


def plot(walks: Sequence[Walk], folder: Path) -> None:
    """One picture a series: the last day, 30 minutes ahead, with its interval."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for one in walks:
        figure, axes = plt.subplots(figsize=(9, 3))
        last = slice(-288, None)
        hours = (one.at[last] - one.at[-1]) / 3600.0
        axes.fill_between(hours, one.spans[last, 3, 0], one.spans[last, 3, 2], alpha=0.3)
        axes.plot(hours, one.spans[last, 3, 1], label="30 minutes ahead")
        axes.plot(hours, one.truth[last, 3], label="as it came")
        axes.set(title=one.story.name, xlabel="hours", ylabel="percent")
        axes.legend()
        figure.tight_layout()
        figure.savefig(folder / f"{one.story.name}.png", dpi=120)
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="folder of series, split by time")
    parser.add_argument("--train", type=Path, help="folder of series to learn from")
    parser.add_argument("--test", type=Path, help="folder of series to judge on")
    parser.add_argument("--runs", type=Path, help="recorded runs to judge on")
    parser.add_argument("--no-runs", action="store_true", help="judge no runs and no peaks")
    parser.add_argument("--no-unseen", action="store_true", help="no models of other series only")
    parser.add_argument("--no-bundled", action="store_true", help="learn from no bundled runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plots", type=Path, help="folder for pictures")
    given = parser.parse_args(arguments)
    try:
        found, walks = report(given)
    except OnwardError as error:
        print(f"resources: {error.message}", file=sys.stderr)
        return 2
    if given.plots:
        plot(walks, given.plots)
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(by_set(found)), indent=2).decode())
        return 0
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    for shown in tables(found):
        console.print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
