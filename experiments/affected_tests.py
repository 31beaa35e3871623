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
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onward.data.errors import OnwardError

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.affected.choosing import chosen, costs
from experiments.affected.measured import Measured, measure
from experiments.affected.project import PROJECTS
from experiments.affected.ranking import rank
from experiments.affected.replay import TOOLS

__all__ = ["main", "report"]

KINDS = ("release", "code_first", "mutation")


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
