"""What each tool chose of the tests: how many it left out, and which failures it still found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from experiments.affected.replay import TOOLS, Step
from numpy.typing import NDArray

__all__ = ["DRAWS", "Floats", "chosen", "costs"]

DRAWS = 500
Floats = NDArray[np.float64]


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


def costs(cost: dict[str, float]) -> dict[str, dict[str, float]]:
    """Tool -> CPU time as a multiple of plain pytest's."""
    return {
        tool: {
            what: cost[f"{tool}_{what}"] / cost["plain"] for what in ("first", "later", "nothing")
        }
        for tool in TOOLS
    }


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
