"""What one session did so far: its files, its runs, the words it saw, its luck.

Everything in here is bounded: files and runs by count, words by a table of fixed size.
"""

from __future__ import annotations

import msgspec

from onward.features.action.script import NO_SCRIPT
from onward.features.action.types import KIND, Action
from onward.features.seen import bits, is_marked, mark
from onward.features.step.files import NEVER, FileFact, Files
from onward.features.text import (
    OutputKind,
    ends_of,
    line_hashes,
    name_hash,
    output_kind,
    word_hashes,
)

__all__ = [
    "COMMON_SIZE",
    "FOUND",
    "NOT_FOUND",
    "NO_MODULE",
    "SAID",
    "SEEN_SIZE",
    "Run",
    "Session",
]

SEEN_SIZE = 1 << 16
"""Places in the table of words that were seen; a power of two. Of 10,000 words that were not
seen, about 1,400 are taken for seen in a long session; a larger table errs less."""
COMMON_SIZE = 1 << 18
"""The same for the words of a whole project."""
MAX_FILES = 400
MAX_RUNS = 600
MAX_NAMED = 400

SAID, FOUND, NOT_FOUND, NO_MODULE = 0x9E37, 0x79B9, 0x7F4A, 0x7C15
"""Mixed into a word's hash: it stood in a command, was found, was not found, was not loadable."""

_SEARCH, _TEST = KIND["search"], KIND["test"]


class Run(msgspec.Struct, array_like=True, gc=False):
    """How one class of steps went in this session."""

    ok: int = 0
    bad: int = 0
    last_ok: bool = True
    bad_kind: int = OutputKind.EMPTY
    """How its last failure looked."""
    step: int = 0
    """When it last ran."""
    edits: int = 0
    """The session's edits then."""
    source_edits: int = 0


class Session(msgspec.Struct, gc=False):
    """The state of one session."""

    steps: int = 0
    bads: int = 0
    edits: int = 0
    source_edits: int = 0
    """Edits of files that were there before the session."""
    at: float = 0.0
    recent: int = 0
    """The last eight outcomes as bits, the latest lowest; 1 is a failure."""
    streak_ok: int = 0
    streak_bad: int = 0
    rejected: int = 0
    last_rejected: int = NEVER
    last_bad: int = NEVER
    last_edit: int = NEVER
    last_source_edit: int = NEVER
    last_test: int = NEVER
    last_test_ok: bool = True
    last_kind: int = 0
    last_score: float = 0.0
    """Log odds that the last step had before it ran."""
    owed: float = 0.0
    """Failures that were likely lately and did not come. Where an agent sends several calls at
    once, some logs give a failure to the wrong one of them."""
    last_output: int = OutputKind.EMPTY
    last_bad_output: int = OutputKind.EMPTY
    edited_named: bool = False
    """A file that the last failure's output names was edited since."""
    searches: int = 0
    searches_bad: int = 0
    cwd: str = ""
    prompts: int = 0
    correction: bool = False
    """The user's last words sound like a correction."""
    last_keys: tuple[str, ...] = ()
    """Classes of the last step."""
    named: dict[int, None] = msgspec.field(default_factory=dict)
    """Hashes of the words in the last failure's output."""
    files: Files = msgspec.field(default_factory=Files)
    runs: dict[str, Run] = msgspec.field(default_factory=dict)
    seen: bytearray = msgspec.field(default_factory=lambda: bits(SEEN_SIZE))

    def saw(self, hashed: int) -> int:
        """1 where a word was in an output or in a text that was written, else 0."""
        return is_marked(self.seen, hashed)

    def saw_path(self, path: str) -> bool:
        """Whether a path, or its last part, was in an output."""
        last = path.rsplit("/", 1)[-1]
        return bool(self.saw(name_hash(path)) or (last != path and self.saw(name_hash(last))))

    def learn(self, action: Action, *, good: bool, output: str, common: bytearray) -> None:
        """Takes in a step that ran; words that it saw go to ``common`` as well."""
        text = ends_of(output)
        kind = output_kind(text)
        self._learn_files(action, good, kind)
        self._learn_runs(action, good, kind)
        self._learn_words(action, text, good, kind, common)
        self._learn_luck(action, good, kind)
        if good and action.enters:
            self._enter(action.enters)

    # -- files -----------------------------------------------------------------------------

    def _learn_files(self, action: Action, good: bool, kind: int) -> None:
        for path in action.needs:
            if good:
                self._read(path)
            elif kind == OutputKind.MISSING_FILE:
                fact = self._fact(path)
                fact.missing = fact.last_read == NEVER and not fact.made
        for path in action.makes:
            self._make(path, action, good)
        for path in action.edits:
            self._edit(path, action, good)
        if good:
            for path in action.removes:
                self._fact(path).gone = True
        if action.script:
            self._ran(action.script, good, kind)

    def _fact(self, path: str) -> FileFact:
        return self.files.get(path, MAX_FILES)

    def _read(self, path: str) -> None:
        fact = self._fact(path)
        fact.reads += 1
        fact.last_read = self.steps
        fact.gone = fact.missing = False

    def _make(self, path: str, action: Action, good: bool) -> None:
        fact = self._fact(path)
        fact.made = fact.made or (good and fact.last_read == NEVER)
        if action.body is not NO_SCRIPT:
            fact.body = action.body
        self._changed(fact, action)

    def _edit(self, path: str, action: Action, good: bool) -> None:
        fact = self._fact(path)
        if not good:
            fact.bad_edits += 1
            return
        fact.bad_edits = 0
        self._changed(fact, action)
        last = path.rsplit("/", 1)[-1]
        if name_hash(path) in self.named or name_hash(last) in self.named:
            self.edited_named = True

    def _changed(self, fact: FileFact, action: Action) -> None:
        fact.edit_keys = action.keys
        fact.gone = fact.missing = False
        fact.last_edit = fact.last_read = self.last_edit = self.steps
        fact.edits += 1
        self.edits += 1
        if not fact.made:
            self._changed_source()

    def _changed_source(self) -> None:
        self.source_edits += 1
        self.last_source_edit = self.steps

    def _ran(self, path: str, good: bool, kind: int) -> None:
        fact = self._fact(path)
        fact.last_run, fact.last_ok = self.steps, good
        fact.edits_at_run = self.edits
        fact.source_edits_at_run = self.source_edits
        if not good:
            fact.runs_bad += 1
            fact.bad_kind = kind
            return
        fact.runs_ok += 1
        if fact.body.patches:
            self._changed_source()

    # -- runs, words, luck -------------------------------------------------------------------

    def _learn_runs(self, action: Action, good: bool, kind: int) -> None:
        runs = self.runs
        for key in dict.fromkeys(action.keys):
            run = runs.pop(key, None) or Run()
            runs[key] = run
            if good:
                run.ok += 1
            else:
                run.bad += 1
                run.bad_kind = kind
            run.last_ok, run.step = good, self.steps
            run.edits, run.source_edits = self.edits, self.source_edits
        while len(runs) > MAX_RUNS:
            del runs[next(iter(runs))]

    def _learn_words(
        self, action: Action, text: str, good: bool, kind: int, common: bytearray
    ) -> None:
        hashes, seen = word_hashes(text), self.seen
        mark(seen, hashes)
        mark(common, hashes)
        mark(seen, action.said, SAID)
        mark(seen, action.looks, FOUND if good else NOT_FOUND)
        if good and len(action.needs) == 1:
            own = name_hash(action.needs[0])
            lines = line_hashes(text)
            mark(seen, hashes, own)
            mark(seen, lines, own)
            mark(common, lines, own)
        for path in action.makes or action.edits:
            own = name_hash(path)
            mark(seen, action.new_lines, own)
            mark(common, action.new_lines, own)
        if not good:
            if kind == OutputKind.NO_MODULE:
                mark(seen, hashes, NO_MODULE)
            self.named = dict.fromkeys(sorted(hashes)[:MAX_NAMED])
            self.edited_named = False

    def _learn_luck(self, action: Action, good: bool, kind: int) -> None:
        self.recent = (self.recent << 1 | (not good)) & 0xFF
        self.last_kind, self.last_output = action.kind, kind
        if action.kind == _SEARCH:
            self.searches += 1
            self.searches_bad += not good
        if action.kind == _TEST:
            self.last_test, self.last_test_ok = self.steps, good
        if good:
            self.streak_ok, self.streak_bad = self.streak_ok + 1, 0
        else:
            self.bads += 1
            self.streak_ok, self.streak_bad = 0, self.streak_bad + 1
            self.last_bad, self.last_bad_output = self.steps, kind

    def _enter(self, directory: str) -> None:
        if directory.startswith(("/", "~")):
            self.cwd = directory
        elif directory != ".":
            self.cwd = f"{self.cwd}/{directory}"[-300:]
