"""The HTTP door of a real server, spoken to by a plain HTTP client."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from onward.data.events import Step
from onward.serving.http import ROUTES

if TYPE_CHECKING:
    from tests.serving.conftest import MakeSteps, Running, Start

CALL = {"session": "s", "tool": "Bash", "input": {"command": "ls -l"}, "agent": "tester"}
STEP = {**CALL, "kind": "step", "id": "x-1", "outcome": "ok"}


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def ask(server: Running, method: str, path: str, body: object = None, **headers: str) -> Reply:
    """One request; dicts and lists are sent as JSON, underscores in header names as dashes."""
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    line = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    try:
        line.request(method, path, sent, names)
        answer = line.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())
    finally:
        line.close()


def test_decides(server: Running) -> None:
    """A decision names its band, its reasons, and why it is less than a full one."""
    reply = ask(server, "POST", "/v1/decide", CALL)

    assert reply.status == 200
    assert reply.json["band"] == "ask"
    assert reply.json["shadow"] is True
    assert {reason["source"] for reason in reply.json["reasons"]} >= {"counts", "reversibility"}
    assert "no model" in reply.json["degraded"]


def test_rules_speak(server: Running) -> None:
    """What rules forbid is not for the model to say."""
    call = {**CALL, "input": {"command": "rm -rf / --no-preserve-root"}}
    reply = ask(server, "POST", "/v1/decide", call)

    assert reply.json["band"] in {"ask", "deny"}
    assert reply.json["reasons"][0]["source"] == "rule"


def test_records_one_or_many(server: Running, steps: MakeSteps) -> None:
    """One event, or a list of them; the same again are duplicates with the same places."""
    many = msgspec.to_builtins(steps(5, session="many"))
    one = ask(server, "POST", "/v1/steps", {**STEP, "id": "one-1"})
    first = ask(server, "POST", "/v1/steps", many)
    again = ask(server, "POST", "/v1/steps", many)

    assert one.json["stored"] == 1
    assert (first.json["stored"], first.json["duplicates"]) == (5, 0)
    assert (again.json["stored"], again.json["duplicates"]) == (0, 5)
    assert first.json["seqs"] == again.json["seqs"]


def test_records_every_kind(server: Running) -> None:
    """All that callers may tell is taken; decisions are onward's own."""
    decision = ask(server, "POST", "/v1/decide", CALL).json
    events = [
        {**STEP, "id": "kinds-1", "decision": decision["id"]},
        {"kind": "prompt", "id": "kinds-2", "session": "s", "text": "go on"},
        {
            "kind": "verdict",
            "id": "k-3",
            "session": "s",
            "decision": decision["id"],
            "approved": True,
        },
        {"kind": "sample", "id": "kinds-4", "at": 1.0, "values": {"load_1m": 0.5}},
        {"kind": "note", "id": "kinds-5", "session": "s", "text": "use pathlib", "reasons": ["x"]},
        {"kind": "feedback", "id": "k-6", "session": "s", "note": "kinds-5", "helped": True},
    ]

    assert ask(server, "POST", "/v1/steps", events).json["stored"] == 6
    assert ask(server, "POST", "/v1/steps", decision).status == 400


def test_idempotency_key(server: Running, steps: MakeSteps) -> None:
    """The same key with the same events gives the same answer; with others a conflict."""
    first, other = (msgspec.to_builtins(steps(2, session=name)) for name in ("key-a", "key-b"))
    one = ask(server, "POST", "/v1/steps", first, Idempotency_Key="k1")
    two = ask(server, "POST", "/v1/steps", first, Idempotency_Key="k1")
    three = ask(server, "POST", "/v1/steps", other, Idempotency_Key="k1")

    assert one.json == two.json
    assert (three.status, three.json["code"]) == (409, "conflict")


def test_an_id_with_other_content(server: Running) -> None:
    """An id that comes again with other content is a conflict, and changes nothing."""
    ask(server, "POST", "/v1/steps", {**STEP, "id": "twice"})
    reply = ask(server, "POST", "/v1/steps", {**STEP, "id": "twice", "outcome": "error"})

    assert (reply.status, reply.json["code"]) == (409, "conflict")


def test_explains(server: Running, steps: MakeSteps) -> None:
    """A decision can be looked up, with the steps that were nearest to it."""
    ask(server, "POST", "/v1/steps", msgspec.to_builtins(steps(8, session="past")))
    call = {**CALL, "input": {"command": "git status"}}
    decision = ask(server, "POST", "/v1/decide", call).json
    reply = ask(server, "GET", f"/v1/why/{decision['id']}")

    assert reply.status == 200
    assert reply.json["decision"] == decision
    assert reply.json["cases"][0]["likeness"] == "same command"


@pytest.mark.parametrize(
    "command",
    [
        "curl -H 'Authorization: token {}' x",
        "curl -X DELETE -H 'Authorization: token {}' https://example.org",
        "git push --force https://me:{}@example.org/r.git main",
        "rm -rf /etc/" + "x" * 125 + "/{}",
        "mysql -p{} -e 'drop table x'",
        "terraform destroy -var db_password={}",
    ],
)
def test_secrets_are_not_kept(server: Running, command: str) -> None:
    """What looks like a secret is gone before anything is stored or shown, reasons included."""
    secret = "ghp_" + "a1B2" * 10
    call = {**CALL, "input": {"command": command.format(secret)}}
    decision = ask(server, "POST", "/v1/decide", call)
    why = ask(server, "GET", f"/v1/why/{decision.json['id']}")

    assert secret[:12].encode() not in decision.body + why.body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "Expected `object`"),
        (b'{"session": "s", "tool": "x\xff"}', "not UTF-8"),
        ({**CALL, "colour": "red"}, "unknown field `colour`"),
        ({**CALL, "session": 5}, "$.session"),
        ({**CALL, "session": ""}, "$.session"),
        ({"tool": "Bash"}, "missing required field `session`"),
        ({**CALL, "at": -1}, "$.at"),
        ({**CALL, "at": 1.7e12}, "$.at"),
        ({**CALL, "input": "ls"}, "$.input"),
        ({**CALL, "session": "x" * 300}, "$.session"),
        (
            b'{"session": "s", "tool": "x", "input": ' + b'{"a":' * 9000 + b"1" + b"}" * 9001,
            "nested",
        ),
    ],
)
def test_what_cannot_be_decided_on(server: Running, body: object, says: str) -> None:
    """Each mistake in a call is a problem that names it."""
    reply = ask(server, "POST", "/v1/decide", body)

    assert (reply.status, reply.json["code"]) == (400, "invalid_input")
    assert says in reply.json["detail"]
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({**STEP, "outcome": "great"}, "$.outcome"),
        ({**STEP, "kind": "dream"}, "$.kind"),
        ([STEP, {**STEP, "id": "x-2", "extra": 1}], "unknown field `extra` - at `$[1]`"),
        ({**STEP, "usage": {"cpu_s": "much"}}, "$.usage"),
        ({**STEP, "duration": -1.0}, "$.duration"),
    ],
)
def test_what_cannot_be_recorded(server: Running, body: object, says: str) -> None:
    """Each mistake in an event names the event and the field."""
    reply = ask(server, "POST", "/v1/steps", body)

    assert (reply.status, reply.json["code"]) == (400, "invalid_input")
    assert says in reply.json["detail"]


def test_a_command_of_ten_megabytes(server: Running) -> None:
    """A body beyond the limit is refused before it is read, a call beyond its own after."""
    ten = ask(server, "POST", "/v1/decide", {**CALL, "input": {"command": "x" * 10_000_000}})
    two = ask(server, "POST", "/v1/decide", {**CALL, "input": {"command": "x" * 2_000_000}})

    assert (ten.status, two.status) == (413, 413)
    assert two.json["facts"]["limit"] == 2**20
    assert ask(server, "POST", "/v1/decide", CALL).status == 200


def test_a_hundred_thousand_steps_at_once(server: Running) -> None:
    """Too many events in one request are refused, whichever limit they meet first."""
    wide = ask(server, "POST", "/v1/steps", [STEP] * 100_000)
    many = ask(server, "POST", "/v1/steps", [{**STEP, "id": f"m-{n}"} for n in range(10_001)])

    assert (wide.status, many.status) == (413, 413)
    assert "10000" in many.json["detail"]


def test_clocks_that_run_back_and_sessions_nobody_knows(server: Running) -> None:
    """Neither is an error: the order of the log is what counts."""
    for at in (2e9, 1e9, 0.0):
        assert (
            ask(server, "POST", "/v1/decide", {**CALL, "session": f"new-{at}", "at": at}).status
            == 200
        )
        step = {**STEP, "id": f"back-{at}", "session": "back", "at": at}
        assert ask(server, "POST", "/v1/steps", step).json["stored"] == 1


def test_paths_and_methods(server: Running) -> None:
    """Unknown paths, ids and methods say so."""
    assert ask(server, "GET", "/nowhere").json["code"] == "no_route"
    assert ask(server, "GET", "/v1/why/nobody").json["code"] == "not_found"
    wrong = ask(server, "GET", "/v1/decide")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert ask(server, "HEAD", "/v1/status").body == b""


def test_status_and_models(server: Running) -> None:
    """The server tells what answers, and how much of the history is folded."""
    status = ask(server, "GET", "/v1/status").json

    assert status["folded_seq"] == status["last_seq"]
    assert status["model"] == ask(server, "GET", "/v1/models").json["live"] == ""


def test_health(server: Running) -> None:
    """Alive, and ready though without a model."""
    assert ask(server, "GET", "/health/live").json == {"status": "ok", "degraded": ""}
    ready = ask(server, "GET", "/health/ready")
    assert (ready.status, ready.json["status"]) == (200, "degraded")


def test_metrics(server: Running) -> None:
    """Requests, decisions and times are counted."""
    ask(server, "POST", "/v1/decide", CALL)
    text = ask(server, "GET", "/metrics").body.decode()

    assert 'onward_requests_total{door="http",route="/v1/decide",status="200"}' in text
    assert "onward_decide_seconds_bucket" in text


def test_describes_itself(server: Running) -> None:
    """The OpenAPI document has every route, and the page needs nothing from elsewhere."""
    document = ask(server, "GET", "/openapi.json").json
    page = ask(server, "GET", "/docs")

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {route.path for route in ROUTES}
    answers = document["paths"]["/health/ready"]["get"]["responses"]
    assert answers["503"]["content"] == answers["200"]["content"]
    (header,) = document["paths"]["/v1/steps"]["post"]["parameters"]
    assert (header["in"], header["name"]) == ("header", "Idempotency-Key")
    assert b"http://" not in page.body
    assert b"https://" not in page.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_web_pages_are_kept_out(server: Running, headers: dict[str, str]) -> None:
    """A page of another site cannot speak to the server through its user's browser."""
    assert ask(server, "POST", "/v1/decide", CALL, **headers).status == 403


def test_its_own_page_is_let_in(server: Running) -> None:
    """The docs page may send requests."""
    own = f"http://127.0.0.1:{server.http_port}"
    reply = ask(server, "POST", "/v1/decide", CALL, Origin=own, Sec_Fetch_Site="same-origin")

    assert reply.status == 200


def test_token(start: Start) -> None:
    """With a token set nobody is answered without it, but for health."""
    server = start(token="hush")

    assert ask(server, "GET", "/v1/status").headers["www-authenticate"] == "Bearer"
    assert ask(server, "GET", "/v1/status", Authorization="Bearer loud").status == 401
    assert ask(server, "GET", "/v1/status", Authorization="Bearer hush").status == 200
    assert ask(server, "GET", "/health/live").status == 200


def test_what_is_degraded_is_told_with_the_token_only(start: Start) -> None:
    """Without the token a server tells whether it is ready, not why not."""
    server = start(token="hush")
    shut = ask(server, "GET", "/health/ready")
    wrong = ask(server, "GET", "/health/ready", Authorization="Bearer loud")
    told = ask(server, "GET", "/health/ready", Authorization="Bearer hush")

    assert (shut.status, wrong.status, told.status) == (200, 200, 200)
    assert shut.json == wrong.json == {"status": "degraded", "degraded": ""}
    assert "no model" in told.json["degraded"]


def test_steps_round_trip(server: Running, steps: MakeSteps) -> None:
    """An event that was recorded is the event that a case shows."""
    step = steps(1, session="round")[0]
    odd = msgspec.structs.replace(step, id="odd-1", output='Ä "€" \\ \u0000 \U0001f600')
    ask(server, "POST", "/v1/steps", msgspec.to_builtins(odd))
    decision = ask(server, "POST", "/v1/decide", {**CALL, "input": odd.input}).json
    cases = ask(server, "GET", f"/v1/why/{decision['id']}").json["cases"]

    assert odd in [msgspec.convert(case["step"], Step) for case in cases]
