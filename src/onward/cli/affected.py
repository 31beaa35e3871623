"""`onward affected`: which tests the change touches, the likeliest failures first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from onward.cli.arguments import a_path
from onward.cli.output import Json, count, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.serving.answers.affected import Ranked

__all__ = ["affected"]


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """Tests beside the change since each last ran."""

    project: str
    changed: list[str]
    """Files that differ from those of the newest run."""
    tests: int
    """Tests that are known."""
    touched: int
    """Those that must run again."""
    chosen: list[Ranked]
    """In the order to run them."""
    seconds: float
    """How long those usually take."""
    recall: float
    """The share of the expected failures that they hold."""
    owed: int
    """Tests whose newest result is of another state of the project: run all before done."""
    note: str
    """Why the answer is less than the full one; empty: it is the full one."""


def affected(
    root: Annotated[
        Path,
        typer.Argument(help="The project: pytest's root.", metavar="ROOT", parser=a_path),
    ] = Path(),
    budget: Annotated[
        float | None,
        typer.Option(help="Seconds that the tests may take.", show_default=False, min=0.0),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            help="Share of the expected failures to hold.", show_default=False, min=0.01, max=1.0
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that the change does not touch.")
    ] = False,
    ids: Annotated[
        bool, typer.Option("--ids", help="Print pytest's ids and nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the tests that the change touches, ranked by P(fail), and what is still owed.

    It knows the tests that `pytest --onward` recorded; new ones are found when that runs again.
    """
    found = _answer(root, budget=budget, recall=recall, every=every)
    if ids and not json:
        for one in found.chosen:
            print(one.node)
    else:
        show(found, as_json=json, view=_view)


def _answer(root: Path, *, budget: float | None, recall: float | None, every: bool) -> Affected:
    """The question, asked."""
    from onward.decisions.selection import select
    from onward.serving.answers.affected import Suite, as_candidates, live_part

    root = Path(os.path.realpath(root))
    home = Path(os.environ.get("ONWARD_HOME") or root / ".onward")
    with Suite(root, home, read_only=True) as suite:
        suite.use(live_part(home))
        ranked = suite.rank()
        cut = not every and recall is None and budget is None
        chosen = select(as_candidates(ranked), affected=cut, budget_s=budget, recall=recall)
        by_node = {one.node: one for one in ranked}
        return Affected(
            project=root.name,
            changed=suite.changed(),
            tests=len(ranked),
            touched=sum(one.tier == "must" for one in ranked),
            chosen=[by_node[node] for node in chosen.run],
            seconds=chosen.seconds,
            recall=chosen.recall,
            owed=len(suite.owed()),
            note=suite.note,
        )


def _view(found: Affected) -> RenderableType:
    """It for a person."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table("P(fail)", "s", "test", "why", box=None)
    for one in found.chosen[:_SHOWN]:
        why = one.reasons[0] if one.reasons else "a changed file is within its imports"
        if one.tier == "none":
            why = "nothing that changed is within its imports"
        flaky = f" (flips without cause: {one.flake:.0%})" if one.flake > _FLAKY else ""
        table.add_row(f"{one.p_fail:.3f}", f"{one.seconds:.2f}", Text(one.node), Text(why + flaky))
    lead = (
        f"{count(len(found.changed), 'file')} changed since the last run; "
        f"{found.touched:,} of {count(found.tests, 'test')} touched, {found.seconds:.1f} s, "
        f"{found.recall:.0%} of the expected failures"
    )
    parts: list[RenderableType] = [Text(lead, "bold")]
    parts += [table] if found.chosen else []
    if len(found.chosen) > _SHOWN:
        parts.append(Text(f"and {len(found.chosen) - _SHOWN:,} more; --ids names all", "dim"))
    if found.owed:
        owed = f"{count(found.owed, 'test')} last ran on another state of the project: "
        parts.append(Text(f"{owed}run `pytest --onward` before this counts as done.", "yellow"))
    parts += [Text(found.note, "dim")] if found.note else []
    return Group(*parts)


_SHOWN = 30
_FLAKY = 0.05
"""A test that flips more often than this without cause is called so."""
