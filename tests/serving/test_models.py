"""Bundles: loaded, proven, explained, exchanged while requests come in."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError
from onward.data.events import Call
from onward.features.examples import examples
from onward.features.fold import Fold
from onward.models import bundle as files
from onward.models.live import CURRENT, Live
from onward.serving import bundle as bundles

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps, Publisher, Start, Until

CALL = Call(session="s", tool="Bash", input={"command": "git status"}, agent="tester")


def test_answers_what_was_fitted(tmp_path: Path, publisher: Publisher, steps: MakeSteps) -> None:
    """A loaded bundle says what the fitted model says, alone and in rows."""
    bundle = bundles.load(publisher.publish(tmp_path, "v1"), error_rate=0.1)
    X = examples(enumerate(steps(50), 1), Fold()).X

    native = publisher.native().predict(X)
    said = [bundle.success(row) for row in X]
    assert np.allclose(said, native, atol=1e-3)  # a calibration of straight pieces stands between
    assert bundle.approve(X[0]) == 1.0


@pytest.mark.parametrize(("rate", "threshold"), [(0.1, 0.9), (0.2, 0.9), (0.07, 0.95)])
def test_threshold_of_a_rate(
    tmp_path: Path, publisher: Publisher, rate: float, threshold: float
) -> None:
    """A stated error rate gets the threshold of the nearest rate that is not above it."""
    folder = publisher.publish(tmp_path, "v1")

    assert bundles.load(folder, error_rate=rate).threshold == threshold
    assert bundles.load(folder, error_rate=0.01).threshold == float("inf")


@pytest.mark.parametrize(
    "name",
    [
        files.MANIFEST,
        files.CONFIDENCE,
        files.CALIBRATION,
        files.FOLD,
        files.ONLINE,
        files.PARITY,
    ],
)
def test_cut_in_half(tmp_path: Path, publisher: Publisher, name: str) -> None:
    """A bundle of which half a file is missing is never used."""
    folder = publisher.publish(tmp_path, "v1")
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(BundleError):
        bundles.load(folder, error_rate=0.1)


def test_another_model_under_the_same_manifest(tmp_path: Path, publisher: Publisher) -> None:
    """An ONNX file that does not give what was stored beside it is refused."""
    folder = publisher.publish(tmp_path, "v1")
    other = publisher.publish(tmp_path, "v2", rounds=20)
    (folder / files.CONFIDENCE).write_bytes((other / files.CONFIDENCE).read_bytes())
    manifest = files.read_manifest(folder)
    done = msgspec.structs.replace(manifest, files=files.hashes(folder, manifest.files))
    files.write_manifest(folder, done)

    with pytest.raises(BundleError, match="differs from the fitted one"):
        bundles.load(folder, error_rate=0.1)


def test_explains_with_features(
    publisher: Publisher, start: Start, tmp_path: Path, until: Until
) -> None:
    """With a model an answer names its strongest features, and they add up."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    with start(home).client() as client:
        until(lambda: not client.status().degraded, "the past is counted")
        decision = client.decide(CALL)
        why = client.why(decision.id)

    assert decision.model == "v1"
    assert {reason.source for reason in decision.reasons} >= {"model", "counts"}
    (model,) = why.models
    effects = [item.effect for item in model.contributions]
    assert (model.system, model.version) == ("confidence", "v1")
    assert [*map(abs, effects)] == sorted(map(abs, effects), reverse=True) != []
    assert model.baseline + sum(effects) + model.rest == pytest.approx(model.says)
    assert why.cases[0].likeness == "same command"


@pytest.mark.parametrize("name", [files.MANIFEST, files.CONFIDENCE, files.FOLD])
def test_starts_without_its_model(
    publisher: Publisher, start: Start, tmp_path: Path, name: str
) -> None:
    """With half a bundle the server answers from rules and counts, and says why."""
    home = tmp_path / "home"
    path = publisher.publish(home, "v1") / name
    os.truncate(path, path.stat().st_size // 2)
    with start(home).client() as client:
        decision = client.decide(CALL)
        versions = client.models()

    assert decision.model == ""
    assert "v1 cannot be used" in decision.degraded
    assert versions.live == ""


def test_another_version_answers_questions(
    publisher: Publisher, start: Start, tmp_path: Path, until: Until
) -> None:
    """What decides and what answers questions are named apart, and exchanged apart."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    publisher.publish(home, "v2")
    current = home / "bundles" / CURRENT
    current.write_text(Live("v1", "v2").text)
    with start(home, watch_ms="20").client() as client:
        before = client.models()
        current.write_text(Live("", "v2").text)
        until(lambda: client.models().live == "", "counts decide")
        after = client.models()
        decision = client.decide(CALL)

    assert (before.live, before.predicting) == ("v1", "v2")
    assert (after.live, after.predicting) == ("", "v2")
    assert decision.model == ""


def test_a_damaged_version_does_not_replace_a_sound_one(
    publisher: Publisher, start: Start, tmp_path: Path, until: Until
) -> None:
    """The sound version goes on answering, flagged; the next sound one takes over."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    with start(home, watch_ms="20").client() as client:
        folder = publisher.publish(home, "v2")
        until(lambda: client.status().model == "v2", "v2 answers")
        os.truncate(folder / files.CONFIDENCE, 10)
        publisher.point(home, "v1")
        until(lambda: client.status().model == "v1", "v1 answers again")
        publisher.point(home, "v2")
        until(lambda: "v2 cannot be used" in client.status().degraded, "the fault is told")
        assert client.decide(CALL).model == "v1"
        publisher.publish(home, "v3", rounds=20)
        until(lambda: client.status().model == "v3", "v3 answers")

        assert client.status().degraded == ""


def test_no_request_is_dropped_by_an_exchange(
    publisher: Publisher, start: Start, tmp_path: Path, until: Until
) -> None:
    """Under load each request is answered by one whole version, while versions come and go."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    publisher.publish(home, "v2", rounds=20)
    server = start(home, watch_ms="20")
    models: list[str] = []
    over = threading.Event()

    def load(name: str) -> None:
        with server.client() as client:
            while not over.is_set():
                call = msgspec.structs.replace(CALL, session=name)
                models.append(client.decide(call).model)

    threads = [threading.Thread(target=load, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    with server.client() as client:
        for version in ("v1", "v2", "v1", "v2"):
            publisher.point(home, version)
            until(lambda v=version: client.status().model == v, f"{version} answers")
        decided = client.status().decisions
    over.set()
    for thread in threads:
        thread.join()

    assert set(models) == {"v1", "v2"}
    assert sum(decided.values()) <= len(models)
    assert server.stop() == 0
