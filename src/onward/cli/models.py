"""`onward models`: which versions there are, which one answers, and how to change that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from onward.cli.arguments import a_word
from onward.cli.exits import Plain
from onward.cli.output import Json, notice, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.models.bundle import Manifest
    from onward.models.live import Live
    from onward.training.shelf import Shelf

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="List the model versions, take one back, or make one answer.",
    epilog="Example: onward models rollback",
)


class Listed(msgspec.Struct, frozen=True):
    """One version as the list shows it."""

    version: str
    alias: str
    """``champion`` (it decides), ``challenger`` (the newest that was not good enough) or none."""
    created: float = 0.0
    steps: int = 0
    metrics: dict[str, float] = {}
    fault: str = ""
    """Why it cannot answer; empty = it can."""
    predicts: bool = False
    """Its models answer the questions beside decisions."""


class Changed(msgspec.Struct, frozen=True):
    """A change of the version that answers."""

    before: str | None
    now: str
    tracked: bool
    """Whether MLflow's alias was moved, too."""


@app.command("list", cls=Plain, epilog="Example: onward models list --json")
def listing(json: Json = False) -> None:
    """List every published version, newest first."""
    show(_listed(), as_json=json, view=_table)


@app.command(cls=Plain, epilog="Example: onward models rollback --why 'asks too often'")
def rollback(
    why: Annotated[str, typer.Option(help="Kept with the change.")] = "taken back by hand",
    json: Json = False,
) -> None:
    """Take the version that answers back; a running server follows by itself."""
    from onward.cli.state import shelf

    before, now = shelf().rollback(why=why)
    tracked = bool(now.decides) and _alias(now.decides)
    show(Changed(str(before), str(now), tracked), as_json=json, view=_changed)


@app.command(cls=Plain, epilog="Example: onward models promote 20261123T141500-3f2a9c")
def promote(
    version: Annotated[
        str,
        typer.Argument(help="As `onward models list` shows it.", metavar="VERSION", parser=a_word),
    ],
    why: Annotated[str, typer.Option(help="Kept with the change.")] = "promoted by hand",
    json: Json = False,
) -> None:
    """Make a version answer, whatever the gate said; a running server follows by itself."""
    from onward.cli.state import shelf

    bundles = shelf()
    before = bundles.live()
    bundles.promote(version, why=why)
    show(
        Changed(str(before) if any(before) else None, version, _alias(version)),
        as_json=json,
        view=_changed,
    )


def _alias(version: str) -> bool:
    """Move MLflow's champion alias along; it is no reason to fail."""
    from onward.cli.state import train_settings
    from onward.data.errors import NotFound, Unavailable
    from onward.training.gate import CHAMPION
    from onward.training.tracking import Tracker

    settings = train_settings()
    try:
        Tracker(settings.tracking_uri, artifacts=settings.artifacts).set_alias(CHAMPION, version)
    except (NotFound, Unavailable) as error:
        notice(f"MLflow keeps its alias: {error.message}", "yellow")
        return False
    return True


def _listed() -> list[Listed]:
    """All versions, newest first."""
    from onward.cli.state import shelf

    bundles = shelf()
    live, versions = bundles.live(), bundles.versions()[::-1]
    return [_row(bundles, version, live, newest=version == versions[0]) for version in versions]


def _row(bundles: Shelf, version: str, live: Live, *, newest: bool) -> Listed:
    """One version; a damaged one is named with its fault, and spoils no other."""
    from onward.data.errors import BundleError
    from onward.models.bundle import read_manifest

    fault, predicts = bundles.fault(version), version == live.predicts
    try:
        manifest = read_manifest(bundles.path(version))
    except BundleError:
        alias = "champion" if version == live.decides else ""
        return Listed(version, alias, fault=fault, predicts=predicts)
    return Listed(
        version,
        _alias_of(manifest, live.decides, newest=newest),
        manifest.created,
        manifest.steps,
        dict(manifest.metrics),
        fault,
        predicts,
    )


def _alias_of(manifest: Manifest, decides: str, *, newest: bool) -> str:
    """What a version is now; what the gate once said of it may be history."""
    from onward.training.gate import CHALLENGER, CHAMPION

    if manifest.version == decides:
        return CHAMPION
    return CHALLENGER if newest and manifest.alias == CHALLENGER else ""


def _table(rows: list[Listed]) -> RenderableType:
    """The list for a person."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return "No version was published yet. Run: onward train"
    faults = [
        Text(f"{row.version} cannot answer: {row.fault}", "yellow") for row in rows if row.fault
    ]
    table = Table("version", "", "made (UTC)", "steps", "AUC", "Brier", "ECE", box=None)
    for row in rows:
        made = time.strftime("%Y-%m-%d %H:%M", time.gmtime(row.created)) if row.created else "–"
        figures = [
            f"{row.metrics[name]:.3f}" if name in row.metrics else "–"
            for name in ("auc", "brier", "ece")
        ]
        role = f"{row.alias}, predicts".strip(", ") if _apart(row) else row.alias
        table.add_row(row.version, role, made, f"{row.steps:,}", *figures)
    return Group(table, *faults)


def _apart(row: Listed) -> bool:
    """Whether this version answers questions and another one, or none, decides."""
    return row.predicts and row.alias != "champion"


def _changed(change: Changed) -> RenderableType:
    """The change for a person."""
    return f"{change.now} answers now; before: {change.before or 'rules and counts alone'}."
