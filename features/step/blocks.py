"""The features that a session gives, block by block: names beside the numbers they name.

Each function answers with as many numbers as its tuple of names, in the same order; NaN stands
for what is not known.
"""

from __future__ import annotations

import math

import msgspec

from onward.data.events import Call
from onward.features.action.types import Action
from onward.features.rates import Rates
from onward.features.seen import bits, is_marked
from onward.features.step.files import NEVER, FileFact, Files, since
from onward.features.step.session import (
    COMMON_SIZE,
    FOUND,
    NO_MODULE,
    NOT_FOUND,
    SAID,
    Run,
    Session,
)
from onward.features.text import name_hash

__all__ = [
    "FILE_NAMES",
    "LUCK_NAMES",
    "RUN_NAMES",
    "SCRIPT_RUN_NAMES",
    "TEXT_NAMES",
    "Place",
    "files",
    "luck",
    "runs",
    "script_runs",
    "texts",
]

_NAN = math.nan
MAX_PLACE_CLASSES = 3000
_LEAN = 2.0
"""Outcomes that a rate of the project is worth beside those of the session."""


class Place(msgspec.Struct, gc=False):
    """What is known of one project as one agent sees it, over all its sessions."""

    at: float = 0.0
    steps: int = 0
    compacted: int = NEVER
    """The step at which the agent last lost its memory of what it had read."""
    cwd: str = ""
    rates: Rates = msgspec.field(default_factory=lambda: Rates(capacity=MAX_PLACE_CLASSES))
    """How its classes of steps fared."""
    files: Files = msgspec.field(default_factory=Files)
    seen: bytearray = msgspec.field(default_factory=lambda: bits(COMMON_SIZE))
    """Words and lines that its outputs held, as in `Session.seen`."""


RUN_NAMES = (
    "here_tool",
    "here_program",
    "here_sub",
    "here_template",
    "here_exact",
    "here_template_count",
    "exact_ok",
    "exact_bad",
    "exact_last_ok",
    "exact_bad_kind",
    "exact_since",
    "exact_edits_since",
    "exact_source_edits_since",
    "template_last_ok",
    "template_bad_kind",
    "template_since",
    "template_edits_since",
    "template_source_edits_since",
    "program_last_ok",
)
_NO_EXACT = (0, 0, *(_NAN,) * 5)
_NO_TEMPLATE = (_NAN,) * 5


def runs(action: Action, session: Session, project: list[float]) -> tuple[float, ...]:
    """How the call's classes fared in this session; ``project`` holds their rates around it."""
    get = session.runs.get
    tool, program, sub, template, exact = map(get, action.keys)
    return (
        _rate(tool, project[0]),
        _rate(program, project[1]),
        _rate(sub, project[2]),
        _rate(template, project[3]),
        _rate(exact, project[3]),
        template.ok + template.bad if template is not None else 0.0,
        *(_NO_EXACT if exact is None else (exact.ok, exact.bad, *_last(exact, session))),
        *(_NO_TEMPLATE if template is None else _last(template, session)),
        program.last_ok if program is not None else _NAN,
    )


def _rate(run: Run | None, wide: float) -> float:
    return wide if run is None else (run.ok + _LEAN * wide) / (run.ok + run.bad + _LEAN)


def _last(run: Run, session: Session) -> tuple[float, ...]:
    return (
        run.last_ok,
        run.bad_kind,
        math.log1p(session.steps - run.step),
        session.edits - run.edits,
        session.source_edits - run.source_edits,
    )


FILE_NAMES = (
    "needs_known",
    "needs_seen",
    "needs_unknown",
    "needs_gone",
    "needs_missing",
    "needs_made",
    "needs_before",
    "before_since",
    "before_compacted",
    "target_reads",
    "target_edits",
    "target_bad_edits",
    "target_since_read",
    "target_since_edit",
    "target_known_elsewhere",
    "makes_known",
    "enters_again",
    "enters_known",
)
_NO_NEEDS = (_NAN, _NAN, 0.0, 0.0, 0.0, _NAN, _NAN, _NAN, _NAN)
_NO_TARGET = (_NAN,) * 5


def files(action: Action, session: Session, place: Place) -> tuple[float, ...]:
    """What is known of the files that the call needs and makes."""
    find = session.files.find
    needs, enters = action.needs or action.makes, action.enters
    facts = [find(path) for path in needs]
    target = None
    for fact in facts:
        if fact is not None:
            target = fact
            break
    needed = _needed(needs, facts, session, place) if needs else _NO_NEEDS
    makes = action.makes
    return (
        *needed,
        *(_NO_TARGET if target is None else _target(target, session.steps)),
        target is None and needed[6] > 0,
        sum([find(path) is not None for path in makes]) if makes else _NAN,
        session.cwd.endswith(enters) if enters else _NAN,
        session.saw_path(enters) if enters else _NAN,
    )


def _needed(
    needs: tuple[str, ...], facts: list[FileFact | None], session: Session, place: Place
) -> tuple[float, ...]:
    known = seen = gone = missing = made = before = 0
    earlier = NEVER
    for path, fact in zip(needs, facts, strict=True):
        if fact is not None:
            known += 1
            gone += fact.gone
            missing += fact.missing
            made += fact.made
        elif session.saw_path(path):
            seen += 1
        old = place.files.facts.get(path)
        if old is not None:
            before += 1
            earlier = max(earlier, old.last_read)
    total = len(needs)
    return (
        known / total,
        (known + seen) / total,
        total - known - seen,
        gone,
        missing,
        made / total,
        before / total,
        since(place.steps, earlier),
        earlier < place.compacted if earlier != NEVER else _NAN,
    )


def _target(fact: FileFact, now: int) -> tuple[float, ...]:
    return (
        fact.reads,
        fact.edits,
        fact.bad_edits,
        since(now, fact.last_read),
        since(now, fact.last_edit),
    )


SCRIPT_RUN_NAMES = (
    "script_known",
    "script_made",
    "script_runs_ok",
    "script_runs_bad",
    "script_last_ok",
    "script_bad_kind",
    "script_edits_since",
    "script_source_edits_since",
    "script_edited_since",
    "script_since_edit",
    "modules_missing",
)
_NO_SCRIPT_RUN = (_NAN,) * 9


def script_runs(
    action: Action, session: Session, script: FileFact | None, modules: tuple[int, ...]
) -> tuple[float, ...]:
    """How the script that the call executes fared here, and what changed since."""
    missing = sum([session.saw(hashed ^ NO_MODULE) for hashed in modules])
    known = (script is not None) if action.script else _NAN
    if script is None:
        return (known, *_NO_SCRIPT_RUN, missing)
    ran = script.last_run != NEVER
    return (
        known,
        script.made,
        script.runs_ok,
        script.runs_bad,
        script.last_ok if ran else _NAN,
        script.bad_kind if ran else _NAN,
        session.edits - script.edits_at_run if ran else _NAN,
        session.source_edits - script.source_edits_at_run if ran else _NAN,
        script.last_edit > script.last_run,
        since(session.steps, script.last_edit),
        missing,
    )


TEXT_NAMES = (
    "looks_seen",
    "looks_all_seen",
    "looks_said",
    "looks_found",
    "looks_not_found",
    "looks_in_file",
    "looks_before",
    "old_lines_seen",
    "old_lines_before",
    "searches_bad_share",
)
_NO_LOOKS = (_NAN,) * 7
_NO_LINES = (_NAN, _NAN)


def texts(action: Action, session: Session, place: Place) -> tuple[float, ...]:
    """Whether what is searched for, or what an edit expects, was seen."""
    own = name_hash(action.needs[0]) if len(action.needs) == 1 else None
    return (
        *(_looked(action.looks, session, place, own) if action.looks else _NO_LOOKS),
        *(_NO_LINES if own is None else _expected(action.old_lines, session, place, own)),
        session.searches_bad / session.searches if session.searches else _NAN,
    )


def _expected(
    lines: tuple[int, ...], session: Session, place: Place, own: int
) -> tuple[float, float]:
    """Shares of an edit's lines that were seen in its file, here and in the project."""
    if not lines:
        return _NAN, _NAN
    return _share(lines, session, own), _known(lines, place, own)


def _looked(
    looks: tuple[int, ...], session: Session, place: Place, own: int | None
) -> tuple[float, ...]:
    seen = _share(looks, session, 0)
    return (
        seen,
        seen == 1.0,
        _share(looks, session, SAID),
        _share(looks, session, FOUND),
        _share(looks, session, NOT_FOUND),
        _share(looks, session, own) if own is not None else _NAN,
        _known(looks, place, 0),
    )


def _share(hashes: tuple[int, ...], session: Session, mixed: int) -> float:
    saw = session.saw
    return sum([saw(hashed ^ mixed) for hashed in hashes]) / len(hashes)


def _known(hashes: tuple[int, ...], place: Place, mixed: int) -> float:
    seen = place.seen
    return sum([is_marked(seen, hashed ^ mixed) for hashed in hashes]) / len(hashes)


LUCK_NAMES = (
    "step",
    "bad_share",
    "recent_bad",
    "last_ok",
    "streak_ok",
    "streak_bad",
    "since_bad",
    "since_edit",
    "since_source_edit",
    "since_test",
    "last_test_ok",
    "edits",
    "source_edits",
    "last_kind",
    "last_score",
    "owed",
    "last_output",
    "last_bad_output",
    "edited_named",
    "same_kind",
    "gap",
)


def luck(call: Call, action: Action, session: Session, place: Place) -> tuple[float, ...]:
    """How the session is going: where it stands, what came out last, how long ago."""
    now = session.steps
    begun = now > 0
    at = session.at or place.at
    return (
        now,
        (session.bads + 0.3) / (now + 4.0),
        session.recent.bit_count(),
        1 - (session.recent & 1) if begun else _NAN,
        session.streak_ok,
        session.streak_bad,
        since(now, session.last_bad),
        since(now, session.last_edit),
        since(now, session.last_source_edit),
        since(now, session.last_test),
        session.last_test_ok if session.last_test != NEVER else _NAN,
        session.edits,
        session.source_edits,
        session.last_kind if begun else _NAN,
        session.last_score if begun else _NAN,
        session.owed,
        session.last_output if begun else _NAN,
        session.last_bad_output if session.last_bad != NEVER else _NAN,
        session.edited_named,
        action.kind == session.last_kind if begun else _NAN,
        math.log1p(max(0.0, call.at - at)) if call.at and at else _NAN,
    )
