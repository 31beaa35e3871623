"""`onward train`: from the history to a published model, once or again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onward.cli.output import Json, count, notice, progress, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.training.loop import Trained

__all__ = ["standing", "train", "trained_view"]


def train(
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: retrain when enough outcomes or drift came in.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Decides every random choice.")] = None,
    mlflow_uri: Annotated[
        str | None, typer.Option(help="Tracking URI; a SQLite file in the home by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Train on the history, evaluate beside trivial peers, track, and publish.

    The new version answers only if it beats today's on held-out later steps; else it is kept as the
    challenger. Where MLflow is away the version is published all the same.
    """
    from onward.cli.state import train_settings
    from onward.training.loop import train as learn
    from onward.training.watch import watch as watching

    settings = train_settings(seed=seed, mlflow_uri=mlflow_uri)
    if watch:
        for result in watching(settings, told=notice):
            show(result, as_json=json, view=trained_view)
        return
    with progress(quiet=json) as advance:
        result = learn(settings, progress=advance)
    show(result, as_json=json, view=trained_view)


def trained_view(result: Trained) -> RenderableType:
    """What came of it, for a person."""
    from rich.console import Group
    from rich.text import Text

    from onward.cli.views import evaluation_table
    from onward.training.card import PROMISED_FOR, promise_line

    lines = [
        Text.assemble((result.version, "bold"), f": {result.ruling.text}"),
        Text(f"learned from {count(result.steps, 'step')} in {result.seconds:.0f} s"),
        Text(f"{promise_line(result.promise)} ({PROMISED_FOR})"),
        Text(standing(result)),
        *(Text(note, "yellow") for note in result.notes),
    ]
    tables: list[RenderableType] = [evaluation_table(result.evaluation), ""]
    if result.unseen is not None:
        tables += [evaluation_table(result.unseen, "steps of projects that it never saw"), ""]
    return Group(*tables, *lines)


def standing(result: Trained) -> str:
    """What answers now, and where it is not the new version: what would change that."""
    if result.live == result.version:
        return f"{result.version} answers now; a running server takes it up by itself."
    answers = result.live or "No version: rules and counts go on answering"
    if result.live:
        answers += " goes on answering"
    return (
        f"{answers}, since on these steps the new version is not surely better than "
        f"{result.ruling.against}. More outcomes may show that it is: record or import them and "
        f"train again. To let it answer all the same: onward models promote {result.version}"
    )
