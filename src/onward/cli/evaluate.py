"""`onward evaluate`: a published version on what came after it, beside the trivial peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onward.cli.arguments import a_word
from onward.cli.output import Json, progress, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.training.assess import Assessed

__all__ = ["evaluate"]


def evaluate(
    version: Annotated[
        str | None,
        typer.Argument(
            help="Default: the version that answers.",
            show_default=False,
            metavar="VERSION",
            parser=a_word,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Judge a version on the steps that came after those it learned from.

    While there are too few of these, the figures from its own training are shown: they come from
    the newest steps of that time, by a fit that had seen none of them.
    """
    from onward.cli.state import train_settings
    from onward.training.assess import assess

    with progress(quiet=json) as advance:
        result = assess(train_settings(), version, progress=advance)
    show(result, as_json=json, view=_view)


def _view(result: Assessed) -> RenderableType:
    """It for a person."""
    from rich.console import Group
    from rich.text import Text

    from onward.cli.views import evaluation_table, metrics_table

    lead = Text.assemble((result.version, "bold"), f": {result.text}")
    if result.evaluation is None:
        return Group(lead, metrics_table(result.metrics))
    return Group(lead, evaluation_table(result.evaluation))
