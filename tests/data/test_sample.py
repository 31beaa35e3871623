"""What the bundled history promises to those who train on it."""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from onward.data.events import Event, Outcome, Prompt, Sample, Step
from onward.data.importers import read_parquet
from onward.data.samples import is_lent, sample_path

_MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """The whole history."""
    return list(read_parquet(sample_path()))


@pytest.fixture(scope="module")
def steps(events: list[Event]) -> list[Step]:
    """Its steps."""
    return [event for event in events if isinstance(event, Step)]


def test_it_is_small() -> None:
    """It adds at most five megabytes to an installation."""
    assert sample_path().stat().st_size <= 5 * _MEGABYTE


def test_it_has_enough_of_everything(steps: list[Step]) -> None:
    """There are at least 4,000 steps of 40 kinds, on 12 projects, by three agents."""
    assert len(steps) >= 4000
    assert len({step.session.split("-", 1)[1] for step in steps}) >= 40
    assert len({step.project for step in steps}) >= 12
    assert len({step.agent for step in steps}) == 3


def test_steps_fail_as_often_as_in_real_work(steps: list[Step]) -> None:
    """Between 8 and 20 in 100 steps fail, overall and for each agent."""
    for agent in {step.agent for step in steps}:
        outcomes = Counter(step.outcome for step in steps if step.agent == agent)
        assert 0.08 <= outcomes[Outcome.ERROR] / outcomes.total() <= 0.20
        assert set(outcomes) == {Outcome.OK, Outcome.ERROR}


def test_its_steps_are_told_from_a_users_own(steps: list[Step]) -> None:
    """Each of its steps says whose it is; those of agents that people run say otherwise."""
    assert all(is_lent(step.agent) for step in steps)
    assert not any(map(is_lent, ["", "claude-code", "mini-swe-agent/gemini-3-pro", "my-agent"]))


def test_ids_are_unique(events: list[Event]) -> None:
    """No two events have the same id."""
    assert len({(type(event), event.id) for event in events}) == len(events)


def test_outcomes_follow_from_exit_codes(steps: list[Step]) -> None:
    """A command is ok when its exit code is 0; file tools have none."""
    for step in steps:
        if step.exit_code is None:
            assert step.tool in {"Read", "Write", "Edit", "Grep", "Glob"}
        else:
            assert (step.exit_code == 0) == (step.outcome is Outcome.OK)


def test_commands_carry_what_they_took(steps: list[Step]) -> None:
    """Each command has its start, its duration, its processor time and its memory peak."""
    for step in steps:
        assert step.at > 0
        assert step.duration is not None
        assert step.duration >= 0
        if step.exit_code is not None:
            assert step.usage["cpu_s"] >= 0
            assert step.usage["rss_peak_bytes"] > 0


def test_events_stand_in_the_order_they_were_known(events: list[Event]) -> None:
    """A step stands where it ended, everything else where it happened."""
    known = [e.at + ((e.duration or 0) if isinstance(e, Step) else 0) for e in events]
    assert all(first <= second for first, second in pairwise(known))


def test_nothing_of_the_machine_is_in_it(steps: list[Step]) -> None:
    """Everything happened below /workspace; no folder of the machine is named."""
    folders = {
        tempfile.gettempdir(),
        str(Path.home()),
        sys.base_prefix,
        str(Path(__file__).parents[2]),
    }
    private = re.compile("|".join(rf"(?<![\w/]){re.escape(f)}\b" for f in folders - {"/", "/usr"}))
    for step in steps:
        assert f"{step.cwd}/".startswith("/workspace/")
        assert not private.search(f"{step.input} {step.output}"), step.id


def test_outputs_are_tails(steps: list[Step]) -> None:
    """An output has at most 4,000 characters."""
    assert max(len(step.output) for step in steps) <= 4000


def test_goals_and_resources_are_there(events: list[Event]) -> None:
    """Sessions begin with what was asked for, and the machine was watched."""
    assert sum(isinstance(event, Prompt) for event in events) >= 300
    samples = [event for event in events if isinstance(event, Sample)]
    assert len(samples) >= 60
    assert all(sample.values["mem_available_bytes"] > 0 for sample in samples)
