"""Searching what others wrote for what rules name, in bounded time."""

from __future__ import annotations

import re

from onward.decisions.rule import RuleError, Strings

__all__ = ["WHOLE", "WINDOW", "AnyOf", "pattern_of"]

WHOLE = 8_000
"""Characters of a text that is searched as a whole; longer ones are searched in windows."""
WINDOW, _STRIDE = 1_000, 750  # characters of a longer text that are searched at once

_FLAGS = re.compile(r"\(\?([imsu]+)\)")
_JOINED = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.UNICODE


def pattern_of(text: str, field: str) -> re.Pattern[str]:
    """The expression; raises `RuleError`, which names the field, where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise RuleError(field, f"{text!r} is no regular expression: {error}") from None


class AnyOf:
    """A test for texts in which any of the expressions is found; compiled when first asked.

    An expression may take time that grows with the square of a text or worse, and the text is
    written by whom the rule is to stop. So a text beyond `WHOLE` is searched in overlapping
    windows, in which ``^`` still means its beginning; ``$`` also holds at a window's end.

    Parameters
    ----------
    texts
        Regular expressions.
    field
        The rule's field that holds them, for errors.
    longest
        In a longer text nothing is found: for what lets something through, where no mistake may
        be made. None = texts of any length are searched.
    """

    __slots__ = ("_field", "_longest", "_patterns", "_texts")

    def __init__(self, texts: Strings, field: str, *, longest: int | None = None) -> None:
        self._texts, self._field, self._longest = texts, field, longest
        self._patterns: list[re.Pattern[str]] | None = None

    def compile(self) -> list[re.Pattern[str]]:
        """Compile the expressions; raises `RuleError` where one of them is none."""
        patterns = [pattern_of(text, self._field) for text in self._texts]
        if not any(one.groups or one.flags & ~_JOINED for one in patterns):
            # groups would get other numbers if joined; other flags cannot be given to a part
            patterns = [pattern_of("|".join(map(_part, self._texts)), self._field)]
        self._patterns = patterns
        return patterns

    def __call__(self, word: str) -> bool:
        """Whether one of them is found in the word."""
        if self._longest is not None and len(word) > self._longest:
            return False
        patterns = self._patterns or self.compile()
        if len(word) <= WHOLE:
            return any(pattern.search(word) for pattern in patterns)
        return any(
            pattern.search(word, at, at + WINDOW)
            for at in range(0, len(word), _STRIDE)
            for pattern in patterns
        )


def _part(text: str) -> str:
    """The expression as a part of a longer one, its flags its own."""
    flags = _FLAGS.match(text)
    return f"(?{flags[1]}:{text[flags.end() :]})" if flags else f"(?:{text})"
