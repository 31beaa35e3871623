"""Who takes over: a new version beside the live one, on steps that neither learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onward.features.examples import Examples, examples
from onward.features.fold import NAMES, VERSION
from onward.models.bundle import ONLINE, Manifest
from onward.training.candidate import COUNTS, Candidate, fitted, parts_of, refitted
from onward.training.gate import Ruling
from onward.training.hearing import Hearing, hear
from onward.training.split import OWN, by_own_time
from onward.training.succession import served_on, succession
from onward.training.veteran import Veteran

LIVE, NOW = 2000, 3000
"""Steps that the live version learned from, and half as many again."""


def rows_of(*, strange_from: int = NOW, failing_from: int = NOW) -> Examples:
    """Steps whose first column says how they come out, of a strange kind the second, or none."""
    rng = np.random.default_rng(0)
    X = rng.random((NOW, len(NAMES))).astype(np.float32)
    X[:, COUNTS] = 0.7
    strange = np.arange(NOW) >= strange_from
    X[:, 2] = strange
    sign = np.where(strange, X[:, 1], X[:, 0])
    good = (rng.random(NOW) < 1.0 - 0.9 * sign**2) & (np.arange(NOW) < failing_from)
    return Examples(
        X=X,
        outcome=np.where(good, 0, 1).astype(np.int8),
        project=np.full(NOW, "", object),
        agent=np.full(NOW, "me", object),
        session=np.array([f"s{row // 10}" for row in range(NOW)], object),
        at=np.zeros(NOW),
        seq=np.arange(1, NOW + 1, dtype=np.int64),
    )


def no_traits(numbers: np.ndarray) -> list[tuple[int, ...]]:
    """Steps that share nothing."""
    return [()] * len(numbers)


def heard(rows: Examples) -> tuple[Candidate, Hearing]:
    """A candidate of these steps, and what it says to the newest."""
    parts = parts_of(by_own_time(rows.lent))
    candidate = fitted(rows, rows, parts, seed=0)
    return candidate, hear(candidate, rows, parts, no_traits(parts.later))


def live_version(rows: Examples, folder: Path) -> Veteran:
    """A version of these steps as it is published: fitted once more on all of them."""
    first, hearing = heard(rows)
    ships = refitted(first, rows, rows, seed=0)
    (folder / ONLINE).write_bytes(msgspec.json.encode(hearing.online.dump()))
    manifest = Manifest(
        version="live",
        created=0.0,
        features=VERSION,
        names=NAMES,
        history="",
        last_seq=int(rows.seq[-1]),
    )
    return Veteran(manifest, folder, ships.confidence.to_onnx(), ships.choice.calibrator)


def ruling(rows: Examples, live: Veteran, *, promises: bool = True) -> Ruling:
    """The gate's word on a candidate of these steps."""
    return succession(
        *heard(rows),
        live,
        table=rows,
        rows=rows,
        traits=no_traits,
        more=examples(()),
        promises=promises,
        seed=0,
    )


def test_surely_better_takes_over_at_half_as_many_again(tmp_path: Path) -> None:
    """A version that learned a kind of step which the live one never met takes over."""
    rows = rows_of(strange_from=LIVE)

    found = ruling(rows, live_version(rows[:LIVE], tmp_path))

    assert found.passed
    assert found.n == NOW // 5
    assert found.against == "live"


@pytest.mark.parametrize("now", [LIVE * 11 // 10, NOW])
def test_equal_neither_takes_over_nor_looks_worse(now: int, tmp_path: Path) -> None:
    """On more of the same a new version is a tie: it is not held to have learned less."""
    rows = rows_of()

    found = ruling(rows[:now], live_version(rows[:LIVE], tmp_path))

    assert not found.passed
    assert found.gain.low < 0 < found.gain.high


def test_nothing_later_is_a_challenger(tmp_path: Path) -> None:
    """Where the live version learned every step there is nothing to measure on."""
    rows = rows_of()[:LIVE]

    found = ruling(rows, live_version(rows, tmp_path))

    assert not found.passed
    assert found.n == 0


@pytest.mark.parametrize(("own", "proven"), [(OWN - 1, False), (OWN, True)])
def test_a_handful_of_own_steps_proves_nothing(own: int, proven: bool, tmp_path: Path) -> None:
    """Against a live version that too few own steps came before, a tie is enough."""
    rows = rows_of()
    agent = np.where(np.arange(NOW) < LIVE - own, "recorder/bash", "me").astype(object)
    rows = dataclasses.replace(rows, agent=agent)
    live = live_version(rows[:LIVE], tmp_path)

    found = ruling(rows, live)

    assert found.gain.low < 0 < found.gain.high
    assert found.passed is not proven
    assert not ruling(rows, live, promises=False).passed


def test_live_version_learned_on_since(tmp_path: Path) -> None:
    """The live version is heard as served: steps that only the other was fitted on taught it."""
    rows = rows_of(failing_from=1000)
    live = live_version(rows[:1000], tmp_path)

    said = served_on(live, rows, no_traits)
    first = len(parts_of(by_own_time(rows.lent)).fit)

    assert np.isnan(said[:1000]).all()
    assert said[1000:1010].mean() > 0.5
    assert said[first : first + 10].mean() < 0.2
