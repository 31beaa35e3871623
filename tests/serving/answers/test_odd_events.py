"""Events as nobody should make them do no answerer any harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.serving.answers.asking import NAMES, ask_all, learned, mixed, seat_of

from onward.data.events import Event, Feedback, Note, Outcome, Prompt, Sample, Step, Verdict

NAN, INF = float("nan"), float("inf")
INPUTS: tuple[dict[str, Any], ...] = (
    {},
    {"command": ""},
    {"command": None},
    {"command": 7},
    {"command": ["ls", 3, None]},
    {"command": {"a": [1]}},
    {"command": "   \n\t"},
    {"command": "'"},
    {"command": "a" * 50_000},
    {"command": "cat \x00 \ufffd \u202e"},
    {"command": "if then ( | && ;; << EOF"},
    {"file_path": None},
    {"file_path": ""},
    {"file_path": "/\x00//../../" + "x/" * 3_000},
    {"file_path": ["a"], "old_string": 3, "new_string": None},
    {"edits": "none", "paths": [{}, 1], "path": -1},
)
OUTPUTS = ("", "error", "E" * 300_000, "Error: \x00\ufffd\n" * 500, "Traceback (most recent call l")


def odd_steps() -> Iterator[Event]:
    """Steps as no agent should make them."""
    tools = ("Bash", "", "no such tool", "Edit", "mcp____", "Read", "\x00", "T" * 5_000)
    outcomes = [*Outcome]
    for n, given in enumerate(INPUTS):
        for place, tool in enumerate(tools):
            turn = n + place
            yield Step(
                id=f"odd{n}.{place}" if turn % 5 else "",
                session="" if turn % 7 == 0 else f"o{turn % 3}",
                tool=tool,
                input=given,
                at=(0.0, -1e18, 1e18, NAN, INF)[turn % 5],
                agent="\ufffd" * (turn % 2),
                project="/" * (turn % 4),
                cwd="\x00" * (turn % 2),
                outcome=outcomes[turn % len(outcomes)],
                exit_code=(None, 0, -9, 2**40)[turn % 4],
                duration=(None, -1.0, NAN, INF)[turn % 4],
                output=OUTPUTS[turn % len(OUTPUTS)],
                usage={"rss_peak_bytes": (NAN, -1.0, INF)[turn % 3], "": 1.0},
            )


def odd_others() -> Iterator[Event]:
    """All other events, likewise."""
    for n, text in enumerate(("", " ", "\x00\ufffd", "w " * 60_000, "?!", "\u202e" * 9)):
        at = (0.0, -5.0, NAN, INF, 1e18, 1.0)[n]
        for role in ("prompt", "interrupt", "continuation", "command", "no such role"):
            yield Prompt(id=f"q{n}{role}", session="", text=text, at=at, role=role)
        yield Note(id="", session="", text=text, at=at, about=text, reasons=[text], tags=[""])
        yield Feedback(id="", session="", note="no such note", helped=n % 2 == 0, at=at, query=text)
        yield Feedback(id="", session="", note="", helped=n % 2 == 0, at=at, text=text)
        yield Verdict(id="", session="", decision="none", approved=False, at=at, text=text)
        values = {"": NAN, "cpu_percent": -INF, "mem_available_bytes": at, "proc..": 1.0, text: 0.0}
        yield Sample(id="", at=at, host=text[:99], values=values)


@pytest.mark.parametrize("name", NAMES)
def test_odd_events_do_no_harm(name: str) -> None:
    """Empty, huge, unknown and broken events are learned without a word; answers still come."""
    answerer = learned(name, [*odd_steps(), *odd_others()])
    ask_all(answerer)
    other = seat_of(name).answerer
    other.load(answerer.dump())
    for event in mixed(6):
        other.learn(event)

    assert all(said is not None for said in ask_all(other))
