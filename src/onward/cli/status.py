"""`onward status`: what there is, and how the server is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from onward.cli.doors import Url, client
from onward.cli.output import Json, count, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.serving.wire import Status

__all__ = ["status"]


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What there is on this machine."""

    home: str
    history: str
    events: dict[str, int]
    """By kind; empty where there is no history yet."""
    live: str | None
    """The version that decides."""
    predicting: str | None
    """The version whose models answer the questions beside decisions."""
    versions: int
    mlflow: str
    server: Status | None
    """None: it does not answer."""
    server_note: str
    """Why it does not."""


def status(url: Url = None, json: Json = False) -> None:
    """Show the history, the live model and the server; exit code 0 also where it is down."""
    show(_overview(url), as_json=json, view=_view)


def _overview(url: str | None) -> Overview:
    """All of it."""
    from onward.cli.state import open_history, shelf, train_settings
    from onward.data.errors import NotFound, Unavailable

    settings = train_settings()
    server, note = None, ""
    try:
        with client(url) as door:
            server = door.status()
    except Unavailable as error:
        note = error.message
    try:
        with open_history(settings.history_url, read_only=True) as history:
            events = history.count()
    except NotFound:
        events = {}
    bundles = shelf()
    return Overview(
        home=settings.home,
        history=settings.history_url.rpartition("@")[2],  # no password on the screen
        events=events,
        live=bundles.current(),
        predicting=bundles.live().predicts or None,
        versions=len(bundles.versions()),
        mlflow=settings.tracking_uri.rpartition("@")[2],
        server=server,
        server_note=note,
    )


def _view(seen: Overview) -> RenderableType:
    """It for a person."""
    from rich.table import Table
    from rich.text import Text

    from onward.models.live import Live

    table = Table.grid(padding=(0, 2))
    events = ", ".join(count(n, kind.lower()) for kind, n in seen.events.items() if n)
    live = str(Live(seen.live or "", seen.predicting or ""))
    rows = {
        "home": seen.home,
        "history": f"{seen.history}: {events or 'empty'}",
        "model": f"{live} ({seen.versions} kept)",
        "MLflow": seen.mlflow,
        "server": _server(seen.server) if seen.server else f"down: {seen.server_note}",
    }
    for name, text in rows.items():
        table.add_row(name, Text(text))
    return table


def _server(server: Status) -> str:
    """How the server is doing."""
    mode = "shadow mode" if server.shadow else "decisions count"
    words = [f"up for {server.uptime_s:,.0f} s", mode, f"{server.rss_bytes / 1e6:.0f} MB"]
    words.append(count(sum(server.decisions.values()), "decision"))
    if server.degraded:
        words.append(f"degraded: {server.degraded}")
    return ", ".join(words)
