"""Every answerer, made fresh."""

from __future__ import annotations

from pathlib import Path

from onward.serving.answers.base import Answerer

__all__ = ["answerers"]


def answerers(home: Path) -> list[Answerer]:
    """One of each, with nothing learned.

    Parameters
    ----------
    home
        The state directory, where the sentence model lies.
    """
    return []
