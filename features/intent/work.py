"""What came of a prompt: the steps that followed it, tallied, and the kind of work that they were.

The kind is derived from the steps, the first of these that holds:

- ``document``  files were changed, at least half of them documentation
- ``write``     files were changed, more of them made anew than edited
- ``fix``       files were changed that were there before
- ``commit``    something was committed or pushed
- ``install``   a package was installed
- ``run``       commands ran that do more than look
- ``read``      files or outputs were looked at
- ``ask``       no step of these kinds: it was answered in words
"""

from __future__ import annotations

import re

import msgspec

from onward.data.events import Outcome, Step
from onward.features.action import action_of
from onward.features.action.types import KIND

__all__ = ["KINDS", "Work"]

KINDS = ("ask", "read", "run", "fix", "write", "document", "install", "commit")
"""The kinds of work, from the least to the most particular."""

MAX_FILES = 20
_CHANGES = frozenset((KIND["write"], KIND["edit"]))
_LOOKS = frozenset((KIND["read"], KIND["search"]))
_DOES = frozenset(KIND[name] for name in ("files", "run", "inline", "test", "build", "net", "vcs"))
_DOCUMENT = re.compile(r"\.(md|mdx|rst|txt|adoc|puml|drawio|svg|png|tex)$|(^|/)(docs?|wiki)/", re.I)
_RECORDS = re.compile(r"git (?:commit|push)")
_RAN = (Outcome.OK, Outcome.ERROR)


class Work(msgspec.Struct):
    """The steps that followed a prompt, tallied."""

    steps: int = 0
    looks: int = 0
    does: int = 0
    edits: int = 0
    makes: int = 0
    documents: int = 0
    failures: int = 0
    commits: int = 0
    installs: int = 0
    first: str = ""
    """The first tool, or the first command's program."""
    files: list[str] = []
    """Files that were changed, the first ones, each once."""

    def add(self, step: Step) -> tuple[str, ...]:
        """One more step, and the files that it changed; one not let through tells nothing."""
        if step.outcome not in _RAN:
            return ()
        action = action_of(step)
        self.steps += 1
        self.first = self.first or step.tool
        self.failures += step.outcome is Outcome.ERROR
        changed = action.edits + action.makes if action.kind in _CHANGES else ()
        if action.kind in _CHANGES:
            self._change(changed, edit=action.kind == KIND["edit"])
        self.looks += action.kind in _LOOKS
        self.does += action.kind in _DOES
        self.installs += action.kind == KIND["install"]
        self.commits += bool(_RECORDS.search(action.keys[2]))
        return changed

    def _change(self, paths: tuple[str, ...], *, edit: bool) -> None:
        self.edits += edit
        self.makes += not edit
        self.documents += any(_DOCUMENT.search(path) is not None for path in paths)
        for path in paths:
            if path not in self.files and len(self.files) < MAX_FILES:
                self.files = [*self.files, path]

    @property
    def kind(self) -> str:
        """The kind of work that it was, so far; one of `KINDS`."""
        changes = self.edits + self.makes
        if changes:
            if 2 * self.documents >= changes:
                return "document"
            return "write" if self.makes > self.edits else "fix"
        for name, count in (
            ("commit", self.commits),
            ("install", self.installs),
            ("run", self.does),
            ("read", self.looks),
        ):
            if count:
                return name
        return "ask"
