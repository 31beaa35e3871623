"""Which published versions answer: a text file of one or two lines, replaced in one go.

The first line names the version that decides; the second, where there is one, another that
answers the questions beside decisions. Each of the learned systems is judged by itself, so good
predictions need not wait for a better decision.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["CURRENT", "Live", "read_live"]

CURRENT = "current"
"""The file's name, beside the versions."""


class Live(NamedTuple):
    """The versions that answer; an empty name stands for none.

    >>> str(Live.whole("v1")), str(Live("v1", "v2"))
    ('v1', 'v1 (questions: v2)')
    """

    decides: str = ""
    """None: rules and counts decide."""
    predicts: str = ""
    """None: the trivial peers answer."""

    @classmethod
    def whole(cls, version: str) -> Live:
        """One version for everything."""
        return cls(version, version)

    @property
    def text(self) -> str:
        """What the file holds."""
        same = self.decides == self.predicts
        return f"{self.decides}\n" if same else f"{self.decides}\n{self.predicts}\n"

    def __str__(self) -> str:
        """For a person."""
        if self.decides == self.predicts:
            return self.decides or "rules and counts alone"
        decides = self.decides or "rules and counts"
        return f"{decides} (questions: {self.predicts or 'trivial peers'})"


def read_live(folder: Path) -> Live:
    """What the file in the bundles' folder names; nothing where there is none, or no name in it.

    Raises
    ------
    OSError
        The folder cannot be read.
    """
    try:
        first, *rest = (folder / CURRENT).read_text(encoding="utf-8").split("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return Live()
    decides = first.strip()
    return Live(decides, (rest[0].strip() if rest else "") or decides)
