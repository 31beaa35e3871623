"""Why a build failed, judged on projects that were not learned from."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from experiments.failures.figures import Figure, Figures
from experiments.failures.peers import nearest, words

from onward.features.errors.causes import Case
from onward.features.sentences import Embedder
from onward.models.causes import UNKNOWN, Causes, labels_of, peers, rows
from onward.training.metrics import bootstrap

__all__ = ["causes"]

FOLDS = 5


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
        "onward": _figures(cases, [forced[i] for i in kept], draws)
    }
    answered = [said["onward"][i] for i in kept]
    figures["onward_or_unknown"] = _figures(cases, answered, draws)
    for method in list(said)[1:]:
        figures[method] = _figures(cases, [said[method][i] for i in kept], draws)
    strange = [said["onward"][i] == UNKNOWN for i in range(len(judged)) if i not in set(kept)]
    if strange:
        figures["onward_or_unknown"]["unknown_of_new_categories"] = float(np.mean(strange))
    return {"bump": figures, **_left_out(list(train), list(test))}


def _figures(cases: Sequence[Case], said: Sequence[str], draws: int) -> dict[str, Figure]:
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
