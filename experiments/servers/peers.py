"""Model servers of others, to stand beside ours: MLServer, BentoML, ``mlflow models serve``.

Each runs in an environment of its own, for they do not install beside each other, and serves a
LightGBM model of the same shape as ours. They are asked for the score of one row of floats; ours
is asked for a whole decision. `bench_serving.py --peer NAME PYTHON` starts them.

An environment is made by hand, once::

    python3.11 -m venv mlserver && mlserver/bin/pip install mlserver mlserver-lightgbm
    python3.11 -m venv bentoml && bentoml/bin/pip install bentoml lightgbm
    python3.11 -m venv mlflow && mlflow/bin/pip install mlflow lightgbm
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import psutil
from experiments.servers.process import SERVER_CPU, free_port, pin

__all__ = ["PEERS", "Peer", "started_peer"]

START_S = 120.0


class Peer(NamedTuple):
    """One door of a server of others."""

    url: str
    """``http://host:port/path``, or ``grpc://host:port/service/method``."""
    body: Path
    """What to send: JSON in one line, or a gRPC message with its five bytes of framing."""
    pid: int

    def cpu_s(self) -> float:
        """Processor seconds so far, of the process and its children."""
        times = [process.cpu_times() for process in self._family()]
        return float(sum(time_.user + time_.system for time_ in times))

    def rss_mb(self) -> float:
        """Resident memory of all of them."""
        return float(sum(process.memory_info().rss for process in self._family()) / 2**20)

    def _family(self) -> list[psutil.Process]:
        first = psutil.Process(self.pid)
        return [first, *first.children(recursive=True)]


class Plan(NamedTuple):
    """How a server is started, and what it is asked."""

    command: Sequence[str]
    doors: dict[str, tuple[str, bytes]]
    """Scheme -> address and body."""


def _mlserver(python: Path, model: Path, row: Sequence[float], folder: Path) -> Plan:
    http, grpc, metrics = free_port(), free_port(), free_port()
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    facts = {
        "name": "m",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": str(model), "version": "1"},
    }
    (folder / "model-settings.json").write_text(json.dumps(facts))
    tensor = {"name": "X", "shape": [1, len(row)], "datatype": "FP32", "data": list(row)}
    body = json.dumps({"inputs": [tensor]}).encode()
    return Plan(
        [str(python.parent / "mlserver"), "start", str(folder)],
        {
            "http": (f"http://127.0.0.1:{http}/v2/models/m/infer", body),
            "grpc": (
                f"grpc://127.0.0.1:{grpc}/inference.GRPCInferenceService/ModelInfer",
                _framed(python, row),
            ),
        },
    )


_MESSAGE = """
import sys, json
from mlserver.grpc import dataplane_pb2 as pb
row = json.loads(sys.argv[1])
tensor = pb.ModelInferRequest.InferInputTensor(name="X", datatype="FP32", shape=[1, len(row)])
tensor.contents.fp32_contents.extend(row)
body = pb.ModelInferRequest(model_name="m", inputs=[tensor]).SerializeToString()
sys.stdout.buffer.write(b"\\0" + len(body).to_bytes(4, "big") + body)
"""


def _framed(python: Path, row: Sequence[float]) -> bytes:
    """MLServer's own message for a row, framed as gRPC has it."""
    command = [str(python), "-c", _MESSAGE, json.dumps(list(row))]
    return subprocess.run(command, check=True, capture_output=True).stdout


_SERVICE = """
import bentoml, lightgbm, numpy

@bentoml.service(workers=1)
class Scores:
    def __init__(self):
        self.model = lightgbm.Booster(model_file={model!r})

    @bentoml.api
    def score(self, row: list[float]) -> float:
        return float(self.model.predict(numpy.array([row], numpy.float32), num_threads=1)[0])
"""


def _bentoml(python: Path, model: Path, row: Sequence[float], folder: Path) -> Plan:
    port = free_port()
    (folder / "service.py").write_text(_SERVICE.format(model=str(model)))
    command = [str(python.parent / "bentoml"), "serve", "service:Scores"]
    body = json.dumps({"row": list(row)}).encode()
    return Plan(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--working-dir", str(folder)],
        {"http": (f"http://127.0.0.1:{port}/score", body)},
    )


_SAVE = """
import sys, lightgbm, mlflow.lightgbm
mlflow.lightgbm.save_model(lightgbm.Booster(model_file=sys.argv[1]), sys.argv[2])
"""


def _mlflow(python: Path, model: Path, row: Sequence[float], folder: Path) -> Plan:
    port, saved = free_port(), folder / "saved"
    subprocess.run([str(python), "-c", _SAVE, str(model), str(saved)], check=True)
    command = [str(python.parent / "mlflow"), "models", "serve", "--env-manager", "local"]
    body = json.dumps({"inputs": [list(row)]}).encode()
    return Plan(
        [*command, "-m", str(saved), "-h", "127.0.0.1", "-p", str(port), "-w", "1"],
        {"http": (f"http://127.0.0.1:{port}/invocations", body)},
    )


PEERS: dict[str, Callable[[Path, Path, Sequence[float], Path], Plan]] = {
    "mlserver": _mlserver,
    "bentoml": _bentoml,
    "mlflow": _mlflow,
}
"""Name -> what plans it: its environment's Python, the model, a row, a folder of its own."""


@contextmanager
def started_peer(
    name: str, python: Path, *, model: Path, row: Sequence[float], folder: Path
) -> Iterator[dict[str, Peer]]:
    """Start a server of others on the processor of servers; gives its doors by scheme, and ends it.

    Raises
    ------
    SystemExit
        It did not start; its log is named.
    """
    folder.mkdir()
    plan = PEERS[name](python, model, row, folder)
    log = folder / "log"
    place = os.pathsep.join((str(python.parent), os.environ["PATH"]))
    with log.open("wb") as out:
        process = subprocess.Popen(
            plan.command,
            cwd=folder,
            env=os.environ | {"PATH": place, "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    pin(process.pid, SERVER_CPU)
    try:
        _wait(plan, process, log)
        yield dict(_doors(plan, process.pid, folder))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _doors(plan: Plan, pid: int, folder: Path) -> Iterator[tuple[str, Peer]]:
    for scheme, (url, body) in plan.doors.items():
        path = folder / f"{scheme}.body"
        path.write_bytes(body)
        yield scheme, Peer(url, path, pid)


def _wait(plan: Plan, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers; it may listen before its model is loaded."""
    url, body = plan.doors["http"]
    asked = Request(url, body, {"content-type": "application/json"})  # noqa: S310 -- http it is
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(asked, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"A server did not start; see {log}:\n{log.read_text()[-2000:]}")
