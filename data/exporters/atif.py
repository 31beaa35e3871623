"""ATIF, the Agent Trajectory Interchange Format, version 1.7: one JSON file a session.

A step becomes an agent's entry with one tool call and its observation, a prompt a user's
entry. What ATIF has no field for (outcome, exit code, exact times ...) stands in
``extra.onward``, so that reading the file back gives the same events. Decisions, verdicts,
samples, notes and feedback have no place in ATIF and are left out.

Specification: Harbor, RFC 0001, "Agent Trajectory Interchange Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from onward.data.events import Event, Outcome, Prompt, Step
from onward.data.exporters.whole import whole_file
from onward.data.importers.atif import OWN
from onward.data.importers.base import stable_id
from onward.data.importers.spool import Spool

__all__ = ["write_atif"]

_VERSION = "ATIF-v1.7"
_FAILURES = {Outcome.ERROR, Outcome.REJECTED, Outcome.INTERRUPTED}
_LAST_TIME = 253402300799.0  # the end of the year 9999, where ISO 8601 ends


def write_atif(events: Iterable[Event], folder: str | Path) -> list[Path]:
    """Write the steps and prompts of a history, one file a session, and give the files.

    Parameters
    ----------
    events
        In the order of the history. Sessions may interleave.
    folder
        Made where it is not there. Files of the same session are replaced.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with Spool() as spool:
        for event in events:
            if isinstance(event, Step | Prompt):
                spool.add(event)
        sessions = groupby(spool.drain(), key=lambda event: event.session)
        return [_write(session, list(group), target) for session, group in sessions]


def _write(session: str, events: list[Event], folder: Path) -> Path:
    path = folder / _file_name(session)
    document = _trajectory(session, events)
    with whole_file(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    return path


def _file_name(session: str) -> str:
    """A name that any file system takes, and that no other session has."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", session).strip("._")[:80]
    return f"{readable or 'session'}-{stable_id(session)[:12]}.json"


def _trajectory(session: str, events: list[Event]) -> dict[str, Any]:
    agent = next((event.agent for event in events if isinstance(event, Step | Prompt)), "")
    name, _, model = agent.partition("/")
    told: dict[str, Any] = {"name": name or "unknown", "version": "unknown"}
    if model:
        told["model_name"] = model
    return {
        "schema_version": _VERSION,
        "session_id": session,
        "agent": told,
        "steps": [
            {"step_id": number, **(_step(event) if isinstance(event, Step) else _prompt(event))}
            for number, event in enumerate(events, 1)
            if isinstance(event, Step | Prompt)
        ],
    }


def _step(step: Step) -> dict[str, Any]:
    own = _fields(step, without={"tool", "input", "output"})
    call = {
        "tool_call_id": step.id,
        "function_name": step.tool,
        "arguments": step.input,
        "extra": {OWN: own},
    }
    entry = {**_time(step), "source": "agent", "message": "", "tool_calls": [call]}
    if step.outcome is not Outcome.UNKNOWN or step.output:
        facts: dict[str, Any] = {"is_error": step.outcome in _FAILURES}
        if step.exit_code is not None:
            facts["exit_code"] = step.exit_code
        result = {"source_call_id": step.id, "content": step.output, "extra": facts}
        entry["observation"] = {"results": [result]}
    return entry


def _prompt(prompt: Prompt) -> dict[str, Any]:
    own = _fields(prompt, without={"text"})
    return {**_time(prompt), "source": "user", "message": prompt.text, "extra": {OWN: own}}


def _fields(event: Event, *, without: set[str]) -> dict[str, Any]:
    fields = msgspec.to_builtins(event)
    return {key: value for key, value in fields.items() if key not in without and key != "kind"}


def _time(event: Event) -> dict[str, Any]:
    if not 0 < event.at <= _LAST_TIME:
        return {}
    return {"timestamp": datetime.fromtimestamp(event.at, UTC).isoformat()}
