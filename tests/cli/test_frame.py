"""What all commands share: help, exit codes, errors as sentences or JSON."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onward.cli.arguments import stdin_text
from onward.cli.ask import fields_view
from onward.cli.exits import EXIT_CODES, exit_code
from onward.cli.output import console
from onward.data import errors
from onward.data.errors import NotFound, OnwardError, SettingsError, StoreBusy

COMMANDS = ["up", "import", "train", "evaluate", "serve", "decide", "replay", "why", "status"]
MODELS = ["list", "rollback", "promote"]
HEAVY = [
    "numpy",
    "lightgbm",
    "mlflow",
    "sklearn",
    "matplotlib",
    "grpc",
    "onnxruntime",
    "sqlalchemy",
]


@pytest.mark.parametrize("command", [*COMMANDS, *(f"models {name}" for name in MODELS)])
def test_every_command_explains_itself(cli: Any, command: str) -> None:
    """Help says what a command does, and shows how it is used."""
    done = cli(*command.split(), "--help")

    assert done.code == 0
    assert "Example:" in done.out


def test_help_lists_commands_and_exit_codes(cli: Any) -> None:
    """The first help names every command and every exit code."""
    done = cli("--help")

    assert all(name in done.out for name in [*COMMANDS, "models"])
    assert all(f" {code}  " in done.out for _, code, _ in EXIT_CODES)


def test_help_imports_nothing_heavy(shell: Any, tmp_path: Path) -> None:
    """Commands import what they need when they run: help is there at once."""
    code = (
        "import sys; sys.argv = ['onward', '--help']\n"
        "from onward.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('loaded:', [m for m in {HEAVY} if m in sys.modules])"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "loaded: []" in done.stdout


def test_every_error_has_a_code() -> None:
    """No error of the tree is without an exit code, and the narrower one counts."""
    kinds = [getattr(errors, name) for name in errors.__all__]

    assert all(0 < exit_code(kind("x")) < 10 for kind in kinds)
    assert exit_code(NotFound("x")) == 3
    assert exit_code(StoreBusy("x")) == 6
    assert exit_code(OnwardError("x")) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bogus"], 2, "No such command"),
        (["import", "/no/such/path"], 3, "There is no"),
        (["train"], 3, "no history"),
        (["evaluate"], 3, "No version answers yet"),
        (["replay"], 3, "no history"),
        (["models", "rollback"], 3, "no earlier version"),
        (["models", "promote", "v9"], 3, "no model version v9"),
        (["decide", "ls", "--url", "http://127.0.0.1:9"], 4, "No server answers"),
        (["why", "x", "--url", "http://127.0.0.1:9"], 4, "No server answers"),
        (["decide"], 2, "Give either"),
        (["decide", "--input", "[1]"], 2, "one JSON object"),
        (["import", ""], 2, "it is empty"),
        (["why", " "], 2, "it is empty"),
        (["ask", "next", "session=a", "session=b"], 2, "session is given twice"),
        (["ask", "fixes", "session=a", "sesion=b"], 3, "sesion"),
        (["replay", "", "--json"], 2, "it is empty"),
        (["models", "promote", ""], 2, "it is empty"),
    ],
)
def test_a_mistake_is_a_sentence(cli: Any, arguments: list[str], code: int, words: str) -> None:
    """A user's mistake gets a sentence on stderr and its code; no traceback, nothing on stdout."""
    done = cli(*arguments)

    assert done.code == code
    assert words in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_mistake_as_json(cli: Any) -> None:
    """With --json an error is one JSON document on stderr."""
    done = cli("models", "promote", "v9", "--json")

    error = msgspec.json.decode(done.err)["error"]
    assert done.code == 3
    assert error["code"] == "not_found"
    assert error["facts"] == {"version": "v9"}


@pytest.mark.parametrize(
    "arguments",
    ["bogus --json", "train --bogus --json", "replay --blocks many --json", "why --json", "--no"],
)
def test_a_wrong_usage_as_json(cli: Any, arguments: str) -> None:
    """With --json a usage error is one JSON document, too; without it the usage is shown."""
    done = cli(*arguments.split())

    assert (done.code, done.out) == (2, "")
    if "--json" in arguments:
        assert msgspec.json.decode(done.err)["error"]["code"] == SettingsError.code
    else:
        assert "Usage:" in done.err


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("import", "onward import [OPTIONS] PATH..."),
        ("why", "onward why [OPTIONS] ID"),
        ("models promote", "onward models promote [OPTIONS] VERSION"),
        ("replay", "onward replay [OPTIONS] [PATH]"),
    ],
)
def test_usage_names_arguments(cli: Any, command: str, usage: str) -> None:
    """The usage line names arguments as every manual does."""
    assert f"{usage} " in cli(*command.split(), "--help").out


def test_no_colour_where_none_is_wanted(shell: Any) -> None:
    """With NO_COLOR no colour is printed, even where a terminal is forced."""
    for arguments in (["--help"], ["bogus"], ["train"], ["models", "list"]):
        done = shell(*arguments, NO_COLOR="1", FORCE_COLOR="1")
        assert not re.search(r"\x1b\[[0-9;]*(3|9)[0-7]m", done.out + done.err)


def test_a_grpc_port_as_address(cli: Any) -> None:
    """A server that does not speak HTTP is said to be none, without a byte of what it sent."""
    import grpc

    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        done = cli("decide", "ls", "--url", f"http://127.0.0.1:{port}")
    finally:
        server.stop(None).wait()

    assert done.code == 4
    assert "does not speak HTTP" in done.err
    assert done.err.strip().isprintable()


def test_a_history_that_is_none_is_named(cli: Any, home: Path) -> None:
    """An error of the history names where it lies."""
    home.mkdir()
    (home / "history.db").write_text("no database, just a long line of text " * 50)

    done = cli("train")

    assert done.code == 6
    assert str(home / "history.db") in done.err


def test_bad_setting(cli: Any) -> None:
    """A setting with a wrong value is named."""
    done = cli("train", ONWARD_SEED="many")

    assert done.code == 2
    assert "ONWARD_SEED is 'many'" in done.err


def test_home_option(shell: Any, tmp_path: Path) -> None:
    """--home stands above the environment."""
    done = shell("--home", str(tmp_path / "other"), "status", "--json")

    assert msgspec.json.decode(done.out)["home"] == str(tmp_path / "other")


def test_version(cli: Any) -> None:
    """--version prints the package's version."""
    import onward

    assert cli("--version").out.strip() == f"onward {onward.__version__}"


@pytest.mark.parametrize("command", ["status", "models list", "import {0}", "serve", "up --once"])
def test_a_home_that_is_no_folder(cli: Any, home: Path, command: str) -> None:
    """A state directory that cannot be used is named, whichever command needs it."""
    home.write_text("in the way")

    done = cli(*command.format(home).split(), ONWARD_HTTP_PORT="0", ONWARD_GRPC_PORT="0")

    assert done.code == 3
    assert "cannot be used" in " ".join(done.err.split())


@pytest.mark.parametrize("url", ["foo", "http://127.0.0.1:abc", "http://h:99999", "http://[::1"])
def test_an_address_that_is_none(cli: Any, url: str) -> None:
    """What is no address of a server is said, with the form that one has."""
    done = cli("decide", "ls", "--url", url)

    assert done.code == 2
    assert "http://host:port" in " ".join(done.err.split())


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["why", "\udcff"], 2),
        (["decide", "ls \udcff"], 2),
        (["ask", "errors", "output=\udcff"], 2),
        (["import", "/no/\udcff"], 3),
        (["models", "promote", "\udcff"], 3),
        (["\udcff"], 2),
    ],
)
def test_an_argument_that_is_no_text(
    cli: Any, arguments: list[str], code: int, as_json: list[str]
) -> None:
    """Bytes that are no UTF-8 are a mistake like others: a sentence, or a JSON document."""
    done = cli(*arguments, *as_json, ONWARD_HTTP_PORT="9")

    assert (done.code, done.out) == (code, "")
    if as_json:
        assert msgspec.json.decode(done.err)["error"]["message"]


@pytest.mark.parametrize("arguments", [["decide", "-"], ["ask", "errors", "output=@-"]])
def test_stdin_that_is_no_text(cli: Any, arguments: list[str]) -> None:
    """Bytes on stdin that are no UTF-8 are read all the same."""
    assert cli(*arguments, stdin=b"ls \xff", ONWARD_HTTP_PORT="9").code == 4


def test_stdin_is_read_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte that is no UTF-8 becomes the sign for that; without stdin there is no text."""
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"ls \xff\r\n\xc3\xa4")))
    assert stdin_text() == "ls \ufffd\n\u00e4"
    monkeypatch.setattr("sys.stdin", None)
    assert stdin_text() == ""


def test_what_is_not_shown_is_counted() -> None:
    """A list that is cut for a person says how many more there are."""
    screen = console()
    with screen.capture() as caught:
        rows = [{"name": f"n{number}"} for number in range(20)]
        screen.print(fields_view({"rows": rows, "words": list(range(9)), "few": [1, 2]}))
    said = caught.get()

    assert "n7" in said
    assert "n8" not in said
    assert "and 12 more" in said
    assert "7, and 1 more" in said
    assert said.count("more") == 2


def test_rules_that_are_not_there(cli: Any, tmp_path: Path) -> None:
    """A server does not start without the rules that its user set."""
    done = cli("serve", ONWARD_RULES=str(tmp_path / "none.toml"))

    assert done.code == 2
    assert "none.toml" in done.err.replace("\n", "")


@pytest.mark.parametrize("body", ["[[rule", '[[rule]]\nid = "a"\n'])
def test_rules_of_the_home_that_are_damaged(cli: Any, home: Path, body: str) -> None:
    """A server does not start on rules in its home that cannot be used."""
    home.mkdir()
    (home / "rules.toml").write_text(body)

    done = cli("serve", ONWARD_HTTP_PORT="0", ONWARD_GRPC_PORT="0")

    assert done.code == 2
    assert str(home / "rules.toml") in done.err.replace("\n", "")


def test_a_replay_of_a_few_steps(cli: Any, tmp_path: Path) -> None:
    """A history too short to train on is replayed by rules and counts."""
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"session": "s", "tool": "Bash", "input": {"command": "ls"}, "ok": true}\n'
        '{"session": "s", "tool": "Bash", "input": {"command": "make"}, "ok": false}\n'
    )
    assert cli("replay", str(log), "--json").json()["steps"] > 0
    assert cli("replay", str(log), "--html", str(tmp_path / "no" / "x.html")).code == 3
