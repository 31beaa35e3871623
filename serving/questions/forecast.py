"""What is asked and answered about resources that may run out."""

from __future__ import annotations

from typing import Annotated

import msgspec

from onward.serving.questions.answered import Answered

__all__ = [
    "Blamed",
    "ExpectedPeak",
    "ForecastAnswer",
    "ForecastRequest",
    "Horizon",
    "ResourceForecast",
    "TimeLeft",
]

Name = Annotated[str, msgspec.Meta(max_length=256)]


class ForecastRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What will run out, and when?"""

    host: Name = ""
    """Empty = the host that was read last."""
    resource: Name = ""
    """``memory``, ``disk``, ``inodes``, ``files``, ``processes``, ``cpu``, ``cgroup_memory`` ...;
    empty = all that are known."""
    horizon_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 1800.0
    """Horizons up to this many seconds are answered; the shortest one always."""
    command: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    """A shell command whose memory peak is asked, too."""
    tool: Name = "Bash"
    """The tool that would run the command."""


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast for one moment ahead."""

    minutes: float
    low: float
    """The 10 % quantile, in the unit of ``used``."""
    middle: float
    high: float
    """The 90 % quantile."""
    p_exhausted: float | None = None
    """P(exhausted by then); null = no limit is known."""


class TimeLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of the minutes until it is exhausted; null = not within the last horizon."""

    early: float | None
    """One in ten comes sooner."""
    middle: float | None
    late: float | None
    """Nine in ten come sooner."""


class Blamed(msgspec.Struct, frozen=True, kw_only=True):
    """A process tree that takes what runs out."""

    pid: int
    name: str
    per_minute: float
    """Growth a minute (bytes, files, processes); for the processor its mean percent of a core."""
    share: float
    """Its part of what all trees grew."""


class ResourceForecast(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of one host."""

    host: str
    resource: str
    at: float
    """When it was last read, Unix seconds."""
    used: float
    limit: float | None
    """null = none is known."""
    horizons: list[Horizon]
    time_left: TimeLeft | None
    """null = no limit is known."""
    alarm: bool
    """Exhaustion within ten minutes is likely enough to act."""
    blamed: list[Blamed]
    because: list[str]
    """What the answer rests on, a sentence each."""


class ExpectedPeak(msgspec.Struct, frozen=True, kw_only=True):
    """The memory peak of a command, from past runs of its class."""

    median_bytes: float
    high_bytes: float
    """Nine of ten runs stayed below."""
    runs: int
    level: str
    """How alike the runs are: ``command``, ``template``, ``subcommand``, ``program``, ``tool``."""
    key: str


class ForecastAnswer(Answered, frozen=True, kw_only=True):
    """What will run out, and when."""

    resources: list[ResourceForecast]
    """The most urgent first."""
    peak: ExpectedPeak | None = None
    """null = no command was asked about, or none was ever measured."""
    fits: bool | None = None
    """Whether that peak's upper end fits into the memory that is left; null = not known."""
