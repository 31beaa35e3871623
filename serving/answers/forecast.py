"""What lies ahead of the machine's resources, and what a command will take.

Every sample moves the series of its host; at each tick the next forecast is made, so that a
question only looks it up. Without a model the trend of the last ticks answers, and says so.
"""

from __future__ import annotations

from math import isnan

import msgspec

from onward.data.errors import BundleError
from onward.data.events import Call, Event, Sample, Step
from onward.features.resources.blame import Growth
from onward.features.resources.peaks import Peaks
from onward.features.resources.readings import readings
from onward.features.resources.series import HORIZONS_MIN, Series
from onward.models.blend import Span
from onward.models.outlook import Ahead, Head, Outlook, exhaustion_minutes
from onward.serving.answers.base import Part
from onward.serving.questions.forecast import (
    Blamed,
    ExpectedPeak,
    ForecastAnswer,
    ForecastRequest,
    Horizon,
    ResourceForecast,
    TimeLeft,
)

__all__ = ["ForecastAnswerer"]

MAX_SERIES = 64
"""Series that are remembered, over all hosts; the one that was silent longest is forgotten."""
MAX_HOSTS = 8
MAX_BLAMED = 3
_WARNED = HORIZONS_MIN.index(10)
"""The horizon that alarms look at: its row explains a forecast."""
STALE_S = 600.0
"""A forecast is said to be old once its host gave no reading for so long."""


class _State(msgspec.Struct):
    version: int
    series: list[tuple[str, str, Outlook, Ahead]]
    growth: dict[str, Growth]
    peaks: Peaks
    host: str


_VERSION = 2


class ForecastAnswerer:
    """Folds samples and steps, and answers `ForecastRequest`."""

    name = "forecast"

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], tuple[Outlook, Ahead]] = {}
        self._growth: dict[str, Growth] = {}
        self._peaks = Peaks()
        self._host = ""
        self._head: Head | None = None
        self._part: Part | None = None

    def use(self, part: Part | None) -> None:
        """Forecast with this model from the next reading on; None = by the trend."""
        if part is None or not part.beats_peer:
            self._head = self._part = None
            return
        try:
            self._head = Head.of(part.run, part.facts)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"The facts of the forecast cannot be read: {error}") from error
        self._part = part

    # -- learning ------------------------------------------------------------------------------

    def learn(self, event: Event) -> None:
        """Take in a sample or a measured step; other events change nothing."""
        if isinstance(event, Sample):
            self._learn_sample(event)
        elif isinstance(event, Step):
            self._peaks.learn(event)

    def _learn_sample(self, sample: Sample) -> None:
        host, found_here = sample.host, readings(sample.values)
        if found_here:  # a sample of something else is no machine to ask about
            self._host = host
        for resource, reading in found_here.items():
            key = (host, resource)
            outlook, before = self._series.get(key) or (
                Outlook(Series(percent=resource.endswith("cpu"))),
                None,
            )
            ahead = outlook.learn(
                sample.at, reading.used, reading.limit, refused=reading.refused, head=self._head
            )
            found = ahead or before
            self._series.pop(key, None)  # the one that was read last stands last
            if found is not None:
                self._series[key] = (outlook, found)
        while len(self._series) > MAX_SERIES:
            del self._series[next(iter(self._series))]
        growth = self._growth.pop(host, None) or Growth()
        growth.learn(sample.at, sample.values)
        self._growth[host] = growth
        if len(self._growth) > MAX_HOSTS:
            del self._growth[next(iter(self._growth))]

    # -- answering -----------------------------------------------------------------------------

    def answer(self, request: ForecastRequest) -> ForecastAnswer:
        """What is ahead; changes nothing."""
        host = request.host or self._host
        found = [
            self._one(host, resource, request.horizon_s)
            for (of, resource) in self._series
            if of == host and request.resource in ("", resource)
        ]
        found.sort(key=_urgency)
        if found:
            self._ask_again(found[0])
        peak = self._peak(request) if request.command else None
        return ForecastAnswer(
            resources=found,
            peak=peak,
            fits=self._fits(host, peak),
            model="" if self._part is None else self._part.version,
            note=self._note(request, found),
        )

    def _one(self, host: str, resource: str, horizon_s: float) -> ResourceForecast:
        outlook, ahead = self._series[host, resource]
        series = outlook.series
        limited = series.limit > 0.0
        culprits = self._growth[host].culprits(resource) if host in self._growth else []
        blamed = [
            Blamed(pid=one.pid, name=one.name, per_minute=one.per_minute, share=one.share)
            for one in culprits[:MAX_BLAMED]
        ]
        rows = zip(ahead.minutes, ahead.spans, ahead.p, strict=True)
        horizons = [
            _horizon(minutes, span, p)
            for place, (minutes, span, p) in enumerate(rows)
            if place == 0 or 57.0 * minutes <= horizon_s  # ticks are no exact minutes
        ]
        return ResourceForecast(
            host=host,
            resource=resource,
            at=ahead.at,
            used=series.values[-1],
            limit=series.limit if limited else None,
            horizons=horizons,
            time_left=_time_left(ahead) if limited else None,
            alarm=outlook.alarm,
            blamed=blamed,
            because=_because(outlook, ahead, blamed),
        )

    def _ask_again(self, first: ResourceForecast) -> None:
        """Put to the model what the first forecast rests on: it was made when its sample came."""
        if self._part is not None and self._head is not None:
            self._head.run(self._series[first.host, first.resource][0].series.view().X)
            self._part.lead(_WARNED)

    def _peak(self, request: ForecastRequest) -> ExpectedPeak | None:
        call = Call(session="", tool=request.tool, input={"command": request.command})
        found = self._peaks.of(call)
        if found is None:
            return None
        return ExpectedPeak(
            median_bytes=found.median,
            high_bytes=found.high,
            runs=found.runs,
            level=found.level,
            key=found.key,
        )

    def _fits(self, host: str, peak: ExpectedPeak | None) -> bool | None:
        if peak is None:
            return None
        left = [
            one[0].series.limit - one[0].series.values[-1]
            for resource in ("memory", "cgroup_memory")
            if (one := self._series.get((host, resource))) and one[0].series.limit > 0.0
        ]
        return peak.high_bytes <= min(left) if left else None

    def _note(self, request: ForecastRequest, found: list[ResourceForecast]) -> str:
        if not found:
            asked = f" of {request.resource}" if request.resource else ""
            return f"There is no reading{asked} yet; run the sampler, or send samples."
        newest = max(one.at for one in found)
        notes = []
        if self._head is None:
            notes.append("No model is published for the forecast; the trend answers.")
        last = max(ahead.at for _, ahead in self._series.values())
        if last - newest > STALE_S:
            notes.append(f"The last reading is {(last - newest) / 60.0:.0f} minutes old.")
        return " ".join(notes)

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state, but for the model."""
        series = [(*key, *both) for key, both in self._series.items()]
        return msgspec.msgpack.encode(
            _State(_VERSION, series, self._growth, self._peaks, self._host)
        )

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError`."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The state of the forecast cannot be read: {error}") from error
        if state.version != _VERSION:
            raise BundleError("The state of the forecast is of another version; fold it again.")
        self._series = {(host, name): (out, ahead) for host, name, out, ahead in state.series}
        self._growth, self._peaks, self._host = state.growth, state.peaks, state.host


def _horizon(minutes: float, span: Span, p: float) -> Horizon:
    return Horizon(
        minutes=minutes,
        low=span.low,
        middle=span.middle,
        high=span.high,
        p_exhausted=None if isnan(p) else p,
    )


def _time_left(ahead: Ahead) -> TimeLeft:
    early, middle, late = (exhaustion_minutes(ahead, share) for share in (0.1, 0.5, 0.9))
    return TimeLeft(early=early, middle=middle, late=late)


def _urgency(one: ResourceForecast) -> tuple[float, str]:
    """The likeliest to run out first; those without a limit last."""
    p = one.horizons[-1].p_exhausted
    return (-(p if p is not None else -1.0), one.resource)


def _because(outlook: Outlook, ahead: Ahead, blamed: list[Blamed]) -> list[str]:
    series = outlook.series
    back = min(11, len(series.values) - 1)
    change = series.values[-1] - series.values[-1 - back]
    found = [f"It moved by {change:+.4g} in the last {back * series.tick_s / 60.0:.0f} minutes."]
    if series.limit > 0.0:
        found.append(f"{100.0 * series.values[-1] / series.limit:.1f} % of its limit is used.")
    if series.drops:
        found.append(f"It fell {series.drops} times, last from about {series.drop_top:.4g}.")
    if outlook.alarm:
        minutes = (ahead.at - outlook.alarm_at) / 60.0
        found.append(f"The alarm was raised {minutes:.0f} minutes ago.")
    if blamed:
        one = blamed[0]
        found.append(f"{one.name} ({one.pid}) took {100.0 * one.share:.0f} % of the growth.")
    blend = outlook.blends[-1]
    found.append(f"{blend.seen} earlier forecasts of this series were checked at that horizon.")
    return found
