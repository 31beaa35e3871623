"""The gRPC door of a real server, spoken to by the generated stub."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from onward.serving.grpc import SERVICE
from onward.serving.pb import decision_pb2 as pb
from onward.serving.pb import decision_pb2_grpc as pb_grpc

if TYPE_CHECKING:
    from tests.serving.conftest import Running, Start

LS = pb.DecideRequest(session="s", tool="Bash", command="ls -l", agent="tester")


@pytest.fixture
def channel(server: Running) -> Iterator[grpc.Channel]:
    """A connection to the shared server."""
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.Channel) -> Any:
    """The methods."""
    return pb_grpc.DecisionsStub(channel)  # type: ignore[no-untyped-call]


def step(step_id: str, **fields: Any) -> pb.Event:
    """A step as an event."""
    given = {"call": LS, "outcome": pb.OUTCOME_OK, **fields}
    return pb.Event(step=pb.Step(id=step_id, **given))


def refusal(work: Callable[[], object]) -> tuple[grpc.StatusCode, str, str]:
    """Code, message and the reason in the rich details of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        work()
    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "onward"
    return caught.value.code(), caught.value.details(), info.reason


def test_decides(stub: Any) -> None:
    """A decision over gRPC has what one over HTTP has."""
    decision = stub.Decide(LS)

    assert decision.band == pb.BAND_ASK
    assert decision.reversible == "read_only"
    assert "no model" in decision.degraded
    assert {reason.source for reason in decision.reasons} >= {"counts", "reversibility"}


def test_command_and_input(stub: Any) -> None:
    """A command may come as such or as JSON, and the rules see the same."""
    push = stub.Decide(pb.DecideRequest(session="s", tool="Bash", command="git push --force"))
    json = b'{"command": "git push --force"}'
    same = stub.Decide(pb.DecideRequest(session="s", tool="Bash", input_json=json))

    assert push.reasons[0].ref == same.reasons[0].ref == "force-push"


def test_batch_and_stream(stub: Any) -> None:
    """Many calls are decided on in order, at once or as they come."""
    commands = ["ls", "git push --force", "cat a.py"]
    calls = [pb.DecideRequest(session="s", tool="Bash", command=text) for text in commands]
    batch = stub.DecideBatch(pb.DecideBatchRequest(calls=calls)).decisions
    stream = list(stub.DecideStream(iter(calls)))

    assert [d.reversible for d in batch] == [d.reversible for d in stream]
    assert [d.reversible == "irreversible" for d in batch] == [False, True, False]


def test_records(stub: Any) -> None:
    """Every kind of event is stored once, however often it is sent."""
    events = [
        step("g-1", exit_code=0, duration=1.5, usage={"cpu_s": 0.5}),
        pb.Event(prompt=pb.Prompt(id="g-2", session="s", text="go on")),
        pb.Event(verdict=pb.Verdict(id="g-3", session="s", decision="d", approved=True)),
        pb.Event(sample=pb.Sample(id="g-4", at=1.0, values={"load_1m": 1.0})),
        pb.Event(note=pb.Note(id="g-5", session="s", text="use pathlib", tags=["paths"])),
        pb.Event(feedback=pb.Feedback(id="g-6", session="s", note="g-5", helped=True)),
    ]
    first = stub.Record(pb.RecordRequest(events=events))
    again = stub.Record(pb.RecordRequest(events=events))

    assert (first.stored, first.duplicates) == (6, 0)
    assert (again.stored, again.duplicates) == (0, 6)
    assert list(first.seqs) == list(again.seqs)


def test_record_stream(stub: Any) -> None:
    """A stream of batches is acknowledged at its end."""
    batches = (pb.RecordRequest(events=[step(f"st-{n}"), step(f"st-{n}b")]) for n in range(20))

    assert stub.RecordStream(batches).stored == 40


def test_explains(stub: Any) -> None:
    """A decision can be looked up."""
    decision = stub.Decide(LS)
    why = stub.Why(pb.WhyRequest(id=decision.id))

    assert why.decision == decision
    assert why.call.input_json == b'{"command":"ls -l"}'


def test_idempotency_key(stub: Any) -> None:
    """The same key with other events is a conflict."""
    stub.Record(pb.RecordRequest(events=[step("ik-1")], idempotency_key="k"))
    code, _, reason = refusal(
        lambda: stub.Record(pb.RecordRequest(events=[step("ik-2")], idempotency_key="k"))
    )

    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "conflict")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (pb.DecideRequest(tool="Bash", command="ls"), "session"),
        (pb.DecideRequest(session="s", tool="Bash", command="ls", input_json=b"{}"), "not both"),
        (pb.DecideRequest(session="s", tool="Bash", input_json=b"[1]"), "no JSON object"),
        (pb.DecideRequest(session="s", tool="Bash", input_json=b'{"a": "\xff"}'), "no JSON object"),
        (pb.DecideRequest(session="s", tool="Bash", at=math.nan), "at"),
        (pb.DecideRequest(session="s", tool="Bash", at=math.inf), "at"),
    ],
)
def test_what_cannot_be_decided_on(stub: Any, call: pb.DecideRequest, says: str) -> None:
    """Each mistake is an INVALID_ARGUMENT that names it."""
    code, text, reason = refusal(lambda: stub.Decide(call))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_input")
    assert says in text


@pytest.mark.parametrize(
    "event",
    [
        pb.Event(),
        pb.Event(step=pb.Step(id="n-1", call=LS)),
        step("n-2", usage={"cpu_s": math.nan}),
        step("n-3", duration=math.inf),
        step("n-4", exit_code=2**40),
        step(""),
    ],
)
def test_what_cannot_be_recorded(stub: Any, event: pb.Event) -> None:
    """Empty events, unset outcomes and numbers that are none are refused; nothing is stored."""
    good = step("with-a-bad-one")
    code, _, _ = refusal(lambda: stub.Record(pb.RecordRequest(events=[good, event])))

    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert stub.Record(pb.RecordRequest(events=[good])).stored in {0, 1}


def test_too_much(stub: Any) -> None:
    """A command of ten megabytes and a batch of 100,000 steps are refused, and it goes on."""
    huge = pb.DecideRequest(session="s", tool="Bash", command="x" * 2_000_000)
    code, _, reason = refusal(lambda: stub.Decide(huge))
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "too_large")

    for request in (
        pb.DecideRequest(session="s", tool="Bash", command="x" * 10_000_000),
        pb.RecordRequest(events=[step(f"many-{n}") for n in range(100_000)]),
    ):
        method = stub.Decide if isinstance(request, pb.DecideRequest) else stub.Record
        with pytest.raises(grpc.RpcError) as caught:
            method(request)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert stub.Decide(LS).id


def test_not_found(stub: Any) -> None:
    """Nobody's decision is NOT_FOUND."""
    code, _, reason = refusal(lambda: stub.Why(pb.WhyRequest(id="nobody")))

    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "not_found")


def test_short_deadlines(start: Start) -> None:
    """With too little time left rules alone answer, and the answer says so."""
    server = start(floor_ms="5000")
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = pb_grpc.DecisionsStub(channel)  # type: ignore[no-untyped-call]
        hurried = stub.Decide(LS, timeout=4.0)
        calm = stub.Decide(LS, timeout=60.0)
        why = stub.Why(pb.WhyRequest(id=hurried.id))

    assert "no time" in hurried.degraded
    assert hurried.band == pb.BAND_ASK
    assert "no time" not in calm.degraded
    assert why.decision == hurried


def test_many_streams(stub: Any) -> None:
    """Streams that stay open leave threads for others; one too many is told to come again."""
    end = threading.Event()
    open_streams = [stub.DecideStream(_until(end)) for _ in range(16)]
    for stream in open_streams:
        next(stream)
    code, _, reason = refusal(lambda: list(stub.DecideStream(iter([LS]))))
    assert stub.Decide(LS).id
    end.set()

    assert [list(stream) for stream in open_streams] == [[]] * 16
    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "store_busy")


def _until(end: threading.Event) -> Iterator[pb.DecideRequest]:
    """One call, and then silence."""
    yield LS
    end.wait(60)


def test_health(channel: grpc.Channel) -> None:
    """The standard health service knows the server and the service."""
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))

        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection(channel: grpc.Channel) -> None:
    """Tools can ask which services there are."""
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(reflection.ServerReflectionInfo(iter([ask])))

    assert SERVICE in {service.name for service in answer.list_services_response.service}


def test_token(start: Start) -> None:
    """With a token set no method answers without it."""
    server = start(token="hush")
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = pb_grpc.DecisionsStub(channel)  # type: ignore[no-untyped-call]
        code, _, reason = refusal(lambda: stub.Decide(LS))
        streamed, _, _ = refusal(lambda: list(stub.DecideStream(iter([LS]))))
        let_in = stub.Decide(LS, metadata=(("authorization", "Bearer hush"),))

    assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "unauthorized")
    assert streamed == grpc.StatusCode.UNAUTHENTICATED
    assert let_in.id
