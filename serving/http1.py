"""HTTP/1.1 on asyncio, parsed by llhttp: bytes in, `Request` out, `Answer` back in order.

This module knows nothing of decisions. It was measured against an embedded general server:
a tenth of the processor time per request, and one thread instead of three, because a
request is parsed, answered and written without leaving the event loop.

What it promises:

* Answers leave a connection in the order of its requests, also when some are made by
  another thread.
* A body beyond the limit is refused before it is read, and the refusal reaches the client:
  the connection stays open, deaf, until the client has stopped sending.
* No client holds a connection for longer than the idle limit without sending.
* `stop` ends listening first, then lets every request that runs finish.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus

import httptools
import msgspec

from onward.data.errors import Unavailable

__all__ = ["Answer", "Handler", "HttpServer", "Request"]

MAX_HEAD = 32 * 1024
"""Bytes of request line and headers that are read, or of what follows a body in chunks; the piece
in which they begin does not count."""
PIECE = 4 * 1024
"""Bytes that are parsed at once: the parser does not tell where in them a request begins."""
MAX_DEAF = 256 * 2**20
"""Bytes of a refused body that are thrown away before the connection is cut."""


class Request(msgspec.Struct):
    """One request, read whole.

    Attributes
    ----------
    method, target
        As sent: ``b"POST"``, ``b"/v1/decide"``.
    headers
        Names in lower case; a name that came twice has its values joined by ``", "``.
    body
        Empty where there was none.
    """

    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = {}
    body: bytes = b""


class Answer(msgspec.Struct):
    r"""One answer.

    Parameters
    ----------
    status
        The HTTP status.
    body
        Its content.
    kind
        Its media type.
    headers
        Further header lines, each ending in ``\r\n``.
    """

    status: int
    body: bytes
    kind: bytes = b"application/json"
    headers: bytes = b""

    def render(self, *, close: bool = False, head_only: bool = False) -> bytes:
        """The bytes that go over the wire."""
        end = b"connection: close\r\n\r\n" if close else b"\r\n"
        return b"%bcontent-type: %b\r\ncontent-length: %d\r\n%b%b%b" % (
            _LINES[self.status],
            self.kind,
            len(self.body),
            self.headers,
            end,
            b"" if head_only else self.body,
        )


_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}

Handler = Callable[[Request], "Answer | Future[Answer]"]
"""Answers a request at once, or later through a future. It never raises."""
Refusal = Callable[[int, str], Answer]
"""Makes the answer to what is not even a request: status and a sentence."""


class HttpServer:
    """A listening socket, its connections, and the thread that serves them.

    Parameters
    ----------
    handler
        Called on the event loop's thread for each request; quick, or it gives a future.
    refusal
        Makes the answer to what could not be read.
    host, port
        Where to listen; port 0 takes a free one, see `port`.
    max_body
        Bytes; a larger body is refused with 413.
    idle_s
        Seconds of silence after which a connection is closed.
    """

    def __init__(
        self,
        handler: Handler,
        refusal: Refusal,
        *,
        host: str,
        port: int,
        max_body: int,
        idle_s: float,
    ) -> None:
        self.handler = handler
        self.refusal = refusal
        self.max_body = max_body
        self.stopping = False
        self.connections: set[_Connection] = set()
        self.port = port
        self._host = host
        self._idle_s = idle_s
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="onward-http", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises
        ------
        Unavailable
            The address cannot be had.
        """
        listen = self._loop.create_server(
            lambda: _Connection(self, self._loop), self._host, self.port, backlog=1024
        )
        try:
            self._server = self._loop.run_until_complete(listen)
        except OSError as error:
            self._loop.close()
            raise Unavailable(
                f"Cannot listen for HTTP on {self._host}:{self.port}: {error.strerror or error}. "
                "Is another server running? Choose a port with ONWARD_HTTP_PORT.",
                port=self.port,
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()

    def stop(self, drain_s: float) -> None:
        """Accept nothing more, finish what runs (for at most `drain_s` seconds), close."""
        asyncio.run_coroutine_threadsafe(self._drain(drain_s), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self._sweep()
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _sweep(self) -> None:
        """Close what was silent for too long; one timer for all connections."""
        before = self._loop.time() - self._idle_s
        for connection in list(self.connections):
            connection.close_if_silent_since(before)
        self._loop.call_later(max(0.05, min(1.0, self._idle_s / 4)), self._sweep)

    async def _drain(self, drain_s: float) -> None:
        assert self._server is not None  # noqa: S101 -- stop() follows start()
        self._server.close()
        self.stopping = True
        end = self._loop.time() + drain_s
        while self.connections and self._loop.time() < end:
            # A request may be on its way on a quiet connection: wait a moment for it.
            before = self._loop.time() - 0.05
            for connection in list(self.connections):
                connection.close_if_quiet_since(before)
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()


class _Connection(asyncio.Protocol):
    """One client: parser callbacks, one request at a time to the handler, answers in order."""

    def __init__(self, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._heard = loop.time()
        self._request: Request | None = None
        self._chunks: list[bytes] = []
        self._moved = False  # whether a request or some of its body began in the piece
        self._head_bytes = 0
        self._body_bytes = 0
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._busy = False
        self._ended = False  # the client sends no more
        self._deaf = False  # refused; what still comes is thrown away
        self._deaf_bytes = 0

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- sockets give these
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._throw_away(len(data))
            return
        self._heard = self._loop.time()
        if len(data) <= PIECE:
            self._parse(data)
            return
        view = memoryview(data)
        for at in range(0, len(data), PIECE):
            if not self._deaf:
                self._parse(view[at : at + PIECE])

    def _parse(self, piece: bytes | memoryview) -> None:
        self._moved = False
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as pause:  # answered as if it had not asked for it
            if rest := piece[pause.args[0] :]:
                self._parse(rest)
        except httptools.HttpParserError as error:
            self._refuse(400, f"This is not an HTTP/1.1 request: {error}.")
        if self._request is not None and not self._moved:
            self._count_head(len(piece))

    def eof_received(self) -> bool:
        self._ended = True
        return self._busy  # keep the writing half open for the answer that is being made

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._waiting:
            self._transport.resume_reading()

    # -- the parser's side

    def on_message_begin(self) -> None:
        self._request = None if self._deaf else Request()
        self._moved = True
        self._chunks = []
        self._head_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request is None:
            return
        headers = self._request.headers
        name = name.lower()
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        request = self._request
        if request is None:
            return
        request.method = self._parser.get_method()
        length = request.headers.get(b"content-length")
        if length is not None and int(length) > self._server.max_body:
            self._refuse_size()
        elif self._parser.should_upgrade() and length not in {None, b"0"}:
            self._refuse(400, "An upgrade is not possible, least of all with a body.")
        elif request.headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._request is None:
            return
        self._moved, self._head_bytes = True, 0
        self._body_bytes += len(body)
        if self._body_bytes > self._server.max_body:
            self._refuse_size()
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        if request is None:
            return
        self._request = None
        chunks = self._chunks
        request.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        keep = self._parser.should_keep_alive()
        if self._busy:
            self._line_up(request, keep=keep)
        else:
            self._serve(request, keep)

    # -- from request to answer

    def _serve(self, request: Request, keep: bool) -> None:
        answer = self._server.handler(request)
        if isinstance(answer, Answer):
            self._write(answer, request, keep)
            return
        self._busy = True
        answer.add_done_callback(lambda done: self._wake(done, request, keep))

    def _wake(self, done: Future[Answer], request: Request, keep: bool) -> None:
        self._loop.call_soon_threadsafe(self._finish, done, request, keep)

    def _finish(self, done: Future[Answer], request: Request, keep: bool) -> None:
        self._busy = False
        self._heard = self._loop.time()
        self._write(done.result(), request, keep)
        while self._waiting and not self._busy and not self._deaf:
            self._serve(*self._waiting.popleft())
        if not self._waiting and not self._transport.is_closing():
            self._transport.resume_reading()

    def _line_up(self, request: Request, *, keep: bool) -> None:
        self._waiting.append((request, keep))
        self._transport.pause_reading()

    def _write(self, answer: Answer, request: Request, keep: bool) -> None:
        if self._transport.is_closing():
            return
        last = (self._server.stopping or self._ended) and not self._waiting
        close = last or not keep
        self._transport.write(answer.render(close=close, head_only=request.method == b"HEAD"))
        if close:
            self._transport.close()

    # -- refusing and closing

    def _count_head(self, size: int) -> None:
        """Bound a head that never ends; `size` is all its own."""
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD:
            self._refuse(431, f"The request's head is larger than {MAX_HEAD} bytes.")

    def _refuse_size(self) -> None:
        limit = self._server.max_body
        self._refuse(413, f"The body is larger than {limit} bytes; send it in several requests.")

    def _refuse(self, status: int, text: str) -> None:
        """Answer, then stay deaf: closing now would reset what the client has yet to read."""
        self._request = None
        self._waiting.clear()
        if self._deaf or self._transport.is_closing():
            return
        self._deaf = True
        self._transport.write(self._server.refusal(status, text).render(close=True))
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _throw_away(self, size: int) -> None:
        self._deaf_bytes += size
        if self._deaf_bytes > MAX_DEAF:
            self.abort()

    def close_if_silent_since(self, before: float) -> None:
        """Close where nothing came for too long and no answer is being made."""
        if self._heard < before and not self._busy:
            self.abort()

    def close_if_quiet_since(self, before: float) -> None:
        """Close where no request runs or is being read, as the server stops."""
        reading = self._request is not None or self._busy or self._waiting
        if not reading and self._heard < before:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection now."""
        self._transport.abort()
