"""Questions through every door: one table, the same answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf import json_format
from tests.serving.conftest import Running, wait_until

from onward.data.errors import InputError, NotFound, Unavailable
from onward.data.events import Outcome, Prompt, Step
from onward.data.importers import BrokenLine, read_path
from onward.data.samples import sample_path
from onward.data.store import History
from onward.models.bundle import read_manifest
from onward.models.next_task import NextTask
from onward.serving.answers.desk import FILLING
from onward.serving.client import AsyncClient, Client
from onward.serving.grpc import PREDICTIONS
from onward.serving.pb import decision_pb2, generate, prediction_pb2
from onward.serving.pb.decision_pb2_grpc import DecisionsStub
from onward.serving.questions import QUESTIONS, Question
from onward.serving.questions.next_task import NextRequest
from onward.training.loop import train
from onward.training.settings import TrainSettings

FIELDS: dict[str, dict[str, Any]] = {
    "next": {"session": "q", "agent": "a", "project": "shop"},
    "hazard": {"session": "q"},
    "errors": {"output": "E   ModuleNotFoundError: No module named 'requests'"},
    "errors/list": {},
    "fixes": {"session": "q"},
    "attempt": {"session": "q", "tool": "Bash", "input": {"command": "pytest -q tests/test_a.py"}},
    "memory": {"query": "which lock do we use?"},
    "intent": {"text": "fix the failing tests", "agent": "a"},
    "forecast": {},
}
"""One request of every question."""
STEPS = 6000


def trouble() -> list[Prompt | Step]:
    """A session in which a check fails, something is changed, and it passes."""
    events: list[Prompt | Step] = [
        Prompt(id="q0", session="q", text="fix the failing tests please", agent="a", at=1e9)
    ]
    for n in range(6):
        failed = n % 3 != 2
        events += [
            Step(
                id=f"t{n}",
                session="q",
                tool="Bash",
                input={"command": "pytest -q tests/test_a.py"},
                agent="a",
                project="shop",
                at=1e9 + n,
                outcome=Outcome.ERROR if failed else Outcome.OK,
                exit_code=int(failed),
                output="E   ModuleNotFoundError: No module named 'requests'" if failed else "ok",
            ),
            Step(
                id=f"e{n}",
                session="q",
                tool="Edit",
                input={"file_path": "shop/a.py", "old_string": "x", "new_string": str(n)},
                agent="a",
                project="shop",
                at=1e9 + n + 0.5,
                outcome=Outcome.OK,
            ),
        ]
    failing = msgspec.structs.replace(events[1], id="last", at=1e9 + 9)
    return [*events, failing]


@pytest.mark.parametrize("question", QUESTIONS, ids=[one.name for one in QUESTIONS])
def test_a_field_that_is_none_of_its_own_is_refused(question: Question) -> None:
    """No question passes over a field that it does not know, which may be a misspelt one."""
    assert question.convert(FIELDS[question.name])
    with pytest.raises(InputError, match="colour"):
        question.convert({**FIELDS[question.name], "colour": "red"})


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that was told of some trouble."""
    running = Running(tmp_path_factory.mktemp("asked"), sample_s="0")
    with running.client() as client:
        client.record(trouble())
    yield running
    assert running.stop() == 0, running.said


def _is_whole(client: Client, question: Question) -> bool:
    """Whether the answer rests on all that came before, which must be folded first."""
    said = client.ask(question.convert(FIELDS[question.name]))
    return not said.note.startswith(FILLING)


def by_grpc(running: Running, question: Question, fields: dict[str, Any]) -> dict[str, Any]:
    """The answer over gRPC, as plain fields."""
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        call = channel.unary_unary(
            f"/{PREDICTIONS}/{question.rpc}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=getattr(prediction_pb2, question.answer.__name__).FromString,
        )
        message = getattr(prediction_pb2, question.request.__name__)()
        answer = call(json_format.ParseDict(fields, message), timeout=30)
    plain: dict[str, Any] = json_format.MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return plain


@pytest.mark.parametrize("question", QUESTIONS, ids=[one.name for one in QUESTIONS])
def test_every_door_gives_the_same_answer(asked: Running, question: Question) -> None:
    """HTTP and gRPC answer a question alike, field by field, and asking again changes nothing."""
    with asked.client() as client:
        first = client.ask(question.convert(FIELDS[question.name]))
        again = client.ask(question.convert(FIELDS[question.name]))
    over = msgspec.convert(
        by_grpc(asked, question, FIELDS[question.name]), question.answer, strict=False
    )

    assert isinstance(first, question.answer)
    assert _same(again) == _same(first)
    assert _close(_same(over), _same(first))
    assert len({first.id, again.id, over.id}) == 3


def _same(answer: Any) -> dict[str, Any]:
    """An answer as plain fields, without its own id."""
    plain: dict[str, Any] = msgspec.to_builtins(answer)
    return plain | {"id": ""}


@pytest.mark.parametrize("question", QUESTIONS, ids=[one.name for one in QUESTIONS])
def test_every_answer_can_be_asked_why(asked: Running, question: Question) -> None:
    """An answer is explained by its id at both doors; an id that was never given is not found."""
    with asked.client() as client:
        answer = client.ask(question.convert(FIELDS[question.name]))
        why = client.why(answer.id)
    with grpc.insecure_channel(f"127.0.0.1:{asked.grpc_port}") as channel:
        stub = DecisionsStub(channel)  # type: ignore[no-untyped-call]
        over = stub.Why(decision_pb2.WhyRequest(id=answer.id), timeout=30)

    assert why.decision is None
    assert why.asked is not None
    assert why.asked.question == over.asked.question == question.name
    assert why.asked.answer == json.loads(msgspec.json.encode(answer))
    assert json.loads(over.asked.answer_json) == why.asked.answer
    assert why.note == over.note == "No model was asked: what the answer says is all."


def _close(a: Any, b: Any) -> bool:
    """Whether two plain values are the same but for rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_close(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_close, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == pytest.approx(b, rel=1e-6, abs=1e-9, nan_ok=True)
    return bool(a == b)


def test_no_secret_is_shown_again(asked: Running) -> None:
    """What was asked with a secret in it is answered, and explained, without."""
    secret = "AKIAIOSFODNN7EXAMPLQ"
    errors = next(one for one in QUESTIONS if one.name == "errors")
    with asked.client() as client:
        answer = client.ask(errors.convert({"output": f"ValueError: no access with {secret}"}))
        why = client.why(answer.id)

    assert "no access with" in answer.root
    assert secret not in answer.root + str(why)


async def _awaited(url: str) -> Any:
    async with AsyncClient(url) as client:
        return await client.ask(NextRequest(session="q"))


def test_the_async_client_asks_too(asked: Running) -> None:
    """`AsyncClient.ask` gives what `Client.ask` gives."""
    import asyncio

    with asked.client() as client:
        said = client.ask(NextRequest(session="q"))
    assert _same(asyncio.run(_awaited(asked.url))) == _same(said)


def test_what_is_no_question_is_told(asked: Running) -> None:
    """A request of no question, a wrong field and an unknown session are typed errors."""
    with asked.client() as client:
        with pytest.raises(InputError, match="no question"):
            client.ask(Step(id="a", session="s", tool="t", outcome=Outcome.OK))
        fixes = next(one for one in QUESTIONS if one.name == "fixes")
        with pytest.raises(NotFound):
            client.ask(fixes.convert({"session": "nobody"}))
        with pytest.raises(InputError, match="most"):
            fixes.convert({"most": "many"})


def test_what_was_learned_survives_a_restart(tmp_path: Path) -> None:
    """A server that was stopped and started again answers every question as before."""
    first = Running(tmp_path / "home", sample_s="0")
    with first.client() as client:
        client.record(trouble())
        before = [client.ask(one.convert(FIELDS[one.name])) for one in QUESTIONS]
    assert first.stop() == 0, first.said
    second = Running(tmp_path / "home", sample_s="0")
    with second.client() as client:
        after = [client.ask(one.convert(FIELDS[one.name])) for one in QUESTIONS]
    assert second.stop() == 0, second.said

    assert [*map(_same, after)] == [*map(_same, before)]


def test_a_system_that_is_switched_off_says_so(tmp_path: Path) -> None:
    """`ONWARD_WITHOUT` leaves a system out; asking for it is told, and all else answers."""
    running = Running(tmp_path / "home", without="hazard")
    questions = {one.name: one for one in QUESTIONS}
    with running.client() as client:
        with pytest.raises(Unavailable, match="switched off"):
            client.ask(questions["hazard"].convert({"session": "q"}))
        client.ask(questions["next"].convert({"session": "q"}))
    assert running.stop() == 0, running.said


def test_the_sampler_feeds_the_forecast(tmp_path: Path) -> None:
    """A server that samples itself records readings and forecasts from them."""
    running = Running(tmp_path / "home", sample_s="0.1", without="next_task,errors")
    forecast = next(one for one in QUESTIONS if one.name == "forecast")
    with running.client() as client:
        wait_until(lambda: client.status().events["Sample"] >= 2, "two readings")
        answer = client.ask(forecast.convert({}))
    assert running.stop() == 0, running.said

    assert "memory" in {one.resource for one in answer.resources}
    assert "no reading" not in answer.note


def test_the_proto_is_that_of_the_types() -> None:
    """`prediction.proto` is what the questions' types give; else run ``make protos``."""
    assert (generate.FOLDER / "prediction.proto").read_text(encoding="utf-8") == (
        generate.describe()
    )


@pytest.mark.timeout(600)
def test_trained_systems_answer(tmp_path: Path) -> None:
    """What training fits, judges and publishes beside decisions is what a server answers with."""
    home = tmp_path / "home"
    home.mkdir()
    events = [event for event in read_path(sample_path()) if not isinstance(event, BrokenLine)]
    with History.open(home / "history.db") as history:
        history.append(events[:STEPS])
    kept_out = ("sentences", "clusters", "intent", "forecast", "memory", "transient")
    trained = train(
        TrainSettings(home=str(home), mlflow_uri="http://127.0.0.1:9", without=kept_out)
    )
    manifest = read_manifest(home / "bundles" / trained.version)

    assert set(trained.beside) == set(manifest.parts) >= {"next_task", "hazard", "fixes"}
    assert not set(manifest.parts) & set(kept_out)
    assert manifest.parts["next_task"].beats_peer, trained.beside
    running = Running(home, sample_s="0")
    questions = {one.name: one for one in QUESTIONS}
    with running.client() as client:
        wait_until(lambda: _is_whole(client, questions["next"]), "the history is folded")
        client.record(trouble())
        answer = client.ask(questions["next"].convert({"session": "q", "agent": "a"}))
        assert answer.model == trained.version
        (model,) = client.why(answer.id).models
        listed = sum(one.effect for one in model.contributions)
        assert (model.system, model.version) == ("next_task", trained.version)
        assert {one.feature for one in model.contributions} <= set(NextTask.names)
        assert model.baseline + listed + model.rest == pytest.approx(model.says)
        assert json.loads(msgspec.json.encode(client.models()))["live"] == trained.version
        mended = client.ask(questions["fixes"].convert({"session": "q"}))
        assert mended.model == (trained.version if manifest.parts["fixes"].beats_peer else "")
        assert mended.fixes[0].p == max(one.p for one in mended.fixes) > 0.0
    assert running.stop() == 0, running.said
