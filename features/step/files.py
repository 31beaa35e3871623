"""What is known of files: made, read, changed, run, gone."""

from __future__ import annotations

import math

import msgspec

from onward.features.action.script import NO_SCRIPT, ScriptFacts
from onward.features.text import OutputKind

__all__ = ["NEVER", "FileFact", "Files", "since"]

NEVER = -1
"""The step of what did not happen."""


class FileFact(msgspec.Struct, array_like=True, gc=False):
    """What is known of one file; steps are numbers, `NEVER` where it did not happen."""

    made: bool = False
    """It was made here, it was not there before."""
    gone: bool = False
    missing: bool = False
    """A step said that it is not there."""
    reads: int = 0
    edits: int = 0
    bad_edits: int = 0
    """Edits that failed since the last one that did not."""
    last_read: int = NEVER
    last_edit: int = NEVER
    last_run: int = NEVER
    runs_ok: int = 0
    runs_bad: int = 0
    last_ok: bool = True
    bad_kind: int = OutputKind.EMPTY
    """How its last failing run looked."""
    edits_at_run: int = 0
    """The session's edits when it last ran."""
    source_edits_at_run: int = 0
    body: ScriptFacts = NO_SCRIPT
    edit_keys: tuple[str, ...] = ()
    """Classes of the step that changed it last."""


class Files(msgspec.Struct, gc=False):
    """Facts of files by path; the oldest are forgotten."""

    facts: dict[str, FileFact] = msgspec.field(default_factory=dict)
    names: dict[str, str] = msgspec.field(default_factory=dict)
    """Last part of a path -> the path that was last called so."""

    def find(self, path: str) -> FileFact | None:
        """What is known of a file, also where it was named from another directory."""
        fact = self.facts.get(path)
        if fact is not None:
            return fact
        other = self.names.get(path.rsplit("/", 1)[-1])
        if other is not None and (other.endswith("/" + path) or path.endswith("/" + other)):
            return self.facts.get(other)
        return None

    def get(self, path: str, limit: int) -> FileFact:
        """The fact of a file, made where there is none; at most ``limit`` are kept."""
        fact = self.find(path)
        if fact is None:
            if len(self.facts) >= limit:
                del self.facts[next(iter(self.facts))]
            fact = self.facts[path] = FileFact()
            self.names[path.rsplit("/", 1)[-1]] = path
            if len(self.names) > limit:
                del self.names[next(iter(self.names))]
        return fact


def since(now: int, then: int) -> float:
    """log(1 + steps since), NaN where it never happened.

    >>> since(5, 5), since(5, NEVER)
    (0.0, nan)
    """
    return math.nan if then == NEVER else math.log1p(now - then)
