"""What all sections of a bench share: a home, a session, and servers that are started on it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from experiments.servers.native import native_model
from experiments.servers.peers import Peer, started_peer
from experiments.servers.process import Process, free_port

from onward.data.events import Call, Outcome, Step, command_of
from onward.data.store import History
from onward.features.fold import Fold
from onward.models.bundle import CONFIDENCE
from onward.serving.client import Client
from onward.serving.server import Server
from onward.serving.settings import Settings

__all__ = ["AGENT", "Bench", "Row", "until_learned"]

Row = dict[str, Any]
BARE = Path(__file__).with_name("bare.py")
SESSION_STEPS = 1_000
AGENT = "bench"


class Bench:
    """What all sections share.

    Parameters
    ----------
    home
        A state directory with a history and a model.
    folder
        For files of the bench itself.
    turns, seconds
        How often and how long each candidate runs.
    peers
        Servers of others: name -> the Python of their environment.
    """

    def __init__(
        self, home: Path, folder: Path, *, turns: int, seconds: float, peers: Mapping[str, Path]
    ) -> None:
        self.home, self.folder, self._peers = home, folder, peers
        self.turns, self.seconds = turns, seconds
        self.steps = real_steps(home, SESSION_STEPS)
        self.calls = calls_of(self.steps)
        self.model = next((home / "bundles").glob(f"*/{CONFIDENCE}"))

    @contextmanager
    def peers(self, scheme: str) -> Iterator[dict[str, Peer]]:
        """The servers of others that speak this, each on the processor of servers."""
        with ExitStack() as stack:
            row = [float(x) for x in np.nan_to_num(Fold().vector(self.calls[0]))]
            native = native_model(self.home, self.folder) if self._peers else Path()
            found = {}
            for name, python in self._peers.items():
                folder = self.folder / f"{name}-{scheme}"
                doors = stack.enter_context(
                    started_peer(name, python, model=native, row=row, folder=folder)
                )
                if scheme in doors:
                    found[name] = doors[scheme]
            yield found

    def copy(self) -> Path:
        """The home once more, so that nothing that a turn leaves counts in the next."""
        place = Path(tempfile.mkdtemp(dir=self.folder)) / "home"
        shutil.copytree(self.home, place, ignore=shutil.ignore_patterns("ml*"))
        return place

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Ours, within this process."""
        server = Server(
            Settings(
                home=str(self.copy()), http_port=0, grpc_port=0, without=("all",), sample_s=0.0
            )
        )
        server.start()
        until_learned(server)
        try:
            yield server
        finally:
            server.stop()

    @contextmanager
    def ours(self) -> Iterator[tuple[Process, Process]]:
        """Ours as a process of its own: its HTTP and its gRPC port, with the session recorded."""
        ports = free_port(), free_port()
        names = ("ONWARD_HTTP_PORT", "ONWARD_GRPC_PORT")
        env = {
            "ONWARD_WITHOUT": "all",
            "ONWARD_HOME": str(self.copy()),
            **dict(zip(names, map(str, ports), strict=True)),
        }
        process = Process([sys.executable, "-m", "onward.serving.server"], ports[0], env)
        with Client(f"http://127.0.0.1:{ports[0]}", timeout_s=60) as client:
            client.record(self.steps)
            while client.health().status != "ok":
                time.sleep(0.05)
        try:
            yield process, process.through(ports[1])
        finally:
            process.stop()

    @contextmanager
    def bare(self, kind: str) -> Iterator[Process]:
        """A bare server."""
        port = free_port()
        script = [sys.executable, str(BARE), kind, str(port), str(self.model)]
        process = Process(script, port, {})
        try:
            yield process
        finally:
            process.stop()


def real_steps(home: Path, count: int) -> list[Step]:
    """Steps of the history, as one session of the bench's own agent."""
    with History.open(home / "history.db", read_only=True) as history:
        found = (event for _, event in history.scan(kinds=(Step,)) if isinstance(event, Step))
        shells = [step for step in islice(found, 20 * count) if command_of(step)]
    return [
        Step(
            id=f"bench-{number}",
            session="bench",
            tool=step.tool,
            input=step.input,
            outcome=step.outcome if step.outcome is not Outcome.UNKNOWN else Outcome.OK,
            output=step.output,
            agent=AGENT,
            project="bench",
            at=1.7e9 + number,
        )
        for number, step in enumerate((shells * (count // len(shells) + 1))[:count])
    ]


def calls_of(steps: Sequence[Step]) -> list[Call]:
    """Their calls, to be decided on."""
    return [
        Call(session="bench", tool=s.tool, input=s.input, agent=AGENT, project="bench", at=s.at)
        for s in steps
    ]


def until_learned(server: Server) -> None:
    """Until all that was recorded is in the numbers that answer."""
    while server.service.health().status != "ok":
        time.sleep(0.05)
