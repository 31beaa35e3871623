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
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotFound, OnwardError
from onward.features.memory.fold import NAMES
from onward.features.sentences import Embedder, open_embedder
from onward.models.memory import COLUMNS, Ranker, fixed
from onward.training.metrics import Interval

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.memory_sets import (
    ANSWERED,
    COLUMN,
    GIVEN,
    Asked,
    Floats,
    Table,
    as_rows,
    average_precision,
    cached,
    judged,
    mean_ap,
    read_folder,
    remembered,
    searched,
)
from experiments.memory_trials import duplicates, feedback, unknown

__all__ = ["main", "rank", "recall", "report"]

RANK_COLUMNS = ("bm25", ANSWERED, GIVEN)
RANK_STRENGTH = 1.0
"""Chosen by cross-validation over the questions of ``train``."""
Scores = list[Floats]
Figures = dict[str, dict[str, dict[str, float]]]
Tables = dict[str, list[Table]]
"""Tables by how vectors were made: ``dense``, ``static``, ``words``."""


# -- methods ---------------------------------------------------------------------------------------


def _column(name: str) -> Callable[[Table], Floats]:
    return lambda table: np.nan_to_num(table.X[:, COLUMN[name]].astype(np.float64))


def _fused(table: Table) -> Floats:
    ranks = table.X[:, [COLUMN["lexical_rank"], COLUMN["dense_rank"]]]
    return np.asarray(ranks.sum(axis=1), np.float64)


def _fused_ten(table: Table) -> Floats:
    """Reciprocal ranks among the candidates alone."""
    total = np.zeros(len(table.y))
    for name in ("bm25", "cosine"):
        order = np.argsort(-table.X[:, COLUMN[name]], kind="stable")
        total[order] += 1.0 / (60.0 + np.arange(1, len(order) + 1))
    return total


def _untuned(train: Sequence[Table], test: Sequence[Table]) -> Scores:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    places = [COLUMN[name] for name in ("bm25", "tfidf", "cosine", GIVEN)]
    rows = as_rows(train)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.X[:, places], rows.y)
    return [np.asarray(model.decision_function(table.X[:, places])) for table in test]


def _ranked(train: Sequence[Table], test: Sequence[Table], **how: Any) -> Scores:
    ranker = Ranker(**how).fit(as_rows(train))
    return [ranker.score(table.X) for table in test]


def rank(train: Tables, test: Tables) -> dict[str, Scores]:
    """Scores of every method on the judged candidates."""
    dense = test["dense"]
    how: dict[str, Any] = {
        "names": (*NAMES, GIVEN, ANSWERED),
        "columns": RANK_COLUMNS,
        "strength": RANK_STRENGTH,
    }
    return {
        "onward": _ranked(train["dense"], dense, **how),
        "onward_static": _ranked(train["static"], test["static"], **how),
        "onward_alone": _ranked(train["dense"], dense, **how | {"columns": COLUMNS}),
        "given": [_column(GIVEN)(table) for table in dense],
        "bm25": [_column("bm25")(table) for table in dense],
        "tfidf": [_column("tfidf")(table) for table in dense],
        "dense": [_column("cosine")(table) for table in dense],
        "answered": [_column(ANSWERED)(table) for table in dense],
        "static": [_column("cosine")(table) for table in test["static"]],
        "fused": [_fused_ten(table) for table in dense],
        "untuned": _untuned(train["dense"], dense),
    }


def recall(train: Tables, test: Tables) -> dict[str, Scores]:
    """Scores of every method on what both searches find."""
    found = {
        "onward": _ranked(train["dense"], test["dense"]),
        "onward_static": _ranked(train["static"], test["static"]),
        "onward_words": _ranked(train["words"], test["words"]),
        "fixed": [fixed(table.X) for table in test["dense"]],
        "bm25": [_column("bm25")(table) for table in test["dense"]],
        "tfidf": [_column("tfidf")(table) for table in test["dense"]],
    }
    for name, kind in (("", "dense"), ("_static", "static")):
        found[kind] = [_column("cosine")(table) for table in test[kind]]
        found[f"fused{name}"] = [_fused(table) for table in test[kind]]
    return found


_KIND = {"onward_static": "static", "fused_static": "static", "onward_words": "words"}


# -- figures ---------------------------------------------------------------------------------------


def interval(values: Sequence[float], *, draws: int = 1000, seed: int = 0) -> Interval:
    """A mean over questions with its 95 % bootstrap interval."""
    each = np.asarray(values, np.float64)
    random = np.random.default_rng(seed)
    means = each[random.integers(len(each), size=(draws, len(each)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(each.mean()), float(low), float(high))


def _figures(name: str, values: Sequence[float]) -> dict[str, float]:
    found = interval(values)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def rank_figures(scores: dict[str, Scores], tables: list[Table]) -> dict[str, dict[str, float]]:
    """MAP with its interval, and by how much ``onward`` is above each, on the same draws."""
    each = {
        method: [average_precision(s, t.y) for s, t in zip(found, tables, strict=True)]
        for method, found in scores.items()
    }
    ours = np.array(each["onward"])
    figures = {}
    for method, values in each.items():
        figures[method] = _figures("map", values)
        if method != "onward":
            figures[method] |= _figures("onward_gain", (ours - np.array(values)).tolist())
    figures["ceiling"] = {"map": float(np.mean([table.relevant > 0 for table in tables]))}
    return figures


def recall_figures(scores: dict[str, Scores], tables: Tables) -> dict[str, dict[str, float]]:
    """Recall at 1, 5, 10, MRR, and the share of questions whose first note is relevant."""
    figures: dict[str, dict[str, float]] = {}
    for method, found in scores.items():
        kind = _KIND.get(method, method if method == "static" else "dense")
        rows = [_hits(s, t) for s, t in zip(found, tables[kind], strict=True) if t.relevant]
        figures[method] = {}
        for place, name in enumerate(("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "hit")):
            figures[method] |= _figures(name, [row[place] for row in rows])
    return figures


def _hits(score: Floats, table: Table) -> tuple[float, ...]:
    ranked = table.y[np.argsort(-score, kind="stable")]
    first = float(1.0 / (1.0 + np.argmax(ranked))) if ranked.any() else 0.0
    shares = [float(ranked[:most].sum() / table.relevant) for most in (1, 5, 10)]
    return (*shares, first, float(ranked[:1].sum()))


def crossed(tables: list[Table], **how: Any) -> float:
    """MAP of the ranker by five-fold cross-validation over questions, the mean of four deals."""
    found = []
    for seed in range(4):
        part = np.random.default_rng(seed).permutation(len(tables)) % 5
        scores: Scores = [np.zeros(0)] * len(tables)
        for held in range(5):
            train = [table for table, p in zip(tables, part, strict=True) if p != held]
            inside = np.flatnonzero(part == held)
            for place, score in zip(
                inside, _ranked(train, [tables[place] for place in inside], **how), strict=True
            ):
                scores[place] = score
        found.append(mean_ap(scores, tables))
    return float(np.mean(found))


# -- the whole -------------------------------------------------------------------------------------


def embedders(home: Path | None) -> dict[str, Embedder]:
    """The sentence model and the one distilled from it, made where they are not there yet."""
    from onward.training.sentences import distil, prepared

    home = home or Path(tempfile.gettempdir(), "onward-experiments")
    static = home / "sentences" / "static"
    if not (static / "sentences.json").exists():
        static.mkdir(parents=True, exist_ok=True)
        distil(static)
    return {"dense": open_embedder(prepared(home)), "static": open_embedder(static)}


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
    how: dict[str, Any] = {"names": (*NAMES, GIVEN, ANSWERED), "columns": RANK_COLUMNS}
    figures["rank"]["onward"]["train_cross_validated"] = crossed(
        ten[0]["dense"], **how, strength=RANK_STRENGTH
    )
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
        from experiments.memory_speed import speed

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
