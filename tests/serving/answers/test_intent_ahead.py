"""Going ahead on what was read from a prompt: a precision that is kept, or none is promised."""

from __future__ import annotations

from math import inf, isfinite

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.serving.answers.intent_ahead import NEWEST, Ahead, Reading, SavedAhead

SAID = (0.35, 0.5, 0.65, 0.8, 0.95)


def readings(count: int, *, seed: int, shift: float = 0.0) -> list[tuple[Reading, bool]]:
    """Readings that are right as often as they say, less a shift."""
    random = np.random.default_rng(seed)
    found = []
    for n in range(count):
        p = float(random.choice(SAID))
        right = bool(random.random() < p - shift)
        found.append((Reading("a", f"s{n}", "fix", p, p), right))
    return found


def band(ahead: Ahead, judged: list[tuple[Reading, bool]]) -> list[bool]:
    """Whether those that went ahead were right: judged first, learned then."""
    passed = []
    for reading, right in judged:
        if ahead.sure(reading) >= ahead.threshold(0.8).value:
            passed.append(right)
        ahead.learn(reading, right=right)
    return passed


def test_what_goes_ahead_is_right_as_often_as_stated() -> None:
    """Over many histories the precision holds, and a good part of the readings goes ahead."""
    passed = [band(Ahead(), readings(500, seed=seed)) for seed in range(8)]

    assert np.mean([np.mean(each) for each in passed]) >= 0.8
    assert np.mean([len(each) for each in passed]) > 50


def test_readings_that_are_never_sure_do_not_go_ahead() -> None:
    """Where no reading is right often enough nothing goes ahead."""
    ahead = Ahead()
    passed = band(ahead, readings(400, seed=3, shift=0.4))

    assert len(passed) < 10
    assert ahead.threshold(0.8).value == inf


def test_a_higher_precision_asks_more() -> None:
    """The threshold never falls where more is asked for."""
    ahead = Ahead()
    for reading, right in readings(400, seed=1):
        ahead.learn(reading, right=right)
    found = [ahead.threshold(precision).value for precision in (0.5, 0.7, 0.8, 0.9)]

    assert found == sorted(found)
    assert isfinite(found[0])


def test_it_is_bounded_and_goes_on_from_disk() -> None:
    """It keeps the newest readings only, and what was saved says the same of the next."""
    ahead = Ahead()
    for reading, right in readings(NEWEST + 100, seed=2):
        ahead.learn(reading, right=right)
    saved = ahead.dump()
    body = msgspec.msgpack.encode(saved)
    again = Ahead.load(msgspec.msgpack.decode(body, type=SavedAhead))
    reading = Reading("a", "s", "fix", 0.7, 0.6)

    assert len(saved.judged) == NEWEST
    assert again.sure(reading) == ahead.sure(reading)
    assert again.threshold(0.8) == ahead.threshold(0.8)
    with pytest.raises(BundleError):
        Ahead.load(SavedAhead({}, []))
