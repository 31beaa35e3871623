"""The situation of a call: what went before it, in a few small numbers.

Two calls of one program in the same situation are alike whatever their words: a script that failed
and was changed since, a file that was never read. Rates per situation carry over to agents
and repositories that were never seen.
"""

from __future__ import annotations

from math import isnan

import msgspec

from onward.features.action.script import ScriptFacts
from onward.features.action.types import WORD_SLOTS, Action
from onward.features.step.files import FileFact
from onward.features.step.session import FOUND, NOT_FOUND, SAID, Run, Session
from onward.features.text import name_hash

__all__ = ["Situation", "situation_of"]

_MASK = WORD_SLOTS - 1
# Odd numbers that keep the parts of a situation apart where they are mixed into one slot.
_A, _B, _C, _D, _E, _F, _G, _H, _I, _J = (
    *(0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1),
    *(0xD3A2646D, 0xFD7046C5, 0xB55A4F09, 0x2545F491, 0x8DA6B343),
)


class Situation(msgspec.Struct, frozen=True, gc=False):
    """A call in its session."""

    key: str
    """The class to count under."""
    slots: tuple[int, ...]
    """Slots in a table of running weights: the situation whole and in parts."""


def situation_of(
    action: Action, session: Session, script: FileFact | None, body: ScriptFacts, project: str
) -> Situation:
    """The situation of a call.

    Parameters
    ----------
    action
        What the call would do.
    session
        What the session did so far.
    script
        What is known of the file that it executes.
    body
        The code that will run.
    project
        Its project; weights of one project are apart from those of all.
    """
    runs = session.runs
    exact, template = runs.get(action.keys[4]), runs.get(action.keys[3])
    before = 5 * _run_code(exact, session) if exact is not None else 0
    before += _run_code(template, session) if template is not None else 0
    files = 14 * _file_code(session.files.find(action.needs[0])) if action.needs else 0
    files += 0 if script is None else 2 * _file_code(script) + 2
    if action.enters:
        files += session.cwd.endswith(action.enters)
    mixed = (
        *_mixed(action, session, before, files, name_hash(project)),
        *_more(action, session, before, exact or template, body),
    )
    key = f"~{action.keys[1]}|{before}|{files}"
    return Situation(key, tuple([(m ^ m >> 15) & _MASK for m in mixed]))


def _mixed(action: Action, session: Session, before: int, files: int, home: int) -> tuple[int, ...]:
    """The program with what ran before and which files it meets, in all and in this project."""
    lead, shape = action.lead, action.shape
    ran, met = _A * (before + 1), _B * (files + 1)
    return (
        lead,
        lead + ran + met,
        lead + ran,
        lead + met,
        ran,
        met,
        shape,
        shape + home * _C,
        lead + home * _D,
        lead + _E * (4 * session.last_output + (session.recent & 3) + 1),
        action.aim,
    )


def _more(
    action: Action, session: Session, before: int, run: Run | None, body: ScriptFacts
) -> tuple[int, ...]:
    """The program with how it failed, how far the session is, what its code and search hold."""
    lead = action.lead
    stage = 16 * session.steps.bit_length() + (session.last_kind if session.steps else 0)
    return (
        lead + _F * (32 * before + _failure_code(run, session) + 1),
        lead + _G * (32 * min(session.source_edits, 3) + before + 1),
        lead + _H * (stage + 1),
        lead + _I * (_code_bits(body) + 2),
        action.kind + _J * (_looks_code(action, session) + 2 if action.looks else 1),
    )


def _run_code(run: Run, session: Session) -> int:
    """Failed last (1; 2: files changed since), went well (3; 4: changed since); else 0."""
    return 1 + 2 * run.last_ok + (session.edits > run.edits)


def _failure_code(run: Run | None, session: Session) -> int:
    """How a class failed last, and whether the source was changed since; 0 = it did not."""
    if run is None or run.last_ok:
        return 0
    return 1 + 2 * run.bad_kind + (session.source_edits > run.source_edits)


def _file_code(fact: FileFact | None) -> int:
    """Not known (0), gone (1), made (2), made and run since (3), edited (4), read (5)."""
    if fact is None:
        return 0
    if fact.gone or fact.missing:
        return 1
    if fact.made:
        return 2 + (fact.last_run >= fact.last_edit)
    return 4 if fact.edits else 5


def _code_bits(body: ScriptFacts) -> int:
    """Which of asserts, raises, exits and guards stand in the code that will run; -1 = no code."""
    lines, asserts, raises, exits, guards = body.numbers[:5]
    if isnan(lines):
        return -1
    return (asserts > 0) + 2 * (raises > 0) + 4 * (exits > 0) + 8 * (guards > 0)


def _looks_code(action: Action, session: Session) -> int:
    """Whether the words that are looked for were seen, said, found or missed."""
    looks = action.looks
    saw, last = session.saw, looks[-1]
    seen = all(map(saw, looks))
    return seen + 2 * saw(last ^ SAID) + 4 * saw(last ^ FOUND) + 8 * saw(last ^ NOT_FOUND)
