"""A server's life: killed, stopped, out of disk, locked out, never losing what it acknowledged."""

from __future__ import annotations

import http.client
import json
import resource
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onward.data.errors import StoreBusy, StoreError, StoreFull, Unavailable
from onward.data.events import Call, Decision, Step
from onward.data.store import History

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps, Publisher, Running, Start, Until

CALL = Call(session="s", tool="Bash", input={"command": "git status"}, agent="tester")


class Writers:
    """Threads that record one step after the other, and remember what was acknowledged."""

    def __init__(self, server: Running, steps: MakeSteps, *, count: int = 4) -> None:
        self.acknowledged: list[Step] = []
        self._threads = [
            threading.Thread(target=self._write, args=(server, steps, f"w{n}"))
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _write(self, server: Running, steps: MakeSteps, name: str) -> None:
        with server.client() as client, suppress(Unavailable):
            for number in range(100_000):
                client.decide(CALL)
                some = steps(3, session=name, start=3 * number)
                client.record(some)
                self.acknowledged += some

    def join(self) -> None:
        """Wait until all have lost their server."""
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("repeat", range(2))
def test_kill_loses_nothing_acknowledged(
    start: Start, steps: MakeSteps, until: Until, tmp_path: Path, repeat: int
) -> None:
    """After SIGKILL every acknowledged step is there, exactly once, and serving goes on."""
    server = start()
    writers = Writers(server, steps)
    until(lambda: len(writers.acknowledged) > 60 * (repeat + 1), "some steps are acknowledged")
    server.kill()
    writers.join()

    again = start()
    with again.client() as client:
        sent_again = client.record(writers.acknowledged[-30:])
        status = client.status()
    assert sent_again.stored == 0
    assert status.folded_seq == status.last_seq
    with History.open(tmp_path / "home" / "history.db", read_only=True) as history:
        stored = [event.id for _, event in history.scan(kinds=(Step,))]
    assert len(stored) == len(set(stored))
    assert {step.id for step in writers.acknowledged} <= set(stored)


def test_stopping_is_graceful(start: Start, steps: MakeSteps, until: Until, tmp_path: Path) -> None:
    """SIGTERM under load: exit code 0, and all that was answered is in the history."""
    server = start()
    writers = Writers(server, steps)
    decided: list[str] = []
    with server.client() as client:
        until(lambda: len(writers.acknowledged) > 60, "some steps are acknowledged")
        decided += [client.decide(CALL).id for _ in range(20)]
    code = server.stop()
    writers.join()

    assert code == 0, server.said
    with History.open(tmp_path / "home" / "history.db", read_only=True) as history:
        stored = {event.id for _, event in history.scan(kinds=(Step, Decision))}
    assert {step.id for step in writers.acknowledged} <= stored
    assert set(decided) <= stored


def test_restart_goes_on_from_the_saved_state(
    publisher: Publisher, start: Start, steps: MakeSteps, until: Until, tmp_path: Path
) -> None:
    """A restarted server answers as the one before would have, from the first request on."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    first = start(home)
    with first.client() as client:
        client.record(steps(200))
        until(lambda: not client.status().degraded, "all is counted")
        before = client.decide(CALL)
    first.stop()
    with start(home).client() as client:
        after = client.decide(CALL)

    assert after.degraded == ""
    assert (after.p_success, after.p_approve) == (before.p_success, before.p_approve)
    assert after.reasons == before.reasons


def test_a_first_start_counts_the_past(
    publisher: Publisher, start: Start, until: Until, tmp_path: Path
) -> None:
    """Without a saved state the server answers at once, flagged until the past is counted."""
    home = tmp_path / "home"
    publisher.publish(home, "v1")
    with start(home, watch_ms="10").client() as client:
        until(lambda: not client.decide(CALL).degraded, "the past is counted")
        decision = client.decide(CALL)

    counts = next(reason for reason in decision.reasons if reason.source == "counts")
    assert "nothing like it" not in counts.text


def test_a_full_disk(start: Start, steps: MakeSteps, until: Until) -> None:
    """With no space left nothing is acknowledged, decisions say so; with space it goes on."""
    server = start(watch_ms="20")
    with server.client() as client:
        client.record(steps(10))
        limit = (1, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limit)
        with pytest.raises((StoreFull, StoreError)):
            client.record(steps(10, session="lost"))
        assert "cannot be stored" in client.decide(CALL).degraded
        free = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, free)

        def stores_again() -> bool:
            with suppress(StoreError):
                return client.record(steps(10, session="found")).stored >= 0
            return False

        until(stores_again, "it stores again")
        until(lambda: "stored" not in client.decide(CALL).degraded, "decisions are whole again")
        assert client.record(steps(10)).duplicates == 10
    assert server.stop() == 0


def ready(server: Running) -> int:
    """The status by which an orchestrator knows."""
    line = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    with closing(line):
        line.request("GET", "/health/ready")
        return line.getresponse().status


def test_a_locked_database(start: Start, steps: MakeSteps, until: Until, tmp_path: Path) -> None:
    """While another process holds the history, the server is not ready, and goes on deciding."""
    server = start(busy_s="0.1", watch_ms="20")
    with server.client() as client:
        client.record(steps(5))
        database = tmp_path / "home" / "history.db"
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                client.record(steps(5, start=5))
            assert client.health().status == "unavailable"
            assert ready(server) == 503
            assert client.decide(CALL).id

        assert client.record(steps(5, start=5)).stored == 5
        assert client.health().status == "degraded"
        assert ready(server) == 200


def test_repeats_into_a_locked_database(
    start: Start, steps: MakeSteps, until: Until, tmp_path: Path
) -> None:
    """While repeated steps wait for a history that another holds, all else goes on."""
    server = start(busy_s="60", sample_s="0")
    some = steps(5)
    with server.client() as client, ThreadPoolExecutor(12) as others:
        client.record(some[:4])
        with closing(sqlite3.connect(tmp_path / "home" / "history.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            first = others.submit(client.record, some[4], key="k")
            until(lambda: client.status().waiting == 1, "the first is on its way")
            again = [others.submit(client.record, some[4]) for _ in range(8)]
            keyed = [others.submit(client.record, some[4], key=key) for key in ("k", "l")]
            for _ in range(20):
                assert client.decide(CALL).id
                assert client.health().status
                assert client.status().waiting
            assert not any(one.done() for one in (first, *again, *keyed))
            db.execute("ROLLBACK")

        told = [one.result(60) for one in (first, *again, *keyed)]
        assert {tuple(one.seqs) for one in told} == {(5,)}
        assert client.record(steps(6)).duplicates == 5


def test_events_of_other_processes(
    start: Start, steps: MakeSteps, until: Until, tmp_path: Path
) -> None:
    """What an import appends to the history is noticed and counted."""
    server = start(watch_ms="20")
    with server.client() as client:
        client.record(steps(5))
        with History.open(tmp_path / "home" / "history.db") as history:
            history.append(steps(900, session="imported"))
        until(lambda: client.status().folded_seq == client.status().last_seq, "it is folded")
        cases = client.why(client.decide(CALL).id).cases

    assert cases[0].step.session == "imported"


def test_a_port_that_is_taken(start: Start, tmp_path: Path) -> None:
    """A second server on the same port ends with a sentence, not a traceback."""
    first = start()
    with pytest.raises(AssertionError, match="ONWARD_HTTP_PORT"):
        start(tmp_path / "other", http_port=str(first.http_port))
    with pytest.raises(AssertionError, match="ONWARD_GRPC_PORT"):
        start(tmp_path / "third", grpc_port=str(first.grpc_port))


def test_half_a_request_does_not_hold_up_the_end(start: Start) -> None:
    """A client that never finishes its request is cut off when the time to drain is over."""
    server = start(drain_s="0.3", idle_timeout_s="3600")
    line = http.client.HTTPConnection("127.0.0.1", server.http_port)
    line.putrequest("POST", "/v1/decide")
    line.putheader("Content-Length", "100")
    line.endheaders(b"{")

    assert server.stop() == 0
    with pytest.raises(ConnectionError):
        line.getresponse()
    line.close()


def test_serves_light(publisher: Publisher, tmp_path: Path) -> None:
    """Deciding with a model imports no training library, and fits into 110 MB."""
    import subprocess
    import sys

    home = tmp_path / "home"
    publisher.publish(home, "v1")
    script = """
import json, sys
import psutil
from onward.data.events import Call
from onward.serving.server import Server
from onward.serving.settings import Settings
server = Server(Settings(home=sys.argv[1], http_port=0, grpc_port=0))
server.start()
decision = server.service.decide(Call(session="s", tool="Bash", input={"command": "ls"}))
rss = psutil.Process().memory_info().rss
server.stop()
print(json.dumps([decision.model, rss, sorted(sys.modules)]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True
    )
    model, rss, modules = json.loads(done.stdout)

    heavy = {"torch", "sklearn", "lightgbm", "pandas", "mlflow", "pyarrow", "scipy", "matplotlib"}
    assert model == "v1"
    assert not heavy.intersection(modules)
    assert rss <= 110 * 2**20
