"""Secrets go, everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onward.data.errors import TooLarge
from onward.data.events import (
    Band,
    Call,
    Decision,
    Event,
    Feedback,
    Note,
    Outcome,
    Prompt,
    Reason,
    Sample,
    Step,
    Verdict,
    encode_event,
)
from onward.data.redact import redact, redact_call, redact_event, redact_id
from onward.data.secret_rules import RULES

# Made up, and put together here so that no scanner of repositories takes them for real.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
GITHUB_FINE = "github_pat_" + "11ABCDEFG0123456789abc_defghijklm"
GITLAB = "glpat-" + "abcdefghij0123456789"
SLACK = "xoxb-" + "123456789012-abcdefghijkl"
OPENAI = "sk-" + "proj-abcdefghijklmnop0123456789"
STRIPE = "sk_" + "live_abcdefghijklmnop0123"
GOOGLE = "AIza" + "SyA0123456789abcdefghijklmnopqrstuv"
NPM = "npm_" + "0123456789abcdefghijABCDEFGHIJ012345"
PYPI = "pypi-" + "AgEIcHlwaS5vcmcCJDAxMjM0NTY3LTg5YWItY2RlZi0wMTIz"
HUGGING = "hf_" + "abcdefghijABCDEFGHIJabcdefghijABCD"
SENDGRID = "SG." + "abcdefghij0123456789ab.abcdefghij0123456789abcdefghij0123456789abc"
JWT = (
    "eyJhbGciOiJIUzI1NiJ9"
    + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0"
    + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
KEY_BODY = "\n".join(["MIIEpAIBAAKCAQEA" + "b3BlbnNzaC1rZXktdjEAAAAA" * 2] * 3)
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----"
SHAPED = [AWS, GITHUB, GITHUB_FINE, GITLAB, SLACK, OPENAI, STRIPE, GOOGLE, NPM, PYPI, HUGGING]
SHAPED += [SENDGRID, JWT, KEY]

NAMED = [  # text, and what must be gone from it
    ("curl -H 'Authorization: Bearer abc.def-123' http://x", "abc.def-123"),
    ("curl -H 'authorization: Basic dXNlcjpwYXNz' http://x", "dXNlcjpwYXNz"),
    ('headers = {"Authorization": "token deadbeef99"}', "deadbeef99"),
    ("X-Api-Key: 0123456789abcdef", "0123456789abcdef"),
    ("got Bearer abcdefghijklmnop0123", "abcdefghijklmnop0123"),
    ("Set-Cookie: session=8f7e6d5c; Path=/", "8f7e6d5c"),
    ("psql postgresql://me:hunter2@db.example.org/x", "hunter2"),
    ("git clone https://me:p@ss-w%40rd@example.org/r.git", "p@ss-w%40rd"),
    ("redis://:s3cr3t@localhost:6379/0", "s3cr3t"),
    ("docker login --password hunter2 --username me", "hunter2"),
    ("tool --db-password='hunter 2x'", "hunter"),
    ("tool --api-key=abc --verbose", "=abc"),
    ("gh auth --with-token abcdef", "abcdef"),
    ("curl -u me:hunter2 https://example.org", "hunter2"),
    ("sshpass -p hunter2 ssh me@host", "hunter2"),
    ("mysql -h db -u root -phunter2 shop", "hunter2"),
    ("export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("DB_PASSWORD=swordfish\nDEBUG=1", "swordfish"),
    ('API_KEY = "abcd-efgh"', "abcd-efgh"),
    ('{"client_secret": "abcd efgh", "id": 7}', "abcd efgh"),
    (r"{\"password\": \"hunter2\"}", "hunter2"),
    ("password: hunter22", "hunter22"),
    ("login?token=abc123def&next=/", "abc123def"),
    ("AccountKey=abcdEFGH0123/+==;Endpoint=x", "abcdEFGH0123"),
]

PLAIN = [
    "git commit -m 'Count tokens: 512 of 1024'",
    "export TOKEN=$TOKEN; deploy --token $TOKEN --password ${DB_PASSWORD}",
    'curl -H "Authorization: Bearer $TOKEN" https://$USER:$PASS@example.org/',
    "postgresql://me:<password>@host/db",
    "def login(user: str, password: str, token: str | None = None) -> None:",
    "token = self.tokenizer.next_token()",
    "if password == other: raise PasswordError",
    "max_tokens=100, input_tokens: 2048",
    "https://example.org:8080/a@b and git@github.com:me/repo.git",
    "docker run -u 1000:1000 -p 8080:80 image",
    "grep -rn 'BEGIN RSA PRIVATE KEY' . && echo '-----BEGIN RSA PRIVATE KEY-----'",
    "cat task-runner-configuration-of-the-project.md risk-assessment-of-nothing-at-all",
    "PWD=/home/me/project OLDPWD=/tmp ls",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "",
]


@pytest.mark.parametrize("secret", SHAPED, ids=lambda secret: secret[:6])
@pytest.mark.parametrize("around", ["{}", "echo {} | x", "a='{}'", "x\n{}\ny", "[{}]", "u?k={}&b"])
def test_a_secret_is_known_by_its_shape(secret: str, around: str) -> None:
    """What looks like a key of a known service goes, whatever is around it, which stays."""
    text = redact(around.format(secret))

    before, after = around.split("{}")
    assert text.startswith(before + "[redacted:")
    assert text.endswith("]" + after)
    assert secret[8:20] not in text


@pytest.mark.parametrize(("text", "secret"), NAMED)
def test_a_secret_is_known_by_its_name(text: str, secret: str) -> None:
    """What stands where passwords and tokens stand goes; the words before it stay."""
    assert secret in text

    found = redact(text)

    assert secret not in found
    assert "[redacted:" in found
    assert found.startswith(text[:4])


@pytest.mark.parametrize("end", ["; ls", " ; ls", " && ls", "&& ls", " | ls", " &", ";"])
@pytest.mark.parametrize("name", ["export API_KEY=", "tool --token ", "curl -u me:", "X-Api-Key: "])
def test_the_next_command_stays(name: str, end: str) -> None:
    """A secret ends where the shell command ends: what follows is parsed as before."""
    assert redact(f"{name}abcd1234{end}").endswith("]" + end)


@pytest.mark.parametrize("text", PLAIN)
def test_the_rest_stays(text: str) -> None:
    """Code, placeholders, paths, hashes and numbers stay as they are."""
    assert redact(text) == text


@pytest.mark.parametrize("cut", [KEY[:-40], KEY[:150], KEY[50:], "x\n" + KEY[:150] + "\n"])
def test_a_key_that_was_cut(cut: str) -> None:
    """Of a private key whose beginning or end was cut off, nothing is left either."""
    assert "b3BlbnNzaC1rZXkt" not in redact(cut)


def test_what_follows_a_key_stays() -> None:
    """A private key ends where it says."""
    assert redact(f"a\n{KEY}\nthen this") == "a\n[redacted:private_key]\nthen this"


SCRAPS = ["token", "=", ":", "://", "@", '"', "'", "\\", " ", "\n", "-", "--", "--password "]
SCRAPS += ["[redacted:secret]", "[redacted:", "]", "secret", "PASSWORD=", "key", "x1x2x3x4", "("]
PIECES = st.lists(
    st.sampled_from([*SHAPED, *(text for text, _secret in NAMED), *PLAIN, *SCRAPS])
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(text=PIECES)
@example(text="token=[redacted:secret]abc123x token=abc123[redacted:secret]")
def test_again_changes_nothing(text: str) -> None:
    """Redacting what is redacted changes nothing."""
    once = redact(text)

    assert redact(once) == once


@given(text=st.text(st.sampled_from("etsoranil ./_-\n"), max_size=200))
def test_ordinary_letters_stay(text: str) -> None:
    """A text that holds no digit, no colon and no equals sign has no secret."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "unit", ["a", "token=", "curl ", "-", '"token": "', "://", "A" * 64 + "\n", "eyJ", "cookie:"]
)
def test_no_text_takes_for_ever(unit: str) -> None:
    """A long text made to be slow is looked through all the same."""
    text = unit * (200_000 // len(unit)) + " secret -----END RSA PRIVATE KEY-----"

    assert redact(text)


@pytest.mark.parametrize("before", range(65_500, 65_560, 7))
def test_long_texts_hide_nothing(before: int) -> None:
    """A secret anywhere in a long text goes, also where the search takes up its next part."""
    text = "." * before + f" {GITHUB} " + "." * 70_000

    assert redact(text) == text.replace(GITHUB, "[redacted:github_token]")


def test_letters_that_are_alike() -> None:
    """A name that is written with the sign for kelvin instead of a k is a name all the same."""
    assert redact("TO\u212aEN: abc123def") == "TO\u212aEN: [redacted:secret]"


def test_what_json_cannot_hold_is_redacted() -> None:
    """Half a pair of surrogates, or a value of another type, hides no secret beside it."""
    texts = {"half": f"\ud800 {AWS}", "object": object(), "key": AWS}
    step = Step(id="1", session="s", tool="T", outcome=Outcome.OK, input=texts)

    clean = redact_event(step).input

    assert clean["half"] == "\ud800 [redacted:aws_key]"
    assert clean["key"] == "[redacted:aws_key]"


def test_every_text_of_a_step_is_redacted() -> None:
    """Inputs however deep, and the output; arguments named like secrets go whole."""
    step = Step(
        id="1",
        session="s",
        tool="Bash",
        input={
            "command": f"echo {GITHUB}",
            "env": {"DB_PASSWORD": "swordfish", "tokens": 5, "list": ["a", {"x": AWS}]},
            "token": "$TOKEN",
        },
        output=f"key {AWS}",
        outcome=Outcome.OK,
    )

    clean = redact_event(step)

    assert clean.input == {
        "command": "echo [redacted:github_token]",
        "env": {
            "DB_PASSWORD": "[redacted:secret]",
            "tokens": 5,
            "list": ["a", {"x": "[redacted:aws_key]"}],
        },
        "token": "$TOKEN",
    }
    assert clean.output == "key [redacted:aws_key]"
    assert redact_event(clean) is clean


def test_every_text_of_the_other_kinds_is_redacted() -> None:
    """A decision's call and reasons, and what people wrote."""
    decision = Decision(
        id="1",
        call=Call(session="s", tool="Bash", input={"command": f"use {AWS}"}),
        at=1.0,
        band=Band.ASK,
        shadow=True,
        p_success=0.5,
        p_approve=0.5,
        reversible="reversible",
        reasons=[Reason("rule", f"because of {AWS}", ref="r")],
    )
    clean = redact_event(decision)

    assert clean.call.input == {"command": "use [redacted:aws_key]"}
    assert clean.reasons == [Reason("rule", "because of [redacted:aws_key]", ref="r")]
    prompt, verdict = (
        Prompt(id="1", session="s", text=AWS),
        Verdict(id="1", session="s", decision="1", approved=True, text=AWS),
    )
    assert redact_event(prompt).text == redact_event(verdict).text == "[redacted:aws_key]"


OTHER = AWS[:-1] + "F"

EVERYWHERE = [
    Step(
        id=f"id {AWS}",
        session=f"session {AWS}",
        tool=f"tool {AWS}",
        input={f"key {AWS}": {AWS: 1}, "list": [{AWS: AWS}]},
        agent=f"agent {AWS}",
        project=f"https://{AWS}@example.org/project",
        cwd=f"/home/{AWS}/x",
        outcome=Outcome.OK,
        output=AWS,
        decision=AWS,
        usage={AWS: 1.0},
    ),
    Decision(
        id=AWS,
        call=Call(session=AWS, tool="T", input={AWS: 1}, agent=AWS, project=AWS, cwd=AWS),
        at=1.0,
        band=Band.ASK,
        shadow=True,
        p_success=0.5,
        p_approve=0.5,
        reversible=AWS,
        reasons=[Reason(AWS, AWS, ref=AWS)],
        model=AWS,
        degraded=AWS,
    ),
    Prompt(id=AWS, session=AWS, text=AWS, agent=AWS, project=AWS, role=AWS),
    Verdict(id=AWS, session=AWS, decision=AWS, approved=True, text=AWS),
    Sample(id=AWS, at=0.0, session=AWS, host=AWS, values={AWS: 1.0}),
    Note(
        id=AWS,
        session=AWS,
        text=AWS,
        agent=AWS,
        project=AWS,
        about=AWS,
        reasons=[AWS],
        alternatives=[AWS],
        tags=[AWS],
    ),
    Feedback(id=AWS, session=AWS, note=AWS, helped=True, query=AWS, text=AWS),
]


@pytest.mark.parametrize("event", EVERYWHERE, ids=lambda event: type(event).__name__)
def test_no_field_keeps_a_secret(event: Event) -> None:
    """Names of arguments, projects, folders, agents, hosts and ids hold no secrets either."""
    clean = redact_event(event)

    assert AWS not in encode_event(clean).decode()
    assert type(clean) is type(event)
    assert redact_event(clean) is clean


def test_every_text_of_a_call_is_redacted() -> None:
    """A call is stored with its decision: nothing in it keeps a secret."""
    call = Call(session=AWS, tool=AWS, input={AWS: 1}, agent=AWS, project=AWS, cwd=AWS)

    assert AWS not in repr(redact_call(call))


def test_events_still_find_each_other() -> None:
    """An id that holds a secret becomes the same one everywhere, and others stay others."""
    step = Step(id="1", session=AWS, tool="T", outcome=Outcome.OK, decision=AWS)
    prompt, verdict = (
        Prompt(id="1", session=AWS, text=""),
        Verdict(id="1", session=AWS, decision=AWS, approved=True),
    )
    note = Note(id=AWS, session=AWS, text="")
    feedback = Feedback(id="1", session=AWS, note=AWS, helped=False)

    sessions = {redact_event(event).session for event in (step, prompt, verdict)}

    assert sessions == {redact_id(AWS)}
    assert redact_event(step).decision == redact_event(verdict).decision == redact_id(AWS)
    assert redact_event(feedback).note == redact_event(note).id == redact_id(AWS)
    assert redact_id(AWS) != redact_id(OTHER)


@pytest.mark.parametrize("name", ["token: abc123def", "https://me:hunter2@x/run", "task-7", ""])
def test_an_id_loses_only_what_its_shape_gives_away(name: str) -> None:
    """Words in a session's name make nothing of it a secret."""
    assert redact_id(name) == name


def test_arguments_whose_names_are_secrets_all_stay() -> None:
    """Two names that become one mark are told apart, so that no argument is lost."""
    step = Step(id="1", session="s", tool="T", outcome=Outcome.OK, input={AWS: 1, OTHER: 2})

    clean = redact_event(step)

    assert clean.input == {"[redacted:aws_key]": 1, "[redacted:aws_key] 2": 2}
    assert redact_event(clean) is clean


@given(text=PIECES)
def test_a_match_begins_at_a_hint(text: str) -> None:
    """No pattern matches anywhere but where its rule says that it may be looked for."""
    lower = text.replace("\u212a", "k").lower()
    for rule in RULES:
        for found in rule.pattern.finditer(text):
            start = found.start()
            if rule.begins:
                assert text.startswith(rule.begins, start)
                assert any(hint in lower[start : found.end()] for hint in rule.hints)
            else:
                assert lower.startswith(rule.hints, start) or lower.startswith(
                    rule.hints, start - 1
                )


@pytest.mark.parametrize(("text", "secret"), [*NAMED, *((key, key) for key in SHAPED[:-1])])
def test_crowded_lines_hide_nothing(text: str, secret: str) -> None:
    """A secret goes from a line with very many hints, too."""
    crowd = "token://curl cookie bearer ghp_ authorization mysql; " * 70

    clean = redact(crowd + text)

    assert secret not in clean
    assert clean.startswith(crowd)


@pytest.mark.parametrize(
    "event",
    [
        Step(id="1", session="s", tool="T", outcome=Outcome.OK, input={"n": [1, None, "a"]}),
        Sample(id="1", at=0.0, host="h"),
        Prompt(id="1", session="s", text="go on"),
    ],
)
def test_an_event_without_secrets_is_given_back(event: Step | Sample | Prompt) -> None:
    """An event without secrets is not copied."""
    assert redact_event(event) is event


def test_too_deep_is_said() -> None:
    """Inputs that are nested too deeply are refused as such."""
    deep: dict[str, object] = {}
    for _ in range(10_000):
        deep = {"a": deep}

    with pytest.raises(TooLarge):
        redact_event(Step(id="1", session="s", tool="T", outcome=Outcome.OK, input=deep))
