"""The recorded history that comes with onward.

About what it is and how it was made, see ``sample/README.md`` beside it. It lets a fresh
installation train and answer before it has seen a history of its own.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["resources_path", "sample_path"]


def sample_path() -> Path:
    """The Parquet file of the bundled history, one row an event in the order it was known.

    >>> sample_path().name
    'history.parquet'
    """
    return Path(__file__).parent / "sample" / "history.parquet"


def resources_path() -> Path:
    """The Parquet file of recorded readings of runs that leaked, filled, forked and recovered."""
    return sample_path().with_name("resources.parquet")
