"""The HTTP/1.1 server alone, spoken to through raw sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import Unavailable
from onward.serving.http1 import MAX_HEAD, Answer, HttpServer, Request

if TYPE_CHECKING:
    from tests.serving.conftest import Until

MAX_BODY = 10_000


class Echo:
    """Answers with what was sent; ``/later`` answers when it is told to."""

    def __init__(self) -> None:
        self.pending: list[tuple[Future[Answer], Answer]] = []
        self.came = threading.Semaphore(0)

    def __call__(self, request: Request) -> Answer | Future[Answer]:
        """Answer one request."""
        answer = Answer(200, request.method + b" " + request.target + b" " + request.body)
        if request.target != b"/later":
            return answer
        future: Future[Answer] = Future()
        self.pending.append((future, answer))
        self.came.release()
        return future

    def release(self) -> None:
        """Let the oldest waiting answer go."""
        self.came.acquire(timeout=30)
        future, answer = self.pending.pop(0)
        future.set_result(answer)


def refuse(status: int, text: str) -> Answer:
    """The answer to what is no request."""
    return Answer(status, text.encode())


@pytest.fixture(scope="module")
def echo() -> Echo:
    """What the server answers with."""
    return Echo()


@pytest.fixture(scope="module")
def server(echo: Echo) -> Iterator[HttpServer]:
    """A server on a free port."""
    running = HttpServer(echo, refuse, host="127.0.0.1", port=0, max_body=MAX_BODY, idle_s=60)
    running.start()
    yield running
    running.stop(1.0)


Dial = Callable[[], socket.socket]


@pytest.fixture
def dial(server: HttpServer) -> Iterator[Dial]:
    """Opens connections to it."""
    opened: list[socket.socket] = []

    def begin() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        return opened[-1]

    yield begin
    for line in opened:
        line.close()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A request as bytes."""
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def read_answer(line: socket.socket, left: bytearray) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer on a connection."""
    while b"\r\n\r\n" not in left:
        more = line.recv(65536)
        assert more, f"closed after {bytes(left)!r}"
        left += more
    head, _, rest = bytes(left).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name: value for name, _, value in (text.partition(": ") for text in lines)}
    size = int(headers["content-length"])
    while len(rest) < size:
        rest += line.recv(65536)
    left[:] = rest[size:]
    return int(first.split()[1]), headers, rest[:size]


def test_answers_on_one_connection(dial: Dial) -> None:
    """A connection stays open for the next request."""
    line, left = dial(), bytearray()
    for number in range(3):
        line.sendall(post(f"/{number}", b"hello"))

        assert read_answer(line, left)[2] == f"POST /{number} hello".encode()


def test_pipelined_requests_are_answered_in_order(dial: Dial, echo: Echo) -> None:
    """Later requests wait for an earlier one whose answer takes its time."""
    line, left = dial(), bytearray()
    line.sendall(post("/later", b"1") + post("/a", b"2") + post("/later", b"3") + post("/b", b"4"))
    echo.release()
    echo.release()

    bodies = [read_answer(line, left)[2] for _ in range(4)]
    assert bodies == [b"POST /later 1", b"POST /a 2", b"POST /later 3", b"POST /b 4"]


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 60), max_size=8), chunked=st.booleans())
def test_however_it_is_cut(server: HttpServer, cuts: list[int], chunked: bool) -> None:
    """The answer does not depend on how the network cuts a request into pieces."""
    if chunked:
        head = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        sent = head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    else:
        sent = post("/x", b"abcdefg", "X-Long: " + "y" * 40)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in cuts:
            line.sendall(sent[:cut])
            sent = sent[cut:]
        line.sendall(sent)

        assert read_answer(line, bytearray())[2] == b"POST /x abcdefg"


def test_head_has_no_body(dial: Dial) -> None:
    """HEAD is answered like GET, without the body."""
    line = dial()
    line.sendall(b"HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    text = b"".join(iter(lambda: line.recv(65536), b""))
    assert b"content-length: 8" in text
    assert text.endswith(b"\r\n\r\n")


def test_a_body_that_is_announced_too_large(dial: Dial) -> None:
    """The refusal comes at once, and is read although the client goes on sending."""
    line = dial()
    body = bytes(5_000_000)
    line.sendall(post("/x", body))

    status, headers, _ = read_answer(line, bytearray())
    assert (status, headers["connection"]) == (413, "close")


def test_a_chunked_body_that_grows_too_large(dial: Dial) -> None:
    """A body without a length is refused as soon as it passes the limit."""
    line = dial()
    line.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(20):
        line.sendall(b"3e8\r\n" + bytes(1000) + b"\r\n")

    assert read_answer(line, bytearray())[0] == 413


def test_expect_continue(dial: Dial) -> None:
    """A client that waits for leave to send its body gets it."""
    line = dial()
    line.sendall(post("/x", b"abc", "Expect: 100-continue")[:-3])
    leave = line.recv(100)
    line.sendall(b"abc")

    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert read_answer(line, bytearray())[2] == b"POST /x abc"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 400_000, 431),
    ],
)
def test_what_is_no_request(dial: Dial, sent: bytes, status: int) -> None:
    """Garbage, smuggling and endless heads get an answer, not a crash."""
    line = dial()
    line.sendall(sent)

    assert read_answer(line, bytearray())[0] == status


def test_a_head_counts_from_its_own_beginning(dial: Dial) -> None:
    """A body and the beginning of the next request come in one write, and both are answered."""
    line, left = dial(), bytearray()
    first, second = post("/a", b"x" * MAX_BODY), post("/b", b"y", "X-Long: " + "y" * 20_000)
    line.sendall(first[:10])
    for _ in range(8):
        line.sendall(first[10:] + first * 5 + second[:15_000])
        line.sendall(second[15_000:] + first[:10])

    said = [read_answer(line, left) for _ in range(8 * 7)]
    assert {status for status, _, _ in said} == {200}
    assert [body[:7] for _, _, body in said] == [*[b"POST /a"] * 6, b"POST /b"] * 8


@pytest.mark.parametrize("size", [30_000, 45_000])
def test_heads_are_bounded_however_they_come(dial: Dial, size: int) -> None:
    """A head beyond the limit is refused, whole in one write or behind another request."""
    head = b"GET /x HTTP/1.1\r\nHost: x\r\nX: " + b"y" * size + b"\r\n\r\n"
    status = 200 if size < MAX_HEAD else 431
    for before in (b"", post("/a", b"x" * 9_000)):
        line, left = dial(), bytearray()
        line.sendall(before + head)

        said = [read_answer(line, left)[0] for _ in range(2 if before else 1)]
        assert said[-1] == status
        assert set(said[:-1]) <= {200}


def test_trailers_are_bounded(dial: Dial) -> None:
    """What follows a body in chunks is bounded like a head; the sizes of many chunks are not."""
    line, left = dial(), bytearray()
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(9_000):
        line.sendall(b"0000001\r\nx\r\n")
    line.sendall(b"0\r\n\r\n")
    assert read_answer(line, left)[0] == 200

    line.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    line.sendall(b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 10_000)
    assert read_answer(line, left)[0] == 431


def test_silent_connections_are_closed(echo: Echo) -> None:
    """Who sends half a request and then nothing is let go."""
    running = HttpServer(echo, refuse, host="127.0.0.1", port=0, max_body=10, idle_s=0.1)
    running.start()
    try:
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
            line.sendall(b"GET / HT")

            assert line.recv(100) == b""
    finally:
        running.stop(1.0)


def test_stopping_finishes_what_runs(echo: Echo, until: Until) -> None:
    """A request that is being answered when the server stops still gets its answer."""
    running = HttpServer(echo, refuse, host="127.0.0.1", port=0, max_body=10, idle_s=60)
    running.start()
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(post("/later", b"x"))
        echo.came.acquire(timeout=30)
        stopping = threading.Thread(target=running.stop, args=(30.0,))
        stopping.start()
        until(lambda: running.stopping, "stopping")
        future, answer = echo.pending.pop(0)
        future.set_result(answer)
        status, headers, body = read_answer(line, bytearray())
        stopping.join(30)

        assert (status, headers["connection"], body) == (200, "close", b"POST /later x")
        assert line.recv(100) == b""


def test_a_port_that_is_taken(server: HttpServer, echo: Echo) -> None:
    """Starting on a port that somebody has says so, and what to do."""
    second = HttpServer(echo, refuse, host="127.0.0.1", port=server.port, max_body=10, idle_s=60)

    with pytest.raises(Unavailable, match="ONWARD_HTTP_PORT"):
        second.start()
