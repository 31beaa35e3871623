"""Recall on real texts: the ranker beside its peers, and what remembering costs.

Run::

    python experiments/memory.py --data DIR [--json] [--plots FOLDER]
    python experiments/memory.py --train DIR --test DIR [--json]
    python experiments/memory.py --speed [--size 100000] [--json]

DIR is the folder of the sets, or the set ``memory/semeval2016_cqa`` itself, or one with its XML
files. With ``--data`` the part ``train`` is learned from and the part ``dev`` is judged; nothing
was chosen on ``dev``: columns and strength come from cross-validation inside ``train``.

``rank``: each question's ten candidates, as the task has it. MAP counts a question without any
relevant candidate as 0, as the task's scorer does, so that 1 is out of reach (``ceiling``).
``recall``: each question among the notes of all questions; recall at 1, 5, 10 and MRR over the
questions that have relevant ones.

- ``given``       the search engine's order
- ``answered``    the cosine with a candidate and the answers that it got (``rank`` only)
- ``bm25``, ``tfidf``, ``dense``, ``static``  one search alone; ``static`` by the distilled embedder
- ``fused``, ``fused_static``  BM25 and the vectors, by reciprocal rank
- ``untuned``     logistic regression over BM25, TF-IDF, cosine and the given rank (``rank`` only)
- ``fixed``       what answers where there is no model
- ``onward``      the ranker; ``onward_static`` by the distilled embedder, ``onward_words`` by none,
                  ``onward_alone`` without the given rank and the answers

``duplicates``: altered copies of real notes that ought to join, and changed or other notes that
ought not to. ``feedback``: simulated verdicts on what is recalled. ``unknown``: questions that
nothing in memory answers. ``speed``: a recall among many notes beside a bare embedding and a bare
search.

With ``--json`` figures stand by set, then method, then metric.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotFound, OnwardError
from onward.features.memory.fold import NAMES
from onward.features.sentences import Embedder
from onward.models.memory import Ranker

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.recall.copies import duplicates
from experiments.recall.embedders import cached, embedders
from experiments.recall.figures import crossed, rank_figures, recall_figures
from experiments.recall.methods import RANKING, rank, recall
from experiments.recall.sets import Asked, read_folder
from experiments.recall.tables import as_rows, judged, remembered, searched
from experiments.recall.trials import feedback, unknown

__all__ = ["main", "report"]

Figures = dict[str, dict[str, dict[str, float]]]


def report(train: list[Asked], test: list[Asked], embed: dict[str, Embedder]) -> Figures:
    """All figures but those of speed: set, method, metric."""
    ways: dict[str, Embedder | None] = {**embed, "words": None}
    memories = {kind: remembered([*train, *test], embedder) for kind, embedder in ways.items()}
    ten = [{k: judged(memories[k], part) for k in embed} for part in (train, test)]
    many = [{k: searched(memories[k], part) for k in memories} for part in (train, test)]
    dense = memories["dense"]
    model = Ranker().fit(as_rows(many[0]["dense"]))
    figures = {
        "rank": rank_figures(rank(*ten), ten[1]["dense"]),
        "recall": recall_figures(recall(*many), many[1]),
        "duplicates": duplicates([*train, *test], embed["dense"]),
        "feedback": feedback(test, dense, model),
        "unknown": unknown(train, test, embed["dense"], model),
    }
    figures["rank"]["onward"]["train_cross_validated"] = crossed(ten[0]["dense"], **RANKING)
    figures["recall"]["weights"] = {k: v for k, v in model.weights().items() if v} | {
        "bias": float(model.score(np.zeros((1, len(NAMES)), np.float32))[0])
    }
    return {f"semeval2016_cqa/{part}": found for part, found in figures.items()}


def parts_of(folder: Path) -> tuple[Path, Path]:
    """Where the training and the development part lie; raises `NotFound`."""
    for base in (folder / "memory" / "semeval2016_cqa", folder / "semeval2016_cqa", folder):
        if (base / "train").is_dir() and (base / "dev").is_dir():
            return base / "train", base / "dev"
    raise NotFound(f"{folder} holds no memory/semeval2016_cqa with train and dev.")


def show(figures: Figures) -> None:
    """Tables, one a set."""
    from rich.console import Console
    from rich.table import Table as Shown

    for name, methods in figures.items():
        metrics = dict.fromkeys(m for row in methods.values() for m in row)
        plain = [m for m in metrics if not m.endswith(("_low", "_high"))]
        table = Shown("", *plain, title=name)
        for method, row in methods.items():
            table.add_row(method, *(_cell(row, metric) for metric in plain))
        Console(width=220).print(table)


def _cell(row: dict[str, float], metric: str) -> str:
    if metric not in row:
        return ""
    value = f"{row[metric]:.4g}"
    if f"{metric}_low" in row:
        value += f" [{row[f'{metric}_low']:.3f}, {row[f'{metric}_high']:.3f}]"
    return value


def draw(figures: Figures, folder: Path) -> None:
    """One plot a set with intervals: its first metric, by method."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for name, methods in figures.items():
        metric = next(iter(next(iter(methods.values()))))
        rows = {m: row for m, row in methods.items() if f"{metric}_low" in row}
        if not rows:
            continue
        values: NDArray[np.float64] = np.array([row[metric] for row in rows.values()])
        low = values - [row[f"{metric}_low"] for row in rows.values()]
        high = np.array([row[f"{metric}_high"] for row in rows.values()]) - values
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        axes.errorbar(values, list(rows), xerr=[low, high], fmt="o", capsize=3)
        axes.invert_yaxis()
        axes.set(xlabel=metric.replace("_", " "), title=name)
        figure.savefig(folder / f"{name.replace('/', '_')}.png", dpi=120)
        plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="Recall on real texts, and what it costs.")
    parser.add_argument("--data", type=Path, help="folder of sets: learn from train, judge dev")
    parser.add_argument("--train", type=Path, help="folder of XML files to learn from")
    parser.add_argument("--test", type=Path, help="folder of XML files to judge on")
    parser.add_argument("--home", type=Path, help="where exported sentence models are kept")
    parser.add_argument("--speed", action="store_true", help="measure times instead")
    parser.add_argument("--size", type=int, default=100_000, help="notes to recall from")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plots", type=Path, help="folder for plots")
    given = parser.parse_args(arguments)
    try:
        figures = _run(given)
    except OnwardError as error:
        print(f"memory: {error.message}", file=sys.stderr)
        return 2
    if given.plots:
        draw(figures, given.plots)
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())
    else:
        show(figures)
    return 0


def _run(given: argparse.Namespace) -> Figures:
    if given.speed:
        from experiments.recall.speed import speed

        return speed(given.size, embedders(given.home))
    if given.train is not None:
        if given.test is None:
            raise NotFound("With --train name the part to judge, too: --test DIR.")
        train, test = _read(given.train, ("train", "dev")), _read(given.test, ("test",))
    elif given.data is not None:
        train, test = map(read_folder, parts_of(given.data))
    else:
        raise NotFound("Name the data: --data DIR, or --train DIR --test DIR.")
    return report(train, test, {k: cached(v) for k, v in embedders(given.home).items()})


def _read(folder: Path, parts: Sequence[str]) -> list[Asked]:
    """All questions of the parts that a folder holds, or of the XML files in it."""
    for base in (folder / "memory" / "semeval2016_cqa", folder / "semeval2016_cqa", folder):
        found = [base / part for part in parts if any((base / part).glob("*.xml"))]
        if found:
            return [asked for part in found for asked in read_folder(part)]
        if any(base.glob("*.xml")):
            return read_folder(base)
    raise NotFound(f"{folder} holds no part of semeval2016_cqa (*.xml).", path=str(folder))


if __name__ == "__main__":
    sys.exit(main())
