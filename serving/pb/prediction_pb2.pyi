from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NextRequest(_message.Message):
    __slots__ = ("session", "agent", "project", "most", "steps")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    session: str
    agent: str
    project: str
    most: int
    steps: int
    def __init__(self, session: _Optional[str] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ..., most: _Optional[int] = ..., steps: _Optional[int] = ...) -> None: ...

class NextAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "steps", "later", "confident", "after")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    LATER_FIELD_NUMBER: _ClassVar[int]
    CONFIDENT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    steps: _containers.RepeatedCompositeFieldContainer[NextStep]
    later: _containers.RepeatedCompositeFieldContainer[Later]
    confident: bool
    after: str
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[NextStep, _Mapping]]] = ..., later: _Optional[_Iterable[_Union[Later, _Mapping]]] = ..., confident: _Optional[bool] = ..., after: _Optional[str] = ...) -> None: ...

class NextStep(_message.Message):
    __slots__ = ("label", "probability", "example", "reversible", "may_start", "followed")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    REVERSIBLE_FIELD_NUMBER: _ClassVar[int]
    MAY_START_FIELD_NUMBER: _ClassVar[int]
    FOLLOWED_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    example: str
    reversible: str
    may_start: bool
    followed: Followed
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ..., example: _Optional[str] = ..., reversible: _Optional[str] = ..., may_start: _Optional[bool] = ..., followed: _Optional[_Union[Followed, _Mapping]] = ...) -> None: ...

class Followed(_message.Message):
    __slots__ = ("session", "project", "history")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    session: _containers.RepeatedScalarFieldContainer[int]
    project: _containers.RepeatedScalarFieldContainer[int]
    history: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, session: _Optional[_Iterable[int]] = ..., project: _Optional[_Iterable[int]] = ..., history: _Optional[_Iterable[int]] = ...) -> None: ...

class Later(_message.Message):
    __slots__ = ("ahead", "label", "probability")
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ahead: int
    label: str
    probability: float
    def __init__(self, ahead: _Optional[int] = ..., label: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class HazardRequest(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class HazardAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "session", "probability", "window", "alarm", "threshold", "standstill", "idle", "since", "since_id", "evidence", "hint")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    STANDSTILL_FIELD_NUMBER: _ClassVar[int]
    IDLE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SINCE_ID_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    session: str
    probability: float
    window: int
    alarm: bool
    threshold: float
    standstill: str
    idle: int
    since: int
    since_id: str
    evidence: _containers.RepeatedScalarFieldContainer[str]
    hint: Hint
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., session: _Optional[str] = ..., probability: _Optional[float] = ..., window: _Optional[int] = ..., alarm: _Optional[bool] = ..., threshold: _Optional[float] = ..., standstill: _Optional[str] = ..., idle: _Optional[int] = ..., since: _Optional[int] = ..., since_id: _Optional[str] = ..., evidence: _Optional[_Iterable[str]] = ..., hint: _Optional[_Union[Hint, _Mapping]] = ...) -> None: ...

class Hint(_message.Message):
    __slots__ = ("text", "learned", "tried", "gained", "lower")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    text: str
    learned: bool
    tried: float
    gained: float
    lower: float
    def __init__(self, text: _Optional[str] = ..., learned: _Optional[bool] = ..., tried: _Optional[float] = ..., gained: _Optional[float] = ..., lower: _Optional[float] = ...) -> None: ...

class ErrorRequest(_message.Message):
    __slots__ = ("output", "command", "session")
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    output: str
    command: str
    session: str
    def __init__(self, output: _Optional[str] = ..., command: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class ErrorAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "known", "root", "line", "found_by", "type", "template", "category", "p", "cluster", "nearest")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    FOUND_BY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    P_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    known: bool
    root: str
    line: int
    found_by: str
    type: str
    template: str
    category: str
    p: float
    cluster: ErrorCluster
    nearest: _containers.RepeatedCompositeFieldContainer[NearError]
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., known: _Optional[bool] = ..., root: _Optional[str] = ..., line: _Optional[int] = ..., found_by: _Optional[str] = ..., type: _Optional[str] = ..., template: _Optional[str] = ..., category: _Optional[str] = ..., p: _Optional[float] = ..., cluster: _Optional[_Union[ErrorCluster, _Mapping]] = ..., nearest: _Optional[_Iterable[_Union[NearError, _Mapping]]] = ...) -> None: ...

class ErrorCluster(_message.Message):
    __slots__ = ("cluster", "template", "example", "count", "first_seen", "last_seen", "programs", "types", "evidence")
    class ProgramsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class TypesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    PROGRAMS_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    cluster: int
    template: str
    example: str
    count: int
    first_seen: float
    last_seen: float
    programs: _containers.ScalarMap[str, int]
    types: _containers.ScalarMap[str, int]
    evidence: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster: _Optional[int] = ..., template: _Optional[str] = ..., example: _Optional[str] = ..., count: _Optional[int] = ..., first_seen: _Optional[float] = ..., last_seen: _Optional[float] = ..., programs: _Optional[_Mapping[str, int]] = ..., types: _Optional[_Mapping[str, int]] = ..., evidence: _Optional[_Iterable[str]] = ...) -> None: ...

class NearError(_message.Message):
    __slots__ = ("cluster", "template", "cosine", "p_same", "same")
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    P_SAME_FIELD_NUMBER: _ClassVar[int]
    SAME_FIELD_NUMBER: _ClassVar[int]
    cluster: int
    template: str
    cosine: float
    p_same: float
    same: bool
    def __init__(self, cluster: _Optional[int] = ..., template: _Optional[str] = ..., cosine: _Optional[float] = ..., p_same: _Optional[float] = ..., same: _Optional[bool] = ...) -> None: ...

class ErrorListRequest(_message.Message):
    __slots__ = ("order", "limit")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    order: str
    limit: int
    def __init__(self, order: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ErrorList(_message.Message):
    __slots__ = ("id", "model", "note", "clusters", "total")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    clusters: _containers.RepeatedCompositeFieldContainer[ErrorCluster]
    total: int
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., clusters: _Optional[_Iterable[_Union[ErrorCluster, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class FixRequest(_message.Message):
    __slots__ = ("session", "command", "output", "tool", "at", "most")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    session: str
    command: str
    output: str
    tool: str
    at: float
    most: int
    def __init__(self, session: _Optional[str] = ..., command: _Optional[str] = ..., output: _Optional[str] = ..., tool: _Optional[str] = ..., at: _Optional[float] = ..., most: _Optional[int] = ...) -> None: ...

class FixAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "check", "signature", "kind", "failures", "known", "reason", "fixes", "tried", "retry")
    class TriedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIXES_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    check: str
    signature: str
    kind: str
    failures: int
    known: bool
    reason: str
    fixes: _containers.RepeatedCompositeFieldContainer[Fix]
    tried: _containers.ScalarMap[str, int]
    retry: Retry
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., check: _Optional[str] = ..., signature: _Optional[str] = ..., kind: _Optional[str] = ..., failures: _Optional[int] = ..., known: _Optional[bool] = ..., reason: _Optional[str] = ..., fixes: _Optional[_Iterable[_Union[Fix, _Mapping]]] = ..., tried: _Optional[_Mapping[str, int]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ...) -> None: ...

class Fix(_message.Message):
    __slots__ = ("fix", "text", "p", "lower", "worked", "tried", "files", "steps")
    FIX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    P_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    WORKED_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    fix: str
    text: str
    p: float
    lower: float
    worked: float
    tried: float
    files: _containers.RepeatedScalarFieldContainer[str]
    steps: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, fix: _Optional[str] = ..., text: _Optional[str] = ..., p: _Optional[float] = ..., lower: _Optional[float] = ..., worked: _Optional[float] = ..., tried: _Optional[float] = ..., files: _Optional[_Iterable[str]] = ..., steps: _Optional[_Iterable[str]] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("p_transient", "advice", "wait", "reruns", "passed", "evidence")
    P_TRANSIENT_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    RERUNS_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    p_transient: float
    advice: str
    wait: float
    reruns: float
    passed: float
    evidence: str
    def __init__(self, p_transient: _Optional[float] = ..., advice: _Optional[str] = ..., wait: _Optional[float] = ..., reruns: _Optional[float] = ..., passed: _Optional[float] = ..., evidence: _Optional[str] = ...) -> None: ...

class AttemptRequest(_message.Message):
    __slots__ = ("session", "tool", "input", "agent", "project")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    session: str
    tool: str
    input: _struct_pb2.Struct
    agent: str
    project: str
    def __init__(self, session: _Optional[str] = ..., tool: _Optional[str] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ...) -> None: ...

class AttemptAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "attempt", "p_pass", "fix", "signature", "worked", "tried")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    P_PASS_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    WORKED_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    attempt: bool
    p_pass: float
    fix: str
    signature: str
    worked: float
    tried: float
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., attempt: _Optional[bool] = ..., p_pass: _Optional[float] = ..., fix: _Optional[str] = ..., signature: _Optional[str] = ..., worked: _Optional[float] = ..., tried: _Optional[float] = ...) -> None: ...

class MemoryRequest(_message.Message):
    __slots__ = ("query", "project", "most")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    query: str
    project: str
    most: int
    def __init__(self, query: _Optional[str] = ..., project: _Optional[str] = ..., most: _Optional[int] = ...) -> None: ...

class MemoryAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "notes", "sure", "known")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    SURE_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    notes: _containers.RepeatedCompositeFieldContainer[Recalled]
    sure: bool
    known: int
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., notes: _Optional[_Iterable[_Union[Recalled, _Mapping]]] = ..., sure: _Optional[bool] = ..., known: _Optional[int] = ...) -> None: ...

class Recalled(_message.Message):
    __slots__ = ("p", "note", "why")
    P_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    p: float
    note: Note
    why: WhyRecalled
    def __init__(self, p: _Optional[float] = ..., note: _Optional[_Union[Note, _Mapping]] = ..., why: _Optional[_Union[WhyRecalled, _Mapping]] = ...) -> None: ...

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

class WhyRecalled(_message.Message):
    __slots__ = ("words", "cosine", "helped", "misled", "count", "age_days", "same_project")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    HELPED_FIELD_NUMBER: _ClassVar[int]
    MISLED_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AGE_DAYS_FIELD_NUMBER: _ClassVar[int]
    SAME_PROJECT_FIELD_NUMBER: _ClassVar[int]
    words: _containers.RepeatedScalarFieldContainer[str]
    cosine: float
    helped: float
    misled: float
    count: int
    age_days: float
    same_project: bool
    def __init__(self, words: _Optional[_Iterable[str]] = ..., cosine: _Optional[float] = ..., helped: _Optional[float] = ..., misled: _Optional[float] = ..., count: _Optional[int] = ..., age_days: _Optional[float] = ..., same_project: _Optional[bool] = ...) -> None: ...

class IntentRequest(_message.Message):
    __slots__ = ("text", "agent", "project", "session", "at", "role", "precision")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    text: str
    agent: str
    project: str
    session: str
    at: float
    role: str
    precision: float
    def __init__(self, text: _Optional[str] = ..., agent: _Optional[str] = ..., project: _Optional[str] = ..., session: _Optional[str] = ..., at: _Optional[float] = ..., role: _Optional[str] = ..., precision: _Optional[float] = ...) -> None: ...

class Intents(_message.Message):
    __slots__ = ("id", "model", "note", "intents", "go_ahead", "first_tools", "files", "like", "sure", "ahead_from", "rests_on")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    INTENTS_FIELD_NUMBER: _ClassVar[int]
    GO_AHEAD_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOOLS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    SURE_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FROM_FIELD_NUMBER: _ClassVar[int]
    RESTS_ON_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    intents: _containers.RepeatedCompositeFieldContainer[Intent]
    go_ahead: bool
    first_tools: _containers.RepeatedScalarFieldContainer[str]
    files: _containers.RepeatedCompositeFieldContainer[TouchedFile]
    like: _containers.RepeatedCompositeFieldContainer[LikePrompt]
    sure: float
    ahead_from: float
    rests_on: str
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., intents: _Optional[_Iterable[_Union[Intent, _Mapping]]] = ..., go_ahead: _Optional[bool] = ..., first_tools: _Optional[_Iterable[str]] = ..., files: _Optional[_Iterable[_Union[TouchedFile, _Mapping]]] = ..., like: _Optional[_Iterable[_Union[LikePrompt, _Mapping]]] = ..., sure: _Optional[float] = ..., ahead_from: _Optional[float] = ..., rests_on: _Optional[str] = ...) -> None: ...

class Intent(_message.Message):
    __slots__ = ("kind", "probability")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    probability: float
    def __init__(self, kind: _Optional[str] = ..., probability: _Optional[float] = ...) -> None: ...

class TouchedFile(_message.Message):
    __slots__ = ("path", "weight")
    PATH_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    path: str
    weight: float
    def __init__(self, path: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class LikePrompt(_message.Message):
    __slots__ = ("text", "kind", "likeness", "first_tool", "files")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LIKENESS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOOL_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    text: str
    kind: str
    likeness: float
    first_tool: str
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, text: _Optional[str] = ..., kind: _Optional[str] = ..., likeness: _Optional[float] = ..., first_tool: _Optional[str] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class ForecastRequest(_message.Message):
    __slots__ = ("host", "resource", "horizon_s", "command", "tool")
    HOST_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    HORIZON_S_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    host: str
    resource: str
    horizon_s: float
    command: str
    tool: str
    def __init__(self, host: _Optional[str] = ..., resource: _Optional[str] = ..., horizon_s: _Optional[float] = ..., command: _Optional[str] = ..., tool: _Optional[str] = ...) -> None: ...

class ForecastAnswer(_message.Message):
    __slots__ = ("id", "model", "note", "resources", "peak", "fits")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    note: str
    resources: _containers.RepeatedCompositeFieldContainer[ResourceForecast]
    peak: ExpectedPeak
    fits: bool
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., note: _Optional[str] = ..., resources: _Optional[_Iterable[_Union[ResourceForecast, _Mapping]]] = ..., peak: _Optional[_Union[ExpectedPeak, _Mapping]] = ..., fits: _Optional[bool] = ...) -> None: ...

class ResourceForecast(_message.Message):
    __slots__ = ("host", "resource", "at", "used", "limit", "horizons", "time_left", "alarm", "blamed", "because")
    HOST_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    HORIZONS_FIELD_NUMBER: _ClassVar[int]
    TIME_LEFT_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    BLAMED_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    host: str
    resource: str
    at: float
    used: float
    limit: float
    horizons: _containers.RepeatedCompositeFieldContainer[Horizon]
    time_left: TimeLeft
    alarm: bool
    blamed: _containers.RepeatedCompositeFieldContainer[Blamed]
    because: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host: _Optional[str] = ..., resource: _Optional[str] = ..., at: _Optional[float] = ..., used: _Optional[float] = ..., limit: _Optional[float] = ..., horizons: _Optional[_Iterable[_Union[Horizon, _Mapping]]] = ..., time_left: _Optional[_Union[TimeLeft, _Mapping]] = ..., alarm: _Optional[bool] = ..., blamed: _Optional[_Iterable[_Union[Blamed, _Mapping]]] = ..., because: _Optional[_Iterable[str]] = ...) -> None: ...

class Horizon(_message.Message):
    __slots__ = ("minutes", "low", "middle", "high", "p_exhausted")
    MINUTES_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    MIDDLE_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    P_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    minutes: float
    low: float
    middle: float
    high: float
    p_exhausted: float
    def __init__(self, minutes: _Optional[float] = ..., low: _Optional[float] = ..., middle: _Optional[float] = ..., high: _Optional[float] = ..., p_exhausted: _Optional[float] = ...) -> None: ...

class TimeLeft(_message.Message):
    __slots__ = ("early", "middle", "late")
    EARLY_FIELD_NUMBER: _ClassVar[int]
    MIDDLE_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    early: float
    middle: float
    late: float
    def __init__(self, early: _Optional[float] = ..., middle: _Optional[float] = ..., late: _Optional[float] = ...) -> None: ...

class Blamed(_message.Message):
    __slots__ = ("pid", "name", "per_minute", "share")
    PID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    pid: int
    name: str
    per_minute: float
    share: float
    def __init__(self, pid: _Optional[int] = ..., name: _Optional[str] = ..., per_minute: _Optional[float] = ..., share: _Optional[float] = ...) -> None: ...

class ExpectedPeak(_message.Message):
    __slots__ = ("median_bytes", "high_bytes", "runs", "level", "key")
    MEDIAN_BYTES_FIELD_NUMBER: _ClassVar[int]
    HIGH_BYTES_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    median_bytes: float
    high_bytes: float
    runs: int
    level: str
    key: str
    def __init__(self, median_bytes: _Optional[float] = ..., high_bytes: _Optional[float] = ..., runs: _Optional[int] = ..., level: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...
