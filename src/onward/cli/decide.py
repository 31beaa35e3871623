"""`onward decide`: whether a step may go ahead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onward.cli.arguments import stdin_text
from onward.cli.doors import Url, client
from onward.cli.output import Json, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.data.events import Decision

__all__ = ["decide", "decision_view"]

_COLOURS = {
    "execute": "green",
    "monitor": "green",
    "guard": "yellow",
    "ask": "yellow",
    "deny": "red",
}


def decide(
    command: Annotated[
        str | None,
        typer.Argument(help="A shell command line; - reads it from stdin.", metavar="COMMAND"),
    ] = None,
    tool: Annotated[str, typer.Option(help="The agent's name of the tool.")] = "Bash",
    tool_input: Annotated[
        str | None, typer.Option("--input", help="The tool's arguments, one JSON object.")
    ] = None,
    session: Annotated[str, typer.Option(help="The agent's run that it belongs to.")] = "cli",
    agent: Annotated[str, typer.Option(help="Which agent or model.")] = "",
    project: Annotated[str, typer.Option(help="Repository or directory.")] = "",
    url: Url = None,
    json: Json = False,
) -> None:
    """Ask the running server about one step, and see why it answers so."""
    from onward.data.events import Call

    call = Call(
        session=session,
        tool=tool,
        input=_input(command, tool_input),
        agent=agent,
        project=project,
        cwd=os.getcwd(),
    )
    with client(url) as server:
        decision = server.decide(call)
    show(decision, as_json=json, view=decision_view)


def _input(command: str | None, tool_input: str | None) -> dict[str, Any]:
    """The tool's arguments, from one of the two ways to give them."""
    import msgspec

    from onward.data.errors import SettingsError

    if (command is None) == (tool_input is None):
        raise SettingsError("Give either a command line or --input, and not both.")
    if command is not None:
        return {"command": stdin_text() if command == "-" else command}
    try:
        return msgspec.json.decode(tool_input or "", type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SettingsError(f"--input must be one JSON object: {error}.") from error


def decision_view(decision: Decision) -> RenderableType:
    """A decision and its reasons, for a person."""
    from rich.console import Group
    from rich.text import Text

    head = Text.assemble(
        (decision.band.upper(), f"bold {_COLOURS[decision.band]}"),
        f"  P(success) {decision.p_success:.3f}, P(approve) {decision.p_approve:.3f}, "
        f"{decision.reversible.replace('_', ' ')}",
        ("  (shadow: logged only)" if decision.shadow else "", "dim"),
    )
    lines = [Text(f"  {reason.source}: {reason.text}") for reason in decision.reasons]
    model = decision.model or "rules and counts"
    return Group(head, *lines, Text(f"  id {decision.id}, answered by {model}", "dim"))
