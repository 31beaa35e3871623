"""Prompts as a fold: what was saved goes on the same, and what is old is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from tests.talking import talk

from onward.data.errors import BundleError
from onward.data.events import Prompt
from onward.features.intent.fold import IntentFold


def test_a_fold_that_was_saved_goes_on_the_same() -> None:
    """Dump and load change no later vector, whatever was open."""
    log = [event for _, event in talk(80, sessions=7)]
    whole, half = IntentFold(), IntentFold()
    for event in log[:91]:
        whole.learn(event)
        half.learn(event)
    half = IntentFold.load(half.dump())
    for event in log[91:]:
        if isinstance(event, Prompt):
            assert np.array_equal(whole.vector(event), half.vector(event), equal_nan=True)
        whole.learn(event)
        half.learn(event)
    with pytest.raises(BundleError):
        IntentFold.load(b"cut")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old prompts are forgotten, and what is left still answers."""
    monkeypatch.setattr("onward.features.intent.fold.MAX_PROMPTS", 50)
    fold = IntentFold()
    for _, event in talk(300):
        fold.learn(event)

    assert len(fold) == 50
    assert len(fold.dump()) < 600_000
    assert fold.nearest("fix the broken parser")[0].past.work.kind == "fix"
