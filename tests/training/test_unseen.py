"""Judging on projects that were left out."""

from __future__ import annotations

import dataclasses

import numpy as np

from onward.features.examples import Examples, joined
from onward.features.fold import NAMES
from onward.training.split import Fractions
from onward.training.unseen import in_unseen_projects


def rows_of(projects: int, n: int = 900) -> Examples:
    """Steps whose first feature says how they come out, dealt to some projects in turn."""
    rng = np.random.default_rng(0)
    X = rng.random((n, len(NAMES))).astype(np.float32)
    return Examples(
        X=X,
        outcome=(X[:, 0] < 0.3).astype(np.int8),
        project=np.array([f"p{i % projects}" for i in range(n)], object),
        agent=np.full(n, "", object),
        session=np.array([f"s{i // 10}" for i in range(n)], object),
        at=np.zeros(n),
        seq=np.arange(n, dtype=np.int64),
    )


def test_asked_for_the_traits_of_rows_outside_the_fit() -> None:
    """Whole projects judge: the rows that are heard are those of projects outside the fit."""
    rows, asked = rows_of(6), list[int]()

    def traits(numbers: np.ndarray) -> list[tuple[int, ...]]:
        asked.extend(numbers.tolist())
        return [()] * len(numbers)

    found = in_unseen_projects(rows, traits, Fractions(), confidence=0.95, seed=0)

    heard = set(rows.project[asked])
    fitted = set(np.delete(rows.project, asked))
    assert found is not None
    assert found.scores[0].auc.value > 0.9
    assert heard | fitted == set(rows.project)
    assert not heard & fitted
    assert asked == sorted(asked)  # each is answered from what was known before it


def test_own_projects_judge() -> None:
    """Beside enough steps of the user's own, no project of the bundled history judges."""
    own, asked = rows_of(6), list[int]()
    lent = dataclasses.replace(
        own,
        project=np.array([f"lent-{name}" for name in own.project], object),
        agent=np.full(len(own), "recorder/bash", object),
    )

    def traits(numbers: np.ndarray) -> list[tuple[int, ...]]:
        asked.extend(numbers.tolist())
        return [()] * len(numbers)

    found = in_unseen_projects(joined([lent, own]), traits, Fractions(), confidence=0.95, seed=0)

    assert found is not None
    assert min(asked) >= len(lent)


def test_three_projects_are_too_few() -> None:
    """With fewer than four projects nothing is said, and training goes on."""
    found = in_unseen_projects(
        rows_of(3), lambda numbers: [()] * len(numbers), Fractions(), confidence=0.95, seed=0
    )

    assert found is None
