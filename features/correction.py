"""Whether a prompt takes back what was done before it, by its words."""

from __future__ import annotations

__all__ = ["corrects"]

_WORDS = ("don't", "do not", "stop", "wrong", "still ", "revert", "undo", "why did you")
_LOOKED_AT = 2_000
"""Characters of a prompt that are looked at."""


def corrects(text: str) -> bool:
    """Whether a prompt sounds like a correction of the steps before it.

    >>> corrects("It is still broken"), corrects("Thanks, now the docs")
    (True, False)
    """
    low = text[:_LOOKED_AT].lower()
    return any(word in low for word in _WORDS)
