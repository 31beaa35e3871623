"""The Python clients against a real server."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from onward.data.errors import (
    Conflict,
    InputError,
    NotFound,
    SettingsError,
    TooLarge,
    Unavailable,
)
from onward.data.events import Band, Call
from onward.serving.client import AsyncClient, Client

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps, Running, Start

CALL = Call(session="s", tool="Bash", input={"command": "ls"}, agent="tester")


def test_asks_everything(server: Running, steps: MakeSteps) -> None:
    """Each method gives the typed answer of its door."""
    with server.client() as client:
        decision = client.decide(CALL)
        recorded = client.record(steps(3, session="client"), key="k")

        assert (decision.band, decision.call) == (Band.ASK, CALL)
        assert (recorded.stored, recorded.duplicates) == (3, 0)
        assert client.record(steps(3, session="client"), key="k") == recorded
        assert client.why(decision.id).decision == decision
        assert client.models().live == ""
        assert client.status().events["Step"] >= 3
        assert client.health().status == "degraded"


def test_asks_everything_without_blocking(server: Running, steps: MakeSteps) -> None:
    """The same with ``await``, many at once on one client."""

    async def work() -> None:
        async with AsyncClient(server.url) as client:
            decisions = await asyncio.gather(*(client.decide(CALL) for _ in range(20)))
            recorded = await client.record(steps(3, session="async"))

            assert len({decision.id for decision in decisions}) == 20
            assert recorded.stored == 3
            assert (await client.why(decisions[0].id)).decision == decisions[0]
            assert (await client.models()).live == ""
            assert (await client.status()).last_seq > 0
            assert (await client.health()).status == "degraded"

    asyncio.run(work())


def test_errors_are_those_of_the_service(server: Running, steps: MakeSteps) -> None:
    """A problem becomes the error that the service raised, with its facts."""
    with server.client() as client:
        client.record(steps(1, session="e"), key="same")
        with pytest.raises(NotFound):
            client.why("nobody")
        with pytest.raises(InputError, match="session"):
            client.decide(Call(session="", tool="Bash"))
        with pytest.raises(Conflict):
            client.record(steps(2, session="f"), key="same")
        with pytest.raises(TooLarge) as caught:
            client.decide(Call(session="s", tool="Bash", input={"command": "x" * 2_000_000}))
        with pytest.raises(InputError, match="printable"):
            client.record(steps(1), key="a\r\nEvil: yes")

    assert caught.value.facts["limit"] == 2**20


def test_odd_ids(server: Running) -> None:
    """Whatever is in an id is asked for, not parsed."""
    with server.client() as client:
        for odd in ("a/b", "a?b=c", "ä €", "..", "%2e"):
            with pytest.raises(NotFound):
                client.why(odd)


def test_threads_share_a_client(server: Running) -> None:
    """Several threads may ask through one client."""
    ids: list[str] = []
    with server.client() as client:
        threads = [
            threading.Thread(target=lambda: ids.extend(client.decide(CALL).id for _ in range(20)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(ids)) == 80


def test_survives_a_restart(start: Start) -> None:
    """A kept connection that the server closed is opened anew; a server that is away is named."""
    first = start()
    port = str(first.http_port)
    client, waiting = first.client(), AsyncClient(first.url)

    async def ask() -> str:
        return (await waiting.decide(CALL)).id

    with asyncio.Runner() as runner:
        assert client.decide(CALL).id != runner.run(ask())
        first.stop()
        with pytest.raises(Unavailable, match="onward serve"):
            client.decide(CALL)
        with pytest.raises(Unavailable, match="onward serve"):
            runner.run(ask())
        start(http_port=port)
        assert client.decide(CALL).id != runner.run(ask())
        runner.run(waiting.close())
    client.close()


ODD = {
    "an empty line": b"\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "a status in words": b"HTTP/1.1 fine OK\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a length in words": b"HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\n{}",
    "a length below none": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "a length of many digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "no length": b"HTTP/1.1 200 OK\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "too short a body": b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
    "an endless head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
    "a head without an end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    "nothing": b"",
    "another's page": b"HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\n<html>",
    "no text": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"live": "\xff"}',
    "depth": b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b'{"versions":' + b"[" * 89_988,
}
"""What others than ours may say."""


@contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A server that says the same to everybody, then hangs up; gives its address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in {b"\r\n", b""}:
                continue
            with suppress(ConnectionError):
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as odd:
        thread = threading.Thread(target=odd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{odd.server_address[1]}"
        finally:
            odd.shutdown()
            thread.join()


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_a_server_of_others_is_unavailable(answer: bytes) -> None:
    """Whatever else answers, both clients raise `Unavailable`, also on a connection kept open."""

    async def work(url: str) -> None:
        async with AsyncClient(url, timeout_s=60) as client:
            for _ in range(2):
                with pytest.raises(Unavailable, match="server"):
                    await client.models()

    with saying(answer) as url:
        with Client(url, timeout_s=60) as client:
            for _ in range(2):
                with pytest.raises(Unavailable, match="server"):
                    client.models()
        asyncio.run(work(url))


def test_facts_of_any_name() -> None:
    """A problem's facts reach the error whatever they are called."""
    body = (
        b'{"title":"t","status":409,"detail":"d","code":"conflict","facts":{"message":1,"self":2}}'
    )
    head = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(body)

    with saying(head + body) as url, Client(url) as client, pytest.raises(Conflict) as caught:
        client.models()
    assert (caught.value.message, caught.value.facts) == ("d", {"message": 1, "self": 2})


def test_what_is_no_server() -> None:
    """An address that cannot be one is refused at once."""
    with pytest.raises(SettingsError):
        Client("localhost:8787")
    with pytest.raises(SettingsError):
        Client("http://\udcff:8787")
