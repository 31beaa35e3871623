"""What several commands take: words, of which an empty one is never meant, paths, and stdin."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

__all__ = ["a_path", "a_word", "stdin_text"]


def a_word(text: str) -> str:
    """The word, if it is one."""
    if not text.strip():
        raise typer.BadParameter("it is empty.")
    return text


def a_path(given: str | Path) -> Path:
    """The path, typed or a default; an empty word would be the current directory unasked."""
    return Path(a_word(str(given)))


def stdin_text() -> str:
    """What stands on stdin; bytes that are no UTF-8 become the sign for that."""
    if sys.stdin is None:  # closed by the caller
        return ""
    return sys.stdin.buffer.read().decode("utf-8", errors="replace").replace("\r\n", "\n")
