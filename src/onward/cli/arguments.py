"""What several commands take as arguments; an empty word is never what somebody meant."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["a_path", "a_word"]


def a_word(text: str) -> str:
    """The word, if it is one."""
    if not text.strip():
        raise typer.BadParameter("it is empty.")
    return text


def a_path(given: str | Path) -> Path:
    """The path, typed or a default; an empty word would be the current directory unasked."""
    return Path(a_word(str(given)))
