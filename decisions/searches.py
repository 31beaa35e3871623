"""Searching what others wrote for what rules name, in linear time."""

from __future__ import annotations

import re

from onward.decisions.rule import RuleError, Strings

__all__ = ["WINDOW", "AnyOf", "pattern_of"]

WINDOW, _STRIDE = 1_000, 750  # characters of a long text that are searched at once


def pattern_of(text: str, field: str) -> re.Pattern[str]:
    """The expression; raises `RuleError`, which names the field, where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise RuleError(field, f"{text!r} is no regular expression: {error}") from None


class AnyOf:
    """A test for texts in which any of the expressions is found; compiled when first asked.

    A long text is searched in overlapping windows, so that no expression takes more than linear
    time on it, whatever somebody has written there.
    """

    __slots__ = ("_field", "_patterns", "_texts")

    def __init__(self, texts: Strings, field: str) -> None:
        self._texts, self._field = texts, field
        self._patterns: list[re.Pattern[str]] | None = None

    def compile(self) -> list[re.Pattern[str]]:
        """Compile the expressions; raises `RuleError` where one of them is none."""
        patterns = [pattern_of(text, self._field) for text in self._texts]
        if not any(pattern.groups for pattern in patterns):  # their numbers would shift if joined
            parts = [
                f"(?i:{text[4:]})" if text.startswith("(?i)") else f"(?:{text})"
                for text in self._texts
            ]
            patterns = [pattern_of("|".join(parts), self._field)]
        self._patterns = patterns
        return patterns

    def __call__(self, word: str) -> bool:
        """Whether one of them is found in the word."""
        patterns = self._patterns or self.compile()
        if len(word) <= WINDOW:
            return any(pattern.search(word) for pattern in patterns)
        return any(
            pattern.search(word[at : at + WINDOW])
            for at in range(0, len(word), _STRIDE)
            for pattern in patterns
        )
