"""The gRPC door: converts, calls the service, converts back.

A synchronous server with a small thread pool: a decision is a few tens of microseconds of
processor time, and handing it to an event loop costs more than it saves. Streams hold a thread
for as long as they last, so they have threads of their own, and a limit.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from onward.data.errors import (
    BundleError,
    Conflict,
    InputError,
    NotEnoughData,
    NotFound,
    OnwardError,
    StoreBusy,
    StoreError,
    StoreFull,
    TooLarge,
    Unavailable,
)
from onward.serving import convert
from onward.serving.metrics import Meter
from onward.serving.pb import decision_pb2 as pb
from onward.serving.pb import prediction_pb2
from onward.serving.questions import QUESTIONS, Question
from onward.serving.service import Service
from onward.serving.settings import Settings
from onward.serving.wire import Recorded

__all__ = ["CODES", "DOMAIN", "SERVICE", "GrpcDoor"]

log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["Decisions"].full_name
"""``onward.v1.Decisions``."""
PREDICTIONS = prediction_pb2.DESCRIPTOR.services_by_name["Predictions"].full_name
"""``onward.predictions.v1.Predictions``."""
DOMAIN = "onward"
"""The ``domain`` of the ``google.rpc.ErrorInfo`` in every error's details."""

CODES: dict[type[OnwardError], grpc.StatusCode] = {
    TooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotFound: grpc.StatusCode.NOT_FOUND,
    InputError: grpc.StatusCode.INVALID_ARGUMENT,
    Conflict: grpc.StatusCode.ALREADY_EXISTS,
    NotEnoughData: grpc.StatusCode.FAILED_PRECONDITION,
    StoreBusy: grpc.StatusCode.UNAVAILABLE,
    StoreFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    StoreError: grpc.StatusCode.INTERNAL,
    BundleError: grpc.StatusCode.UNAVAILABLE,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    OnwardError: grpc.StatusCode.INTERNAL,
}
"""Status code of each error; the first class that fits counts."""


class GrpcDoor:
    """Answers gRPC for a service.

    Parameters
    ----------
    service
        The core behind every door.
    settings
        Where to listen, limits, and who is let in.
    meter
        Counts what is answered.
    """

    def __init__(self, service: Service, settings: Settings, meter: Meter) -> None:
        streams = 4 * settings.grpc_threads
        self._settings = settings
        self._server = grpc.server(
            ThreadPoolExecutor(settings.grpc_threads, thread_name_prefix="onward-grpc"),
            interceptors=[_TokenCheck(settings.token)] if settings.token else [],
            options=[
                ("grpc.max_receive_message_length", settings.max_body_bytes),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
            ],
        )
        methods = _Methods(service, settings, meter, streams=streams)
        self._server.add_generic_rpc_handlers((methods.handler(), methods.predictions()))
        self._health = _add_health(self._server)
        self.port = settings.grpc_port

    def start(self) -> None:
        """Listen; raises `Unavailable` where the port is taken."""
        address = f"{self._settings.host}:{self.port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise Unavailable(
                f"Cannot listen for gRPC on {address}. Is another server running? "
                "Choose a port with ONWARD_GRPC_PORT.",
                port=self.port,
            ) from error
        self._server.start()

    def stop(self, drain_s: float) -> None:
        """Accept nothing more, finish what runs."""
        self._health.enter_graceful_shutdown()
        self._server.stop(drain_s).wait()


def _add_health(server: grpc.Server) -> Any:
    """Health and reflection, as the tools of others expect them."""
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection

    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    for service in ("", SERVICE, PREDICTIONS):
        servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    names = (SERVICE, PREDICTIONS, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return servicer


class _Methods:
    """One method for each of the service's; all conversion is in `onward.serving.convert`."""

    def __init__(self, service: Service, settings: Settings, meter: Meter, *, streams: int) -> None:
        self._service = service
        self._meter = meter
        self._max_events = settings.max_events
        self._streams = threading.Semaphore(streams)
        # One thread more than streams: it tells those that are too many.
        self._threads = ThreadPoolExecutor(streams + 1, thread_name_prefix="onward-stream")

    def _apart(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method on the threads of the streams, so that these keep no other call waiting."""
        behavior = partial(method)
        behavior.experimental_thread_pool = self._threads  # type: ignore[attr-defined]
        return behavior

    def handler(self) -> grpc.GenericRpcHandler:
        """The methods under the names that the proto gives them."""
        unary, streamed = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
        table = {
            "Decide": unary(self._decide, *_coded(pb.DecideRequest)),
            "DecideBatch": unary(self._decide_batch, *_coded(pb.DecideBatchRequest)),
            "DecideStream": grpc.stream_stream_rpc_method_handler(
                self._apart(self._decide_stream), *_coded(pb.DecideRequest)
            ),
            "Record": unary(self._record, *_coded(pb.RecordRequest)),
            "RecordStream": streamed(self._apart(self._record_stream), *_coded(pb.RecordRequest)),
            "Why": unary(self._why, *_coded(pb.WhyRequest)),
        }
        return grpc.method_handlers_generic_handler(SERVICE, table)

    def predictions(self) -> grpc.GenericRpcHandler:
        """One method a question, under the names that its proto gives them."""
        table = {
            asked.rpc: grpc.unary_unary_rpc_method_handler(
                partial(self._ask, asked),
                *_coded(getattr(prediction_pb2, asked.request.__name__)),
            )
            for asked in QUESTIONS
        }
        return grpc.method_handlers_generic_handler(PREDICTIONS, table)

    def _ask(
        self, question: Question, request: Message, context: grpc.ServicerContext
    ) -> Message | None:
        with self._guard(question.rpc, context):
            asked = question.convert(convert.fields_in(request))
            answer = self._service.ask(question, asked)
            return convert.fields_out(answer, getattr(prediction_pb2, question.answer.__name__)())
        return None

    def _decide(self, request: pb.DecideRequest, context: grpc.ServicerContext) -> pb.Decision:
        with self._guard("Decide", context):
            return self._decide_one(request, context)

    def _decide_batch(
        self, request: pb.DecideBatchRequest, context: grpc.ServicerContext
    ) -> pb.DecideBatchResponse:
        with self._guard("DecideBatch", context):
            if len(request.calls) > self._max_events:
                raise TooLarge(
                    f"A batch holds at most {self._max_events} calls.", limit=self._max_events
                )
            decisions = [self._decide_one(call, context) for call in request.calls]
            return pb.DecideBatchResponse(decisions=decisions)

    def _decide_stream(
        self, requests: Iterable[pb.DecideRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.Decision]:
        with self._guard("DecideStream", context), self._thread_for_long():
            for request in requests:
                yield self._decide_one(request, context)

    def _record(self, request: pb.RecordRequest, context: grpc.ServicerContext) -> pb.Recorded:
        with self._guard("Record", context):
            return convert.recorded_out(self._record_one(request))

    def _record_stream(
        self, requests: Iterable[pb.RecordRequest], context: grpc.ServicerContext
    ) -> pb.Recorded:
        stored = duplicates = 0
        with self._guard("RecordStream", context), self._thread_for_long():
            for request in requests:
                done = self._record_one(request)
                stored, duplicates = stored + done.stored, duplicates + done.duplicates
            return pb.Recorded(stored=stored, duplicates=duplicates)

    def _why(self, request: pb.WhyRequest, context: grpc.ServicerContext) -> pb.WhyResponse:
        with self._guard("Why", context):
            return convert.why_out(self._service.why(request.id))

    # -- shared by the methods

    def _decide_one(self, request: pb.DecideRequest, context: grpc.ServicerContext) -> pb.Decision:
        left = context.time_remaining()
        return convert.decision_out(self._service.decide(convert.call_in(request), time_left=left))

    def _record_one(self, request: pb.RecordRequest) -> Recorded:
        events = [convert.event_in(event) for event in request.events]
        return self._service.record(events, request.idempotency_key)

    @contextmanager
    def _thread_for_long(self) -> Iterator[None]:
        """The permission to hold a thread as long as a stream lasts."""
        if not self._streams.acquire(blocking=False):
            raise StoreBusy("Too many streams are open; close one, or use the batch methods.")
        try:
            yield
        finally:
            self._streams.release()

    def _guard(self, method: str, context: grpc.ServicerContext) -> _Guard:
        return _Guard(self._meter, method, context)


class _Guard:
    """Counts a call, and turns what it raises into a rich status."""

    __slots__ = ("_context", "_meter", "_method")

    def __init__(self, meter: Meter, method: str, context: grpc.ServicerContext) -> None:
        self._meter = meter
        self._method = method
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, GeneratorExit):  # the client has left a stream
            self._meter.answered("grpc", self._method, "OK")
            return
        if isinstance(error, OnwardError):
            code = next(CODES[kind] for kind in CODES if isinstance(error, kind))
            status = _status(code, error.message, error.code, error.facts)
        elif self._context.is_active():
            log.error("a request failed", exc_info=error)
            code, text = grpc.StatusCode.INTERNAL, "The server made a mistake; see its log."
            status = _status(code, text, "internal", {})
        else:  # the client has left, which the library tells by an exception of no own class
            return
        self._meter.answered("grpc", self._method, code.name)
        self._context.abort_with_status(status)


def _coded(request: type[Message]) -> tuple[Callable[[bytes], Message], Callable[[Message], bytes]]:
    """How a method's request is read and its answer written."""
    return request.FromString, _serialize


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


class _TokenCheck(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Refuses every call without the token, health and reflection too."""

    def __init__(self, token: str) -> None:
        self._bearer = f"Bearer {token}".encode()
        self._refuse = grpc.unary_unary_rpc_method_handler(_refuse_token)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        given = dict(details.invocation_metadata).get("authorization", "")
        text = given if isinstance(given, bytes) else given.encode()
        return continuation(details) if hmac.compare_digest(text, self._bearer) else self._refuse


def _refuse_token(_request: object, context: grpc.ServicerContext) -> None:
    text = "Send the token as metadata: 'authorization: Bearer ...'."
    status = _status(grpc.StatusCode.UNAUTHENTICATED, text, "unauthorized", {})
    context.abort_with_status(status)


def _status(
    code: grpc.StatusCode, text: str, reason: str, facts: Mapping[str, object]
) -> grpc.Status:
    """A rich status: ``ErrorInfo`` with code and facts, ``RetryInfo`` where trying again helps."""
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
    from grpc_status import rpc_status

    metadata = {name: str(value) for name, value in facts.items()}
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    details: list[Message] = [info]
    if code is grpc.StatusCode.UNAVAILABLE:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(1)
        details.append(retry)
    rich = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        rich.details.append(packed)
    status: grpc.Status = rpc_status.to_status(rich)
    return status
