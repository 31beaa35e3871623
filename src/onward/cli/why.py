"""`onward why`: why a decision, or the answer to a question, came out so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from onward.cli.arguments import a_word
from onward.cli.ask import fields_view
from onward.cli.decide import decision_view
from onward.cli.doors import Url, client
from onward.cli.output import Json, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.serving.wire import Case, Explained, Why

__all__ = ["why"]


def why(
    of: Annotated[
        str,
        typer.Argument(
            help="The id of a decision, or of one of the newest answers.",
            metavar="ID",
            parser=a_word,
        ),
    ],
    url: Url = None,
    json: Json = False,
) -> None:
    """Show a decision or an answer with its reasons, strongest features and nearest past steps."""
    with client(url) as server:
        answer = server.why(of)
    show(answer, as_json=json, view=_view)


def _view(answer: Why) -> RenderableType:
    """The explanation for a person."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    if answer.decision is not None:
        call = answer.decision.call
        said = call.input.get("command") or call.input
        parts += [Text(f"{call.tool}: {said}"), decision_view(answer.decision)]
    if answer.asked is not None:
        parts += [Text(answer.asked.question, "bold"), fields_view(answer.asked.answer)]
    parts += [_features(model) for model in answer.models]
    parts += [_past(answer.cases)] if answer.cases else []
    parts += [Text(answer.note, "dim")] if answer.note else []
    return Group(*parts)


def _features(model: Explained) -> RenderableType:
    """What the features did to what one model says."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    said = Text(
        f"{model.system}, before calibration: {model.says:.3f}; on average {model.baseline:.3f}"
    )
    table = Table("feature", "value", "effect", box=None)
    for one in model.contributions:
        value = "unknown" if one.value is None else f"{one.value:.4g}"
        table.add_row(one.feature, value, f"{one.effect:+.4f}")
    table.add_row("all others", "", f"{model.rest:+.4f}")
    return Group(said, table)


def _past(cases: list[Case]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table("past step", "outcome", "likeness", box=None)
    for case in cases:
        said = case.step.input.get("command") or case.step.input
        table.add_row(
            Text(f"{case.step.tool}: {' '.join(str(said).split())[:80]}"),
            case.step.outcome,
            case.likeness,
        )
    return table
