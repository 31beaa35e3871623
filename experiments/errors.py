"""Errors: messages that say the same, pairs of them, causes of failed builds, and the time taken.

Four parts, each beside its peers in the same run; a part whose data are missing is left out.

``templates``  messages of several systems (``errors/loghub_2k``), grouped with one setting for all
               and no regular expressions of any system. GA = share of the messages whose whole
               group is exactly right; F1 = of pairs; FGA = F1 of whole groups. ``onward`` reads the
               file once, and joins clusters late (by alias); ``onward_at_once`` is judged by the
               cluster that each message was given when it came; ``onward_chosen_on_others`` has its
               one tuned number chosen on the other systems (or on those of ``--train``).
``pairs``      do two masked messages say the same: a model learned on the other systems.
``causes``     why a build failed (``errors/bump``), judged on projects that were not learned from;
               and what is said of a category that was left out of the training.
``speed``      an answer for a known message; for a new one beside bare tokenise + embed + search.

Run::

    python experiments/errors.py --data DIR [--json] [--plots FOLDER]
    python experiments/errors.py --train DIR --test DIR [--json]

with DIR holding ``errors/loghub_2k/SYSTEM/SYSTEM_2k.log_structured.csv`` (as in
https://github.com/logpai/loghub) and ``errors/bump/failures.jsonl.gz``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onward.data.errors import NotFound, OnwardError
from onward.features.sentences import open_embedder

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.failures.causes import causes
from experiments.failures.figures import Figure, Figures, value_of
from experiments.failures.pairs import pairs
from experiments.failures.sets import read_cases, read_systems
from experiments.failures.speed import speed
from experiments.failures.templates import templates

__all__ = ["main", "measure"]


def measure(
    train: Path, test: Path | None, *, home: Path, draws: int = 200, quick: bool = False
) -> Figures:
    """Every part whose data are there.

    Parameters
    ----------
    train, test
        Folders with ``errors/``; without a test, systems and projects are left out in turn.
    home
        Where the exported sentence model is kept.
    draws
        Draws of the bootstrap.
    quick
        Leave the sentence model and the slow peers out.

    Raises
    ------
    NotFound
        There are neither messages nor failed builds.
    """
    from onward.training.sentences import prepared

    systems, cases = read_systems(train), read_cases(train)
    if not systems and not cases:
        raise NotFound(f"{train} holds neither errors/loghub_2k nor errors/bump.", path=str(train))
    embedder = None if quick else open_embedder(prepared(home))
    found: Figures = {}
    own = systems if test else []
    asked = read_systems(test) if test else systems
    if asked:
        found |= templates(own, asked, draws=draws, quick=quick)
        found |= pairs(own, asked, embedder)
        found |= speed(asked, embedder, cases)
    if cases:
        found |= causes(cases, read_cases(test) if test else [], embedder, draws=draws)
    return found


def table(found: Figures) -> Any:
    """The figures as a `rich.table.Table`, one row a method."""
    from rich.table import Table

    shown = Table("set", "method", "figures", title="errors: value and 95 % interval")
    for name, methods in found.items():
        for place, (method, figures) in enumerate(methods.items()):
            cells = "  ".join(f"{metric} {_cell(value)}" for metric, value in figures.items())
            shown.add_row(name if place == 0 else "", method, cells)
        shown.add_section()
    return shown


def _cell(value: Figure) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def plot(found: Figures, folder: Path) -> None:
    """Grouping accuracy by system and method."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = [
        n for n, methods in found.items() if "ga" in methods.get("onward", {}) and n != "loghub"
    ]
    if not names:
        return
    methods = [m for m in ("onward", "drain3", "brain") if m in found[names[0]]]
    figure, axes = plt.subplots(figsize=(9, 4))
    for place, method in enumerate(methods):
        axes.bar(
            np.arange(len(names)) + 0.25 * place,
            [value_of(found[n][method]["ga"]) for n in names],
            0.25,
            label=method,
        )
    axes.set_xticks(np.arange(len(names)) + 0.25, names, rotation=30)
    axes.set_ylabel("grouping accuracy")
    axes.legend()
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "errors_grouping.png", dpi=120)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or with ``--json`` the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="one folder; parts of it are left out in turn")
    parser.add_argument("--train", type=Path, help="folder to learn from")
    parser.add_argument("--test", type=Path, help="folder to judge")
    parser.add_argument("--home", type=Path, help="where the exported sentence model is kept")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plots", type=Path, help="folder for plots")
    parser.add_argument("--draws", type=int, default=200, help="draws of the bootstrap")
    parser.add_argument(
        "--quick", action="store_true", help="leave the sentence model and slow peers out"
    )
    given = parser.parse_args(arguments)
    train = given.train or given.data
    if train is None:
        parser.error("give --data, or --train and --test")
    with tempfile.TemporaryDirectory() as scratch:
        home = given.home or Path(scratch)
        try:
            found = measure(train, given.test, home=home, draws=given.draws, quick=given.quick)
        except OnwardError as error:
            print(error.message, file=sys.stderr)
            return 2
    if given.plots:
        plot(found, given.plots)
    if given.json:
        print(msgspec.json.encode(found).decode())
        return 0
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
