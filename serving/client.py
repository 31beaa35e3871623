"""Asking a running server from Python, with or without ``await``.

Both clients send the same requests and raise the same errors as the service itself, by the
code that a problem carries. Connections are kept open. A request that found its kept connection
closed is sent once more: reading twice changes nothing, recording twice is recording once, and
of a decision at most its log entry comes twice.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from onward.data import errors
from onward.data.errors import InputError, OnwardError, SettingsError, Unavailable
from onward.data.events import Call, Decision
from onward.serving.settings import Settings
from onward.serving.wire import Health, Models, Problem, Recordable, Recorded, Status, Why, encode

__all__ = ["AsyncClient", "Client"]

_T = TypeVar("_T")

_ERRORS: dict[str, type[OnwardError]] = {
    kind.code: kind
    for name in errors.__all__
    if issubclass(kind := getattr(errors, name), OnwardError)
}


class _Ask(NamedTuple, Generic[_T]):
    """One request, and how to read its answer."""

    method: str
    path: str
    answer: msgspec.json.Decoder[_T]
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 -- a tuple's default is never changed


_decision = msgspec.json.Decoder(Decision)
_recorded = msgspec.json.Decoder(Recorded)
_why = msgspec.json.Decoder(Why)
_models = msgspec.json.Decoder(Models)
_status = msgspec.json.Decoder(Status)
_health = msgspec.json.Decoder(Health)
_problem = msgspec.json.Decoder(Problem)


def _ask_decide(call: Call) -> _Ask[Decision]:
    return _Ask("POST", "/v1/decide", _decision, encode(call))


def _ask_record(events: Recordable | Sequence[Recordable], key: str) -> _Ask[Recorded]:
    if not (key.isascii() and (key.isprintable() or not key)):
        raise InputError("An idempotency key is printable ASCII.", key=key)
    headers = {"Idempotency-Key": key} if key else {}
    return _Ask("POST", "/v1/steps", _recorded, encode(events), headers)


def _ask_why(decision_id: str) -> _Ask[Why]:
    return _Ask("GET", f"/v1/why/{quote(decision_id, safe='')}", _why)


def _ask_question(request: msgspec.Struct) -> _Ask[Any]:
    from onward.serving.questions import BY_REQUEST  # whoever only decides loads none of it

    try:
        question = BY_REQUEST[type(request)]
    except KeyError:
        raise InputError(f"{type(request).__name__} is no question's request.") from None
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(question.answer)
    return _Ask("POST", f"/v1/{question.name}", decoder, encode(request))


_ASK_MODELS = _Ask("GET", "/v1/models", _models)
_ASK_STATUS = _Ask("GET", "/v1/status", _status)
_ASK_HEALTH = _Ask("GET", "/health/ready", _health)


class _Place(NamedTuple):
    """Where a server is."""

    host: str
    port: int
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str, token: str) -> _Place:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            (host or "").encode("idna")
        except ValueError:  # a port, a bracket or a name that is none
            host = None
        if not host or parts.scheme != "http":
            raise SettingsError(f"{url!r} is no address of a server; write http://host:port.")
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return cls(host, port or Settings().http_port, headers)

    def away(self, error: BaseException) -> Unavailable:
        """What to raise where the server cannot be reached."""
        where = f"{self.host}:{self.port}"
        why = str(error) or type(error).__name__
        return Unavailable(f"No server answers at {where}: {why}. Start one: onward serve.")


def _read(ask: _Ask[_T], status: int, body: bytes) -> _T:
    """The answer, or the error that the server raised."""
    try:
        if status == 200 or (ask.answer is _health and status == 503):
            return ask.answer.decode(body)
        problem = _problem.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unavailable(f"What answered is no onward server (status {status}).") from error
    raised = _ERRORS.get(problem.code, OnwardError)(problem.detail)
    raised.facts.update(problem.facts)
    raise raised


class Client:
    """A client for threads; one may be shared by several.

    Parameters
    ----------
    url
        Where the server is.
    token
        Its token, where it asks for one.
    timeout_s
        Seconds to wait for an answer.

    Examples
    --------
    >>> from onward.data.events import Call
    >>> with Client() as client:  # doctest: +SKIP
    ...     client.decide(Call(session="s", tool="Bash", input={"command": "ls"})).band
    <Band.EXECUTE: 'execute'>
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8787", *, token: str = "", timeout_s: float = 30.0
    ) -> None:
        self._place = _Place.of(url, token)
        self._timeout_s = timeout_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def decide(self, call: Call) -> Decision:
        """May this step go ahead? Raises what `Service.decide` raises, or `Unavailable`."""
        return self._send(_ask_decide(call))

    def record(self, events: Recordable | Sequence[Recordable], *, key: str = "") -> Recorded:
        """Store what happened: one event or several, all or none.

        Parameters
        ----------
        events
            What happened, in order.
        key
            Idempotency key; the ids of the events alone make it safe to send them again.
        """
        return self._send(_ask_record(events, key))

    def ask(self, request: msgspec.Struct) -> Any:
        """The answer to a question, which its request's type names; raises what it raises.

        `onward.serving.questions.QUESTIONS` lists the types of requests and answers.
        """
        return self._send(_ask_question(request))

    def why(self, of: str) -> Why:
        """Why a decision, or one of the newest answers, came out so; `NotFound` if there is none.

        *of* is the ``id`` of either.
        """
        return self._send(_ask_why(of))

    def models(self) -> Models:
        """The published models, and which one answers."""
        return self._send(_ASK_MODELS)

    def status(self) -> Status:
        """How the server is doing."""
        return self._send(_ASK_STATUS)

    def health(self) -> Health:
        """Whether requests are answered, and how well."""
        return self._send(_ASK_HEALTH)

    def close(self) -> None:
        """Close the connections that are kept open."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, ask: _Ask[_T]) -> _T:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        try:
            if kept is not None:
                try:
                    return self._exchange(kept, ask)
                except (ConnectionError, http.client.HTTPException):
                    kept.close()  # the server had closed it: once more on a fresh one
            fresh = http.client.HTTPConnection(
                self._place.host, self._place.port, timeout=self._timeout_s
            )
            return self._exchange(fresh, ask)
        except (OSError, http.client.HTTPException) as error:
            raise self._place.away(error) from error

    def _exchange(self, connection: http.client.HTTPConnection, ask: _Ask[_T]) -> _T:
        headers = {**self._place.headers, **ask.headers}
        try:
            connection.request(ask.method, ask.path, ask.body or None, headers)
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return _read(ask, status, body)


_ODD = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, http.client.HTTPException)
"""What reading an answer raises that was cut short or that no server of ours would send."""


class _Line(NamedTuple):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class AsyncClient:
    """The same for ``await``; one may be shared by the tasks of one event loop.

    Parameters
    ----------
    url, token, timeout_s
        As for `Client`.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8787", *, token: str = "", timeout_s: float = 30.0
    ) -> None:
        self._place = _Place.of(url, token)
        self._timeout_s = timeout_s
        self._idle: list[_Line] = []

    async def decide(self, call: Call) -> Decision:
        """See `Client.decide`."""
        return await self._send(_ask_decide(call))

    async def record(self, events: Recordable | Sequence[Recordable], *, key: str = "") -> Recorded:
        """See `Client.record`."""
        return await self._send(_ask_record(events, key))

    async def ask(self, request: msgspec.Struct) -> Any:
        """See `Client.ask`."""
        return await self._send(_ask_question(request))

    async def why(self, of: str) -> Why:
        """See `Client.why`."""
        return await self._send(_ask_why(of))

    async def models(self) -> Models:
        """See `Client.models`."""
        return await self._send(_ASK_MODELS)

    async def status(self) -> Status:
        """See `Client.status`."""
        return await self._send(_ASK_STATUS)

    async def health(self) -> Health:
        """See `Client.health`."""
        return await self._send(_ASK_HEALTH)

    async def close(self) -> None:
        """Close the connections that are kept open."""
        idle, self._idle = self._idle, []
        for line in idle:
            line.writer.close()
            try:
                await line.writer.wait_closed()
            except ConnectionError:  # the server was faster
                continue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, ask: _Ask[_T]) -> _T:
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._idle:
                    try:
                        return await self._exchange(self._idle.pop(), ask)
                    except (ConnectionError, *_ODD):
                        pass  # the server had closed it: once more on a fresh one
                place = self._place
                line = _Line(*await asyncio.open_connection(place.host, place.port))
                return await self._exchange(line, ask)
        except (OSError, TimeoutError, *_ODD) as error:
            raise self._place.away(error) from error

    async def _exchange(self, line: _Line, ask: _Ask[_T]) -> _T:
        try:
            line.writer.write(self._bytes(ask))
            await line.writer.drain()
            head = _head(await line.reader.readuntil(b"\r\n\r\n"))
            body = await line.reader.readexactly(head.size)
        except BaseException:
            line.writer.close()
            raise
        if head.last:
            line.writer.close()
        else:
            self._idle.append(line)
        return _read(ask, head.status, body)

    def _bytes(self, ask: _Ask[Any]) -> bytes:
        place = self._place
        host = f"[{place.host}]" if ":" in place.host else place.host
        lines = [f"{ask.method} {ask.path} HTTP/1.1", f"Host: {host}:{place.port}"]
        lines += [f"{name}: {value}" for name, value in (place.headers | ask.headers).items()]
        lines += [f"Content-Length: {len(ask.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + ask.body


class _Head(NamedTuple):
    """What stands before the body of an answer."""

    status: int
    size: int
    """Bytes of the body."""
    last: bool
    """Whether the server closes the connection after it."""


def _head(head: bytes) -> _Head:
    """Read a head; raises `http.client.HTTPException` for what no server of ours sends."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    status = re.fullmatch(r"HTTP/1\.1 (\d{3})(?: .*)?", first)
    size = headers.get("content-length", "")
    if status is None:
        raise http.client.BadStatusLine(first[:100])
    if not re.fullmatch(r"[0-9]{1,15}", size):
        raise http.client.HTTPException(f"an answer without a length (status {status[1]})")
    return _Head(int(status[1]), int(size), headers.get("connection", "").lower() == "close")
