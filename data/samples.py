"""The recorded history that comes with onward.

About what it is and how it was made, see ``sample/README.md`` beside it. It lets a fresh
installation train and answer before it has seen a history of its own.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_lent", "resources_path", "sample_path"]

_RECORDERS = "recorder/"
"""How the names of the agents begin that made the bundled history."""


def is_lent(agent: str) -> bool:
    """Whether a step of this agent is of the bundled history, not of the user's own.

    >>> is_lent("recorder/bash"), is_lent("claude-code")
    (True, False)
    """
    return agent.startswith(_RECORDERS)


def sample_path() -> Path:
    """The Parquet file of the bundled history, one row an event in the order it was known.

    >>> sample_path().name
    'history.parquet'
    """
    return Path(__file__).parent / "sample" / "history.parquet"


def resources_path() -> Path:
    """The Parquet file of recorded readings of runs that leaked, filled, forked and recovered."""
    return sample_path().with_name("resources.parquet")
