"""What a failing output says: its error line without what changes, its class, the files it names.

`signature` is the one door to the masking, so that a finer clustering can take its place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from onward.features.text import ends_of, name_hash

__all__ = ["CLASSES", "Fault", "error_line", "fault_of", "signature"]

MAX_SIGNATURE = 140
MAX_NAMED = 12
MAX_LINE = 400
"""Characters of a line that are looked at; longer ones are data, not messages."""
_CACHED = 256

_FRAME = re.compile(r"</?(?:returncode|output|warning|output_head|output_tail|tool_use_error)>")
_EXCEPTION = re.compile(
    r"^(?:E\s+)?(?:Uncaught )?((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit"
    r"|DoesNotExist|NotFound|Found|Configured))(?:\s*\[\w+\])?(?::\s?(.*))?$"
)
_TELLING = re.compile(
    r"\b(?:error|fatal|failed|failure|cannot|can't|could not|unable|denied|invalid|refused|missing"
    r"|unknown|unrecognized|unexpected|not found|no such|no matches|timed out|does not|has not"
    r"|must be|required|already|conflict|exceeded|panic|abort\w*|usage)\b",
    re.IGNORECASE,
)
_MASKS = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"\w+://[^\s\"'<>)]+"), "<url>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[\d.]+)?Z?"), "<time>"),
    (re.compile(r"(?:(?<=[\s\"'`(=:])|^)[~.]{0,2}(?:/[\w.@+-]+){2,}/?(?::\d+)*"), "<path>"),
    (re.compile(r"\b[\w./@+-]*\w\.(?!\d)[a-z]{1,5}(?::\d+)+\b"), "<path>"),
    (re.compile(r"\b[\w@+-]+(?:/[\w.@+-]+)+\b"), "<path>"),
    (re.compile(r"(?<!\w)'[^'\n]{1,80}'|\"[^\"\n]{1,80}\"|`[^`\n]{1,80}`"), "<q>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=\w*\d)[0-9a-f]{8,}\b"), "<hex>"),
    (re.compile(r"\d+(?:\.\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)

_CLASS_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stale", ("has not been read", "modified since", "file has been unexpectedly")),
    (
        "no_match",
        (
            "string to replace not found",
            "not found in file",
            "no changes to make",
            "are exactly the same",
            "found 2 matches",
            "matches of the string",
        ),
    ),
    (
        "syntax",
        (
            "syntaxerror",
            "indentationerror",
            "parse error",
            "syntax error",
            "unterminated",
            "unexpected token",
            "unexpected end of",
            "unexpected eof",
            "taberror",
            "diagram description contains errors",
        ),
    ),
    (
        "module",
        (
            "no module named",
            "cannot find module",
            "importerror",
            "modulenotfound",
            "cannot find package",
            "failed to resolve import",
            "could not resolve",
        ),
    ),
    ("timeout", ("timed out", "timeouterror", "timeout exceeded", "deadline exceeded")),
    (
        "network",
        (
            "connection refused",
            "econnrefused",
            "connection reset",
            "could not connect",
            "failed to connect",
            "network is unreachable",
            "temporary failure in name",
            "could not resolve host",
            "econnreset",
            "503",
            "502 bad",
            "too many requests",
            "rate limit",
        ),
    ),
    (
        "permission",
        (
            "permission denied",
            "access denied",
            "accessdenied",
            "eacces",
            "not permitted",
            "unauthorized",
            "security token",
            "credential",
            "forbidden",
        ),
    ),
    ("no_program", ("command not found", "not recognized as an internal", "exec format error")),
    (
        "busy",
        ("already in use", "eaddrinuse", "is locked", "resource busy", "lock:", "another process"),
    ),
    ("assertion", ("assertionerror", "assert ")),
    ("name", ("nameerror", "referenceerror", "is not defined", "unboundlocalerror")),
    (
        "attribute",
        ("attributeerror", "is not a function", "cannot read propert", "has no attribute"),
    ),
    ("database", ("operationalerror", "no such table", "programmingerror", "integrityerror")),
    (
        "settings",
        (
            "improperlyconfigured",
            "appregistrynotready",
            "isn't in installed_apps",
            "settings are already configured",
            "settings_module",
        ),
    ),
    ("type", ("typeerror", "error ts", "type error")),
    ("value", ("valueerror", "keyerror", "indexerror", "zerodivisionerror", "overflowerror")),
    (
        "missing_file",
        (
            "no such file",
            "does not exist",
            "filenotfound",
            "enoent",
            "cannot access",
            "no matches found",
            "not a directory",
            "file not found",
        ),
    ),
    (
        "usage",
        (
            "usage:",
            "unrecognized arguments",
            "invalid option",
            "unknown option",
            "illegal option",
            "requires an argument",
            "unrecognized option",
            "required when not",
            "inputvalidationerror",
        ),
    ),
    ("exists", ("already exists", "file exists", "directory not empty")),
    ("git", ("fatal:", "merge conflict", "rejected]", "nothing to commit", "pre-commit")),
    ("failed_tests", ("failed", "failures", " fail ")),
    ("exception", ("traceback (most", "exception", "error:", "error")),
)
CLASSES: tuple[str, ...] = ("empty", "plain", *(name for name, _ in _CLASS_MARKS))
"""What an error can be, by its meaning; a fault's ``kind`` is an index into this."""
_CLASS = {name: place for place, name in enumerate(CLASSES)}

_FILE = re.compile(r"[\w@~./+-]*\w\.(?:[a-zA-Z]\w{0,5})\b")
_AT = re.compile(
    r"File \"([^\"\n]+)\", line \d+|([\w@~./+-]*\w\.[a-zA-Z]\w{0,5}):\d+"
    r"|in file: ?([\w@~./+-]+)|([\w@~./+-]+): No such file"
)
_LINE = re.compile(r"(?:, line |\.\w{1,5}:)(\d{1,7})")
_SHOWN = re.compile(r"(?:, line \d+.*|\.\w{1,5}:\d+(?::\d+)?)\n\s*(\S.{2,200})")
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUOTED = re.compile(r"['\"`]([A-Za-z_][\w.]{1,60})['\"`]")
_COUNT = re.compile(r"(?:failures|errors)=(\d+)|(\d+) (?:failed|failing|errors?)\b")


class Fault(NamedTuple):
    """A failing output, read once."""

    signature: str
    """Its error line, masked; empty where it says nothing."""
    kind: int
    """Index into `CLASSES`."""
    named: tuple[str, ...]
    """Last parts of the paths that it names, the last-named first."""
    deepest: str
    """The file in which it says that the error arose; empty = it says none."""
    words: tuple[str, ...]
    """Quoted names in its error line: what is missing or wrong."""
    failures: int
    """How many failures it counts; -1 = it counts none."""
    lines: int
    at: tuple[int, ...]
    """Line numbers that it names, the last-named first."""
    code: tuple[int, ...]
    """Hashes of the words of the line of code that it shows last."""


def error_line(output: str) -> str:
    r"""The line that tells most: the last exception, else the first that sounds like an error.

    >>> error_line("Traceback (most recent call last):\n  ...\nKeyError: 'a'\n")
    "KeyError: 'a'"
    """
    lines = [line.strip()[:MAX_LINE] for line in _FRAME.sub("", ends_of(output)).split("\n")]
    lines = [line for line in lines if any(map(str.isalpha, line))]
    for line in reversed(lines):
        if _EXCEPTION.match(line):
            return line
    for line in lines:
        if _TELLING.search(line):
            return line
    return lines[-1] if lines else ""


def signature(output: str) -> str:
    r"""An output's error line without what changes from one time to the next.

    >>> signature("ls: /a/b/c.txt: No such file or directory")
    'ls: <path>: No such file or directory'
    >>> signature("NameError: name 'x1' is not defined")
    'NameError: name <q> is not defined'
    """
    line = error_line(output)
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line.strip()[:MAX_SIGNATURE]


@lru_cache(maxsize=_CACHED)
def fault_of(output: str) -> Fault:
    """What a failing output says; remembered for outputs that are asked about again soon."""
    text = _FRAME.sub("", ends_of(output))
    line = error_line(output)
    found = [next(filter(None, groups)) for groups in _AT.findall(text)]
    names = [_last(path) for path in _FILE.findall(text)]
    named = dict.fromkeys(reversed([*names, *map(_last, found)]))
    return Fault(
        signature=signature(output),
        kind=_kind(line, text),
        named=tuple(named)[:MAX_NAMED],
        deepest=_last(found[-1]) if found else "",
        words=tuple(dict.fromkeys(_QUOTED.findall(line)))[:6],
        failures=_counted(text),
        lines=text.count("\n"),
        at=tuple(dict.fromkeys(map(int, reversed(_LINE.findall(text)))))[:MAX_NAMED],
        code=tuple(map(name_hash, _code_words(text))),
    )


def _code_words(text: str) -> list[str]:
    """Words of the line of code below the last place that the text names."""
    found = _SHOWN.findall(text)
    words = _WORD.findall(found[-1]) if found else []
    return [word for word in dict.fromkeys(words) if len(word) > 2][:12]


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _counted(text: str) -> int:
    found = _COUNT.findall(text)
    return sum(int(number[:6]) for pair in found[-1:] for number in pair if number) if found else -1


def _kind(line: str, text: str) -> int:
    """The class of the error line, else of the whole text."""
    if not text.strip("0123456789 \n"):
        return _CLASS["empty"]
    for low in (line.lower(), text.lower()):
        for name, marks in _CLASS_MARKS:
            if any(mark in low for mark in marks):
                return _CLASS[name]
    return _CLASS["plain"]
