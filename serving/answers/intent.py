"""What a user's words ask for: ranked kinds of work, and what the answer rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from onward.data.errors import BundleError
from onward.data.events import Event, Prompt
from onward.features.intent.fold import IntentFold, Near
from onward.features.intent.work import KINDS
from onward.features.sentences import Embedder
from onward.models.intent import PEERS, tempered
from onward.serving.answers.base import Part
from onward.serving.questions.intent import Intent, IntentRequest, Intents, LikePrompt, TouchedFile

__all__ = ["IntentAnswerer"]


SURE = 0.8
"""From this probability on the best kind may be gone ahead with, where it can be undone."""
UNDOABLE = frozenset({"ask", "read", "run", "fix", "write", "document"})
"""Kinds whose first step is undone by putting files back; a rule may still ask about the step."""
SHOWN = 3
"""Similar past prompts that are shown."""


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
        self._part: Part | None = None

    def use(self, part: Part | None) -> None:
        """Answer with this model from now on; raises `BundleError` where it cannot be used."""
        if part is not None:
            _check(part)
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event."""
        self._fold.learn(event)

    def dump(self) -> bytes:
        """What was folded."""
        return self._fold.dump()

    def load(self, body: bytes) -> None:
        """Go on from a dump; raises `BundleError`."""
        self._fold = IntentFold.load(body, self._embedder)

    def answer(self, request: IntentRequest) -> Intents:
        """The kinds of work that the words may ask for."""
        prompt = Prompt(
            id="",
            session=request.session,
            text=request.text,
            at=request.at,
            agent=request.agent,
            project=request.project,
        )
        nearest = self._fold.near(request.text) or self._fold.alike(request.text)
        ranked, model, note = self._ranked(prompt, nearest)
        best = ranked[0]
        return Intents(
            intents=ranked,
            go_ahead=bool(model) and best.probability >= SURE and best.kind in UNDOABLE,
            first_tools=[name for name, _ in self._fold.first_tools(nearest)],
            files=[TouchedFile(*pair) for pair in self._fold.files(request.text, nearest)],
            like=[_like(near) for near in nearest[:SHOWN]],
            model=model,
            note=note,
        )

    def _ranked(self, prompt: Prompt, nearest: list[Near]) -> tuple[list[Intent], str, str]:
        """The kinds with their probabilities, which version gave them, and what is amiss."""
        part = self._part
        if part is None:
            return self._by_peer(nearest), "", f"No model yet: {PEERS[2]} answers."
        if not part.beats_peer:
            return self._by_peer(nearest), "", f"The model does not beat it: {PEERS[2]} answers."
        raw = part.run(self._fold.vector(prompt)[np.newaxis]).astype(np.float64)
        p = tempered(raw, float(part.facts["temperature"]))[0]
        return _sorted(dict(zip(KINDS, p.tolist(), strict=True))), part.version, ""

    def _by_peer(self, nearest: list[Near]) -> list[Intent]:
        votes: dict[str, Any] = dict(self._fold.kinds())
        for near in nearest:
            votes[near.past.work.kind] += near.likeness**2
        total = sum(votes.values())
        return _sorted({kind: vote / total for kind, vote in votes.items()})


def _check(part: Part) -> None:
    """Raises `BundleError` where a model's facts are not those that are needed."""
    facts = part.facts
    if facts.get("kinds") != list(KINDS):
        raise BundleError("The intent model knows other kinds of work; train again.")
    if not isinstance(facts.get("temperature"), float | int):
        raise BundleError("The intent model has no temperature; train again.")


def _sorted(p: dict[str, float]) -> list[Intent]:
    return sorted((Intent(kind, float(x)) for kind, x in p.items()), key=lambda i: -i.probability)


def _like(near: Near) -> LikePrompt:
    past = near.past
    return LikePrompt(
        past.text, past.work.kind, near.likeness, past.work.first, past.work.files[:5]
    )
