"""P(success) on real histories: the model beside its peers, on steps it was never trained on.

Run::

    python experiments/confidence.py --train DIR [--test DIR] [--json]

DIR holds one folder a set with ``steps.jsonl.gz`` and, where there are any, ``prompts.jsonl.gz``.
Without ``--test`` a set whose steps have times is split by time (the last 20 % are judged), any
other by repository (each is judged by a model that never saw it), or by session where there is one
repository. With ``--test`` the whole of ``--train`` is trained on. Either way the trees learn from
all sets, for agents teach about each other; and the judged stream is walked as it is served:
predict, then learn, step by step. A set that holds too little is named on stderr and left out.

A step counts as good where the tool said so; a rejected one is not good. So the answer that is
judged is P(approve) * P(success). Methods:

- ``onward``    trees, calibration, running counts and the online layer as one: what is served
- ``frozen``    the same trees with the same calibration, without the online layer
- ``counts``    running counts with back-off
- ``..._recalibrated``  the frozen trees, or the counts, alone in an online recalibration
- ``program``   the running rate of the step's program
- ``words``     logistic regression on hashed words of the action and past outcomes
- ``base``      the share of good steps in training

``coverage_at_5`` is the share of steps let through under a threshold that calibration rows promise
to keep 5 % errors with 95 % confidence; ``error_at_5`` is what then went wrong among them. Every
method gets its threshold in the same way, but for ``words``, which has no held-out rows.

With ``--json`` the figures of ``onward`` stand under the set's name, those of the others under
``peers`` in it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onward.data.errors import NotEnoughData, OnwardError
from onward.data.events import Outcome, Step
from onward.features.examples import examples
from onward.models.online import Online
from onward.training.candidate import counts_of

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script sees its own folder only

from experiments.held_out.each import each
from experiments.held_out.figures import METRICS, measure, together
from experiments.held_out.sets import Floats, History, judged_rows, read_sets, split
from experiments.held_out.walk import RATES, Judged, judge, learn, served

__all__ = ["across", "in_turn", "main", "report"]

COLD = (100, 300, 1000, 3000)
"""Steps after which a start without any model is measured."""
SETTLED = 500
"""Steps of an agent that was never met, after which its calibration is judged."""


# -- the simple peer ---------------------------------------------------------------------------


def words_peer(train: Sequence[History], test: History) -> Floats:
    """(n,) the simple model: hashed words of the action and past outcomes, logistic regression.

    Where there is nothing to tell apart (one outcome, or none), it says the same of every step.
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    hashing = HashingVectorizer(n_features=1 << 16, analyzer=str.split)
    fit_steps = [step for one in train for step in one.steps]
    known = np.array([step.outcome is not Outcome.UNKNOWN for step in fit_steps], bool)
    good = np.array([step.outcome is Outcome.OK for step in fit_steps], bool)
    if len(set(good[known].tolist())) < 2 or not test.steps:
        return np.full(len(test.steps), float(np.mean(good[known])) if known.any() else 0.5)
    X = hashing.transform(_texts(fit_steps))
    model = LogisticRegression(C=10.0, max_iter=300).fit(X[known], good[known])
    return np.asarray(model.predict_proba(hashing.transform(_texts(test.steps)))[:, 1])


def _texts(steps: Iterable[Step]) -> list[str]:
    """Each step's words, and words for how its session went so far."""
    seen: dict[str, list[float]] = {}
    texts = []
    for step in steps:
        before = seen.setdefault(step.session, [])
        share = round(4 * float(np.mean(before or [1.0])))
        words = " ".join(re.findall(r"\w+", msgspec.json.encode(step.input).decode()))
        texts.append(f"tool={step.tool} last={before[-1:]} share={share} {words}")
        before.append(float(step.outcome is Outcome.OK))
    return texts


# -- protocols ------------------------------------------------------------------------------------


def in_turn(one: History, others: Sequence[History] = (), *, seed: int = 0) -> Judged:
    """A set judged on its later steps, or on repositories that were held out in turn."""
    found = [_against([train], others, test, seed) for train, test in split(one)]
    return found[0] if len(found) == 1 else together(found)


def _against(
    own: Sequence[History], others: Sequence[History], test: History, seed: int = 0
) -> Judged:
    return judge(learn(own, others, seed=seed), test, words_peer(own, test))


def across(train: Sequence[History], test: History) -> Judged:
    """A set judged after all of the training sets, those of the same name last."""
    own = [one for one in train if one.name == test.name]
    others = [one for one in train if one.name != test.name]
    return _against(own, others, test) if own else _against(others, [], test)


def agents(sets: Sequence[History]) -> dict[str, dict[str, dict[str, float]]]:
    """Each agent met by a model of the others, learning as it goes; after the first steps."""

    def settled(test: History) -> dict[str, dict[str, float]]:
        found = judge(learn([one for one in sets if one.name != test.name]), test)
        if len(found.y) <= SETTLED:
            raise NotEnoughData(f"{test.name} holds no step after the first {SETTLED}.")
        later = Judged(
            found.y[SETTLED:],
            found.groups[SETTLED:],
            {name: p[SETTLED:] for name, p in found.said.items()},
            found.bands,
        )
        return measure(later)

    return each({one.name: one for one in sets}, settled, script="confidence, agent never met")


def cold_start(one: History) -> dict[int, dict[str, float]]:
    """Figures up to so many steps with no model at all: counts and the online layer alone."""
    table = examples(one.log)
    steps = one.steps
    counts = counts_of(table.X)
    said = served(counts, table, steps, Online())
    known = judged_rows(steps)
    y, p = table.succeeded[known], said[known]
    return {
        n: {name: function(y[:n], p[:n]) for name, function in METRICS.items()}
        for n in (*COLD, len(y))
        if n <= len(y)
    }


# -- command line ----------------------------------------------------------------------


def report(train: Sequence[History], test: Sequence[History] | None) -> dict[str, Any]:
    """All figures, by part; raises `NotEnoughData` where no set could be judged."""

    def figures(one: History) -> dict[str, dict[str, float]]:
        if test is not None:
            return measure(across(train, one))
        return measure(in_turn(one, [other for other in train if other is not one]))

    sets = {one.name: one for one in test or train}
    whole: dict[str, Any] = {**each(sets, figures, script="confidence")}
    whole["cold_start"] = {name: cold_start(sets[name]) for name in whole}
    if len(train) > 1 and test is None:
        with suppress(NotEnoughData):  # each was said to be left out
            whole["unmet_agent"] = agents(train)
    return whole


def _by_set(found: dict[str, Any]) -> dict[str, Any]:
    """Each set's figures with those of the peers beside them."""
    parts = {"cold_start": found["cold_start"]}
    if "unmet_agent" in found:
        agents = found["unmet_agent"].items()
        parts["unmet_agent"] = {name: _with_peers(figures) for name, figures in agents}
    return {name: parts.get(name) or _with_peers(figures) for name, figures in found.items()}


def _with_peers(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    peers = {name: row for name, row in figures.items() if name != "onward"}
    return {**figures["onward"], "peers": peers}


def show(name: str, figures: dict[str, dict[str, float]]) -> None:
    """One table."""
    bands = [f"{what}_at_{100 * rate:.0f}" for rate in RATES for what in ("coverage", "error")]
    columns = ("n", *METRICS, *bands)
    print(f"\n{name}")
    print(f"{'':>20}" + "".join(f"{column:>16}" for column in columns))
    for method, row in figures.items():
        cells = [f"{_cell(row[column])}" if column in row else f"{'':>16}" for column in columns]
        print(f"{method:>20}" + "".join(cells))
        if "auc_low" in row:
            spans = [f"{row[m + '_low']:.3f} to {row[m + '_high']:.3f}" for m in METRICS]
            print(f"{'':>36}" + "".join(f"{span:>16}" for span in spans))


def _cell(value: float) -> str:
    return f"{value:>16,}" if isinstance(value, int) else f"{value:>16.4f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 0 where it went well, 2 where the data cannot be used."""
    parser = argparse.ArgumentParser(description="P(success) on real histories beside its peers.")
    parser.add_argument("--train", type=Path, required=True, help="folder of sets to learn from")
    parser.add_argument("--test", type=Path, help="folder of sets to judge on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        found = report(read_sets(given.train), read_sets(given.test) if given.test else None)
    except OnwardError as error:
        print(f"confidence: {error.message}", file=sys.stderr)
        return 2
    if given.json:
        print(msgspec.json.format(msgspec.json.encode(_by_set(found)), indent=2).decode())
        return 0
    for name, figures in found.items():
        if name == "unmet_agent":
            for agent, rows in figures.items():
                show(f"agent never met: {agent}, after {SETTLED} steps", rows)
        elif name == "cold_start":
            for agent, rows in figures.items():
                show(f"no model at all: {agent}, first steps", {str(n): r for n, r in rows.items()})
        else:
            show(name, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
