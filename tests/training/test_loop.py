"""The loop from end to end, on a piece of the bundled history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pytest
from tests.training.conftest import AWAY

from onward.data.errors import NotEnoughData, NotFound
from onward.data.events import Outcome, Step
from onward.data.store import History
from onward.models.bundle import CARD, CONFIDENCE, PARITY, check_bundle
from onward.models.live import Live
from onward.serving.bundle import load
from onward.training.card import PROMISED_FOR
from onward.training.gate import CHALLENGER, CHAMPION
from onward.training.loop import Trained, train
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.tracking import Tracker

Fill = Callable[..., TrainSettings]
Home = tuple[TrainSettings, Trained]


def test_first_version_answers(trained: Home) -> None:
    """A first version that beats the trivial peers is published whole, and answers."""
    settings, result = trained
    shelf = Shelf(settings.home_dir)

    manifest = check_bundle(shelf.path(result.version))

    assert result.ruling.alias == CHAMPION
    assert shelf.current() == result.version
    assert manifest.alias == CHAMPION
    assert manifest.metrics["auc"] > manifest.metrics["last outcome.auc"]
    assert manifest.steps == result.steps


def test_judged_by_time_and_by_project(trained: Home) -> None:
    """A version is judged on later steps, and its recipe on projects that it never saw."""
    settings, result = trained
    folder = Shelf(settings.home_dir).path(result.version)

    assert result.unseen is not None
    assert [s.name for s in result.unseen.scores] == [s.name for s in result.evaluation.scores]
    assert result.unseen.scores[0].auc.value > 0.5
    metrics = check_bundle(folder).metrics
    assert metrics["unseen.auc"] == result.unseen.scores[0].auc.value
    assert "projects that it never saw" in (folder / CARD).read_text()


def test_card_says_what_ships(trained: Home) -> None:
    """A card counts each step once, and says that its thresholds are those of another fit."""
    settings, result = trained

    card = (Shelf(settings.home_dir).path(result.version) / CARD).read_text()

    assert f"Fitted on {result.steps:,} steps" in card
    assert PROMISED_FOR.capitalize() in card


def test_mlflow_away_is_said_and_no_more(trained: Home) -> None:
    """Without MLflow the version is published all the same, and a note says so."""
    _, result = trained

    assert result.tracked is None
    assert len(result.notes) == 1
    assert "MLflow does not answer" in result.notes[0]


def test_serving_takes_the_bundle(trained: Home) -> None:
    """What is published passes every check of what serves, and knows its history."""
    settings, result = trained

    bundle = load(Shelf(settings.home_dir).path(result.version), error_rate=settings.error_rate)

    assert bundle.threshold == pytest.approx(result.promise.value)
    with History.open(settings.history_url, read_only=True) as history:
        assert bundle.folds(history)


def test_same_again_stays_challenger(trained: Home) -> None:
    """A version of the same history does not surely beat the live one, and does not answer."""
    settings, first = trained

    second = train(settings)

    assert second.ruling.alias == CHALLENGER
    assert second.ruling.against == first.version
    assert second.ruling.n == 0  # the live version learned from every step that there is
    assert "no step came after" in second.ruling.text
    assert Shelf(settings.home_dir).current() == first.version


def test_good_predictions_need_no_better_decision(trained: Home) -> None:
    """Where the new version does not decide better, its other systems answer questions at once."""
    settings, first = trained
    rest = {"fixes", "attempts", "transient", "clusters", "causes", "memory", "intent"}
    without = tuple(sorted(rest | {"forecast", "affected", "hazard", "sentences"}))

    second = train(msgspec.structs.replace(settings, without=without))

    assert second.ruling.alias == CHALLENGER
    assert set(second.beside) == {"next_task"}
    assert Shelf(settings.home_dir).live() == Live(first.version, second.version)


def test_same_history_and_seed_same_model(trained: Home) -> None:
    """Training is repeatable: the same history and seed give the same bytes."""
    settings, first = trained
    shelf = Shelf(settings.home_dir)

    second = train(settings)

    a, b = shelf.path(first.version), shelf.path(second.version)
    assert (a / CONFIDENCE).read_bytes() == (b / CONFIDENCE).read_bytes()
    with np.load(a / PARITY) as x, np.load(b / PARITY) as y:
        assert np.array_equal(x["confidence"], y["confidence"])


def own_steps(count: int) -> list[Step]:
    """A user's own steps: what is piped mostly fails, which the bundled history does not show."""
    rng = np.random.default_rng(0)
    piped = rng.random(count) < 0.3
    failed = rng.random(count) < np.where(piped, 0.8, 0.03)
    return [
        Step(
            id=f"own-{n}",
            session=f"own-{n // 20}",
            agent="my-agent",
            project=f"own-{n // 250}",
            tool="bash",
            input={"command": f"report part{n % 37}" + (" | publish" if piped[n] else "")},
            at=2e9 + n,
            outcome=Outcome.ERROR if failed[n] else Outcome.OK,
        )
        for n in range(count)
    ]


def test_own_steps_judge(trained: Home) -> None:
    """Once a user has steps of their own, a version is judged and promised on these alone."""
    settings, first = trained
    own = own_steps(1000)
    with History.open(settings.history_url) as history:
        history.append(own)

    second = train(settings)

    failed = [step.outcome is Outcome.ERROR for step in own]
    assert first.evaluation.n == first.steps // 5
    assert second.steps == first.steps + len(own)
    assert second.evaluation.n == second.ruling.n == 200
    assert second.evaluation.error_rate == pytest.approx(np.mean(failed[-200:]))
    assert second.promise.n == 300
    assert second.ruling.against == first.version
    assert Shelf(settings.home_dir).current() == second.version


def test_one_session_is_enough(tmp_path: Path) -> None:
    """A history of a single session is learned from and published; what needs several is noted."""
    random = Random(0)
    steps = [one_step(number, random) for number in range(1500)]
    with History.open(tmp_path / "history.db") as history:
        history.append(steps)
    rest = {"fixes", "attempts", "transient", "clusters", "memory", "intent"}
    without = tuple(rest | {"next_task", "forecast", "affected", "sentences"})

    result = train(TrainSettings(home=str(tmp_path), mlflow_uri=AWAY, without=without))

    folder = Shelf(tmp_path).path(result.version)
    assert check_bundle(folder).version == result.version
    assert load(folder, error_rate=0.1)
    assert "hazard" not in result.beside
    assert any("at least 2 sessions" in note for note in result.notes)


def one_step(number: int, random: Random) -> Step:
    """A command that fails as often as not."""
    bad = random.random() < 0.55
    return Step(
        id=f"step-{number}",
        session="the only one",
        tool="Bash",
        input={"command": random.choice(["make a", "pytest -q", "python t.py", "cat x"])},
        outcome=Outcome.ERROR if bad else Outcome.OK,
        output="Error: boom" if bad else random.choice(["fine", "ok 1 line", "done"]),
    )


def test_damaged_live_version_is_replaced(trained: Home) -> None:
    """A live version that cannot be measured is said so; the peers are what must be beaten."""
    settings, first = trained
    (Shelf(settings.home_dir).path(first.version) / CONFIDENCE).write_bytes(b"half")

    second = train(settings)

    assert second.ruling.alias == CHAMPION
    assert "cannot be measured" in second.notes[0]
    assert Shelf(settings.home_dir).current() == second.version


def test_version_that_cannot_answer_makes_room(trained: Home) -> None:
    """Where the live version cannot answer and the new one does not pass, rules and counts do."""
    settings, first = trained
    shelf = Shelf(settings.home_dir)
    (shelf.path(first.version) / CONFIDENCE).write_bytes(b"half")

    # On a handful of judged steps no gain over the peers is sure.
    second = train(msgspec.structs.replace(settings, test_share=0.002))

    assert second.ruling.alias == CHALLENGER
    assert second.live is None
    assert shelf.current() is None


def test_too_few_outcomes(filled: Fill, tmp_path: Path) -> None:
    """Too short a history trains nothing, publishes nothing, and says how much is needed."""
    settings = filled(tmp_path / "home", 150)

    with pytest.raises(NotEnoughData) as caught:
        train(settings)

    assert caught.value.facts["needed"] == settings.least_steps
    assert Shelf(settings.home_dir).versions() == []


def test_no_history(tmp_path: Path) -> None:
    """Without a history there is nothing to train on, and none is made."""
    with pytest.raises(NotFound):
        train(TrainSettings(home=str(tmp_path)))

    assert list(tmp_path.iterdir()) == []


def test_mlflow_has_what_was_published(filled: Fill, tmp_path: Path) -> None:
    """With MLflow the run is registered under the gate's alias, with numbers, plots and card."""
    import mlflow

    settings = msgspec.structs.replace(filled(tmp_path / "home"), mlflow_uri="")
    stages: list[str] = []

    result = train(settings, progress=lambda stage, share: stages.append(stage))

    tracker = Tracker(settings.tracking_uri, artifacts=settings.artifacts)
    client = mlflow.MlflowClient(tracking_uri=settings.tracking_uri)
    assert result.tracked is not None
    files = {file.path for file in client.list_artifacts(result.tracked.run_id)}
    run = client.get_run(result.tracked.run_id)
    assert tracker.aliases() == {CHAMPION: result.version}
    assert run.data.metrics["auc"] == pytest.approx(result.evaluation.scores[0].auc.value)
    assert files == {"card.md", "reliability.png", "risk_coverage.png"}
    assert stages[0] == "folding the history"
