"""What comes next: the likeliest next steps of a session, and the steps after them.

Each comes with its probability, with a call that was made under its label before, with how often
it followed what the session is at, and with whether it may be started before it is asked for:
only what reads may (`onward.decisions.reversibility`). Without a model, or where the model did not
beat it, counts under the last labels answer, and a note says so.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Call, Event, Step, command_of
from onward.decisions.reversibility import Level, classify
from onward.features.next_task.examples import Example, Examples
from onward.features.next_task.fold import VOICES, NextFold
from onward.features.next_task.label import OTHER, label_of
from onward.features.shell import parse
from onward.models.next_task import Sharpness
from onward.serving.answers.base import Part
from onward.serving.questions.next_task import Followed, Later, NextAnswer, NextRequest, NextStep

__all__ = ["NextTaskAnswerer"]

_STEPS, _WEIGHTS = VOICES.index("steps"), VOICES.index("weights")

Floats = NDArray[np.float64]


class NextTaskAnswerer:
    """Answers `NextRequest` from what it folded and from its model."""

    name = "next_task"

    def __init__(self) -> None:
        self._fold = NextFold()
        self._examples = Examples()
        self._part: Part | None = None
        self._sharpness = Sharpness()

    def use(self, part: Part | None) -> None:
        """Answer with this model; raises `BundleError` where it is of other features."""
        if part is not None:
            self._sharpness = Sharpness.from_facts(part.facts)
        self._part = part

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""
        self._fold.learn(event)
        if isinstance(event, Step) and (label := label_of(event)):
            self._examples.learn(event, label)

    def answer(self, request: NextRequest) -> NextAnswer:
        """The likeliest next steps; changes nothing."""
        asked = self._fold.ask(request.session, agent=request.agent, project=request.project)
        p, note = self._shares(asked.X, asked.voices)
        order = np.argsort(-p, kind="stable").tolist() if self._fold.started else []
        if self._part is not None and order:
            self._part.lead(order[0])
        ranked = [(asked.labels[i], float(p[i])) for i in order]
        sure = not note and bool(ranked) and ranked[0][1] >= self._sharpness.sure
        return NextAnswer(
            steps=[self._step(request, label, share) for label, share in ranked[: request.most]],
            later=self._later(request, ranked),
            confident=sure and ranked[0][0] != OTHER,
            after=self._fold.last(request.session),
            model=self._part.version if self._part is not None and not note else "",
            note=note,
        )

    def _shares(self, X: NDArray[np.float32], voices: Floats) -> tuple[Floats, str]:
        """Each candidate's probability, and why it is less than the model's."""
        part = self._part
        if part is None:
            note = "No model was trained yet: these are counts of what followed."
            return voices[_STEPS], note
        if not part.beats_peer:
            note = "The model did not beat counts of what followed; these are those counts."
            return voices[_STEPS], note
        said = np.asarray(part.run(X), np.float64)[:, -1]
        return self._sharpness.shares(said, np.log(voices[_WEIGHTS])), ""

    def _step(self, request: NextRequest, label: str, share: float) -> NextStep:
        session, agent, project = request.session, request.agent, request.project
        example = self._examples.find(label, session=session, agent=agent, project=project)
        level = _level(example, request) if example is not None and not example.cut else ""
        counts = self._fold.followed(session, agent, project, label)
        return NextStep(
            label=label,
            probability=min(max(share, 0.0), 1.0),
            example="" if example is None else example.text(),
            reversible=level,
            may_start=level == Level.READ_ONLY,
            followed=Followed(counts["session"], counts["project"], counts["history"]),
        )

    def _later(self, request: NextRequest, ranked: list[tuple[str, float]]) -> list[Later]:
        if request.steps == 1 or not ranked:
            return []
        ahead = self._fold.ahead(request.session, ranked, steps=request.steps)
        return [
            Later(step, label, min(p, 1.0))
            for step, table in enumerate(ahead, start=2)
            for label, p in islice(table.items(), request.most)
        ]

    # -- on disk ---------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """What was folded; `load` goes on the same."""
        return msgspec.msgpack.encode(_State(self._fold.dump(), self._examples))

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(body, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"The next step's state cannot be read: {error}") from error
        self._fold = NextFold.load(state.fold)
        self._examples = state.examples


class _State(msgspec.Struct):
    fold: bytes
    examples: Examples


def _level(example: Example, request: NextRequest) -> str:
    """How far an example can be undone."""
    call = example.call(session=request.session, agent=request.agent, project=request.project)
    return _judged(msgspec.json.encode(call))


@lru_cache(maxsize=1024)
def _judged(encoded: bytes) -> str:
    """How far a call can be undone; the same calls are asked about again and again."""
    call = msgspec.json.decode(encoded, type=Call)
    command = command_of(call)
    return classify(call, None if command is None else parse(command)).level.value
