from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Band(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BAND_UNSPECIFIED: _ClassVar[Band]
    BAND_EXECUTE: _ClassVar[Band]
    BAND_MONITOR: _ClassVar[Band]
    BAND_GUARD: _ClassVar[Band]
    BAND_ASK: _ClassVar[Band]
    BAND_DENY: _ClassVar[Band]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_OK: _ClassVar[Outcome]
    OUTCOME_ERROR: _ClassVar[Outcome]
    OUTCOME_REJECTED: _ClassVar[Outcome]
    OUTCOME_INTERRUPTED: _ClassVar[Outcome]
    OUTCOME_UNKNOWN: _ClassVar[Outcome]
BAND_UNSPECIFIED: Band
BAND_EXECUTE: Band
BAND_MONITOR: Band
BAND_GUARD: Band
BAND_ASK: Band
BAND_DENY: Band
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_OK: Outcome
OUTCOME_ERROR: Outcome
OUTCOME_REJECTED: Outcome
OUTCOME_INTERRUPTED: Outcome
OUTCOME_UNKNOWN: Outcome

class DecideRequest(_message.Message):
    __slots__ = ("session", "tool", "input_json", "command", "at", "agent", "project", "cwd")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    CWD_FIELD_NUMBER: _ClassVar[int]
    session: str
    tool: str
    input_json: bytes
    command: str
    at: float
    agent: str
    project: str
    cwd: str
    def __init__(self, session: _Optional[str] = ..., tool: _Optional[str] = ..., input_json: _Optional[bytes] = ..., command: _Optional[str] = ..., at: _Optional[float] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ..., cwd: _Optional[str] = ...) -> None: ...

class DecideBatchRequest(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[DecideRequest]
    def __init__(self, calls: _Optional[_Iterable[_Union[DecideRequest, _Mapping]]] = ...) -> None: ...

class DecideBatchResponse(_message.Message):
    __slots__ = ("decisions",)
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("source", "text", "ref", "value")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    source: str
    text: str
    ref: str
    value: float
    def __init__(self, source: _Optional[str] = ..., text: _Optional[str] = ..., ref: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("id", "at", "band", "shadow", "p_success", "p_approve", "reversible", "reasons", "model", "degraded")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    P_SUCCESS_FIELD_NUMBER: _ClassVar[int]
    P_APPROVE_FIELD_NUMBER: _ClassVar[int]
    REVERSIBLE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: float
    band: Band
    shadow: bool
    p_success: float
    p_approve: float
    reversible: str
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    model: str
    degraded: str
    def __init__(self, id: _Optional[str] = ..., at: _Optional[float] = ..., band: _Optional[_Union[Band, str]] = ..., shadow: _Optional[bool] = ..., p_success: _Optional[float] = ..., p_approve: _Optional[float] = ..., reversible: _Optional[str] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., model: _Optional[str] = ..., degraded: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("id", "call", "outcome", "exit_code", "duration", "output", "decision", "usage")
    class UsageEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    call: DecideRequest
    outcome: Outcome
    exit_code: int
    duration: float
    output: str
    decision: str
    usage: _containers.ScalarMap[str, float]
    def __init__(self, id: _Optional[str] = ..., call: _Optional[_Union[DecideRequest, _Mapping]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., exit_code: _Optional[int] = ..., duration: _Optional[float] = ..., output: _Optional[str] = ..., decision: _Optional[str] = ..., usage: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("id", "session", "text", "at", "agent", "project", "role")
    ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    session: str
    text: str
    at: float
    agent: str
    project: str
    role: str
    def __init__(self, id: _Optional[str] = ..., session: _Optional[str] = ..., text: _Optional[str] = ..., at: _Optional[float] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("id", "session", "decision", "approved", "at", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    session: str
    decision: str
    approved: bool
    at: float
    text: str
    def __init__(self, id: _Optional[str] = ..., session: _Optional[str] = ..., decision: _Optional[str] = ..., approved: _Optional[bool] = ..., at: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("id", "at", "session", "host", "values")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: float
    session: str
    host: str
    values: _containers.ScalarMap[str, float]
    def __init__(self, id: _Optional[str] = ..., at: _Optional[float] = ..., session: _Optional[str] = ..., host: _Optional[str] = ..., values: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Note(_message.Message):
    __slots__ = ("id", "session", "text", "at", "agent", "project", "about", "reasons", "alternatives", "tags")
    ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    id: str
    session: str
    text: str
    at: float
    agent: str
    project: str
    about: str
    reasons: _containers.RepeatedScalarFieldContainer[str]
    alternatives: _containers.RepeatedScalarFieldContainer[str]
    tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., session: _Optional[str] = ..., text: _Optional[str] = ..., at: _Optional[float] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ..., about: _Optional[str] = ..., reasons: _Optional[_Iterable[str]] = ..., alternatives: _Optional[_Iterable[str]] = ..., tags: _Optional[_Iterable[str]] = ...) -> None: ...

class Feedback(_message.Message):
    __slots__ = ("id", "session", "note", "helped", "at", "query", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    HELPED_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    session: str
    note: str
    helped: bool
    at: float
    query: str
    text: str
    def __init__(self, id: _Optional[str] = ..., session: _Optional[str] = ..., note: _Optional[str] = ..., helped: _Optional[bool] = ..., at: _Optional[float] = ..., query: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("step", "prompt", "verdict", "sample", "note", "feedback")
    STEP_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    step: Step
    prompt: Prompt
    verdict: Verdict
    sample: Sample
    note: Note
    feedback: Feedback
    def __init__(self, step: _Optional[_Union[Step, _Mapping]] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., sample: _Optional[_Union[Sample, _Mapping]] = ..., note: _Optional[_Union[Note, _Mapping]] = ..., feedback: _Optional[_Union[Feedback, _Mapping]] = ...) -> None: ...

class RecordRequest(_message.Message):
    __slots__ = ("events", "idempotency_key")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    idempotency_key: str
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("seqs", "stored", "duplicates")
    SEQS_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    seqs: _containers.RepeatedScalarFieldContainer[int]
    stored: int
    duplicates: int
    def __init__(self, seqs: _Optional[_Iterable[int]] = ..., stored: _Optional[int] = ..., duplicates: _Optional[int] = ...) -> None: ...

class WhyRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("feature", "value", "effect")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    feature: str
    value: float
    effect: float
    def __init__(self, feature: _Optional[str] = ..., value: _Optional[float] = ..., effect: _Optional[float] = ...) -> None: ...

class Explained(_message.Message):
    __slots__ = ("system", "version", "says", "baseline", "contributions", "rest")
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    system: str
    version: str
    says: float
    baseline: float
    contributions: _containers.RepeatedCompositeFieldContainer[Contribution]
    rest: float
    def __init__(self, system: _Optional[str] = ..., version: _Optional[str] = ..., says: _Optional[float] = ..., baseline: _Optional[float] = ..., contributions: _Optional[_Iterable[_Union[Contribution, _Mapping]]] = ..., rest: _Optional[float] = ...) -> None: ...

class Case(_message.Message):
    __slots__ = ("step", "likeness")
    STEP_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    step: Step
    likeness: str
    def __init__(self, step: _Optional[_Union[Step, _Mapping]] = ..., likeness: _Optional[str] = ...) -> None: ...

class Asked(_message.Message):
    __slots__ = ("question", "at", "answer_json")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_JSON_FIELD_NUMBER: _ClassVar[int]
    question: str
    at: float
    answer_json: bytes
    def __init__(self, question: _Optional[str] = ..., at: _Optional[float] = ..., answer_json: _Optional[bytes] = ...) -> None: ...

class WhyResponse(_message.Message):
    __slots__ = ("decision", "call", "asked", "models", "cases", "note")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CASES_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    call: DecideRequest
    asked: Asked
    models: _containers.RepeatedCompositeFieldContainer[Explained]
    cases: _containers.RepeatedCompositeFieldContainer[Case]
    note: str
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ..., call: _Optional[_Union[DecideRequest, _Mapping]] = ..., asked: _Optional[_Union[Asked, _Mapping]] = ..., models: _Optional[_Iterable[_Union[Explained, _Mapping]]] = ..., cases: _Optional[_Iterable[_Union[Case, _Mapping]]] = ..., note: _Optional[str] = ...) -> None: ...
