"""The shape of an `Action`: what a call would do, as far as its words tell."""

from __future__ import annotations

import posixpath
import re

import msgspec

from onward.features.action.script import ScriptFacts

__all__ = [
    "KIND",
    "KINDS",
    "STATIC_NAMES",
    "WORD_SLOTS",
    "Action",
    "clean_path",
    "kind_flags",
    "target_of",
]

KINDS = (
    "other",
    "read",
    "search",
    "write",
    "edit",
    "files",
    "run",
    "inline",
    "test",
    "build",
    "vcs",
    "net",
    "install",
)
"""What a call mainly does; `Action.kind` is an index into this."""
KIND = {name: index for index, name in enumerate(KINDS)}

WORD_SLOTS = 1 << 15
"""Slots of the tables of running weights; a power of two."""

_FLAGGED = tuple(name for name in KINDS if name not in ("other", "install"))

STATIC_NAMES = (
    "text_len",
    "commands",
    "counting_commands",
    "pipes",
    "ands",
    "semicolons",
    "ors",
    "masked",
    "has_heredoc",
    "is_background",
    "is_dynamic",
    "hides_errors",
    "needs_count",
    "makes_count",
    "removes_count",
    *(f"is_{name}" for name in _FLAGGED),
    "search_words",
    "search_is_wide",
    "search_is_pattern",
    "edit_old_len",
    "edit_same",
    "timeout_given",
    "flags_count",
)
"""Names of `Action.static`, in order."""


class Action(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a call would do, as far as its words tell."""

    program: str
    """The program that decides the outcome; the tool itself where it is no shell."""
    kind: int
    keys: tuple[str, str, str, str, str]
    """Classes to count under, from wide to narrow: tool, program, sub-command, template, exact."""
    target: str
    """The class of what is done to its first file, in whatever words; empty = no file."""
    lead: int
    """Hash of the program's class."""
    shape: int
    """Hash of the template."""
    aim: int
    """Hash of the target's class."""
    programs: tuple[str, ...]
    """Classes of every program whose exit status counts."""
    needs: tuple[str, ...] = ()
    """Files that must be there."""
    makes: tuple[str, ...] = ()
    edits: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    takes_back: bool = False
    """It puts files back to what they were before: what changed them is regretted."""
    script: str = ""
    """The file that it executes; empty = none."""
    enters: str = ""
    """The directory that it changes into; empty = none."""
    looks: tuple[int, ...] = ()
    """Hashes of the words that it searches for."""
    old_lines: tuple[int, ...] = ()
    """Hashes of the lines that an edit expects to find."""
    new_lines: tuple[int, ...] = ()
    """Hashes of the lines that it writes."""
    said: tuple[int, ...] = ()
    """Hashes of the words of its command, for a search that comes later."""
    words: tuple[int, ...] = ()
    """Slots of its words in the tables of running weights."""
    body: ScriptFacts
    """Facts of the code that it writes or runs inline."""
    static: tuple[float, ...]
    """Numbers, named by `STATIC_NAMES`."""


_HOME = re.compile(r"^/(?:home|Users)/[^/]+/")


def clean_path(path: str) -> str:
    """A path in the one spelling that facts are kept under; empty for what names no file.

    >>> clean_path("./a//b.py"), clean_path("/home/ann/a/b.py:12"), clean_path("/dev/null")
    ('a/b.py', '~/a/b.py', '')
    """
    path = path.strip("'\"").split(":", 1)[0][:300]
    if not path or path.isdigit() or path.startswith("/dev/"):
        return ""
    return _HOME.sub("~/", posixpath.normpath(path))


def target_of(program: str, needs: tuple[str, ...], makes: tuple[str, ...]) -> str:
    """The class of what a program does to the first file that it needs, or else makes.

    >>> target_of("cat", ("a.py", "b.py"), ())
    'cat@a.py'
    """
    paths = needs or makes
    return f"{program}@{paths[0]}" if paths else ""


def kind_flags(kind: int) -> tuple[float, ...]:
    """One number for each kind that has a feature of its own: 1 where it is this one."""
    return _KIND_FLAGS[kind]


_KIND_FLAGS = [tuple([float(name == kind) for name in _FLAGGED]) for kind in KINDS]
