"""The one fold: history in, numbers out, the same for training and for serving.

`Fold.vector` gives the features of a call from what was learned so far and changes nothing.
`Fold.learn` takes in one event. A log folded at once and a log folded event by event go through
the same two methods, so a step's vector is the same bit for bit, also after `dump` and `load`.

Memory is bounded whatever the length of the history: sessions, files, classes and words are kept
in tables of fixed capacity, the least recently used are forgotten.
"""

from __future__ import annotations

import math
import struct

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.events import Call, Decision, Event, Outcome, Prompt, Step, Verdict
from onward.features.action import Action, action_of
from onward.features.action.script import NO_SCRIPT, SCRIPT_NAMES, ScriptFacts
from onward.features.action.types import KIND, STATIC_NAMES, WORD_SLOTS
from onward.features.bounded import shed
from onward.features.correction import corrects
from onward.features.dumps import packed, unpacked, version_of
from onward.features.rates import NONE, REGRET, Rates
from onward.features.seen import of_bytes
from onward.features.step import blocks
from onward.features.step.blocks import Place
from onward.features.step.files import FileFact, since
from onward.features.step.session import COMMON_SIZE, SEEN_SIZE, Session
from onward.features.step.situation import Situation, situation_of
from onward.features.words import WordWeights

__all__ = ["NAMES", "VERSION", "Fold"]

_HISTORY_NAMES = (
    "rate_tool",
    "rate_program",
    "rate_sub",
    "rate_template",
    "rate_exact",
    "rate_worst_program",
    "rate_agent_program",
    "rate_situation",
    "rate_target",
    "count_template",
    "count_exact",
    "count_project_template",
    "rate_project_tool",
    "rate_project_program",
    "rate_project_sub",
    "rate_project_template",
    "words_score",
    "state_score",
    "body_score",
)
_APPROVAL_NAMES = (
    "approve_all",
    "approve_tool",
    "approve_program",
    "approve_template",
    "approve_exact",
    "since_rejected",
    "rejected",
    "prompts",
    "correction",
)

NAMES: tuple[str, ...] = (
    *STATIC_NAMES,
    *(f"code_{name}" for name in SCRIPT_NAMES),
    *_HISTORY_NAMES,
    *blocks.RUN_NAMES,
    *blocks.FILE_NAMES,
    *blocks.SCRIPT_RUN_NAMES,
    *blocks.TEXT_NAMES,
    *blocks.LUCK_NAMES,
    *_APPROVAL_NAMES,
)
"""Names of the numbers in a vector, in order."""

_MEANING = 7
"""Raise this when a feature changes its meaning but not its name."""

VERSION = version_of(_MEANING, NAMES)
"""Changes whenever the meaning of a feature changes."""

MAX_SESSIONS = 64
MAX_PLACES = 24
MAX_PLACE_FILES = 1500
MAX_DECIDED = 4096
_PRIOR = 0.93
_PRIOR_APPROVE = 0.99
_NAN = math.nan
_EXECUTES = frozenset((KIND["run"], KIND["inline"], KIND["test"]))
_RAN = (Outcome.OK, Outcome.ERROR)


class Fold:
    """The state of everything that was learned, and the vectors that it gives.

    >>> fold = Fold()
    >>> call = Call(session="s", tool="Bash", input={"command": "ls"})
    >>> fold.vector(call).shape == (len(NAMES),)
    True
    """

    def __init__(self) -> None:
        self.rates = Rates()
        self.approvals = Rates()
        self._words = WordWeights(WORD_SLOTS)
        self._state = WordWeights(WORD_SLOTS)
        self._code = WordWeights(WORD_SLOTS)
        self._sessions: dict[str, Session] = {}
        self._places: dict[str, Place] = {}
        self._decided: dict[str, tuple[str, ...]] = {}

    def vector(self, call: Call) -> NDArray[np.float32]:
        """The features of a call, float32, `NAMES` long; NaN where nothing is known."""
        action = action_of(call)
        session = self._sessions.get(call.session) or _FRESH
        place = self._places.get(_place_key(call.agent, call.project)) or _NOWHERE
        script, body = _script_of(action, session)
        situation = situation_of(action, session, script, body, call.project)
        history, project = self._history(call, action, situation, place)
        return np.frombuffer(
            _pack(
                *action.static,
                *body.numbers,
                *history,
                *project,
                *self._scores(action, situation, body),
                *blocks.runs(action, session, project),
                *blocks.files(action, session, place),
                *blocks.script_runs(action, session, script, body.modules),
                *blocks.texts(action, session, place),
                *blocks.luck(call, action, session, place),
                *self._approval(action, session),
            ),
            np.float32,
        )

    def learn(self, event: Event) -> None:
        """Takes in one event; what cannot be learned from changes nothing."""
        if isinstance(event, Step):
            self._learn_step(event)
        elif isinstance(event, Prompt):
            self._learn_prompt(event)
        elif isinstance(event, Decision):
            self._learn_decision(event)
        elif isinstance(event, Verdict):
            self._learn_verdict(event)

    # -- learning ------------------------------------------------------------------------------

    def _learn_step(self, step: Step) -> None:
        session = self._session(step.session)
        home = self._place(step.agent, "")
        place = self._place(step.agent, step.project)
        if session.steps == 0:
            session.cwd = step.cwd or home.cwd
        action = action_of(step)
        if action.takes_back and step.outcome is Outcome.OK:
            self._learn_taken_back(action, session)
        if step.outcome in _RAN:
            self._learn_outcome(step, action, session, place)
            if home is not place:
                home.rates.learn(action.keys[1], step.outcome is Outcome.OK)
        if step.outcome is not Outcome.UNKNOWN:
            self._learn_approval(action.keys, approved=step.outcome in _RAN)
            if step.outcome not in _RAN:
                session.rejected += 1
                session.last_rejected = session.steps
        session.last_keys = action.keys
        session.steps += 1
        place.steps += 1
        session.at = place.at = step.at
        home.cwd = session.cwd

    def _learn_outcome(self, step: Step, action: Action, session: Session, place: Place) -> None:
        good = step.outcome is Outcome.OK
        script, body = _script_of(action, session)
        situation = situation_of(action, session, script, body, step.project)
        session.last_score = self._state.learn(situation.slots, good)
        self._words.learn(action.words, good)
        if body.words and action.kind in _EXECUTES:
            self._code.learn(body.words, good)
        keys = dict.fromkeys(action.keys)
        for key in dict.fromkeys(("", *keys, *action.programs, situation.key, action.target)):
            self.rates.learn(key, good)
        for key in keys:
            place.rates.learn(key, good)
        session.owed = 0.7 * session.owed + good - 1.0 / (1.0 + math.exp(-session.last_score))
        session.learn(action, good=good, output=step.output, common=place.seen)
        _learn_place(action, place, good)

    def _learn_taken_back(self, action: Action, session: Session) -> None:
        """What changed the files that are put back was a mistake."""
        for path in action.edits:
            fact = session.files.find(path)
            if fact is not None and fact.edit_keys:
                self._learn_approval(fact.edit_keys, approved=False)

    def _learn_prompt(self, prompt: Prompt) -> None:
        session = self._session(prompt.session)
        session.prompts += 1
        session.correction = corrects(prompt.text)
        if session.correction and session.last_keys:
            self._learn_approval(session.last_keys, approved=False)
        if prompt.role == "continuation":
            for place in self._places.values():
                place.compacted = place.steps

    def _learn_decision(self, decision: Decision) -> None:
        self._decided[decision.id] = action_of(decision.call).keys
        shed(self._decided, MAX_DECIDED)

    def _learn_verdict(self, verdict: Verdict) -> None:
        keys = self._decided.pop(verdict.decision, None)
        if keys is not None:
            self._learn_approval(keys, approved=verdict.approved)

    def _learn_approval(self, keys: tuple[str, ...], *, approved: bool) -> None:
        for key in dict.fromkeys(("", *keys)):
            self.approvals.learn(key, approved, 1.0 if approved else REGRET)

    # -- tables --------------------------------------------------------------------------------

    def _session(self, name: str) -> Session:
        """A session's state, made where it is new and counted as used."""
        session = self._sessions.pop(name, None) or Session()
        self._sessions[name] = session
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return session

    def _place(self, agent: str, project: str) -> Place:
        """A project's state as one agent sees it, made where it is new and counted as used."""
        key = _place_key(agent, project)
        place = self._places.pop(key, None) or Place()
        self._places[key] = place
        if len(self._places) > MAX_PLACES:
            del self._places[next(iter(self._places))]
        return place

    # -- blocks that need the history --------------------------------------------------------------

    def _history(
        self, call: Call, action: Action, situation: Situation, place: Place
    ) -> tuple[tuple[float, ...], list[float]]:
        """Rates and counts of the call's classes in all history, and rates in its project."""
        rates, here = self.rates, place.rates
        leaning, keys = rates.leaning, action.keys
        overall, tool, program, sub, template, exact = rates.chain(("", *keys), _PRIOR)
        home = self._places.get(_place_key(call.agent, ""), _NOWHERE)
        numbers = (
            tool,
            program,
            sub,
            template,
            exact,
            min([leaning(p, overall) for p in action.programs], default=1.0),
            home.rates.leaning(keys[1], program),
            leaning(situation.key, program),
            leaning(action.target, template),
            sum(rates.table.get(keys[3], NONE)),
            sum(rates.table.get(keys[4], NONE)),
            sum(here.table.get(keys[3], NONE)),
        )
        near = map(here.leaning, keys[:4], (tool, program, sub, template))
        return numbers, list(near)

    def _scores(
        self, action: Action, situation: Situation, body: ScriptFacts
    ) -> tuple[float, float, float]:
        """Log odds by running weights: of the words, of the situation, of the code that runs."""
        executes = bool(body.words) and action.kind in _EXECUTES
        return (
            self._words.score(action.words),
            self._state.score(situation.slots),
            self._code.score(body.words) if executes else _NAN,
        )

    def _approval(self, action: Action, session: Session) -> tuple[float, ...]:
        tool, program, _, template, exact = action.keys
        return (
            *self.approvals.chain(("", tool, program, template, exact), _PRIOR_APPROVE),
            since(session.steps, session.last_rejected),
            session.rejected,
            session.prompts,
            session.correction,
        )

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """The whole state; `load` gives a fold that answers the same bit for bit."""
        return packed(
            _State(
                version=VERSION,
                rates=self.rates,
                approvals=self.approvals,
                weights=[self._words.dump(), self._state.dump(), self._code.dump()],
                sessions=list(self._sessions.items()),
                places=list(self._places.items()),
                decided=list(self._decided.items()),
            )
        )

    @classmethod
    def load(cls, body: bytes) -> Fold:
        """A fold from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        state = unpacked(body, _State, version=VERSION, what="The fold's state")
        fold = cls()
        fold.rates = state.rates
        fold.approvals = state.approvals
        for weights, saved in zip(
            (fold._words, fold._state, fold._code), state.weights, strict=True
        ):
            weights.load(saved)
        fold._sessions = dict(state.sessions)
        fold._places = dict(state.places)
        for session in fold._sessions.values():
            session.seen = of_bytes(session.seen, SEEN_SIZE)
        for place in fold._places.values():
            place.seen = of_bytes(place.seen, COMMON_SIZE)
        fold._decided = dict(state.decided)
        return fold


class _State(msgspec.Struct):
    version: str
    rates: Rates
    approvals: Rates
    weights: list[tuple[float, bytes, bytes]]
    sessions: list[tuple[str, Session]]
    places: list[tuple[str, Place]]
    decided: list[tuple[str, tuple[str, ...]]]


_pack = struct.Struct(f"{len(NAMES)}f").pack
"""Numbers of any kind to float32, five times as fast as through `numpy.array`."""
_FRESH = Session()
_NOWHERE = Place()


def _place_key(agent: str, project: str) -> str:
    return f"{agent}|{project}"


def _script_of(action: Action, session: Session) -> tuple[FileFact | None, ScriptFacts]:
    """What is known of the file that is executed, and of the code that will run."""
    script = session.files.find(action.script) if action.script else None
    if action.body is NO_SCRIPT and script is not None:
        return script, script.body
    return script, action.body


def _learn_place(action: Action, place: Place, good: bool) -> None:
    """Keeps over sessions which files were there, and when they were last used."""
    facts = place.files.facts
    for path in action.needs + action.makes:
        if good:
            place.files.get(path, MAX_PLACE_FILES).last_read = place.steps
        elif path in facts:
            facts[path].missing = True
