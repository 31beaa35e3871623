"""What one session did so far, as far as failing checks and their fixes go."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Call, Outcome, Step
from onward.features.action.types import KIND, WORD_SLOTS
from onward.features.fixes.attempts import Attempt, Done, Failing, fix_of
from onward.features.fixes.changes import FIXES, Change, Effect, effect_of
from onward.features.fixes.checks import Check, same_check
from onward.features.fixes.faults import Fault, fault_of
from onward.features.fixes.transient import keyword, retry_after
from onward.features.rates import NONE, Rates, chain, leaning
from onward.features.slots import slots_of
from onward.features.text import ends_of, name_hash

__all__ = [
    "HISTORY_NAMES",
    "Session",
    "attempt_keys",
    "attempt_of",
    "check_key",
    "failing_of",
    "fresh_slots",
    "history_rates",
    "match_of",
    "note_done",
    "remedy_slots",
    "state_slots",
    "word_slots",
]

MAX_BODIES = 24
MAX_BODY = 400
MAX_FRESH = 60
MAX_DONE = 60
MAX_MADE = 200
HISTORY_NAMES = (
    "rate_fix",
    "rate_kind",
    "rate_kind_fix",
    "rate_head",
    "rate_head_fix",
    "rate_signature",
    "rate_signature_fix",
    "rate_project",
    "rate_agent",
    "rate_agent_fix",
    "rate_session",
    "count_signature",
    "words_score",
    "state_score",
    "fresh_score",
)
"""Names of `history_rates`, and of three scores by running weights, in order."""
_PRIOR = 0.65
_MASK = WORD_SLOTS - 1
_SALTS = 0x9E3779B1 * np.arange(1, len(FIXES) + 1, dtype=np.int64)


class Session(msgspec.Struct, gc=False):
    """What one session did so far."""

    project: str = ""
    agent: str = ""
    steps: int = 0
    ok: int = 0
    """Attempts that passed."""
    bad: int = 0
    last_fix: int = -1
    """The fix that worked last."""
    failing: list[Failing] = []
    """Checks that failed last time, the oldest first."""
    done: list[Done] = []
    made: dict[str, int] = {}
    """Files that it wrote -> the step that did it first."""
    patches: dict[str, tuple[str, ...]] = {}
    """Script -> files that it writes when it runs."""
    bodies: dict[str, tuple[int, ...]] = {}
    """File -> hashes of the words that were written into it last."""
    heads: dict[str, tuple[int, int]] = {}
    """Check -> how often it passed and failed."""


_RUN_KINDS = frozenset(map(KIND.__getitem__, ("test", "run", "build", "inline")))


def note_done(session: Session, step: Step, check: Check | None) -> None:
    """Remembers what a step changed and whether a check ran."""
    effect = effect_of(step)
    good = step.outcome is Outcome.OK
    changes = effect.changes
    if check is not None and good:
        written = [path for target in check.targets for path in session.patches.get(target, ())]
        changes = (*changes, *[Change("edit", path) for path in written])
    runs = 0 if check is None or check.kind not in _RUN_KINDS else (1 if good else -1)
    if changes or runs or not good:
        fresh = _fresh(session, changes, effect.words)
        one = Done(session.steps, step.id, changes, good, effect.words, fresh, runs)
        session.done = [*session.done, one][-MAX_DONE:]
    if good:
        _note_files(session, changes, effect)


def _note_files(session: Session, changes: tuple[Change, ...], effect: Effect) -> None:
    for change in changes:
        if change.action in ("edit", "make"):
            session.made[change.path] = session.made.pop(change.path, session.steps)
            _remember(session.bodies, change, effect.words)
            if effect.patches:
                session.patches[change.path.rsplit("/", 1)[-1]] = effect.patches
    for table in (session.made, session.patches):
        while len(table) > MAX_MADE:
            del table[next(iter(table))]


def match_of(session: Session, check: Check) -> Failing | None:
    """The failing check that a check would run again; the latest."""
    for one in reversed(session.failing):
        if same_check(one.check, check):
            return one
    return None


def attempt_of(session: Session, check: Check, call: Call) -> Attempt | None:
    """The attempt that a call judges; None where its check did not fail before."""
    failing = match_of(session, check)
    if failing is None:
        return None
    effect = effect_of(call)
    done = [one for one in session.done if one.step > failing.step]
    fix, fix_id = fix_of(failing, check, effect, done, session.made)
    words = [word for one in done if one.good for word in one.fresh]
    words += _fresh(session, effect.changes, effect.words)
    return Attempt(
        failing, check, effect, done, fix, fix_id, tuple(dict.fromkeys(words))[:MAX_FRESH]
    )


def _fresh(
    session: Session, changes: tuple[Change, ...], words: tuple[int, ...]
) -> tuple[int, ...]:
    """Words that a step writes and that its file did not hold before."""
    paths = [change.path for change in changes if change.action in ("edit", "make")]
    if not paths:
        return ()
    before = set(session.bodies.get(paths[-1], ()))
    return tuple([word for word in words if word not in before])[:MAX_FRESH]


def _remember(bodies: dict[str, tuple[int, ...]], change: Change, words: tuple[int, ...]) -> None:
    """Keeps the words that a file holds, as far as they were written here."""
    before = bodies.pop(change.path, ())
    kept = words if change.whole else tuple(dict.fromkeys([*words, *before]))[:MAX_BODY]
    bodies[change.path] = kept
    if len(bodies) > MAX_BODIES:
        del bodies[next(iter(bodies))]


def failing_of(
    session: Session, check: Check, step: Step, before: Failing | None, attempt: Attempt | None
) -> Failing:
    """A check that just failed, with what is remembered of its earlier failures."""
    fault = fault_of(step.output)
    slots = slots_of((f"kind {fault.kind}", f"sig {fault.signature}"), _telling(step.output, fault))
    now = Failing(check, fault, slots, session.steps, step.id, session.steps)
    now.at, now.sounds = step.at + (step.duration or 0.0), keyword(step.output)
    now.told = retry_after(step.output, step.at)
    if before is not None and attempt is not None:
        same = before.fault.signature == fault.signature
        now.first, now.fails, now.same = before.first, before.fails + 1, same
        now.faults = before.faults + (not same)
        now.tried = {**before.tried, attempt.fix: before.tried.get(attempt.fix, 0) + 1}
        now.last_fix = attempt.fix
        if min(before.fault.failures, fault.failures) >= 0:
            less, then = fault.failures, before.fault.failures
            now.fewer = (less < then) - (less > then)
    return now


def _telling(output: str, fault: Fault) -> str:
    """The part of an output whose words are remembered: its error line, then its end."""
    return f"{fault.signature} {' '.join(fault.named[:4])} {ends_of(output)[-400:]}"


def check_key(check: Check) -> str:
    """The class of a check and its targets."""
    return f"{check.head} {' '.join(check.targets)}"


def attempt_keys(session: Session, attempt: Attempt) -> tuple[str, ...]:
    """Classes of an attempt to count under, in the order that `history_rates` reads them."""
    fix, failing = attempt.fix, attempt.failing
    kind, head, said = failing.fault.kind, failing.check.head, failing.fault.signature
    return (
        "",
        f"f{fix}",
        f"k{kind}",
        f"k{kind}|{fix}",
        f"h{head}",
        f"h{head}|{fix}",
        f"s{said}",
        f"s{said}|{fix}",
        f"p{session.project}",
        f"a{session.agent}",
        f"a{session.agent}|{fix}",
    )


def history_rates(tries: Rates, session: Session, attempt: Attempt) -> list[float]:
    """Running rates at which attempts of the same classes passed, named by `HISTORY_NAMES`."""
    get = tries.table.get
    counts = [get(key, NONE) for key in attempt_keys(session, attempt)]
    overall, fix = chain(counts[:2], prior=_PRIOR)
    kind, kind_fix = leaning(counts[2], overall), leaning(counts[3], fix)
    return [
        fix,
        kind,
        kind_fix,
        leaning(counts[4], overall),
        leaning(counts[5], fix),
        leaning(counts[6], kind),
        leaning(counts[7], kind_fix),
        leaning(counts[8], overall),
        leaning(counts[9], overall),
        leaning(counts[10], fix),
        leaning((float(session.ok), float(session.bad)), overall),
        sum(counts[6]),
    ]


def word_slots(attempt: Attempt) -> tuple[int, ...]:
    """Slots of the error's words, of the fix, and of what the call and the last change write."""
    mixed = [attempt.fix + 1, *attempt.failing.slots]
    for one in attempt.done[-3:]:
        if one.good:
            mixed += [word * 3 for word in one.words[:24]]
    mixed += [word * 3 for word in attempt.effect.words[:12]]
    return tuple(dict.fromkeys((m ^ m >> 15) & _MASK for m in mixed))


def fresh_slots(attempt: Attempt) -> tuple[int, ...]:
    """Slots of what was added, with the kind of error and with its line."""
    fault = attempt.failing.fault
    salts = 0x85EBCA77 * (fault.kind + 1), name_hash(fault.signature)
    mixed = [attempt.fix + 7, *salts]
    mixed += [word + salt for word in attempt.fresh[:24] for salt in salts]
    return tuple(dict.fromkeys((m ^ m >> 15) & _MASK for m in mixed))


def state_slots(attempt: Attempt) -> tuple[int, ...]:
    """Slots of the attempt's situation, whole and in parts."""
    failing, fix = attempt.failing, attempt.fix
    kind, check = failing.fault.kind, failing.check.kind
    fails = min(failing.fails, 3)
    again = 2 * failing.same + (attempt.check.exact == failing.check.exact)
    parts = (
        f"f {fix}",
        f"k {kind}",
        f"kf {kind} {fix}",
        f"cf {check} {fix}",
        f"n {fails} {again}",
        f"nf {fails} {fix}",
        f"ck {check} {kind}",
        f"d {min(len(attempt.done), 6)}",
        f"l {fix} {failing.last_fix}",
        f"h {failing.check.head}",
        f"s {failing.fault.signature}",
    )
    return tuple([name_hash(part) & _MASK for part in parts])


def remedy_slots(failing: Failing) -> NDArray[np.int64]:
    """(fixes, words) slots of each fix with each word of the error."""
    mixed = np.array((0, *failing.slots), np.int64)[None, :] + _SALTS[:, None]
    return np.asarray((mixed ^ mixed >> 15) & _MASK)
