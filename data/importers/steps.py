"""Plain steps: one JSON object a line, one step (or prompt) an object.

The format that is easiest to write: ``docs/formats.md`` gives every field. Files may be
gzipped. Lines that onward wrote itself come back exactly as they were.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from onward.data.events import Event, Outcome, Prompt, Step
from onward.data.ids import event_id
from onward.data.importers.base import (
    BrokenLine,
    Told,
    exit_code_from,
    instance_project,
    number_of,
    quiet,
    stable_id,
    tail,
    unix_time,
)
from onward.data.importers.cutjson import object_of_text
from onward.data.importers.lines import LineError, first_objects, read_lines
from onward.data.importers.outcomes import exit_code_in, outcome_from

__all__ = ["name", "read", "sniff"]

name = "steps"

_PROMPT_ROLES = {"prompt", "continuation", "command", "interrupt"}
_OWN_KINDS = {"decision", "verdict", "sample", "note", "feedback"}
_OUTCOMES = {
    **{outcome.value: outcome for outcome in Outcome},
    "timeout": Outcome.ERROR,
    "format_error": Outcome.ERROR,
}
# ~/code/shop/src/a.py -> shop: the second folder below a home is the usual place of a project.
_HOME_PATH = re.compile(r"/(?:Users|home)/[^/\s\"'\\]+/\w[\w.-]*/(\w[\w-]*)(?=[/\s\"']|$)")


def sniff(path: Path) -> bool:
    """Whether one of the first lines is a step or a prompt by its fields."""
    return any(_looks_right(row) for row in first_objects(path))


def _looks_right(row: dict[str, Any]) -> bool:
    has_session = "session" in row or "traj" in row
    return has_session and bool({"tool", "action", "prompt", "kind"} & row.keys())


def read(path: Path, *, told: Told = quiet) -> Iterator[Event | BrokenLine]:
    """Yield one event a line. See `Importer.read`."""
    return read_lines(
        path,
        partial(_event, seen=defaultdict(_Seen)),
        told=told,
        expected="steps JSONL: lines need `session` and `tool` (see docs/formats.md)",
    )


class _Seen:
    """What the lines of one session before this one told."""

    index = -1
    project = ""


def _event(row: dict[str, Any], *, seen: dict[str, _Seen]) -> Iterator[Event]:
    kind = _text(row, "kind", default="step")
    if kind in _OWN_KINDS:
        yield _own(row)
        return
    session = _text(row, "session", "traj")
    if not session:
        raise LineError("no `session`")
    if kind in _PROMPT_ROLES or ("prompt" in row and "tool" not in row):
        yield _prompt(row, session)
    else:
        yield _step(row, session, seen[session])


def _own(row: dict[str, Any]) -> Event:
    try:
        event: Event = msgspec.convert(row, Event)
    except msgspec.ValidationError as error:
        raise LineError(f"not a {row['kind']}: {error}") from error
    return event


def _prompt(row: dict[str, Any], session: str) -> Prompt:
    words = row.get("text", row.get("prompt"))
    if not isinstance(words, str):
        raise LineError("a prompt needs `text`")
    at = _time(row)
    return Prompt(
        id=_text(row, "id") or stable_id(name, "prompt", session, row.get("step", at), words),
        session=session,
        text=words,
        at=at,
        agent=_text(row, "agent"),
        project=_text(row, "project"),
        role=_text(row, "role", "kind", default="prompt"),
    )


def _step(row: dict[str, Any], session: str, seen: _Seen) -> Step:
    tool, arguments = _tool_and_input(row)
    output = _output(row)
    if not isinstance(project := row.get("project"), str):
        # A step whose own words name no project most likely stays where the last one was.
        project = _project_from(session, arguments) or seen.project
    seen.project = project
    return Step(
        id=_text(row, "id") or _step_id(row, session, seen),
        session=session,
        tool=tool,
        input=arguments,
        at=_time(row),
        agent=_text(row, "agent"),
        project=project,
        cwd=_text(row, "cwd"),
        outcome=_outcome(row, output),
        exit_code=_exit_code(row, output),
        duration=number_of(row.get("duration")),
        output=tail(output),
        decision=_text(row, "decision"),
        usage=_usage(row),
    )


def _step_id(row: dict[str, Any], session: str, seen: _Seen) -> str:
    """An id from the step's number in its session, by its field or by counting lines.

    Some logs count from zero twice in one session; the call then tells the steps apart.
    """
    index = row.get("step")
    if not isinstance(index, int) or isinstance(index, bool):
        index = seen.index + 1
    if index <= seen.index:
        call = row.get("tool", ""), row.get("action", ""), row.get("input", "")
        return stable_id(name, session, index, *call)
    seen.index = index
    return event_id(session, index)


def _tool_and_input(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if "action" in row and "tool" not in row:
        action = row["action"]
        if action is None:  # the agent's answer held no action
            return "", {}
        if isinstance(action, str):
            return "bash", {"command": action}
        raise LineError("`action` must be text or null")
    tool, given = row.get("tool"), row.get("input", {})
    if not isinstance(tool, str):
        raise LineError("no `tool`")
    if isinstance(given, str):
        return tool, object_of_text(given)
    if not isinstance(given, dict):
        raise LineError("`input` must be an object")
    return tool, given


def _outcome(row: dict[str, Any], output: str) -> Outcome:
    told = row.get("outcome")
    if isinstance(told, str) and told in _OUTCOMES:
        return _OUTCOMES[told]
    ok = row.get("ok")
    if ok is None and (code := _exit_code(row, output)) is not None:
        ok = code == 0
    if not isinstance(ok, bool):
        return Outcome.UNKNOWN
    return outcome_from(output, failed=not ok)


def _exit_code(row: dict[str, Any], output: str) -> int | None:
    told = exit_code_from(row.get("exit_code", row.get("rc")))
    return exit_code_in(output) if told is None and row.get("ok") is False else told


def _output(row: dict[str, Any]) -> str:
    value = row.get("output", row.get("obs"))
    if value is None or isinstance(value, str):
        return value or ""
    raise LineError("`output` must be text")


def _project_from(session: str, arguments: dict[str, Any]) -> str:
    """Derive the project from a SWE-bench instance's name, else from the paths in the input."""
    if project := instance_project(session):
        return project
    text = " ".join(value for value in arguments.values() if isinstance(value, str))
    named = Counter(_HOME_PATH.findall(text))
    return named.most_common(1)[0][0] if named else ""


def _time(row: dict[str, Any]) -> float:
    return next((at for key in ("at", "ts", "prompt_time") if (at := unix_time(row.get(key)))), 0.0)


def _usage(row: dict[str, Any]) -> dict[str, float]:
    given = row.get("usage")
    if not isinstance(given, dict):
        return {}
    numbers = {key: number_of(value) for key, value in given.items()}
    return {key: number for key, number in numbers.items() if number is not None}


def _text(row: dict[str, Any], *keys: str, default: str = "") -> str:
    return next((row[key] for key in keys if isinstance(row.get(key), str)), default)
