"""What can be asked beside decisions, as a table; every door is made from it.

HTTP takes a question at ``POST /v1/NAME``, gRPC as a method of
``onward.predictions.v1.Predictions`` whose messages are written from the same types
(`onward.serving.pb.describe`), and `Client.ask` by its name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from onward.data.errors import InputError
from onward.serving import wire
from onward.serving.questions.answered import Answered
from onward.serving.questions.errors import ErrorAnswer, ErrorList, ErrorListRequest, ErrorRequest
from onward.serving.questions.fixes import AttemptAnswer, AttemptRequest, FixAnswer, FixRequest
from onward.serving.questions.forecast import ForecastAnswer, ForecastRequest
from onward.serving.questions.hazard import HazardAnswer, HazardRequest
from onward.serving.questions.intent import IntentRequest, Intents
from onward.serving.questions.memory import MemoryAnswer, MemoryRequest
from onward.serving.questions.next_task import NextAnswer, NextRequest

__all__ = ["BY_REQUEST", "QUESTIONS", "Question"]


class Question(NamedTuple):
    """One thing that can be asked of a learned system."""

    name: str
    """Its path below ``/v1/``, and what clients call it."""
    system: str
    """The answerer that is asked: its ``name``."""
    method: str
    """The answerer's method."""
    request: type[msgspec.Struct]
    answer: type[Answered]
    summary: str

    @property
    def rpc(self) -> str:
        """The gRPC method: ``errors/list`` is ``ErrorsList``."""
        return "".join(part.capitalize() for part in self.name.replace("/", "_").split("_"))

    def read(self, body: bytes) -> msgspec.Struct:
        """The request of a JSON body; raises `InputError`, which names the field."""
        return wire.decode(self.request, body)

    def convert(self, fields: dict[str, Any]) -> msgspec.Struct:
        """The request of plain fields; raises `InputError` as `read` does."""
        try:
            return msgspec.convert(fields, self.request, strict=False)
        except msgspec.ValidationError as error:
            raise InputError(f"{error}.") from error


QUESTIONS: tuple[Question, ...] = (
    Question(
        "next",
        "next_task",
        "answer",
        NextRequest,
        NextAnswer,
        "The next steps of a session, with calibrated probabilities.",
    ),
    Question(
        "hazard",
        "hazard",
        "answer",
        HazardRequest,
        HazardAnswer,
        "Is this session getting anywhere, and what helps if not?",
    ),
    Question(
        "errors",
        "errors",
        "answer",
        ErrorRequest,
        ErrorAnswer,
        "What is this error: its cluster, its cause, and those near it.",
    ),
    Question(
        "errors/list",
        "errors",
        "listed",
        ErrorListRequest,
        ErrorList,
        "The clusters of errors that were met.",
    ),
    Question(
        "fixes",
        "fixes",
        "answer",
        FixRequest,
        FixAnswer,
        "What mended a failing check before, and whether to try it again as it is.",
    ),
    Question(
        "attempt",
        "fixes",
        "attempt",
        AttemptRequest,
        AttemptAnswer,
        "Will a failing check pass now, after what was changed?",
    ),
    Question(
        "memory",
        "memory",
        "answer",
        MemoryRequest,
        MemoryAnswer,
        "What was decided about this before, and did it help?",
    ),
    Question(
        "intent",
        "intent",
        "answer",
        IntentRequest,
        Intents,
        "What do a user's words ask for?",
    ),
    Question(
        "forecast",
        "forecast",
        "answer",
        ForecastRequest,
        ForecastAnswer,
        "Will memory, disk or another resource run out, when, and through whom?",
    ),
)

BY_REQUEST: dict[type[msgspec.Struct], Question] = {one.request: one for one in QUESTIONS}
"""A request's type tells what is asked."""
