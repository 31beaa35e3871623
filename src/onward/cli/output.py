"""How a command answers: a rich view for a person, one JSON document for a program.

Answers go to stdout, progress and notices to stderr, so that a pipe gets nothing but the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Json", "console", "count", "notice", "progress", "show"]

Document = TypeVar("Document")
Advance = Callable[[str, float], None]
"""Called with the stage's name and its share done, 0 to 1."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def count(number: int, noun: str) -> str:
    """How many of something, in words.

    >>> count(1, "event"), count(1200, "event")
    ('1 event', '1,200 events')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def console(*, stderr: bool = False) -> Console:
    """A console; wide enough for tables where the output is no terminal."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = 120
    return made


def show(document: Document, *, as_json: bool, view: Callable[[Document], RenderableType]) -> None:
    """Print the document, or a view of it.

    Parameters
    ----------
    document
        What `msgspec` can encode; numbers that are none become null.
    as_json
        True: the document itself, on one line.
    view
        Makes what a person sees.
    """
    if as_json:
        import msgspec

        print(msgspec.json.encode(document, enc_hook=str).decode(), flush=True)
    else:
        console().print(view(document))


def notice(text: str, style: str = "") -> None:
    """A line on stderr, for what a person should know on the way; shown as it is."""
    console(stderr=True).print(text, style=style, markup=False)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Advance]:
    """A bar for each stage, on stderr; gives what moves it on.

    Parameters
    ----------
    quiet
        True: no bars, as for ``--json``.
    """
    if quiet:
        yield lambda stage, share: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def advance(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=1.0)
            bars.update(tasks[stage], completed=share)  # type: ignore[arg-type]  # a NewType

        yield advance
