"""What a step is called."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.events import Call
from onward.features.next_task.label import NOTHING, frequent, label_of


def shell(command: str) -> Call:
    """A shell call."""
    return Call(session="s", tool="Bash", input={"command": command})


@dataclass(frozen=True)
class Labelled:
    """A command with its label."""

    command: str
    label: str


@pytest.mark.parametrize(
    "case",
    [
        Labelled("ls -l", "ls"),
        Labelled("cd a && git -C b push | tee log", "git push"),
        Labelled("FOO=1 timeout 5 npm run build", "npm run"),
        Labelled("pip3 install x", "pip install"),
        Labelled("python3 -m pytest -q", "python -m pytest"),
        Labelled("python -m pip install x", "pip install"),
        Labelled("source v/bin/activate && python a.py", "python"),
        Labelled("cd /tmp", "cd"),
        Labelled("# nothing", NOTHING),
        Labelled("", NOTHING),
        Labelled("if (((", NOTHING),
    ],
    ids=lambda case: case.command or "empty",
)
def test_the_label_is_the_command_word_that_the_line_is_about(case: Labelled) -> None:
    """Folders, variables and wrappers are passed over; git, pip, npm keep their sub-command."""
    found = label_of(shell(case.command))
    assert found == case.label or (case.command.startswith("if") and found)


def test_a_tool_is_its_own_label_and_no_tool_has_none() -> None:
    """What is no shell is called by its tool, and a step without a tool has no label."""
    assert label_of(Call(session="s", tool="Read", input={"file_path": "a"})) == "Read"
    assert label_of(Call(session="s", tool="")) == ""


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_has_a_label(text: str) -> None:
    """No command line is so broken that it has no label."""
    assert label_of(shell(text))


def test_rare_labels_are_those_below_half_a_percent() -> None:
    """A label counts as frequent from one in two hundred on; steps without one do not count."""
    assert frequent(["a"] * 398 + ["b"] * 2 + [""] * 999 + ["c"]) == ("a",)
    assert frequent(["a"] * 396 + ["b"] * 2) == ("a", "b")
    assert frequent([]) == ()
