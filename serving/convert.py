"""gRPC messages to events and back, field by field.

What comes in passes the same bounds as a JSON body of the HTTP door.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec
from google.protobuf.message import Message

from onward.data.errors import InputError
from onward.data.events import Band, Call, Decision, Outcome, Step
from onward.serving import wire
from onward.serving.pb import decision_pb2 as pb

__all__ = [
    "call_in",
    "decision_out",
    "event_in",
    "fields_in",
    "fields_out",
    "recorded_out",
    "why_out",
]

_BANDS = {band: f"BAND_{band.name}" for band in Band}
_OUTCOMES = {outcome: f"OUTCOME_{outcome.name}" for outcome in Outcome}
_OUTCOME_NAMES = {pb.Outcome.Value(name): outcome.value for outcome, name in _OUTCOMES.items()}

_object = msgspec.json.Decoder(dict[str, Any])


def call_in(message: pb.DecideRequest) -> Call:
    """The call of a message.

    Raises
    ------
    InputError
        A field is out of bounds, or the input is no JSON object.
    """
    call = Call(
        session=message.session,
        tool=message.tool,
        input=_input(message),
        at=message.at,
        agent=message.agent,
        project=message.project,
        cwd=message.cwd,
    )
    if _is_bounded(call):
        return call
    given: wire.CallBody = _convert(msgspec.structs.asdict(call), wire.CallBody)
    return given.call()


def _is_bounded(call: Call) -> bool:
    """Whether a call is well within all bounds of `wire.CallBody`; what is not is looked at."""
    return (
        0 < len(call.session) <= 256
        and "\0" not in call.session
        and len(call.tool) <= 512
        and 0.0 <= call.at <= 1e11
        and len(call.agent) <= 512
        and len(call.project) <= 512
        and len(call.cwd) <= 512
    )


def event_in(message: pb.Event) -> wire.Recordable:
    """The event of a message; raises `InputError` as `call_in` does."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise InputError(f"An event is empty; set one of {', '.join(_EVENTS)}.")
    read, body = _EVENTS[kind]
    return wire.plain(_convert(read(getattr(message, kind)), body))


def decision_out(decision: Decision) -> pb.Decision:
    """A decision as a message; its call stays out, since the caller has it."""
    message = pb.Decision(
        id=decision.id,
        at=decision.at,
        band=_BANDS[decision.band],
        shadow=decision.shadow,
        p_success=decision.p_success,
        p_approve=decision.p_approve,
        reversible=decision.reversible,
        model=decision.model,
        degraded=decision.degraded,
    )
    add = message.reasons.add
    for reason in decision.reasons:
        add(source=reason.source, text=reason.text, ref=reason.ref, value=reason.value)
    return message


def fields_in(message: Message) -> dict[str, Any]:
    """The fields of a message that are set, under the names that JSON gives them."""
    from google.protobuf import json_format  # decisions need none of it

    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def fields_out(value: msgspec.Struct, message: Message) -> Message:
    """A message filled with a value of the type that it was described from."""
    from google.protobuf import json_format

    plain = msgspec.to_builtins(value, enc_hook=str)
    return json_format.ParseDict(_without_none(plain), message)


def _without_none(value: Any) -> Any:
    """The same without what is not there, which proto tells by leaving it out."""
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value


def recorded_out(recorded: wire.Recorded) -> pb.Recorded:
    """What became of events, as a message."""
    return pb.Recorded(seqs=recorded.seqs, stored=recorded.stored, duplicates=recorded.duplicates)


def why_out(why: wire.Why) -> pb.WhyResponse:
    """An explanation as a message."""
    message = pb.WhyResponse(
        models=[_explained_out(model) for model in why.models],
        cases=[pb.Case(step=_step_out(case.step), likeness=case.likeness) for case in why.cases],
        note=why.note,
    )
    if why.decision is not None:
        message.decision.CopyFrom(decision_out(why.decision))
        message.call.CopyFrom(_call_out(why.decision.call))
    if why.asked is not None:
        message.asked.question, message.asked.at = why.asked.question, why.asked.at
        message.asked.answer_json = msgspec.json.encode(why.asked.answer)
    return message


def _explained_out(model: wire.Explained) -> pb.Explained:
    return pb.Explained(
        system=model.system,
        version=model.version,
        says=model.says,
        baseline=model.baseline,
        contributions=[
            pb.Contribution(feature=item.feature, value=item.value, effect=item.effect)
            for item in model.contributions
        ],
        rest=model.rest,
    )


def _convert(fields: dict[str, Any], body: type[Any]) -> Any:
    numbers = [
        fields.get("duration") or 0.0,
        *fields.get("usage", fields.get("values", {})).values(),
    ]
    if not isfinite(sum(numbers)):  # JSON knows no such numbers, so the bounds do not either
        raise InputError("A number is not finite.")
    try:
        return msgspec.convert(fields, body)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}.") from error


def _call_fields(message: pb.DecideRequest) -> dict[str, Any]:
    return {
        "session": message.session,
        "tool": message.tool,
        "input": _input(message),
        "at": message.at,
        "agent": message.agent,
        "project": message.project,
        "cwd": message.cwd,
    }


def _input(message: pb.DecideRequest) -> dict[str, Any]:
    if not message.input_json:
        return {"command": message.command} if message.command else {}
    if message.command:
        raise InputError("Set command or input_json, not both.")
    try:
        return _object.decode(message.input_json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"input_json is no JSON object: {error}.") from error


def _step_fields(message: pb.Step) -> dict[str, Any]:
    return {
        "kind": "step",
        **_call_fields(message.call),
        "id": message.id,
        "outcome": _OUTCOME_NAMES.get(message.outcome, "unspecified"),
        "exit_code": message.exit_code if message.HasField("exit_code") else None,
        "duration": message.duration if message.HasField("duration") else None,
        "output": message.output,
        "decision": message.decision,
        "usage": dict(message.usage),
    }


def _prompt_fields(message: pb.Prompt) -> dict[str, Any]:
    return {
        "kind": "prompt",
        "id": message.id,
        "session": message.session,
        "text": message.text,
        "at": message.at,
        "agent": message.agent,
        "project": message.project,
        "role": message.role or "prompt",
    }


def _verdict_fields(message: pb.Verdict) -> dict[str, Any]:
    return {
        "kind": "verdict",
        "id": message.id,
        "session": message.session,
        "decision": message.decision,
        "approved": message.approved,
        "at": message.at,
        "text": message.text,
    }


def _sample_fields(message: pb.Sample) -> dict[str, Any]:
    return {
        "kind": "sample",
        "id": message.id,
        "at": message.at,
        "session": message.session,
        "host": message.host,
        "values": dict(message.values),
    }


def _note_fields(message: pb.Note) -> dict[str, Any]:
    return {
        "kind": "note",
        "id": message.id,
        "session": message.session,
        "text": message.text,
        "at": message.at,
        "agent": message.agent,
        "project": message.project,
        "about": message.about,
        "reasons": list(message.reasons),
        "alternatives": list(message.alternatives),
        "tags": list(message.tags),
    }


def _feedback_fields(message: pb.Feedback) -> dict[str, Any]:
    return {
        "kind": "feedback",
        "id": message.id,
        "session": message.session,
        "note": message.note,
        "helped": message.helped,
        "at": message.at,
        "query": message.query,
        "text": message.text,
    }


_EVENTS: dict[str, tuple[Any, type[Any]]] = {
    "step": (_step_fields, wire.StepBody),
    "prompt": (_prompt_fields, wire.PromptBody),
    "verdict": (_verdict_fields, wire.VerdictBody),
    "sample": (_sample_fields, wire.SampleBody),
    "note": (_note_fields, wire.NoteBody),
    "feedback": (_feedback_fields, wire.FeedbackBody),
}


def _call_out(call: Call) -> pb.DecideRequest:
    return pb.DecideRequest(
        session=call.session,
        tool=call.tool,
        input_json=msgspec.json.encode(call.input),
        at=call.at,
        agent=call.agent,
        project=call.project,
        cwd=call.cwd,
    )


def _step_out(step: Step) -> pb.Step:
    return pb.Step(
        id=step.id,
        call=_call_out(step),
        outcome=_OUTCOMES[step.outcome],
        exit_code=step.exit_code,
        duration=step.duration,
        output=step.output,
        decision=step.decision,
        usage=step.usage,
    )
