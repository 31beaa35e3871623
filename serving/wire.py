"""What goes in and out of the doors, as types: the one source of the OpenAPI schema.

The bodies are the event types of `onward.data.events` with two additions: a field that does
not exist is refused by name, and each text and number has bounds. `plain` gives back the
event itself. The encoders and decoders are made once, here.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from onward.data.errors import InputError
from onward.data.events import (
    Call,
    Decision,
    Feedback,
    Note,
    Prompt,
    Sample,
    Step,
    Verdict,
)

__all__ = [
    "CallBody",
    "Case",
    "Contribution",
    "EventBody",
    "Health",
    "ModelInfo",
    "Models",
    "Problem",
    "Recorded",
    "Status",
    "Why",
    "decode",
    "decode_call",
    "decode_events",
    "encode",
    "plain",
]

Name = Annotated[str, Meta(max_length=512)]
Key = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\u0000]+$")]
Time = Annotated[float, Meta(ge=0, le=1e11, description="Unix seconds; 0 = unknown.")]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Amount = Annotated[float, Meta(ge=-1e300, le=1e300)]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
Texts = Annotated[list[Annotated[str, Meta(max_length=4096)]], Meta(max_length=50)]
ExitCode = Annotated[int, Meta(ge=-(2**31), le=2**32)]


class CallBody(Call, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent is about to do."""

    session: Key
    tool: Name
    at: Time = 0.0
    agent: Name = ""
    project: Name = ""
    cwd: Annotated[str, Meta(max_length=4096)] = ""

    def call(self) -> Call:
        """The call that it describes."""
        return Call(
            session=self.session,
            tool=self.tool,
            input=self.input,
            at=self.at,
            agent=self.agent,
            project=self.project,
            cwd=self.cwd,
        )


class StepBody(
    Step, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step", tag_field="kind"
):
    """One thing an agent did, with its outcome."""

    id: Key
    session: Key
    tool: Name
    at: Time = 0.0
    agent: Name = ""
    project: Name = ""
    cwd: Annotated[str, Meta(max_length=4096)] = ""
    exit_code: ExitCode | None = None
    duration: Seconds | None = None
    decision: Annotated[str, Meta(max_length=256)] = ""
    usage: dict[str, Amount] = msgspec.field(default_factory=dict)


class PromptBody(
    Prompt, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="prompt", tag_field="kind"
):
    """What the user said."""

    id: Key
    session: Key
    at: Time = 0.0
    agent: Name = ""
    project: Name = ""
    role: Annotated[str, Meta(pattern="^(prompt|continuation|command)$")] = "prompt"


class VerdictBody(
    Verdict, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="verdict", tag_field="kind"
):
    """What the user answered when asked about a step."""

    id: Key
    session: Key
    decision: Key
    at: Time = 0.0


class SampleBody(
    Sample, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sample", tag_field="kind"
):
    """A reading of the machine's resources."""

    id: Key
    at: Time
    session: Annotated[str, Meta(max_length=256)] = ""
    host: Name = ""
    values: dict[str, Amount] = msgspec.field(default_factory=dict)


class NoteBody(
    Note, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="note", tag_field="kind"
):
    """What was decided, with its reasons."""

    id: Key
    session: Key
    text: Text
    at: Time = 0.0
    agent: Name = ""
    project: Name = ""
    about: Annotated[str, Meta(max_length=4096)] = ""
    reasons: Texts = msgspec.field(default_factory=list)
    alternatives: Texts = msgspec.field(default_factory=list)
    tags: Texts = msgspec.field(default_factory=list)


class FeedbackBody(
    Feedback,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="feedback",
    tag_field="kind",
):
    """Whether a note that was recalled helped or misled."""

    id: Key
    session: Key
    note: Key
    at: Time = 0.0
    query: Annotated[str, Meta(max_length=20_000)] = ""


EventBody = StepBody | PromptBody | VerdictBody | SampleBody | NoteBody | FeedbackBody
"""What may be recorded; decisions are onward's own."""
Recordable = Step | Prompt | Verdict | Sample | Note | Feedback
"""The same, as the history holds it."""


class Recorded(msgspec.Struct, frozen=True):
    """What became of recorded events. They survive a crash from here on."""

    seqs: list[int]
    """Position of each event in the history, in the order sent."""
    stored: int
    """How many were new."""
    duplicates: int
    """How many were there already, with the same content."""


class Contribution(msgspec.Struct, frozen=True):
    """What one feature did to what a model says."""

    feature: str
    value: float | None
    """The feature's value; null where it was unknown."""
    effect: float
    """Added to what the model says, in its unit: mostly probability."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was asked, and why it said what it said: Shapley values, sampled."""

    system: str
    """``confidence``, ``approval``, or the learned system of a question."""
    version: str
    """The bundle that it came with."""
    says: float
    """What it said, before any calibration: ``baseline``, all effects and ``rest`` add up to it."""
    baseline: float
    """What it says on average, of rows stored with the bundle."""
    contributions: list[Contribution]
    """The strongest features first."""
    rest: float
    """The summed effect of the features that are not listed."""


class Case(msgspec.Struct, frozen=True):
    """A past step that resembles the one decided on."""

    step: Step
    likeness: str
    """``same command``, ``same shape`` or ``same program``."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was answered."""

    question: str
    """Its name."""
    at: float
    """Unix seconds."""
    answer: dict[str, Any]


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why a decision, or the answer to a question, came out as it did."""

    decision: Decision | None = None
    """What is explained; null where it is an answer."""
    asked: Asked | None = None
    """What is explained; null where it is a decision."""
    models: list[Explained] = []
    """The models that were asked."""
    cases: list[Case] = []
    """The nearest steps of the history before a decision, newest first."""
    note: str = ""
    """What could not be shown, and why."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A published model bundle."""

    version: str
    live: bool
    """Whether it answers now."""
    created: float = 0.0
    """Unix seconds."""
    last_seq: int = 0
    """The last event of the history that it was trained on."""
    metrics: dict[str, Any] = {}
    fault: str = ""
    """Why it cannot be used; empty = it can."""


class Models(msgspec.Struct, frozen=True):
    """The bundles on disk, and which one answers."""

    live: str
    """What decides; empty: rules and counts do."""
    versions: list[ModelInfo]
    predicting: str = ""
    """What answers the questions beside decisions; empty: their trivial peers do."""


class Health(msgspec.Struct, frozen=True):
    """Whether requests are answered, and how well."""

    status: str
    """``ok``; ``degraded``: with less than all that is known; or ``unavailable``: events cannot be
    stored. The next one that can be, a reading of the machine or what is recorded, ends that."""
    degraded: str = ""
    """Why, in one sentence; over HTTP only to whoever sends the token, where one is set."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the server is doing."""

    version: str
    uptime_s: float
    model: str
    degraded: str
    shadow: bool
    error_rate: float
    threshold: float | None
    """Probability of success at which the execute band begins; null = nothing is promised."""
    events: dict[str, int]
    """Events of the history by kind."""
    last_seq: int
    folded_seq: int
    """Up to where the history is in the numbers that answer."""
    decisions: dict[str, int]
    """Decisions since the start, by band."""
    waiting: int
    """Events on their way to the disk."""
    rss_bytes: int


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as RFC 9457 has it."""

    title: str
    status: int
    detail: str
    code: str
    """The kind of error, stable: ``invalid_input``, ``too_large``, ``conflict`` ..."""
    facts: dict[str, Any] = {}
    """The details as data."""


encode = msgspec.json.Encoder().encode
"""Anything of the above as JSON."""

_call = msgspec.json.Decoder(CallBody)
_events = msgspec.json.Decoder(EventBody | list[EventBody])
_Body = TypeVar("_Body")


def decode_call(body: bytes) -> Call:
    """One call from JSON.

    Raises
    ------
    InputError
        The body is no such JSON; the message names the field.
    """
    return _decode(_call, body).call()


def decode_events(body: bytes) -> list[Recordable]:
    """One event, or a list of them, from JSON.

    Raises
    ------
    InputError
        The body is no such JSON; the message names the event and the field.
    """
    given = _decode(_events, body)
    return [plain(event) for event in (given if isinstance(given, list) else [given])]


def decode(kind: type[_Body], body: bytes) -> _Body:
    """A question's request from JSON; an empty body is one without fields.

    Raises
    ------
    InputError
        The body is no such JSON; the message names the field.
    """
    return _decode(msgspec.json.Decoder(kind), body or b"{}")


def _decode(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The body is not UTF-8: {error.reason}.", at=error.start) from error
    except msgspec.DecodeError as error:
        raise InputError(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise InputError("The body is nested too deeply.") from error


_Plain = type[Step] | type[Prompt] | type[Verdict] | type[Sample] | type[Note] | type[Feedback]
_PLAIN: dict[type, _Plain] = {
    StepBody: Step,
    PromptBody: Prompt,
    VerdictBody: Verdict,
    SampleBody: Sample,
    NoteBody: Note,
    FeedbackBody: Feedback,
}


def plain(event: EventBody) -> Recordable:
    """The event itself, without the bounds of its body."""
    fields = event.__struct_fields__
    return _PLAIN[type(event)](**{name: getattr(event, name) for name in fields})
