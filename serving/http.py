"""The HTTP door: converts, calls the service, converts back.

The table `ROUTES` is the door: what can be asked, what goes in, what comes out. Requests are
routed by it and the OpenAPI document is made from it. Deciding runs on the event loop itself.
What may wait for the disk never does: recording begins on threads of its own and answers when its
commit does, and what reads the disk runs on others, so that neither holds up the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

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
from onward.data.events import Decision
from onward.serving import wire
from onward.serving.guard import Guard, Refusal
from onward.serving.http1 import Answer, HttpServer, Request
from onward.serving.metrics import Meter
from onward.serving.questions import QUESTIONS, Question
from onward.serving.service import Service
from onward.serving.settings import Settings

__all__ = ["ROUTES", "STATUS", "HttpDoor", "Route"]

log = logging.getLogger(__name__)

STATUS: dict[type[OnwardError], tuple[int, str]] = {
    TooLarge: (413, "Too large"),
    NotFound: (404, "Not found"),
    InputError: (400, "Invalid input"),
    Conflict: (409, "Conflict"),
    NotEnoughData: (422, "Not enough data"),
    StoreBusy: (503, "The history is busy"),
    StoreFull: (507, "No space left"),
    StoreError: (500, "The history failed"),
    BundleError: (503, "The model is damaged"),
    Unavailable: (503, "Not available"),
    OnwardError: (500, "Internal error"),
}
"""Status and title of each error; the first class that fits counts."""

RECORDERS = 4
"""Threads on which recording begins. One would do, but for a repeated step that waits for the disk
because the first is on its way: others that need not wait pass it by."""
TEXT = b"text/plain; version=0.0.4; charset=utf-8"
HTML = b"text/html; charset=utf-8"
PAGE_POLICY = (
    b"content-security-policy: default-src 'none'; style-src 'unsafe-inline'; "
    b"script-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; "
    b"frame-ancestors 'none'\r\n"
)


class Route(NamedTuple):
    """One thing that can be asked."""

    method: str
    path: str
    """``{id}`` stands for one path segment, the last."""
    name: str
    """The method of `HttpDoor` that answers, or the gRPC name of a question."""
    summary: str
    body: Any = None
    """Type of the body; None = there is none."""
    answer: Any = None
    """Type of the JSON that comes back; None = another media type."""
    errors: tuple[int, ...] = ()
    """Statuses of problems beside 400, 401, 403 and 500."""
    headers: tuple[str, ...] = ()
    """Request headers that count here."""
    also: tuple[int, ...] = ()
    """Statuses beside 200 that come with an answer of that type."""


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/decide",
        "decide",
        "May this step go ahead?",
        wire.CallBody,
        Decision,
        (413, 503, 507),
    ),
    Route(
        "POST",
        "/v1/steps",
        "record",
        "Store what happened: one event, or a list.",
        wire.EventBody | list[wire.EventBody],
        wire.Recorded,
        (409, 413, 503, 507),
        ("Idempotency-Key",),
    ),
    Route(
        "GET",
        "/v1/why/{id}",
        "why",
        "Why a decision, or one of the newest answers, came out so.",
        None,
        wire.Why,
        (404, 503),
    ),
    *(
        Route(
            "POST",
            f"/v1/{asked.name}",
            asked.rpc,
            asked.summary,
            asked.request,
            asked.answer,
            (404, 413, 503),
        )
        for asked in QUESTIONS
    ),
    Route("GET", "/v1/models", "models", "The published models.", None, wire.Models, (503,)),
    Route("GET", "/v1/status", "status", "How the server is doing.", None, wire.Status, (503,)),
    Route("GET", "/health/live", "live", "Does the process answer?", None, wire.Health),
    Route(
        "GET",
        "/health/ready",
        "ready",
        "Can events be stored?",
        None,
        wire.Health,
        also=(503,),
    ),
    Route("GET", "/metrics", "metrics", "Counts and times for Prometheus."),
    Route("GET", "/openapi.json", "openapi", "This interface as an OpenAPI document."),
    Route("GET", "/docs", "docs", "This interface as a page."),
)

Handle = Callable[[Request], "Answer | Future[Answer]"]


class HttpDoor:
    """Answers HTTP for a service.

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
        self._service = service
        self._meter = meter
        self._guard = Guard(settings)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="onward-http-work")
        self._recorders = ThreadPoolExecutor(RECORDERS, thread_name_prefix="onward-http-record")
        self._asked = {asked.rpc: partial(self._ask, asked) for asked in QUESTIONS}
        self._exact: dict[bytes, dict[bytes, tuple[str, Handle]]] = {}
        self._prefixes: dict[bytes, dict[bytes, tuple[str, Handle]]] = {}
        for route in ROUTES:
            self._add(route)
        self._server = HttpServer(
            self._handle,
            lambda status, text: _problem(status, "Not a request", "bad_request", text),
            host=settings.host,
            port=settings.http_port,
            max_body=settings.max_body_bytes,
            idle_s=settings.idle_timeout_s,
        )

    def start(self) -> None:
        """Listen; raises `Unavailable` where the port is taken."""
        self._server.start()

    def stop(self, drain_s: float) -> None:
        """Accept nothing more, finish what runs."""
        self._server.stop(drain_s)
        self._pool.shutdown()
        self._recorders.shutdown()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    # -- routing

    def _add(self, route: Route) -> None:
        path, brace, _ = route.path.partition("{")
        table = self._prefixes if brace else self._exact
        entry = (route.path, self._asked.get(route.name) or getattr(self, f"_{route.name}"))
        methods = table.setdefault(path.encode(), {})
        methods[route.method.encode()] = entry
        if route.method == "GET":
            methods[b"HEAD"] = entry

    def _find(self, target: bytes) -> dict[bytes, tuple[str, Handle]] | None:
        methods = self._exact.get(target)
        if methods is None:
            path = target.partition(b"?")[0]
            head, slash, tail = path.rpartition(b"/")
            methods = self._exact.get(path) or (self._prefixes.get(head + slash) if tail else None)
        return methods

    def _handle(self, request: Request) -> Answer | Future[Answer]:
        methods = self._find(request.target)
        route, handle = "unknown", None
        if methods is not None:
            route, handle = methods.get(request.method, ("unknown", None))
        answer = self._answer(request, methods, handle)
        if isinstance(answer, Answer):
            self._meter.answered("http", route, str(answer.status))
        else:
            answer.add_done_callback(
                lambda done: self._meter.answered("http", route, str(done.result().status))
            )
        return answer

    def _answer(
        self, request: Request, methods: dict[bytes, Any] | None, handle: Handle | None
    ) -> Answer | Future[Answer]:
        refusal = self._guard.refuse(request.target, request.headers)
        if refusal is not None:
            return _refused(refusal)
        if methods is None:
            return _problem(404, "Not found", "no_route", "There is no such path; see /docs.")
        if handle is None:
            allow = b", ".join(methods)
            text = f"This path takes {allow.decode()}."
            return _problem(
                405, "Method not allowed", "no_method", text, headers=b"allow: %b\r\n" % allow
            )
        try:
            return handle(request)
        except Exception as error:  # one request's failure must not end the server
            return _failed(error)

    def _later(self, work: Callable[[], Answer]) -> Future[Answer]:
        def guarded() -> Answer:
            try:
                return work()
            except Exception as error:  # as above
                return _failed(error)

        return self._pool.submit(guarded)

    # -- one method a route

    def _decide(self, request: Request) -> Answer:
        return Answer(200, wire.encode(self._service.decide(wire.decode_call(request.body))))

    def _record(self, request: Request) -> Future[Answer]:
        answer: Future[Answer] = Future()

        def begin() -> None:
            try:
                key = request.headers.get(b"idempotency-key", b"").decode("latin-1")
                pending = self._service.submit(wire.decode_events(request.body), key)
                pending.add_done_callback(lambda done: answer.set_result(_recorded(done)))
            except Exception as error:  # as above
                answer.set_result(_failed(error))

        self._recorders.submit(begin)
        return answer

    def _why(self, request: Request) -> Future[Answer]:
        name = request.target.partition(b"?")[0].rpartition(b"/")[2]
        event_id = unquote(name.decode("latin-1"))
        return self._later(lambda: _json(self._service.why(event_id)))

    def _ask(self, question: Question, request: Request) -> Future[Answer]:
        def work() -> Answer:
            return _json(self._service.ask(question, question.read(request.body)))

        return self._later(work)

    def _models(self, _request: Request) -> Future[Answer]:
        return self._later(lambda: _json(self._service.models()))

    def _status(self, _request: Request) -> Future[Answer]:
        return self._later(lambda: _json(self._service.status()))

    def _live(self, _request: Request) -> Answer:
        return _json(wire.Health("ok"))

    def _ready(self, request: Request) -> Answer:
        health = self._service.health()
        status = 503 if health.status == "unavailable" else 200
        if not self._guard.trusts(request.headers):  # the reason names models and files
            health = wire.Health(health.status)
        return _json(health, status)

    def _metrics(self, _request: Request) -> Future[Answer]:
        return self._later(lambda: Answer(200, self._meter.render(), TEXT))

    def _openapi(self, _request: Request) -> Future[Answer]:
        from onward.serving import openapi

        return self._later(lambda: Answer(200, openapi.document(ROUTES)))

    def _docs(self, _request: Request) -> Future[Answer]:
        from onward.serving import openapi

        return self._later(lambda: Answer(200, openapi.page(), HTML, PAGE_POLICY))


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status, wire.encode(value))


def _recorded(done: Future[wire.Recorded]) -> Answer:
    error = done.exception()
    return _json(done.result()) if error is None else _failed(error)


def _refused(refusal: Refusal) -> Answer:
    extra = b"www-authenticate: Bearer\r\n" if refusal.status == 401 else b""
    return _problem(refusal.status, "Not let in", refusal.code, refusal.text, headers=extra)


def _failed(error: BaseException) -> Answer:
    """The problem that an error is, by the table; what is not ours is logged and hidden."""
    if not isinstance(error, OnwardError):
        log.error("a request failed", exc_info=error)
        return _problem(
            500, "Internal error", "internal", "The server made a mistake; see its log."
        )
    status, title = next(STATUS[kind] for kind in STATUS if isinstance(error, kind))
    extra = b"retry-after: 1\r\n" if status == 503 else b""
    return _problem(status, title, error.code, error.message, headers=extra, facts=error.facts)


def _problem(
    status: int,
    title: str,
    code: str,
    text: str,
    *,
    headers: bytes = b"",
    facts: dict[str, object] | None = None,
) -> Answer:
    problem = wire.Problem(title=title, status=status, detail=text, code=code, facts=facts or {})
    body = msgspec.json.encode(problem, enc_hook=str)
    return Answer(status, body, b"application/problem+json", headers)
