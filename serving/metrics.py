"""Counts and times of the running server, in Prometheus' text format.

The hot path only adds to numbers; names and text are made when somebody asks, and so is
the import of the Prometheus client.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from time import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Histogram", "Meter"]

BOUNDS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Upper bounds of the time buckets, in seconds."""


class Histogram:
    """Times, counted by bucket.

    >>> times = Histogram()
    >>> times.add(0.0003)
    >>> times.buckets()[-1], round(times.total, 4)
    (('+Inf', 1.0), 0.0003)
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Running totals by upper bound, as Prometheus wants them."""
        running, rows = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class Meter:
    """Everything that is counted.

    Attributes
    ----------
    gauges
        Readings taken when somebody asks: name to (help, function).
    """

    def __init__(self) -> None:
        self.started = time()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._lock = threading.Lock()
        self._bands: Counter[str] = Counter()
        self._degraded = 0
        self._recorded: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._decide_times = Histogram()
        self._question_times: dict[str, Histogram] = {}

    def decided(self, band: str, seconds: float, *, degraded: bool) -> None:
        """Count one decision and what it took."""
        with self._lock:
            self._bands[band] += 1
            self._degraded += degraded
            self._decide_times.add(seconds)

    def predicted(self, question: str, seconds: float) -> None:
        """Count one answered question and what it took."""
        with self._lock:
            self._question_times.setdefault(question, Histogram()).add(seconds)

    def recorded(self, *, stored: int, duplicates: int) -> None:
        """Count events that were recorded."""
        with self._lock:
            self._recorded["stored"] += stored
            self._recorded["duplicate"] += duplicates

    def answered(self, door: str, route: str, status: str) -> None:
        """Count one answered request."""
        with self._lock:
            self._requests[door, route, status] += 1

    def bands(self) -> dict[str, int]:
        """Decisions since the start, by band."""
        with self._lock:
            return dict(self._bands)

    def render(self) -> bytes:
        """All of it as Prometheus text."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """The metrics as the Prometheus client wants them."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        with self._lock:
            decisions = CounterMetricFamily("onward_decisions", "Decisions", labels=["band"])
            for band, count in self._bands.items():
                decisions.add_metric([band], count)
            requests = CounterMetricFamily(
                "onward_requests", "Answered requests", labels=["door", "route", "status"]
            )
            for labels, count in self._requests.items():
                requests.add_metric(list(labels), count)
            events = CounterMetricFamily("onward_events", "Events received", labels=["fate"])
            for fate, count in self._recorded.items():
                events.add_metric([fate], count)
            degraded = CounterMetricFamily(
                "onward_degraded", "Decisions that were less than full", value=self._degraded
            )
            times = HistogramMetricFamily(
                "onward_decide_seconds",
                "Time to decide, without the door",
                buckets=self._decide_times.buckets(),
                sum_value=self._decide_times.total,
            )
            asked = HistogramMetricFamily(
                "onward_question_seconds",
                "Time to answer a question, without the door",
                labels=["question"],
            )
            for question, spent in self._question_times.items():
                asked.add_metric([question], buckets=spent.buckets(), sum_value=spent.total)
        yield from (decisions, requests, events, degraded, times, asked)
        for name, (text, read) in self.gauges.items():
            yield GaugeMetricFamily(name, text, value=read())
