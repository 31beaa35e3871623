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
import csv
import gzip
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onward.data.errors import FormatError, NotFound, OnwardError
from onward.data.events import Outcome, Step
from onward.features.errors.causes import Case
from onward.features.errors.fold import speaking
from onward.features.errors.masks import masked
from onward.features.errors.templates import VALUES, Miner
from onward.features.sentences import Embedder, open_embedder
from onward.models import clusters
from onward.models.causes import UNKNOWN, Causes, labels_of, peers, rows
from onward.serving.answers.base import Part
from onward.serving.answers.errors import Errors
from onward.serving.questions.errors import ErrorRequest
from onward.training.metrics import Interval, auc, bootstrap

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.error_peers import brain, drain3, nearest, published, words

__all__ = ["f1_of_groups", "f1_of_pairs", "grouping_accuracy", "main", "measure"]

Figure = Interval | float
Figures = dict[str, dict[str, dict[str, Figure]]]
"""Set -> method -> metric -> figure."""
CHOICES = (3, 4, 5, 6, 8)
"""Values of the one tuned number of the templates."""
FOLDS = 5
Groups = Sequence[object]


class System(msgspec.Struct, frozen=True):
    """The messages of one system, with the events that people found in them."""

    name: str
    messages: list[str]
    events: list[str]


# -- reading --------------------------------------------------------------------------------------


def read_systems(data: Path) -> list[System]:
    """All systems of a folder; raises `FormatError` where a file is none of the kind."""
    found = sorted((data / "errors" / "loghub_2k").glob("*/*_structured.csv"))
    return [_system(path) for path in found]


def _system(path: Path) -> System:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            table = list(csv.DictReader(lines))
        events = [row["EventId"] for row in table]
        return System(path.parent.name, [row["Content"] for row in table], events)
    except (KeyError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} holds no messages with events: {error!r}") from error


def read_cases(data: Path) -> list[Case]:
    """The failed builds of a folder; raises `FormatError` where the file is none of the kind."""
    path = data / "errors" / "bump" / "failures.jsonl.gz"
    if not path.exists():
        return []
    try:
        with gzip.open(path) as lines:
            return [msgspec.json.decode(line, type=Case) for line in lines if line.strip()]
    except (OSError, msgspec.DecodeError) as error:
        raise FormatError(f"{path} cannot be read: {error}", path=str(path)) from error


# -- measures -------------------------------------------------------------------------------------


def grouping_accuracy(found: Groups, true: Groups) -> float:
    """Share of the messages whose group holds exactly the messages of their event.

    >>> grouping_accuracy([1, 1, 2, 3], ["a", "a", "b", "b"])
    0.5
    """
    sizes, events = Counter(found), Counter(true)
    both = Counter(zip(found, true, strict=True))
    right = [n for (one, other), n in both.items() if n == sizes[one] == events[other]]
    return sum(right) / len(found)


def f1_of_groups(found: Groups, true: Groups) -> float:
    """Harmonic mean of the shares of the groups, and of the events, that are exactly right."""
    sizes, events = Counter(found), Counter(true)
    both = Counter(zip(found, true, strict=True))
    right = sum(n == sizes[one] == events[other] for (one, other), n in both.items())
    return 2 * right / (len(sizes) + len(events))


def f1_of_pairs(found: Groups, true: Groups) -> float:
    """Harmonic mean of precision and recall of "these two belong together"."""

    def pairs(counts: Counter[Any]) -> float:
        return sum(n * (n - 1) / 2 for n in counts.values())

    sizes, events = pairs(Counter(found)), pairs(Counter(true))
    both = pairs(Counter(zip(found, true, strict=True)))
    return 2 * both / (sizes + events) if sizes + events else 1.0


MEASURES: dict[str, Callable[[Groups, Groups], float]] = {
    "ga": grouping_accuracy,
    "f1": f1_of_pairs,
    "fga": f1_of_groups,
}


# -- templates ------------------------------------------------------------------------------------


def _mined(messages: Sequence[str], values: int = VALUES) -> tuple[list[int], list[int]]:
    """The cluster of each message at the end, and the one that it was given when it came."""
    miner = Miner(values=values)
    at_once = [miner.learn(message) for message in messages]
    return [miner.find(masked(message)) for message in messages], at_once


def _groups(system: System, *, chosen: int, quick: bool) -> dict[str, Groups]:
    late, at_once = _mined(system.messages)
    found: dict[str, Groups] = {
        "onward": late,
        "onward_chosen_on_others": _mined(system.messages, chosen)[0],
        "onward_at_once": at_once,
        "masks_only": [masked(message) for message in system.messages],
        "drain3": drain3(system.messages),
    }
    if not quick:
        found["brain"] = brain(system.messages)
        for name in ("Drain", "Brain"):
            said = published(name, system.name, system.messages)
            if said is not None:
                found[f"{name.lower()}_tuned_for_each_system"] = said
    return found


def _choice(systems: Sequence[System]) -> int:
    """The number that does best on some systems; the shipped one where there are none."""
    if not systems:
        return VALUES

    def mean(values: int) -> float:
        said = [grouping_accuracy(_mined(s.messages, values)[0], s.events) for s in systems]
        return statistics.fmean(said)

    return max(CHOICES, key=mean)


def templates(
    train: Sequence[System], test: Sequence[System], *, draws: int, quick: bool
) -> Figures:
    """Figures of each system, and of all of them (``loghub``) with intervals over systems."""
    found: Figures = {}
    for system in test:
        others = [s for s in train or test if s.name != system.name]
        groups = _groups(system, chosen=_choice(others), quick=quick)
        found[system.name] = {
            method: {name: of(said, system.events) for name, of in MEASURES.items()}
            for method, said in groups.items()
        }
    methods = [m for m in found[test[0].name] if all(m in found[s.name] for s in test)]
    whole: dict[str, dict[str, Figure]] = {}
    for method in methods:
        whole[method] = {
            name: _mean([_number(found[s.name][method][name]) for s in test], draws)
            for name in MEASURES
        }
    return {"loghub": whole, **found}


def _mean(each: Sequence[float], draws: int) -> Interval:
    values = np.array(each)
    groups = np.arange(len(values))
    return bootstrap(lambda y, _: float(y.mean()), values, values, groups=groups, draws=draws)


# -- pairs ----------------------------------------------------------------------------------------


def pairs(train: Sequence[System], test: Sequence[System], embedder: Embedder | None) -> Figures:
    """AUC of "these two say the same", by a model of other systems; and what it would join."""
    own = {id(s): clusters.labelled(s.messages, s.events, s.name, embedder) for s in test}
    more = {id(s): clusters.labelled(s.messages, s.events, s.name, embedder) for s in train}
    found: Figures = {}
    for system in test:
        asked = own[id(system)]
        rest = more or own
        known = [rest[id(s)] for s in train or test if s.name != system.name]
        if not known or len(np.unique(asked.y)) < 2:
            continue
        model = clusters.Pairs().fit(clusters.joined(known))
        said = {"onward": model.predict(asked.X), **clusters.peers(asked)}
        name = f"pairs_{system.name}"
        found[name] = {method: {"auc": auc(asked.y, p)} for method, p in said.items()}
        joins = said["onward"] >= model.threshold
        wrong = float((1 - asked.y[joins]).sum())
        found[name]["onward"] |= {"joined": float(joins.sum()), "joined_wrongly": wrong}
    return found


# -- causes ---------------------------------------------------------------------------------------


def causes(
    train: Sequence[Case], test: Sequence[Case], embedder: Embedder | None, *, draws: int
) -> Figures:
    """Accuracy and macro-F1 by method; by projects in turn where there is no test of its own."""
    parts = [(list(train), list(test))] if test else list(_dealt(train))
    said: dict[str, list[str]] = {}
    forced: list[str] = []
    judged: list[Case] = []
    for known, asked in parts:
        labels = labels_of(known)
        model = Causes(labels).fit(rows(known, labels))
        p = model.predict(rows(asked, labels).X)
        forced += [labels[i] for i in p[:, :-1].argmax(axis=1)]
        answers = {
            "onward": [(*labels, UNKNOWN)[i] for i in p.argmax(axis=1)],
            **peers(known, asked),
            "tfidf_whole_log": words(known, asked),
        }
        if embedder is not None:
            answers["nearest_embeddings"] = nearest(known, asked, embedder)
        for method, labels_said in answers.items():
            said.setdefault(method, []).extend(labels_said)
        judged += asked
    seen = {case.category for case in train}
    kept = [i for i, case in enumerate(judged) if case.category in seen]
    cases = [judged[i] for i in kept]
    figures: dict[str, dict[str, Figure]] = {
        "onward": _causes_figures(cases, [forced[i] for i in kept], draws)
    }
    answered = [said["onward"][i] for i in kept]
    figures["onward_or_unknown"] = _causes_figures(cases, answered, draws)
    for method in list(said)[1:]:
        figures[method] = _causes_figures(cases, [said[method][i] for i in kept], draws)
    strange = [said["onward"][i] == UNKNOWN for i in range(len(judged)) if i not in set(kept)]
    if strange:
        figures["onward_or_unknown"]["unknown_of_new_categories"] = float(np.mean(strange))
    return {"bump": figures, **_left_out(list(train), list(test))}


def _causes_figures(cases: Sequence[Case], said: Sequence[str], draws: int) -> dict[str, Figure]:
    right = np.array([c.category == s for c, s in zip(cases, said, strict=True)], np.float64)
    groups = np.array([case.project for case in cases], np.object_)
    names = sorted({case.category for case in cases})
    return {
        "accuracy": bootstrap(
            lambda y, _: float(y.mean()), right, right, groups=groups, draws=draws
        ),
        "macro_f1": statistics.fmean(_f1(cases, said, name) for name in names),
        "unknown": float(np.mean([s == UNKNOWN for s in said])),
    }


def _f1(cases: Sequence[Case], said: Sequence[str], name: str) -> float:
    both = sum(c.category == name == s for c, s in zip(cases, said, strict=True))
    either = sum(c.category == name for c in cases) + sum(s == name for s in said)
    return 2 * both / either if either else 0.0


def _dealt(cases: Sequence[Case]) -> Iterator[tuple[list[Case], list[Case]]]:
    """Training and test parts; projects are dealt, the largest first, to the smallest part."""
    sizes = Counter(case.project for case in cases)
    part: dict[str, int] = {}
    load = [0] * FOLDS
    for project, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        part[project] = load.index(min(load))
        load[part[project]] += size
    for fold in range(min(FOLDS, len(sizes))):
        out = [case for case in cases if part[case.project] == fold]
        yield [case for case in cases if part[case.project] != fold], out


def _left_out(train: list[Case], test: list[Case]) -> Figures:
    """How often a category that was not learned is called unknown, on other projects."""
    found: Figures = {}
    for name in labels_of(train):
        unknown: list[bool] = []
        for known, asked in [(train, test)] if test else _dealt(train):
            rest = [case for case in known if case.category != name]
            strange = [case for case in asked if case.category == name]
            labels = labels_of(rest)
            if strange and len(labels) > 1:
                model = Causes(labels).fit(rows(rest, labels))
                p = model.predict(rows(strange, labels).X)
                unknown += (p.argmax(axis=1) == len(labels)).tolist()
        if unknown:
            figures: dict[str, Figure] = {
                "called_unknown": float(np.mean(unknown)),
                "n": float(len(unknown)),
            }
            found[f"without_{name}"] = {"onward": figures}
    return found


# -- speed ----------------------------------------------------------------------------------------


def speed(systems: Sequence[System], embedder: Embedder | None, cases: Sequence[Case]) -> Figures:
    """Microseconds an answer, p50, everything taking turns in one run."""
    telling = Errors()
    answerer = Errors(embedder)
    messages = [f"error: {m}" for s in systems for m in s.messages[:150]]
    for number, message in enumerate(messages[: len(messages) // 2]):
        answerer.learn(_step(number, message))
    fresh = [m for m in dict.fromkeys(messages) if not answerer.answer(_asked(m)).known][:60]
    known = messages[: len(messages) // 2][:: max(len(messages) // 400, 1)]
    stack = np.stack(list(answerer._vectors.values())) if embedder else np.empty((0, 0))

    def bare(message: str) -> None:
        assert embedder is not None  # noqa: S101  # for the type checker
        cosines = stack @ embedder.embed([message])[0]
        np.argpartition(-cosines, min(5, len(cosines) - 1))

    times: dict[str, list[float]] = {"known": [], "new": [], "embed_and_search": []}
    if cases:
        telling.load(answerer.dump())
        telling.use(_served(cases))
        times["known_with_cause"] = []
    for message in known:
        if cases:
            times["known_with_cause"].append(_took(telling.answer, _asked(message)))
        times["known"].append(_took(answerer.answer, _asked(message)))
    for message in fresh if embedder else ():
        times["embed_and_search"].append(_took(bare, " ".join(speaking(message).tokens)))
        times["new"].append(_took(answerer.answer, _asked(message)))
    found: dict[str, dict[str, Figure]] = {
        name: {"p50_us": statistics.median(taken) * 1e6} for name, taken in times.items() if taken
    }
    if "new" in found:
        found["new"]["ratio"] = _number(found["new"]["p50_us"]) / _number(
            found["embed_and_search"]["p50_us"]
        )
    return {"speed": found}


def _served(cases: Sequence[Case]) -> Part:
    """A model of causes as a bundle holds it."""
    import onnxruntime

    labels = labels_of(cases)
    model = Causes(labels).fit(rows(cases, labels))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.to_onnx(), options)
    return Part("trial", model.facts(), lambda X: np.asarray(session.run(["p"], {"X": X})[0]))


def _took(act: Callable[[Any], object], given: object) -> float:
    start = time.perf_counter()
    act(given)
    return time.perf_counter() - start


def _asked(message: str) -> ErrorRequest:
    return ErrorRequest(output=message, command="python run.py")


def _step(number: int, message: str) -> Step:
    return Step(
        id=str(number),
        session="s",
        tool="Bash",
        input={"command": "python run.py"},
        outcome=Outcome.ERROR,
        output=message,
        at=float(number),
    )


# -- all of it ------------------------------------------------------------------------------------


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


def _number(figure: Figure) -> float:
    return figure.value if isinstance(figure, Interval) else figure


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
            [_number(found[n][method]["ga"]) for n in names],
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
