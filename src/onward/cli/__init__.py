"""The command line: thin, one file a command, each importing what it needs when it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from onward.cli import exits
from onward.cli.affected import affected
from onward.cli.arguments import a_path
from onward.cli.ask import ask
from onward.cli.decide import decide
from onward.cli.evaluate import evaluate
from onward.cli.import_ import import_
from onward.cli.models import app as models
from onward.cli.replay import replay
from onward.cli.serve import serve
from onward.cli.status import status
from onward.cli.train import train
from onward.cli.up import up
from onward.cli.why import why

__all__ = ["main"]

_EPILOG = f"""Settings are environment variables that begin with ONWARD_; see the README.

Exit codes:

{exits.table()}"""

app = typer.Typer(
    cls=exits.Guarded,
    name="onward",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=_EPILOG,
)


def _version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        import onward

        print(f"onward {onward.__version__}")
        raise typer.Exit


@app.callback()
def _onward(
    home: Annotated[
        Path | None,
        typer.Option(
            help="State directory; ONWARD_HOME, .onward by default.",
            show_default=False,
            metavar="FOLDER",
            parser=a_path,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Keep agents going: may this step go ahead unasked? Learned, calibrated, local answers."""
    if home is not None:
        # The environment is where every setting comes from, also those of child processes.
        os.environ["ONWARD_HOME"] = str(home)


_EXAMPLES: dict[Callable[..., None], str] = {
    up: "onward up",
    import_: "onward import ~/.claude/projects",
    train: "onward train --watch",
    evaluate: "onward evaluate --json",
    serve: "onward serve --http-port 9000",
    decide: "onward decide 'git push --force'",
    ask: "onward ask errors output=@build.log",
    affected: "onward affected --budget 60",
    replay: "onward replay ~/.claude/projects --html replay.html",
    why: "onward why 3f2a9c7d51e04b68",
    status: "onward status",
}
for _command, _example in _EXAMPLES.items():
    _name = _command.__name__.rstrip("_")
    app.command(_name, cls=exits.Plain, epilog=f"Example: {_example}")(_command)
app.add_typer(models, name="models")


def main() -> None:
    """Run the command line."""
    app()
