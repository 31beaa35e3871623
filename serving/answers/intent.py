"""What a user's words ask for: ranked kinds of work, and what the answer rests on."""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt
from onward.decisions.risk import Threshold
from onward.features.bounded import shed
from onward.features.intent.fold import IntentFold
from onward.features.intent.past import Near
from onward.features.intent.work import KINDS
from onward.features.sentences import Embedder
from onward.models.intent import PEERS
from onward.serving.answers.base import Part
from onward.serving.answers.intent_ahead import Ahead, Reading, SavedAhead, reading_of
from onward.serving.questions.intent import Intent, IntentRequest, Intents, LikePrompt, TouchedFile

__all__ = ["IntentAnswerer"]

UNDOABLE = frozenset({"ask", "read", "run", "fix", "write", "document"})
"""Kinds whose first step is undone by putting files back; a rule may still ask about the step."""
SHOWN = 3
"""Similar past prompts that are shown."""
MAX_READ = 512
"""Sessions whose newest prompt is judged once its work is known."""


class IntentAnswerer:
    """Answers what is meant.

    Parameters
    ----------
    embedder
        Makes vectors of prompts; without it they are compared by their words alone.
    """

    name = "intent"

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._fold = IntentFold(embedder)
        self._ahead = Ahead()
        self._read: dict[str, Reading] = {}  # by session: its newest prompt
        self._part: Part | None = None

    def use(self, part: Part | None) -> None:
        """Answer with this model from now on; raises `BundleError` where it cannot be used."""
        if part is not None:
            _check(part)
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event; a prompt is read before it is learned."""
        if not isinstance(event, Prompt) or event.role == "interrupt":
            self._fold.learn(event)
            return
        reading = reading_of(event, self._fold.vector(event))
        for past in self._fold.learn(event):
            read = self._read.pop(past.session, None)
            if read is not None and read.kind in UNDOABLE:
                self._ahead.learn(read, right=read.kind == past.work.kind)
        self._read[event.session] = reading
        shed(self._read, MAX_READ)

    def dump(self) -> bytes:
        """What was folded."""
        return msgspec.msgpack.encode(_State(self._fold.dump(), self._ahead.dump(), self._read))

    def load(self, body: bytes) -> None:
        """Go on from a dump; raises `BundleError`."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The state of intent cannot be read: {error}") from error
        self._fold = IntentFold.load(state.fold, self._embedder)
        self._ahead, self._read = Ahead.load(state.ahead), state.read

    def answer(self, request: IntentRequest) -> Intents:
        """The kinds of work that the words may ask for."""
        prompt = Prompt(
            id="",
            session=request.session,
            text=request.text,
            at=request.at,
            agent=request.agent,
            project=request.project,
            role=request.role,
        )
        nearest = self._fold.nearest(request.text)
        vector = self._fold.vector(prompt)
        ranked, model, note = self._ranked(vector, nearest)
        reading, bound = reading_of(prompt, vector), self._ahead.threshold(request.precision)
        agreed = bool(model) and ranked[0].kind == reading.kind
        sure = self._ahead.sure(reading) if agreed else 0.0
        return Intents(
            intents=ranked,
            go_ahead=agreed and sure >= bound.value and reading.kind in UNDOABLE,
            sure=sure,
            ahead_from=bound.value if isfinite(bound.value) else None,
            rests_on=_rests_on(bound),
            first_tools=[name for name, _ in self._fold.first_tools(nearest)],
            files=[TouchedFile(*pair) for pair in self._fold.files(request.text, nearest)],
            like=[_like(near) for near in nearest[:SHOWN]],
            model=model,
            note=note,
        )

    def _ranked(
        self, vector: NDArray[np.float32], nearest: list[Near]
    ) -> tuple[list[Intent], str, str]:
        """The kinds with their probabilities, which version gave them, and what is amiss."""
        part = self._part
        if part is None:
            return self._by_peer(nearest), "", f"No model yet: {PEERS[2]} answers."
        if not part.beats_peer:
            return self._by_peer(nearest), "", f"The model does not beat it: {PEERS[2]} answers."
        p = part.run(vector[np.newaxis]).astype(np.float64)[0]
        return _sorted(dict(zip(KINDS, p.tolist(), strict=True))), part.version, ""

    def _by_peer(self, nearest: list[Near]) -> list[Intent]:
        votes: dict[str, Any] = dict(self._fold.kinds())
        for near in nearest:
            votes[near.past.work.kind] += near.likeness**2
        total = sum(votes.values())
        return _sorted({kind: vote / total for kind, vote in votes.items()})


class _State(msgspec.Struct):
    fold: bytes
    ahead: SavedAhead
    read: dict[str, Reading]


def _check(part: Part) -> None:
    """Raises `BundleError` where a model's facts are not those that are needed."""
    if part.facts.get("kinds") != list(KINDS):
        raise BundleError("The intent model knows other kinds of work; train again.")


def _rests_on(bound: Threshold) -> str:
    """What a threshold rests on, in words."""
    asked = f"{1.0 - bound.rate:.0%} right with {bound.confidence:.0%} confidence"
    if not isfinite(bound.value):
        return f"Among the newest {bound.n} prompts none were surely {asked}: ask."
    return (
        f"{bound.coverage:.0%} of the newest {bound.n} prompts were as sure, "
        f"{1.0 - bound.error:.0%} of these read right: at least {asked}."
    )


def _sorted(p: dict[str, float]) -> list[Intent]:
    return sorted((Intent(kind, float(x)) for kind, x in p.items()), key=lambda i: -i.probability)


def _like(near: Near) -> LikePrompt:
    past = near.past
    return LikePrompt(
        past.text, past.work.kind, near.likeness, past.work.first, past.work.files[:5]
    )
