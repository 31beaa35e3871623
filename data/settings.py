"""Settings from the environment: one reader for serving and for training.

A field ``http_port`` is read from ``ONWARD_HTTP_PORT``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, get_origin, get_type_hints

import msgspec

from onward.data.errors import SettingsError

__all__ = ["PREFIX", "HomeSettings"]

PREFIX = "ONWARD_"
_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS |= {"0": False, "false": False, "no": False, "off": False}


class HomeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything lives; serving and training add what is theirs.

    >>> HomeSettings.from_env({"ONWARD_HOME": "/var/lib/onward"}).history_url
    '/var/lib/onward/history.db'
    """

    home: str = ".onward"
    """The state directory: history, bundles, snapshots, MLflow's books."""
    history: str = ""
    """A path, ``sqlite:///...`` or ``postgresql://...``; empty: ``history.db`` in ``home``."""
    without: tuple[str, ...] = ()
    """Learned systems beside decisions that are neither trained nor kept ready (comma-separated
    names such as ``next_task``; ``sentences`` = the sentence model; ``all`` = all of them)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Settings from the environment; what is ``given`` by name stands above it.

        Raises
        ------
        SettingsError
            A value has the wrong type or range; the message names the variable.
        """
        env = os.environ if env is None else env
        found = {name: env.get(PREFIX + name.upper()) for name in cls.__struct_fields__}
        values = {name: text for name, text in found.items() if text is not None}
        values |= {name: value for name, value in given.items() if value is not None}
        kinds = get_type_hints(cls, include_extras=True)
        return cls(**{name: _convert(name, value, kinds[name]) for name, value in values.items()})

    def has(self, system: str) -> bool:
        """Whether a learned system is wanted.

        >>> HomeSettings(without=("hazard",)).has("hazard"), HomeSettings().has("hazard")
        (False, True)
        """
        return not {"all", system} & set(self.without)

    @property
    def home_dir(self) -> Path:
        """The state directory as a path."""
        return Path(self.home)

    @property
    def history_url(self) -> str:
        """Where the history lives, with the default filled in."""
        return self.history or str(self.home_dir / "history.db")


def _convert(name: str, value: object, kind: Any) -> Any:
    given = value
    if isinstance(value, str):
        if kind is bool:
            given = _WORDS.get(value.strip().lower(), value)
        elif get_origin(kind) is tuple:
            given = value.split(",")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"{PREFIX}{name.upper()} is {value!r}, which cannot be used: {error}.", setting=name
        ) from error
