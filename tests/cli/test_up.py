"""`onward up` and the commands that ask a running server, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onward.models.bundle import read_manifest, write_manifest
from onward.training.shelf import Shelf
from onward.training.ui import start_ui, stop_ui


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(check: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """What *check* gives once it gives anything; fails when it never does."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def reached(url: str) -> bool:
    """Whether an address answers."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 (our own address)
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def ports() -> dict[str, str]:
    """Settings with ports that are free."""
    names = ("ONWARD_HTTP_PORT", "ONWARD_GRPC_PORT", "ONWARD_MLFLOW_PORT")
    return {name: str(free_port()) for name in names}


@pytest.fixture
def up(live: Path, ports: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A server that was started by `onward up`, without the MLflow UI."""
    process = subprocess.Popen(
        [sys.executable, "-m", "onward", "up", "--no-ui", "--json"],
        env={
            **os.environ,
            "ONWARD_HOME": str(live),
            "ONWARD_MLFLOW_URI": "http://127.0.0.1:9",
            "ONWARD_WITHOUT": "next_task,errors,memory,intent,forecast,sentences",
        }
        | ports,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        yield process
        process.kill()


def test_up_once_shows_both_doors(shell: Any, filled: Path, ports: dict[str, str]) -> None:
    """The first start trains, makes a decision through each door, and shows their reasons."""
    first = shell("up", "--once", ONWARD_MLFLOW_URI="http://127.0.0.1:9", **ports)
    second = shell("up", "--once", "--json", **ports)

    assert first.code == 0, first.err
    assert "HTTP: may" in first.out
    assert "gRPC: may" in first.out
    assert "/docs" in first.out
    assert second.code == 0, second.err
    welcome = json.loads(second.out)
    assert "training" not in second.err
    assert welcome["by_http"]["model"] == welcome["by_grpc"]["model"] != ""
    assert welcome["by_http"]["reasons"]
    assert welcome["by_grpc"]["band"] in {"ask", "deny"}


def test_taken_port_is_named(shell: Any, filled: Path, ports: dict[str, str]) -> None:
    """A taken port is said before anything is begun, with the setting that changes it."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", int(ports["ONWARD_GRPC_PORT"])))
        taken.listen()
        done = shell("up", "--once", **ports)

    assert done.code == 4
    assert ports["ONWARD_GRPC_PORT"] in done.err
    assert "ONWARD_GRPC_PORT" in done.err
    assert not (filled / "bundles").exists()


def test_ask_a_running_server(up: subprocess.Popen[str], shell: Any, ports: dict[str, str]) -> None:
    """decide, why and status go through the HTTP door; SIGTERM ends the server cleanly."""
    assert up.stdout is not None
    welcome = json.loads(up.stdout.readline())

    decision = json.loads(shell("decide", "pytest -q", "--json", **ports).out)
    why = json.loads(shell("why", decision["id"], "--json", **ports).out)
    shown = shell("why", decision["id"], **ports)
    unknown = shell("why", "nobody", **ports)
    asked = ["ask", "attempt", "session=s", 'input={"command": "pytest -q"}']
    answer = json.loads(shell(*asked, "--json", **ports).out)
    explained = shell("why", answer["id"], **ports)
    cut = shell("ask", "attempt", "session=s", 'input={"comm', **ports)
    status = json.loads(shell("status", "--json", **ports).out)
    up.send_signal(signal.SIGTERM)

    assert decision["model"] == welcome["by_http"]["model"]
    assert why["decision"]["call"]["input"] == {"command": "pytest -q"}
    assert "pytest -q" in shown.out
    assert unknown.code == 3
    assert "attempt: no" in explained.out
    assert (cut.code, "written as JSON" in cut.err) == (2, True)
    assert status["server"]["model"] == status["live"]
    assert up.wait(30) == 0


@pytest.mark.slow
def test_mlflow_ui_never_outlives_us(tmp_path: Path) -> None:
    """The UI answers, goes when it is stopped, and goes when its parent is killed."""
    uri, port = f"sqlite:///{tmp_path}/mlflow.db", free_port()
    url = f"http://127.0.0.1:{port}/health"
    place = {"artifacts": tmp_path, "host": "127.0.0.1", "port": port, "log": tmp_path / "ui.log"}
    process = start_ui(uri, **place)  # type: ignore[arg-type]  # the facts of one call
    until(lambda: reached(url), seconds=120)
    stop_ui(process)
    assert not reached(url)

    code = (
        "import sys, time\nfrom pathlib import Path\nfrom onward.training.ui import start_ui\n"
        f"start_ui({uri!r}, artifacts=Path({str(tmp_path)!r}), host='127.0.0.1', port={port},"
        f" log=Path({str(tmp_path / 'ui.log')!r}))\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: reached(url), seconds=120)
    parent.kill()
    parent.wait()
    until(lambda: not reached(url))


def test_up_trains_anew_where_no_model_can_answer(
    shell: Any, live: Path, ports: dict[str, str]
) -> None:
    """A version made with other features is not served half: another one is trained first."""
    old = Shelf(live).current()
    assert old is not None
    manifest = read_manifest(Shelf(live).path(old))
    write_manifest(Shelf(live).path(old), msgspec.structs.replace(manifest, features="old"))

    first = shell("up", "--once", "--json", ONWARD_MLFLOW_URI="http://127.0.0.1:9", **ports)
    second = shell("up", "--once", "--json", ONWARD_MLFLOW_URI="http://127.0.0.1:9", **ports)

    assert first.code == 0, first.err
    assert f"Model {old} cannot answer" in " ".join(first.err.split())
    new = Shelf(live).current()
    assert json.loads(first.out)["by_http"]["model"] == new != old
    assert json.loads(first.out)["by_http"]["degraded"] == ""
    assert "training one" not in second.err
