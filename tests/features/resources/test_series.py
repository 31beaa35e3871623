"""A series, folded: free of units, bounded, the same after it was stored."""

from __future__ import annotations

import math
import random

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.events import Call, Outcome, Step
from onward.features.resources.blame import Growth
from onward.features.resources.peaks import Peaks
from onward.features.resources.readings import readings
from onward.features.resources.series import NAMES, SPARSE_STEPS, TICKS, Series


def walked(values: list[float], *, limit: float = math.nan, every_s: float = 60.0) -> Series:
    """A series after these readings."""
    series = Series()
    for place, value in enumerate(values):
        series.learn(1e9 + every_s * place, value, limit)
    return series


def noise(count: int, seed: int = 0) -> list[float]:
    """A leak with noise."""
    draw = random.Random(seed)
    return [100.0 + place + draw.gauss(0.0, 3.0) for place in range(count)]


def test_a_row_is_free_of_units() -> None:
    """The same series in another unit, with its limit, gives the same row."""
    bytes_ = walked(noise(100), limit=400.0).view()
    kilo = walked([v / 1024.0 for v in noise(100)], limit=400.0 / 1024.0).view()

    assert np.allclose(bytes_.X, kilo.X, rtol=1e-3, atol=1e-4, equal_nan=True)
    assert np.allclose(bytes_.scale, kilo.scale * 1024.0)


def test_what_comes_does_not_change_what_was_known() -> None:
    """A row holds nothing of the readings after it."""
    values = noise(80)
    before = walked(values[:60]).view()
    other = walked([*values[:60], *(0.0 for _ in range(20))])

    assert np.array_equal(before.X, walked(values[:60]).view().X, equal_nan=True)
    assert not np.array_equal(before.X, other.view().X, equal_nan=True)


def test_a_stored_series_goes_on_the_same() -> None:
    """After dump and load the next rows are the same bit for bit."""
    series = walked(noise(70), limit=300.0)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(series), type=Series)
    for place, value in enumerate(noise(20, seed=1)):
        for one in (series, again):
            one.learn(2e9 + 60.0 * place, value, 300.0)

    assert np.array_equal(series.view().X, again.view().X, equal_nan=True)


def test_memory_is_bounded() -> None:
    """However long a series is, it keeps a bounded number of readings."""
    series = walked(noise(5_000))

    assert len(series.values) <= 2 * TICKS
    assert len(msgspec.msgpack.encode(series)) < 10_000


def test_fast_readings_make_one_tick_a_minute() -> None:
    """Readings every five seconds become ticks of a minute; percentages are averaged."""
    series = Series(percent=True)
    ticks = sum(series.learn(1e9 + 5.0 * i, 40.0 + 20.0 * (i % 2), 100.0) for i in range(240))

    assert 18 <= ticks <= 30
    assert all(45.0 <= value <= 56.0 for value in series.values[1:])


def test_sparse_readings_look_as_many_ticks_ahead() -> None:
    """Where readings come every five minutes, the horizons are one to six of them."""
    assert walked(noise(20), every_s=300.0).view().steps == SPARSE_STEPS


def test_a_slow_turn_is_a_turn() -> None:
    """Heights are remembered from which it turned back, at once or slowly; noise is no turn."""
    teeth = walked([100.0 + 10.0 * (m % 20) for m in range(90)], limit=1e3)
    swings = walked([300.0 - 200.0 * math.cos(m / 6.0) for m in range(90)], limit=1e3)

    assert teeth.tops == [290.0] * 4
    assert np.allclose(swings.tops, swings.high, rtol=0.01)
    assert len(swings.tops) == 2
    assert not walked(noise(90), limit=1e3).tops


def test_what_passed_its_old_height_does_not_turn_there() -> None:
    """Below the height where it fell the ceiling holds; once that is passed nothing is left."""
    ceiling = NAMES.index("ceiling")
    teeth = [100.0 + 10.0 * (m % 40) for m in range(80)]
    below = walked(teeth + teeth[:20], limit=1e3).view().X[0, ceiling]
    beyond = (
        walked([*teeth, *(100.0 + 10.0 * m for m in range(60))], limit=1e3).view().X[0, ceiling]
    )

    assert 0.5 < below < 1.0
    assert beyond == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12, allow_nan=False), min_size=1, max_size=40),
    st.one_of(st.just(math.nan), st.floats(0.0, 1e12)),
)
def test_any_readings_give_a_row(values: list[float], limit: float) -> None:
    """From the first reading on there is a row of finite or unknown numbers, and a scale."""
    view = walked(values, limit=limit).view()

    assert view.X.shape == (4, len(NAMES))
    assert not np.isinf(view.X).any()
    assert (view.scale > 0.0).all()


def test_readings_of_all_resources() -> None:
    """What is left and what is used both become used and limit; odd values are left out."""
    found = readings(
        {
            "mem_available_bytes": 25.0,
            "mem_total_bytes": 100.0,
            "disk_free_bytes": math.nan,
            "disk_total_bytes": 10.0,
            "files_open": 7.0,
            "cpu_percent": 12.0,
            "proc.3.make.files": 5.0,
            "proc.3.make.files_limit": 64.0,
        }
    )

    assert found["memory"].used == 75.0
    assert "disk" not in found
    assert math.isnan(found["files"].limit)
    assert found["files:3.make"] == (5.0, 64.0, False)
    assert found["cpu"].limit == 100.0


def test_the_fastest_grower_is_blamed() -> None:
    """Of several trees the one that grew most comes first, with its share."""
    growth = Growth()
    for minute in range(10):
        values = {"proc.1.leak.rss_bytes": 30.0 * minute, "proc.2.calm.rss_bytes": 10.0 * minute}
        growth.learn(60.0 * minute, values)
    first, second = growth.culprits("memory")

    assert (first.name, second.name) == ("leak", "calm")
    assert first.per_minute == 30.0
    assert first.share == 0.75
    assert growth.culprits("files") == []


def test_peaks_back_off_to_what_is_known() -> None:
    """A command never run is answered by its program's runs, one that ran often by its own."""
    peaks = Peaks()
    for number in range(8):
        for command, peak in (("make all", 100.0), ("make clean", 10.0)):
            peaks.learn(step(f"{command}{number}", command, peak))
    own = peaks.of(Call(session="s", tool="Bash", input={"command": "make all"}))
    wide = peaks.of(Call(session="s", tool="Bash", input={"command": "make other"}))

    assert own is not None
    assert own.median == 100.0
    assert own.runs == 8
    assert wide is not None
    assert wide.level in {"program", "subcommand"}
    assert wide.runs == 16


def step(name: str, command: str, peak: float) -> Step:
    """A measured step."""
    return Step(
        id=name,
        session="s",
        tool="Bash",
        input={"command": command},
        outcome=Outcome.OK,
        usage={"rss_peak_bytes": peak},
    )
