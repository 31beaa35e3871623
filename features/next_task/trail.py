"""The trail of a session: what its last steps were, what they gave, and what they left open.

Everything is numbers and hashes; no text is kept. Everything is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from zlib import crc32

import msgspec

from onward.data.events import Outcome, Prompt, Step, command_of
from onward.features.action.types import KIND, Action
from onward.features.next_task.counts import Counts
from onward.features.step.files import NEVER
from onward.features.text import ends_of, output_kind

__all__ = ["BEFORE", "Mark", "Result", "Trail"]

BEFORE = 255
"""Stands for a step before the first one, where a label's number is wanted."""
LAST = 8
"""Steps that are kept one by one."""
MAX_FILES, MAX_SCRIPTS, MAX_EXACT, MAX_FOLLOWED = 200, 30, 300, 400
MAX_WORDS, MAX_PROMPT_WORDS = 48, 40

_WORD = re.compile(rb"[A-Za-z_]{2,}")
_PATH = re.compile(r"[\w./-]+\.[a-z]{1,4}\b")
_FRAME = "<returncode>"
_CHANGES = (KIND["edit"], KIND["write"])
_CHECKS = (KIND["test"], KIND["run"], KIND["inline"], KIND["build"])
_LOOKS = (KIND["read"], KIND["search"])
_READ, _EDITED, _WRITTEN, _SAME, _NO_FILE = 1, 2, 4, 8, 16


class Result(msgspec.Struct, array_like=True, gc=False):
    """What a step gave."""

    good: bool = True
    kind: int = 0
    """An `OutputKind`."""
    size: int = 0
    """Length of its output: nothing (0), a line (1), a few lines (2), more (3)."""
    tests: int = 0
    """Bits: 1 something passed, 2 something failed, 4 an error at the end."""

    def code(self) -> int:
        """All of it as one number."""
        return self.good + 2 * self.size + 8 * self.tests + 64 * self.kind


class Mark(msgspec.Struct, array_like=True, gc=False):
    """One step, as far as the next one may depend on it."""

    label: int
    kind: int
    shape: int
    """Hash of its template: the program with its options, without its arguments."""
    exact: int
    """Hash of the whole call."""
    result: Result
    code: int
    """The result as one number."""


class Trail(msgspec.Struct, gc=False):
    """The state of one session. Steps are numbered from 0; `NEVER` = it did not happen."""

    steps: int = 0
    marks: list[Mark] = msgspec.field(default_factory=list)
    """The last steps, the latest last."""
    at: float = 0.0
    gap: float = 0.0
    """Seconds between the last two steps, or since the agent's last session."""
    began: float = 0.0
    times: dict[int, int] = msgspec.field(default_factory=dict)
    """Label -> how often it came."""
    last: dict[int, int] = msgspec.field(default_factory=dict)
    """Label -> its last step."""
    by_kind: dict[int, tuple[int, int]] = msgspec.field(default_factory=dict)
    """Kind of action -> its last label and step."""
    followed: dict[int, int] = msgspec.field(default_factory=dict)
    """Hash of a situation -> the label that came after it last time."""
    counts: Counts = msgspec.field(default_factory=lambda: Counts(capacity=600))
    edits: int = 0
    last_edit: int = NEVER
    last_check: int = NEVER
    check_ok: bool = True
    fails: int = 0
    last_fail: int = NEVER
    same: int = 0
    """Steps in a row with the label of the last one, itself not counted."""
    files: dict[str, int] = msgspec.field(default_factory=dict)
    scripts: dict[str, int] = msgspec.field(default_factory=dict)
    """Script -> the step that ran it last; `NEVER` = it was written and not yet run."""
    exacts: dict[int, int] = msgspec.field(default_factory=dict)
    file: str = ""
    touched: int = 0
    """What was done before to the file of the last step, as bits; 8 it is the same file again."""
    lines: int = 0
    """Lines of the last output, as a power of two."""
    news: int = 0
    """Files in the last output that were not touched yet; at most 4."""
    again: int = 0
    """How often the last call was made before; at most 3."""
    commands: int = 0
    todo: int = 0
    words: tuple[int, ...] = ()
    """Hashes of words of the last step and of its output."""
    prompt: tuple[int, ...] = ()
    """Hashes of words of the user's last prompt."""

    # -- what is open --------------------------------------------------------------------------

    def unrun(self) -> int:
        """Scripts that were written and not run yet; at most 3."""
        return min(sum(ran == NEVER for ran in self.scripts.values()), 3)

    def stale(self) -> int:
        """Scripts that ran before the last change and not since; at most 3."""
        return min(sum(NEVER < ran < self.last_edit for ran in self.scripts.values()), 3)

    def check_state(self) -> int:
        """Whether anything was checked (4), it went well (2), files changed since (1)."""
        return (
            4 * (self.last_check != NEVER) + 2 * self.check_ok + (self.last_check < self.last_edit)
        )

    # -- learning ------------------------------------------------------------------------------

    def hear(self, prompt: Prompt) -> None:
        """Takes in what the user said."""
        words = _WORD.findall(prompt.text[:400].lower().encode("utf-8", "replace"))
        hashes = dict.fromkeys(map(crc32, words[: MAX_PROMPT_WORDS - 1]))
        self.prompt = (*hashes, crc32(prompt.role.encode("utf-8", "replace")))
        self.at = prompt.at or self.at
        self.began = self.began or self.at

    def learn(self, step: Step, action: Action, label: int) -> None:
        """Takes in a step."""
        text, good = ends_of(step.output), step.outcome is Outcome.OK
        result = Result(good, output_kind(text), _size(text), _tests(text))
        exact = crc32(action.keys[4].encode("utf-8", "replace"))
        now = self.steps
        self.same = self.same + 1 if self.marks and self.marks[-1].label == label else 0
        self.marks.append(Mark(label, action.kind, action.shape, exact, result, result.code()))
        del self.marks[:-LAST]
        self.times[label] = self.times.get(label, 0) + 1
        self.last[label] = now
        self.by_kind[action.kind] = label, now
        self._learn_progress(action, good, result)
        self._learn_files(action)
        self._learn_output(text, exact)
        self._learn_words(step, text)
        self.commands = min(int(action.static[1]), 4)
        self._learn_time(step.at)
        self.steps += 1

    def follow(self, situations: Iterable[int], label: int) -> None:
        """Notes the label that came in each of these situations."""
        for one in situations:
            self.followed[one] = label
        _forget(self.followed, MAX_FOLLOWED)

    def _learn_time(self, at: float) -> None:
        if self.steps:
            self.gap = max(at - self.at, 0.0) if at and self.at else 0.0
        self.began = self.began or at
        self.at = at

    def _learn_progress(self, action: Action, good: bool, result: Result) -> None:
        if action.kind in _CHANGES and good:
            self.edits += 1
            self.last_edit = self.steps
        if action.kind in _CHECKS:
            self.last_check, self.check_ok = self.steps, good and not result.tests & 2
        if not good:
            self.fails += 1
            self.last_fail = self.steps
        if action.kind == KIND["write"]:
            for path in action.makes:
                self.scripts[path] = NEVER
        if action.script:
            self.scripts[action.script] = self.steps
        _forget(self.scripts, MAX_SCRIPTS)

    def _learn_files(self, action: Action) -> None:
        touched = action.needs or action.makes or action.edits
        path = touched[0] if touched else action.script
        if not path:
            self.touched = _NO_FILE
            return
        known = self.files.pop(path, 0)
        self.touched = known | (_SAME if path == self.file else 0)
        self.files[path] = known | _touch(action.kind)
        self.file = path
        _forget(self.files, MAX_FILES)

    def _learn_output(self, text: str, exact: int) -> None:
        self.lines = min(text.count("\n").bit_length(), 8)
        named = set(_PATH.findall(text[:1500]))
        self.news = min(sum(path not in self.files for path in named), 4)
        before = self.exacts.pop(exact, 0)
        self.again = min(before, 3)
        self.exacts[exact] = before + 1
        _forget(self.exacts, MAX_EXACT)

    def _learn_words(self, step: Step, text: str) -> None:
        words = _call_words(step)
        if step.tool == "TodoWrite":
            self.todo, more = _todo(step)
            words += more
        tail = text[-160:].encode("utf-8", "replace")
        words += [b"o:" + word for word in _WORD.findall(tail)[-12:]]
        head = text[:200].encode("utf-8", "replace")
        words += [b"h:" + word for word in _WORD.findall(head)[3:11]]
        if self.file and self.touched != _NO_FILE:
            path = self.file.encode("utf-8", "replace")
            words += [b"x:" + path.rsplit(b".", 1)[-1][-8:], b"f:" + path]
        self.words = tuple(dict.fromkeys(map(crc32, words)))[:MAX_WORDS]


def _forget(table: dict[object, object] | dict[str, int] | dict[int, int], most: int) -> None:
    """Drops what was put in first where a table holds too much."""
    held: dict[object, object] = table  # type: ignore[assignment]
    while len(held) > most:
        del held[next(iter(held))]


def _size(text: str) -> int:
    length = len(text) - (43 if text.startswith(_FRAME) else 0)
    return 0 if length <= 2 else 1 if length < 80 else 2 if length < 600 else 3


def _tests(text: str) -> int:
    passed = " passed" in text or "\nOK" in text
    failed = " failed" in text or "FAIL" in text
    return passed + 2 * failed + 4 * ("rror" in text[-300:])


def _touch(kind: int) -> int:
    if kind in _LOOKS:
        return _READ
    return _EDITED if kind == KIND["edit"] else _WRITTEN if kind == KIND["write"] else 0


def _call_words(step: Step) -> list[bytes]:
    """The first words of a command and of what it is said to be for, or of a tool's arguments."""
    command = command_of(step)
    if command is not None:
        words = _WORD.findall(command[:200].encode("utf-8", "replace"))[:14]
        told = step.input.get("description")
        if isinstance(told, str):
            plain = _WORD.findall(told[:200].lower().encode("utf-8", "replace"))
            words += [b"d:" + word for word in plain[:10]]
        return words
    words = [b"k:" + name[:40].encode("utf-8", "replace") for name in sorted(step.input)[:6]]
    for value in list(step.input.values())[:8]:
        if isinstance(value, str):
            words += _WORD.findall(value[:120].encode("utf-8", "replace"))[-6:]
    return words


def _todo(step: Step) -> tuple[int, list[bytes]]:
    """How far a list of things to do is, and the words of the one in progress."""
    given = step.input.get("todos")
    todos = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    done = sum(one.get("status") == "completed" for one in todos)
    busy = [one for one in todos if one.get("status") == "in_progress"]
    state = 1 + (done == 0) + 2 * (done == len(todos)) + 4 * bool(busy)
    text = str(busy[0].get("content", ""))[:200].lower() if busy else ""
    words = _WORD.findall(text.encode("utf-8", "replace"))[:12]
    return state, [b"t:" + word for word in words] + [b"todo%d" % state]
