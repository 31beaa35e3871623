"""The loop from end to end: real processes, real doors, a piece of the recorded history.

One story is told once, and each test looks at one promise of it: a server starts with nothing,
a model is trained beside it, agents ask and report through both doors, the server is killed and
starts again, another process imports, a version is promoted and taken back.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import msgspec
import numpy as np
import pytest

from onward import Band, Call, Client, Outcome, Step
from onward.data.events import Decision, encode_event
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import sample_path
from onward.data.store import History
from onward.features.fold import NAMES
from onward.serving.bundle import load
from onward.serving.pb import decision_pb2 as pb
from onward.serving.pb import decision_pb2_grpc as pb_grpc
from onward.serving.state import State
from onward.serving.wire import Why
from onward.training.rows import folded

TRAINED, IMPORTED, LIVE = 2200, 300, 30
"""Events that a model is trained on, and that come in meanwhile; steps of each agent at a time."""
NOTICED = 40
"""Decisions that three agents may get before a foreign commit is noticed."""
PATIENCE_S = 60.0


def until(check: Callable[[], object], what: str) -> None:
    """Poll until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.01)


class Place:
    """A state directory, and the commands that work on it.

    Parameters
    ----------
    home
        Where it lies.
    settings
        Further settings by name, without the prefix.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        given = {"home": str(home), "mlflow_uri": "http://127.0.0.1:9", "watch_ms": "30"}
        given |= {"without": "all"}  # what is predicted beside decisions has tests of its own
        given |= {"http_port": "0", "grpc_port": "0", **settings}
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ONWARD_")}
        self._started: list[subprocess.Popen[str]] = []
        self.env = clean | {f"ONWARD_{name.upper()}": value for name, value in given.items()}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """`onward ...`, in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "onward", *command],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End what still runs."""
        for process in self._started:
            with process:
                process.kill()

    def run(self, *command: str) -> Any:
        """What `onward ... --json` answers."""
        process = self.start(*command, "--json")
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        return json.loads(out)


class Server:
    """`onward serve` on a place, with somebody to ask it through each door.

    Parameters
    ----------
    place
        Its state directory.
    """

    def __init__(self, place: Place) -> None:
        self.process = place.start("serve")
        http, port = self._port("HTTP on"), self._port("gRPC on")
        self.client = Client(f"http://127.0.0.1:{http}", timeout_s=PATIENCE_S)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub: Any = pb_grpc.DecisionsStub(self.channel)  # type: ignore[no-untyped-call]

    def _port(self, words: str) -> int:
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(rf"{words} .*:(\d+)$", line):
                return int(found[1])
        raise AssertionError(f"the server did not start: {said}")

    def by_http(self, call: Call) -> str:
        """Id of the decision on a call."""
        return self.client.decide(call).id

    def by_grpc(self, call: Call) -> str:
        """The same through the other door."""
        request = pb.DecideRequest(
            session=call.session,
            tool=call.tool,
            input_json=json.dumps(call.input).encode(),
            at=call.at,
            agent=call.agent,
            project=call.project,
            cwd=call.cwd,
        )
        return str(self.stub.Decide(request, timeout=PATIENCE_S).id)

    def close(self) -> None:
        """Ask no more."""
        self.client.close()
        self.channel.close()

    def end(self, number: signal.Signals) -> int:
        """Send a signal and give the exit code."""
        self.close()
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


class Agent(threading.Thread):
    """An agent that asks before each step and tells how it came out, some of it later.

    Parameters
    ----------
    server
        Whom it asks.
    steps
        What it does.
    door
        Asks about a call and gives the decision's id.
    busy
        It goes on while this holds, and for `LIVE` steps at least.
    """

    def __init__(
        self,
        server: Server,
        steps: Iterator[Step],
        *,
        door: Callable[[Call], str],
        busy: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._server, self._steps, self._door, self._busy = server, steps, door, busy
        self.explained: list[Why] = []
        self.reported: list[Step] = []
        self.start()

    def run(self) -> None:
        """Do the steps, reporting two at a time."""
        open_steps: list[Step] = []
        for count, step in enumerate(self._steps, 1):
            asked = self._door(_call_of(step))
            self.explained.append(self._server.client.why(asked))
            open_steps.append(msgspec.structs.replace(step, decision=asked))
            if len(open_steps) == 2:
                self._server.client.record(open_steps)
                self.reported += open_steps
                open_steps = []
                if count >= LIVE and not self._busy():
                    break


def _call_of(step: Step) -> Call:
    """What was about to be done."""
    return Call(**{name: getattr(step, name) for name in Call.__struct_fields__})


@dataclass
class Story:
    """What happened, in the order in which it did."""

    place: Place
    unlearned: Why | None = None
    """A decision from before there was any model."""
    ready: bool = False
    """Whether the server called itself ready then."""
    trained: list[str] = field(default_factory=list)
    """The versions, as they were trained."""
    answered: list[str] = field(default_factory=list)
    """Which version answered after each change, without a restart in between."""
    explained: list[Why] = field(default_factory=list)
    """Every decision on a live step, with its features."""
    reported: list[Step] = field(default_factory=list)
    """Every step that was acknowledged."""
    exit_code: int = -1


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Told once; what it started does not outlive it."""
    told = Story(Place(tmp_path_factory.mktemp("spine") / "home"))
    try:
        yield _tell(told)
    finally:
        told.place.stop()


def _tell(told: Story) -> Story:
    folder = told.place.home.parent
    past, meanwhile, lives = _material(folder)
    place = told.place
    place.run("import", str(past))
    server = Server(place)
    until(lambda: "no model" in server.client.status().degraded, "the past is counted")
    told.unlearned = server.client.why(server.by_http(_call_of(next(lives[0]))))
    told.ready = server.client.health().status == "degraded"
    told.trained.append(place.run("train")["version"])
    told.answered.append(_answering(server, told.trained[0]))
    _work(told, server, lives)
    server.end(signal.SIGKILL)
    server = Server(place)
    importing = place.start("import", str(meanwhile))
    _work(told, server, lives, busy=lambda: importing.poll() is None)
    until(lambda: not server.client.status().degraded, "what was imported is counted")
    _work(told, server, lives)
    told.trained.append(place.run("train")["version"])
    place.run("models", "promote", told.trained[1])
    told.answered.append(_answering(server, told.trained[1]))
    place.run("models", "rollback")
    told.answered.append(_answering(server, told.trained[0]))
    told.exit_code = server.end(signal.SIGTERM)
    return told


def _material(folder: Path) -> tuple[Path, Path, list[Iterator[Step]]]:
    """A past to import, more of it to import later, and what three agents will do."""
    found = (e for e in read_path(sample_path()) if not isinstance(e, BrokenLine))
    events = list(islice(found, 6000))
    files = folder / "past.jsonl", folder / "meanwhile.jsonl"
    parts = events[:TRAINED], events[TRAINED : TRAINED + IMPORTED]
    for file, part in zip(files, parts, strict=True):
        file.write_bytes(b"\n".join(map(encode_event, part)) + b"\n")
    lives: list[list[Step]] = [[], [], []]
    for event in events[TRAINED + IMPORTED :]:
        if isinstance(event, Step):
            lives[sum(event.session.encode()) % 3].append(event)
    return *files, [iter(steps) for steps in lives]


def _answering(server: Server, version: str) -> str:
    """Wait until a version answers; gives which one does."""
    until(lambda: server.client.status().model == version, f"{version} answers")
    until(lambda: not server.client.status().degraded, "the past is counted")
    return server.client.models().live


def _work(
    told: Story,
    server: Server,
    lives: Sequence[Iterator[Step]],
    *,
    busy: Callable[[], bool] = lambda: False,
) -> None:
    """Three agents at the same time, through both doors."""
    doors = [server.by_http, server.by_grpc, server.by_http]
    agents = [
        Agent(server, steps, door=door, busy=busy) for steps, door in zip(lives, doors, strict=True)
    ]
    for agent in agents:
        agent.join()
        told.explained += agent.explained
        told.reported += agent.reported


def test_the_story_is_whole(story: Story) -> None:
    """All live steps were decided on by a model, and the server ended as asked."""
    assert len(story.explained) == len(story.reported) >= 9 * LIVE
    assert {_decision(why).model for why in story.explained} == {story.trained[0]}
    assert story.exit_code == 0


def test_without_a_model_it_says_so(story: Story) -> None:
    """With no bundle rules and counts answer, flagged as degraded, from the past they counted."""
    assert story.unlearned is not None
    decision = _decision(story.unlearned)
    assert story.ready
    assert decision.model == ""
    assert "no model" in decision.degraded
    assert {reason.source for reason in decision.reasons} >= {"reversibility", "counts"}
    assert decision.p_success != 0.5


def test_versions_change_under_a_running_server(story: Story) -> None:
    """A published, a promoted and a taken back version each answer without a restart."""
    first, second = story.trained
    assert story.answered == [first, second, first]


def test_nothing_acknowledged_is_lost(story: Story) -> None:
    """Every acknowledged outcome is in the history once, after SIGKILL too, with its decision."""
    with History.open(story.place.home / "history.db", read_only=True) as history:
        events = [event for _, event in history.scan(kinds=(Step, Decision))]
    steps = [e for e in events if isinstance(e, Step) and e.decision]
    decided = {e.id for e in events if isinstance(e, Decision)}

    assert {step.id: step for step in steps} == {step.id: step for step in story.reported}
    assert len(steps) == len(story.reported)
    assert {step.decision for step in steps} <= decided


def test_training_sees_what_serving_saw(story: Story) -> None:
    """The features of a decision, as serving shows them, are those that training computes."""
    home = story.place.home
    with History.open(home / "history.db", read_only=True) as history:
        table = folded(history, cache=home / "cache").table
        steps = {seq: e for seq, e in history.scan(kinds=(Step,)) if isinstance(e, Step)}
        loose = _loose(history)
    rows = {steps[int(seq)].decision: table.X[row] for row, seq in enumerate(table.seq)}
    exact = [why for why in story.explained if _decision(why).id not in loose]

    assert len(exact) > len(story.explained) / 2
    for why in exact:
        row, shown = rows[_decision(why).id], why.models[0].contributions
        learned = {one.feature: row[NAMES.index(one.feature)] for one in shown}
        known = {name: None if np.isnan(v) else float(v) for name, v in learned.items()}
        assert known
        assert {one.feature: one.value for one in shown} == known


def test_the_log_gives_every_answer_again(story: Story) -> None:
    """Folding the log again gives each logged probability bit for bit, after SIGKILL too."""
    home = story.place.home
    bundle = load(home / "bundles" / story.trained[0], error_rate=0.1)
    state = State(bundle, fold=bundle.fold(), online=bundle.online(), seq=bundle.last_seq)
    said, again = [], []
    with History.open(home / "history.db", read_only=True) as history:
        loose = _loose(history)
        for _, event in history.scan(after=bundle.last_seq):
            if isinstance(event, Decision) and event.id not in loose:
                scores = state.score(event.call)
                said.append((event.id, event.p_success, event.p_approve))
                again.append((event.id, scores.success, scores.approve))
            state.learn(event)

    assert len(said) > len(story.explained) / 2
    assert said == again


def _decision(why: Why) -> Decision:
    assert why.decision is not None
    return why.decision


def _loose(history: History) -> set[str]:
    """Decisions that may have missed what another process had just written.

    They are those that say so, and those of the moment before it was noticed.
    """
    events = [event for _, event in history.scan()]
    came = max(n for n, e in enumerate(events) if isinstance(e, Step) and not e.decision)
    after = [e for e in events[came:] if isinstance(e, Decision)]
    return {d.id for d in after[:NOTICED]} | {d.id for d in after if d.degraded}


def test_shadow_by_default(story: Story) -> None:
    """Unless told otherwise decisions are only logged, and each says so."""
    decisions = [_decision(why) for why in story.explained]

    assert all(decision.shadow for decision in decisions)
    assert all(decision.reasons[-1].source == "mode" for decision in decisions)


# -- what stands whatever is learned

RULES = """
[[rule]]
id = "no-frobnication"
effect = "deny"
program = ["frobnicate"]
text = "Nobody frobnicates here."
"""
SECRET = "ghp_" + "a1B2c3D4" * 5
PASSWORD = "correct-horse-7"


@pytest.fixture
def armed(tmp_path: Path) -> Iterator[Server]:
    """A server whose decisions count, with a rule of the user's own and a short history."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    place = Place(tmp_path / "home", shadow="false", rules=str(rules))
    server = Server(place)
    yield server
    server.close()
    place.stop()


def _succeed(server: Server, command: str, times: int = 150) -> Decision:
    """Let a command succeed again and again, then ask about it."""
    call = Call(session="s", tool="Bash", input={"command": command}, agent="a", cwd="/home/me/p")
    known = {name: getattr(call, name) for name in Call.__struct_fields__}
    steps = [Step(**known, id=f"{command}{n}", outcome=Outcome.OK) for n in range(times)]
    server.client.record(steps)
    until(lambda: "learned" not in server.client.status().degraded, "they are learned")
    return server.client.decide(call)


@pytest.mark.parametrize(
    ("command", "band"),
    [
        ("frobnicate all", Band.DENY),
        ("git push --force origin main", Band.ASK),
        ("rm -rf ../other", Band.ASK),
        ("terraform apply -auto-approve", Band.ASK),
    ],
)
def test_learning_overrides_no_rule(armed: Server, command: str, band: Band) -> None:
    """What always succeeded runs unasked, but for what a rule or the floor speaks of."""
    harmless = _succeed(armed, "pytest -q")
    held = _succeed(armed, command)

    assert harmless.band is Band.EXECUTE
    assert held.p_success > 0.98
    assert held.band is band
    assert not held.shadow


def test_secrets_are_nowhere(armed: Server, tmp_path: Path) -> None:
    """A secret in a call, in its ruling or in an output is in no file of the state directory."""
    commands = [
        f"git push --force https://me:{PASSWORD}@example.org/r.git main",
        f"curl -X DELETE -H 'Authorization: Bearer {SECRET}' https://example.org",
        f"GITHUB_TOKEN={SECRET} ./deploy.sh; mysql -p{PASSWORD} -e 'drop table x'",
    ]
    for number, command in enumerate(commands):
        call = Call(session="s", tool="Bash", input={"command": command, "password": PASSWORD})
        decision = armed.client.decide(call)
        output = f"remote: {SECRET}\npassword: {PASSWORD}"
        step = Step(
            id=f"s{number}",
            session="s",
            tool="Bash",
            input=call.input,
            outcome=Outcome.ERROR,
            output=output,
            decision=decision.id,
        )
        armed.client.record(step)
        assert _clean(encode_event(decision))
    assert armed.end(signal.SIGTERM) == 0

    home = tmp_path / "home"
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"history.db", "state.msgpack"} <= {file.name for file in files}
    assert all(_clean(file.read_bytes()) for file in files)
    with History.open(home / "history.db", read_only=True) as history:  # what is packed, unpacked
        events = [encode_event(event) for _, event in history.scan()]
    assert len(events) == 2 * len(commands)
    assert all(map(_clean, events))


def _clean(body: bytes) -> bool:
    """Whether no secret is in it, nor the beginning of one."""
    return SECRET[:12].encode() not in body and PASSWORD.encode() not in body
