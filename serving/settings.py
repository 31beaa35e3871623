"""Everything that can be set, in one typed place.

Each field of `Settings` is read from the environment under ``ONWARD_`` and its own name in
capitals: ``http_port`` is ``ONWARD_HTTP_PORT``. The defaults are meant to be right; most
people set none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

from msgspec import Meta

from onward.data.errors import SettingsError
from onward.data.settings import HomeSettings

__all__ = ["LOOPBACK", "Settings"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Addresses that only this machine can reach; any other needs a token."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Seconds = Annotated[float, Meta(ge=0)]


class Settings(HomeSettings, frozen=True, kw_only=True):
    """What the server may be told.

    Examples
    --------
    >>> Settings.from_env({"ONWARD_HTTP_PORT": "9000"}).http_port
    9000
    """

    host: str = "127.0.0.1"
    """The address that both doors listen on; anything but loopback needs ``token``."""
    http_port: Port = 8787
    """Port of the HTTP door; 0 takes a free one."""
    grpc_port: Port = 8788
    """Port of the gRPC door; 0 takes a free one."""
    token: str = ""
    """The secret that callers send as ``Authorization: Bearer ...``; empty asks for none."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names (comma-separated) under which browsers may address the HTTP door."""
    error_rate: Share = 0.10
    """The share of errors that the execute band may have; lower asks more often."""
    confidence: Share = 0.95
    """How sure the promise of ``error_rate`` must be; higher needs more calibration data."""
    shadow: bool = True
    """True: decisions are logged and answered, and callers act as if onward were not there."""
    rules: tuple[str, ...] = ()
    """Rule files of your own (comma-separated TOML), read after the built-in ones and after
    ``rules.toml`` of the state directory."""
    max_body_bytes: Positive = 8 * 2**20
    """The largest request that is read; more is refused before it is parsed."""
    max_call_bytes: Positive = 2**20
    """The largest single call or event, as JSON; more is refused."""
    max_events: Positive = 10_000
    """The most events in one record request; send more in several."""
    grpc_threads: Positive = 4
    """Threads that answer gRPC; a few are best, since a decision is mostly CPU."""
    idle_timeout_s: Seconds = 75.0
    """How long an HTTP connection may stay silent, also within a request."""
    drain_s: Seconds = 10.0
    """How long a stopping server waits for requests that run."""
    busy_s: Seconds = 5.0
    """How long to wait for another process that holds the history before saying so."""
    commit_ms: Seconds = 50.0
    """How long a decision may wait in memory for its group commit; outcomes never wait."""
    watch_ms: Seconds = 500.0
    """How often to look for a new bundle and for events that other processes wrote."""
    floor_ms: Seconds = 2.0
    """With less time than this left to a gRPC deadline, rules alone answer."""
    sample_s: Seconds = 30.0
    """Seconds between readings of the machine's resources; 0 takes none."""
    snapshot_events: Positive = 20_000
    """Save the folded state after this many new events; less makes restarts shorter."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **given: Any) -> Self:
        """As `HomeSettings.from_env`; raises `SettingsError` for what `check` refuses, too."""
        settings = super().from_env(env, **given)
        settings.check()
        return settings

    @property
    def rule_files(self) -> tuple[str, ...]:
        """``rules.toml`` of the state directory where it is there, and those of ``rules``."""
        own = self.home_dir / "rules.toml"
        named = {os.path.realpath(path) for path in self.rules}
        if not os.path.lexists(own) or os.path.realpath(own) in named:
            return self.rules
        return (str(own), *self.rules)

    def check(self) -> None:
        """Refuse combinations that would be unsafe.

        Raises
        ------
        SettingsError
            The doors would be open to other machines without a token.
        """
        if self.host not in LOOPBACK and not self.token:
            raise SettingsError(
                f"Listening on {self.host} lets other machines in. Set ONWARD_TOKEN to a secret "
                "that callers must send, or listen on 127.0.0.1.",
                setting="host",
            )
