"""Settings: typed, documented, safe."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from onward.data import settings as shared
from onward.data.errors import SettingsError
from onward.data.events import Band, Call
from onward.serving import settings as module
from onward.serving.client import Client
from onward.serving.settings import Settings

if TYPE_CHECKING:
    from tests.serving.conftest import Start


def test_defaults_are_safe() -> None:
    """Out of the box only this machine is let in, and nothing is acted on."""
    settings = Settings.from_env({})

    assert settings.host == "127.0.0.1"
    assert (settings.http_port, settings.grpc_port) == (8787, 8788)
    assert settings.shadow


def test_read_from_the_environment() -> None:
    """Numbers, words and lists are read; what is given by name stands above."""
    env = {"ONWARD_SHADOW": "off", "ONWARD_RULES": "a.toml,b.toml", "ONWARD_GRPC_PORT": "1"}
    settings = Settings.from_env(env, grpc_port=2, host=None)

    assert not settings.shadow
    assert settings.rules == ("a.toml", "b.toml")
    assert (settings.grpc_port, settings.host) == (2, "127.0.0.1")


def test_rules_of_the_state_directory_are_read(tmp_path: Path) -> None:
    """``rules.toml`` of the state directory is taken where it is there, and no file twice."""
    own, more = tmp_path / "rules.toml", "more.toml"
    env = {"ONWARD_HOME": str(tmp_path), "ONWARD_RULES": more}

    assert Settings.from_env(env).rule_files == (more,)
    own.touch()
    assert Settings.from_env(env).rule_files == (str(own), more)
    env["ONWARD_RULES"] = f"{more},{tmp_path}/../{tmp_path.name}/rules.toml"
    assert Settings.from_env(env).rule_files == tuple(env["ONWARD_RULES"].split(","))


def test_rules_of_the_state_directory_speak(start: Start, tmp_path: Path) -> None:
    """A user's ``rules.toml`` in the state directory is heard without being named."""
    rule = 'id = "no-ls"\neffect = "deny"\nprogram = ["ls"]\ntext = "No."'
    (tmp_path / "rules.toml").write_text(f"[[rule]]\n{rule}\n")

    with Client(start(tmp_path).url) as client:
        decision = client.decide(Call(session="s", tool="Bash", input={"command": "ls"}))

    assert (decision.band, decision.reasons[0].ref) == (Band.DENY, "no-ls")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONWARD_HTTP_PORT", "70000"),
        ("ONWARD_HTTP_PORT", "http"),
        ("ONWARD_ERROR_RATE", "10"),
        ("ONWARD_SHADOW", "perhaps"),
        ("ONWARD_DRAIN_S", "-1"),
    ],
)
def test_values_that_cannot_be(name: str, value: str) -> None:
    """The error names the variable and what was in it."""
    with pytest.raises(SettingsError, match=f"{name} is '{value}'"):
        Settings.from_env({name: value})


def test_other_machines_need_a_token() -> None:
    """Listening beyond loopback without a token is refused."""
    with pytest.raises(SettingsError, match="ONWARD_TOKEN"):
        Settings.from_env({"ONWARD_HOST": "0.0.0.0"})  # noqa: S104 -- that is the point

    assert Settings.from_env({"ONWARD_HOST": "::", "ONWARD_TOKEN": "x"}).host == "::"


def test_every_setting_is_explained() -> None:
    """A sentence stands under each field."""
    classes = [
        node
        for source in (shared, module)
        for node in ast.parse(inspect.getsource(source)).body
        if isinstance(node, ast.ClassDef)
    ]
    explained = {
        field.target.id
        for node in classes
        for field, text in pairwise(node.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
    }

    assert explained == set(Settings.__struct_fields__)
