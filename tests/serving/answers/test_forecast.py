"""What a question about resources is answered."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError, SettingsError
from onward.data.events import Event, Outcome, Sample, Step
from onward.models.calibrate import Calibrator
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.forecast import MAX_SERIES, ForecastAnswerer
from onward.serving.questions.forecast import ForecastRequest, ResourceForecast
from onward.serving.sampler import Sampler, cgroup

FACTS = {
    "calibrator": Calibrator.identity().to_json(),
    "alarm": 0.5,
    "stretch": [[1.0, 1.0]] * 4,
}


def part(p: float = 0.1) -> Part:
    """A model that says the same of everything."""
    said = np.array([-0.1, 0.05, 0.2, p], np.float32)
    return Part("v1", FACTS, lambda X: np.repeat(said[None], len(X), axis=0))


def sample(minute: int, used: float, *, host: str = "a", **more: float) -> Event:
    """A reading of a machine with 1,000 bytes of memory."""
    values = {"mem_available_bytes": 1000.0 - used, "mem_total_bytes": 1000.0, "cpu_percent": 5.0}
    tree = {"proc.7.leak.rss_bytes": used, "proc.8.calm.rss_bytes": 5.0}
    return Sample(id=f"{host}{minute}", at=60.0 * minute, host=host, values=values | tree | more)


def leaking(answerer: ForecastAnswerer, minutes: int = 30) -> ForecastAnswerer:
    """The answerer after a leak."""
    for minute in range(minutes):
        answerer.learn(sample(minute, 100.0 + 20.0 * minute))
    return answerer


def memory(answerer: ForecastAnswerer) -> ResourceForecast:
    """Its answer on memory."""
    (found,) = answerer.answer(ForecastRequest(resource="memory")).resources
    return found


def test_it_is_an_answerer() -> None:
    """It keeps the contract, and answers before the first event by saying what is missing."""
    answerer = ForecastAnswerer()
    answer = answerer.answer(ForecastRequest())

    assert isinstance(answerer, Answerer)
    assert answer.resources == []
    assert "sampler" in answer.note


def test_a_leak_and_its_culprit_are_named() -> None:
    """Without a model the trend foresees the end of a leak, and the tree that grows is blamed."""
    found = memory(leaking(ForecastAnswerer()))

    assert found.limit == 1000.0
    assert [round(one.minutes) for one in found.horizons] == [5, 10, 15, 30]
    assert found.horizons[-1].p_exhausted is not None
    assert found.horizons[-1].p_exhausted > 0.8
    assert found.time_left is not None
    assert found.time_left.middle is not None
    assert found.blamed[0].name == "leak"
    assert found.blamed[0].per_minute == pytest.approx(20.0)
    assert found.because


def test_the_model_answers_where_there_is_one() -> None:
    """With a model the answer names its version and has no note; without, it says so."""
    answerer = ForecastAnswerer()
    answerer.use(part())
    leaking(answerer)
    answer = answerer.answer(ForecastRequest())

    assert (answer.model, answer.note) == ("v1", "")
    assert memory(answerer).horizons[0].p_exhausted == pytest.approx(0.1, abs=1e-3)
    answerer.use(part()._replace(beats_peer=False))
    assert "No model" in answerer.answer(ForecastRequest()).note


def test_the_alarm_is_raised_by_the_model() -> None:
    """Where the model is sure that the end is near, the alarm is on and stands first."""
    answerer = ForecastAnswerer()
    answerer.use(part(0.9))
    found = leaking(answerer).answer(ForecastRequest()).resources

    assert found[0].resource == "memory"
    assert found[0].alarm
    assert not found[1].alarm


def test_horizons_end_where_asked() -> None:
    """A request for ten minutes gets the horizons up to ten minutes."""
    answer = leaking(ForecastAnswerer()).answer(ForecastRequest(resource="memory", horizon_s=600))

    assert len(answer.resources[0].horizons) == 2


def test_a_command_is_told_whether_it_fits() -> None:
    """The peak of a command comes from its past runs, and is held against what is left."""
    answerer = leaking(ForecastAnswerer())
    for number in range(6):
        answerer.learn(
            Step(
                id=f"s{number}",
                session="s",
                tool="Bash",
                input={"command": "make"},
                outcome=Outcome.OK,
                usage={"rss_peak_bytes": 500.0},
            )
        )
    answer = answerer.answer(ForecastRequest(command="make"))

    assert answer.peak is not None
    assert (answer.peak.median_bytes, answer.peak.runs) == (500.0, 6)
    assert answer.fits is False


def test_it_goes_on_the_same_after_dump_and_load() -> None:
    """A loaded answerer learns and answers as the one that was dumped."""
    first, second = leaking(ForecastAnswerer()), ForecastAnswerer()
    second.load(first.dump())
    for one in (first, second):
        one.use(part())
        one.learn(sample(31, 650.0))

    assert first.dump() == second.dump()
    assert first.answer(ForecastRequest()) == second.answer(ForecastRequest())


@pytest.mark.parametrize("body", [b"", b"\x00\x01", b"{}"])
def test_a_damaged_state_is_refused(body: bytes) -> None:
    """What is no state is a clear error."""
    with pytest.raises(BundleError):
        ForecastAnswerer().load(body)


def test_memory_is_bounded() -> None:
    """Many hosts and a long stream leave a bounded state."""
    answerer = ForecastAnswerer()
    for minute in range(300):
        answerer.learn(sample(minute, 100.0 + minute % 7, host=f"h{minute % 90}"))
    size = len(answerer.dump())
    for minute in range(300, 900):
        answerer.learn(sample(minute, 100.0 + minute % 7, host=f"h{minute % 90}"))

    assert len(answerer.dump()) < 3 * size
    assert len(answerer.answer(ForecastRequest(host="h89")).resources) <= MAX_SERIES


def test_odd_samples_do_no_harm() -> None:
    """Numbers that are none, times that run back and empty samples never raise."""
    answerer = ForecastAnswerer()
    nan, inf = float("nan"), float("inf")
    odd = {"mem_available_bytes": nan, "mem_total_bytes": inf, "cpu_percent": -inf, "proc..": 1.0}
    for number, at in enumerate((5.0, -1e9, 0.0, 1e12, 5.0)):
        answerer.learn(Sample(id=f"o{number}", at=at, values=odd))
        answerer.learn(Sample(id=f"p{number}", at=at, values={"cpu_percent": 1e300}))
        answerer.learn(Sample(id=f"q{number}", at=at))
    answer = answerer.answer(ForecastRequest())

    assert msgspec.json.decode(msgspec.json.encode(answer))


# -- the sampler --------------------------------------------------------------------------------


def test_the_sampler_hands_on_readings() -> None:
    """Between start and stop samples arrive with the host's keys and this process's tree."""
    found, enough = list[Sample](), threading.Event()

    def take(one: Sample) -> None:
        found.append(one)
        if len(found) >= 2:
            enough.set()

    with Sampler(take, interval_s=0.05, host="box", session="s"):
        assert enough.wait(20.0)
    count = len(found)

    values = found[1].values
    assert found[0].id != found[1].id
    assert (found[0].host, found[0].session) == ("box", "s")
    assert 0 < values["mem_available_bytes"] <= values["mem_total_bytes"]
    assert values["processes"] >= 1
    assert any(key.endswith(".rss_bytes") for key in values)
    assert len(found) == count


def test_what_takes_a_sample_may_fail() -> None:
    """An error of the receiver is logged, and the next reading comes."""
    again, calls = threading.Event(), list[int]()

    def fail(_: Sample) -> None:
        calls.append(1)
        if len(calls) > 1:
            again.set()
        raise ValueError

    with Sampler(fail, interval_s=0.05):
        assert again.wait(20.0)


def test_an_interval_that_is_none_is_refused() -> None:
    """A reading every zero seconds is a setting that cannot be."""
    with pytest.raises(SettingsError):
        Sampler(print, interval_s=0.0)


def test_a_cgroup_is_found_where_there_is_one(tmp_path: Path) -> None:
    """The folder of version 2 is found by its line, and no other."""
    line, folder = tmp_path / "cgroup", tmp_path / "root" / "job"
    folder.mkdir(parents=True)
    (folder / "memory.current").write_text("1\n")
    line.write_text("12:memory:/x\n0::/job\n")

    assert cgroup(line, tmp_path / "root") == folder
    line.write_text("12:memory:/job\n")
    assert cgroup(line, tmp_path / "root") is None
    assert os.getpid() > 0
