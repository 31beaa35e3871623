"""Series walked as they are served: forecast at every tick, then learn; the peers beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import FormatError, NotFound
from onward.data.events import Event, Sample
from onward.data.importers import read_parquet
from onward.features.resources.readings import Reading, readings
from onward.features.resources.series import FULL, Series, View
from onward.models.forecast import Forecast, Point
from onward.models.outlook import UNIT, Ahead, Head, Outlook

__all__ = ["PEERS", "Story", "Walk", "nab_root", "read_nab", "read_runs", "views", "walk"]

Floats = NDArray[np.float64]

PEERS = {"persistence": 0, "mean_6": 1, "trend_6": 2, "trend_12": 3}
"""Trivial forecasts, and their places among the experts."""
LEAD_MIN = 10.0
"""The peers' alarm by trend: it reaches the limit within so many minutes."""


@dataclass(frozen=True)
class Story:
    """One series."""

    name: str
    kind: str
    """What it is like: the folder, or the shape of the run."""
    cpu: bool
    readings: list[tuple[float, Reading]]

    @property
    def key(self) -> str:
        """As in `onward.models.forecast.Point`."""
        return f"{self.name}|{'cpu' if self.cpu else 'other'}"

    def points(self, until: float = 1.0) -> Iterable[Point]:
        """The first part of it, as what a model learns from."""
        for seq, (at, reading) in enumerate(self.readings[: int(until * len(self.readings))]):
            yield Point(seq, self.key, at, reading)


# -- reading --------------------------------------------------------------------------------------


def nab_root(data: Path) -> Path:
    """The folder of NAB's series: the one given, or below it as the data set lies there."""
    for folder in (data / "resources" / "nab" / "data", data / "nab" / "data", data / "data"):
        if folder.is_dir():
            return folder
    return data / "resources" / "nab" if (data / "resources" / "nab").is_dir() else data


def read_nab(data: Path) -> list[Story]:
    """All series, in the order of their names; raises `NotFound` where there are none."""
    root = nab_root(data)
    files = sorted(root.glob("*/*.csv")) or sorted(root.glob("*.csv"))
    if not files:
        raise NotFound(f"{data} holds no series; give the folder of NAB with --data.")
    return [_read(file) for file in files]


def _read(file: Path) -> Story:
    """One CSV of times and values; what is about processor use has a limit of 100 %."""
    cpu = "cpu" in file.stem.lower()
    limit = 100.0 if cpu else float("nan")
    found = []
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp()
                found.append((at, Reading(float(row["value"]), limit)))
    except (KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        raise FormatError(f"{file} is no series of times and values: {error!r}.") from error
    return Story(file.stem, file.parent.name, cpu, found)


def read_runs(file: Path) -> list[Story]:
    """The runs that `experiments.resource_runs` recorded."""
    by_run: dict[str, list[tuple[float, Reading]]] = {}
    resource: dict[str, str] = {}
    for event in read_parquet(file):
        for name, reading in _readings(event).items():
            by_run.setdefault(event.session, []).append((event.at, reading))
            resource[event.session] = name
    return [
        Story(name, name.split("-", 1)[0], resource[name] == "cpu", found)
        for name, found in by_run.items()
    ]


def _readings(event: Event) -> dict[str, Reading]:
    return readings(event.values) if isinstance(event, Sample) else {}


# -- walking --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Walk:
    """One series, tick by tick; arrays are (n, 4 horizons) unless said."""

    story: Story
    at: Floats
    """(n,)"""
    truth: Floats
    """What the forecast was about; NaN = the series ends before."""
    spans: Floats
    """(n, 4, 3)"""
    frozen: Floats
    """(n, 4, 3) the model's quantiles without the online layer."""
    peers: Floats
    """(n, 4, experts)"""
    p: Floats
    alarms: dict[str, NDArray[np.bool_]]
    """(n,) by method: the alarm is on."""
    full_at: float
    """When it was first exhausted; NaN = never."""


def views(story: Story) -> list[View]:
    """What is known at each tick; the dear part of a walk, the same for every model."""
    series, found = Series(percent=story.cpu), []
    for at, reading in story.readings:
        if series.learn(at, reading.used, reading.limit, refused=reading.refused):
            found.append(series.view())
    return found


def walk(story: Story, found: Sequence[View], model: Forecast | None) -> Walk:
    """Forecast at every tick, in order, each before what comes is known."""
    X = np.concatenate([view.X for view in found])
    said = None if model is None else model.predict(X).reshape(len(found), -1, 4)
    head = None if model is None else Head.of(model.predict, model.facts())
    outlook = Outlook(Series(percent=story.cpu))
    ahead, lines, full_at, place = list[Ahead](), list[tuple[float, float, bool]](), np.nan, 0
    for when, reading in story.readings:
        if not outlook.tick(when, reading.used, reading.limit, refused=reading.refused):
            continue
        series = outlook.series
        if series.refused and not story.cpu and np.isnan(full_at):
            full_at = series.at
        row = None if said is None else said[place]
        ahead.append(outlook.forecast(found[place], row, head))
        lines.append((series.values[-1], series.limit, outlook.alarm))
        place += 1
    x, limit, alarm = np.array(lines).T
    scale, experts = np.array([v.scale for v in found]), np.array([v.experts for v in found])
    steps = np.array([v.steps for v in found])
    frozen = np.full((len(x), 4, 3), np.nan)
    if said is not None:
        frozen = x[:, None, None] + said[:, :, :3] * UNIT * scale[:, :, None]
    minutes = np.array([one.minutes for one in ahead])
    slope = (experts[:, -1, PEERS["trend_12"]] - x) / minutes[:, -1]
    alarms = {
        "onward": alarm > 0.0,
        "threshold": x >= 0.9 * limit,
        "trend": (slope > 0.0) & (x + LEAD_MIN * slope >= FULL * limit),
    }
    return Walk(
        story,
        np.array([one.at for one in ahead]),
        _truth(x, steps),
        np.array([one.spans for one in ahead]),
        frozen,
        experts,
        np.array([one.p for one in ahead]),
        alarms,
        float(full_at),
    )


def _truth(x: Floats, steps: NDArray[np.int64]) -> Floats:
    place = np.arange(len(x))[:, None] + steps
    return np.where(place < len(x), x[np.minimum(place, len(x) - 1)], np.nan)
