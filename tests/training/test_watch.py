"""Learning again: when there is a reason, and only then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from onward.data.errors import NotFound
from onward.data.events import Event, Outcome, Step
from onward.data.store import History
from onward.training.assess import assess
from onward.training.loop import Trained
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.watch import Watcher, watch

Home = tuple[TrainSettings, Trained]
PATIENCE = 60.0
"""Seconds after which a watch that never trained is ended."""


def more(events: list[Event], count: int, *, fail: bool = False) -> list[Event]:
    """New steps like earlier ones; all failing, if wanted."""
    steps = [event for event in events if isinstance(event, Step)][:count]
    return [
        msgspec.structs.replace(
            step,
            id=f"more-{step.id}",
            session=f"more-{step.session}",
            outcome=Outcome.ERROR if fail else step.outcome,
        )
        for step in steps
    ]


def add(settings: TrainSettings, events: list[Event]) -> None:
    """Put events behind the history."""
    with History.open(settings.history_url) as history:
        history.append(events)


def test_enough_new_outcomes(trained: Home, events: list[Event]) -> None:
    """Retraining is due once enough outcomes came in, over however many looks."""
    settings = msgspec.structs.replace(trained[0], watch_steps=80)
    watcher, new = Watcher(settings), more(events, 90)
    assert watcher.reason() == ""

    add(settings, new[:50])
    assert watcher.reason() == ""
    add(settings, new[50:])

    assert "new outcomes" in watcher.reason()
    assert watcher.reason() == ""


def test_drift(trained: Home, events: list[Event]) -> None:
    """Retraining is due once the live version is surely worse than when it was trained."""
    settings = trained[0]
    watcher = Watcher(settings)

    add(settings, more(events, 150, fail=True))

    assert watcher.reason().startswith("drift: Brier")


def test_same_drift_is_one_reason(trained: Home, events: list[Event]) -> None:
    """A live version that goes on drifting is no reason again: only enough new outcomes are."""
    settings = msgspec.structs.replace(trained[0], watch_steps=200)
    watcher, new = Watcher(settings), more(events, 500, fail=True)

    add(settings, new[:150])
    first = watcher.reason()
    add(settings, new[150:300])
    again = watcher.reason()
    add(settings, new[300:])

    assert first.startswith("drift: Brier")
    assert again == ""
    assert watcher.reason().endswith("new outcomes")


def test_no_drift(trained: Home, events: list[Event]) -> None:
    """New outcomes like the old ones are no drift."""
    watcher = Watcher(trained[0])

    add(trained[0], more(events, 150))

    assert watcher.reason() == ""


def test_watch_trains_and_ends(trained: Home, events: list[Event]) -> None:
    """A watch gives what it trained with its reason, and ends when it is told to."""
    settings = msgspec.structs.replace(trained[0], watch_steps=50)
    add(settings, more(events, 60))
    stop = threading.Event()
    late = threading.Timer(PATIENCE, stop.set)  # a watch without a reason must fail, not hang
    late.start()

    reasons: list[str] = []
    versions = []
    for result in watch(settings, stop=stop, told=reasons.append):
        stop.set()
        versions.append(result.version)
    late.cancel()

    assert len(versions) == 1
    assert "new outcomes" in reasons[0]
    assert versions[0] in Shelf(settings.home_dir).versions()


def test_assess_on_later_steps(trained: Home, events: list[Event]) -> None:
    """A version is judged on what came after it, beside its peers, once that is enough."""
    settings, first = trained
    before = assess(settings)

    add(settings, more(events, 150))
    after = assess(settings, first.version)

    assert before.evaluation is None
    assert before.metrics["auc"] == pytest.approx(first.evaluation.scores[0].auc.value)
    assert after.evaluation is not None
    assert after.evaluation.n > 100
    assert [score.name for score in after.evaluation.scores][:1] == ["model"]


def test_assess_nothing(filled: Callable[..., TrainSettings], tmp_path: Path) -> None:
    """Without a live version there is nothing to judge."""
    with pytest.raises(NotFound):
        assess(filled(tmp_path / "home", 10))
