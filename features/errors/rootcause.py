"""The line of an output that says what went wrong, and the lines that speak of it.

An output of a failing step is mostly not about the failure. `root_cause` picks the innermost line
that is: the exception at the end of a traceback and not its frames, the cause at the bottom of a
chain of causes, the first complaint of a compiler (the others follow from it), what a shell says of
a command. `error_lines` gives all lines at the most formal level that the output has: what a build
tool marks as errors, else lines that name an exception, else lines that sound like one.

Both look at the ends of an output (`HEAD`, `TAIL`) and are linear in what they look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from ahocorasick_rs import AhoCorasick

__all__ = ["HEAD", "TAIL", "RootCause", "error_lines", "root_cause"]

HEAD = 20_000
"""Characters of an output's beginning that are looked at."""
TAIL = 60_000
"""Characters of its end that are looked at."""
MAX_LINE = 400
"""Characters of a line that are looked at."""

_FRAME = re.compile(
    r"<returncode>-?\d*</returncode>|</?(?:returncode|output|warning|output_head|output_tail|elided_chars|tool_use_error|error)>"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TYPE = r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Failure|Interrupt|Exit|Timeout|Fault)\b"
_EXCEPTION = re.compile(rf"(?:E\s+)?(?:Exception in thread \"[^\"]*\" )?({_TYPE})(?::|$|\s*\()")
_CAUSED = re.compile(rf"\s*(?:Caused by|caused by|Root cause):\s*({_TYPE})?")
_PYTEST = re.compile(r"E   +\S")
_COMPILER = re.compile(
    r"\S+?(?::\d+(?::\d+)?|\(\d+,\d+\)):? (?:fatal )?error\b|(?:fatal )?error(?:\[\w+\])?: "
    r"|\[ERROR\] \S+:\[\d+,\d+\] |.*\berror TS\d+:|.*: undefined reference to "
)
_SHELL = re.compile(
    r".*(?:command not found|: not found$|No such file or directory|Permission denied"
    r"|cannot access|Is a directory|Not a directory|not a git repository)"
)
_LEVEL = re.compile(
    r"\s*(?:\[(?:ERROR|FATAL|CRITICAL)\]|(?:ERROR|FATAL|CRITICAL)[\s:]"
    r"|(?:error|fatal|Error|Fatal): |npm ERR!|npm error|E   +\S|##\[error\])\s*(?=\S)"
)
_RAISED = re.compile(r"[A-Za-z_][\w.]*(?::\s|$)")
_TOOL = re.compile(r"\[(?:ERROR|FATAL)\]|npm (?:ERR!|error)|##\[error\]")
"""A build tool's own mark; a program that it ran has others."""
_SOUNDS = (
    "error|fail|exception|fatal|critical|cannot|can't|can not|could not|couldn't|unable|invalid"
    "|denied|refused|timed out|timeout|not found|missing|undefined|unexpected|no such|unknown"
    "|does not exist|doesn't exist|abort|panic|illegal|unrecognized|not installed|must |blocked"
    '|conflict|no matches|interrupt|exceeds|caused by|traceback|\ne   |  file "'
)
_MARKS = AhoCorasick(_SOUNDS.split("|"))
_BOILERPLATE = re.compile(
    r"\[ERROR\]\s*(?:$|->|Re-run|To see|For more|After correcting|\[Help|mvn <args>|-{5,})"
    r"|.*\b(?:0|no) (?:errors?|failures?|failed)\b|\s*(?:[-=_*]{5,}|make(?:\[\d+\])?: \*\*\*)"
    r"|npm (?:ERR!|error) (?:A complete log|code |errno |path |\s*$)|.*Traceback \(most recent"
    r"|\s*(?:Exit code|exit status) \d+$"
)
_DIRECT = "The above exception was the direct cause of"
_CODE = re.compile(r"\b(?:error\s*)?\[?([A-Z]{1,6}\d{3,5})\]?[:\s]")


class RootCause(msgspec.Struct, frozen=True, gc=False):
    """What went wrong, in one line."""

    line: str
    """As it stands in the output, without marks in front; empty = the output says nothing."""
    number: int
    """Which line of the output it is, from 1; 0 = none."""
    type: str
    """The exception's type or the compiler's code, where it names one."""
    how: str
    """``traceback``, ``cause``, ``compiler``, ``shell``, ``level``, ``sound`` or ``last``."""


_SAYS_NOTHING = 8
NOTHING = RootCause("", 0, "", "last")


def root_cause(output: str) -> RootCause:
    r"""The line of an output that says what went wrong.

    >>> said = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n"
    >>> root_cause(said).line, root_cause(said).type, root_cause(said).number
    ("KeyError: 'x'", 'KeyError', 3)
    >>> root_cause("a.c:3:1: error: no 'x'\na.c:9:1: error: no 'y'").line
    "a.c:3:1: error: no 'x'"
    """
    text = _plain(output)
    best, at, line, how = 9, -1, "", "last"
    for start, found, framed in _candidates(text):
        rank, mark, first = _rank(found, framed=framed)
        if rank < best or (rank == best and not first):
            best, at, line, how = rank, start, found, mark
        if mark == "traceback" and _DIRECT in text[start + len(found) : start + len(found) + 120]:
            best, how = 0, "cause"  # what is raised from it says less
    if best >= _SAYS_NOTHING:
        at, line, how = _last_line(text)
    if not line:
        return NOTHING
    return RootCause(_bare(line), text.count("\n", 0, at) + 1, _type_of(line), how)


def error_lines(output: str, *, most: int = 200) -> list[str]:
    r"""The lines of an output that speak of the failure, the last ``most`` of them.

    >>> error_lines("[INFO] ok\n[ERROR] no such symbol\n[INFO] done")
    ['[ERROR] no such symbol']
    """
    text = _plain(output)
    lines = [line for _, line, _ in _candidates(text) if not _BOILERPLATE.match(line)]
    for speaks in (_TOOL.match, _LEVEL.match, _EXCEPTION.match):
        found = [line for line in lines if speaks(line)]
        if found:
            return found[-most:]
    return lines[-most:] or [line[:MAX_LINE] for line in text.splitlines()[-20:]]


def _plain(output: str) -> str:
    """The part that is looked at, without colours and the tags that agents put around outputs."""
    if len(output) > HEAD + TAIL:
        output = output[:HEAD] + "\n" + output[-TAIL:]
    if "\x1b" in output:
        output = _ESCAPES.sub("", output)
    return _FRAME.sub("", output) if "<" in output else output


def _candidates(text: str) -> Iterator[tuple[int, str, bool]]:
    """Lines that sound like an error: where they begin, and whether they end a traceback."""
    low = text.encode("ascii", "replace").decode().lower()  # one character for one
    done = 0
    frame = -1
    for _, at, _ in _MARKS.find_matches_as_indexes(low):
        if at < done:
            continue
        start = text.rfind("\n", 0, at + 1) + 1
        end = text.find("\n", at + 1)
        done = len(text) if end < 0 else end
        line = text[start : min(done, start + MAX_LINE)].rstrip()
        if line.lstrip().startswith('File "'):
            frame = done
            continue
        if frame >= 0:
            if line[:1].isspace():  # the code of the frame
                continue
            raised = next(_raised(text, frame, done), None)
            frame = -1
            if raised is not None:
                yield raised
                if raised[0] == start:
                    continue
        yield start, line, False
    if frame >= 0:
        yield from _raised(text, frame, len(text))


def _raised(text: str, frame: int, stop: int) -> Iterator[tuple[int, str, bool]]:
    """The line that ends a traceback, which need not sound like an error."""
    at = frame + 1
    for line in text[at : min(stop, at + 4 * MAX_LINE)].split("\n"):
        if line and not line[0].isspace():
            yield at, line[:MAX_LINE].rstrip(), True
            return
        at += len(line) + 1


def _last_line(text: str) -> tuple[int, str, str]:
    """Where the last line that is not blank begins, and what it says."""
    bare = text.rstrip()
    start = bare.rfind("\n") + 1
    return start, bare[start : start + MAX_LINE], "last"


def _rank(line: str, *, framed: bool) -> tuple[int, str, bool]:  # noqa: PLR0911
    """How well a line says what went wrong (0 = best), by which mark, and if the first counts."""
    if _BOILERPLATE.match(line):
        return 9, "last", False
    if _PYTEST.match(line):
        return (1 if _EXCEPTION.match(line) else 2), "traceback", True
    if (framed and _RAISED.match(line)) or _EXCEPTION.match(line):
        return 1, "traceback", False
    if _CAUSED.match(line):
        return 0, "cause", False
    if _COMPILER.match(line):
        return 3, "compiler", True
    if _SHELL.match(line):
        return 4, "shell", False
    if _LEVEL.match(line):
        return 5, "level", True
    return 6, "sound", False


def _bare(line: str) -> str:
    """A line without the marks in front of what it says."""
    caused = _CAUSED.match(line)
    if caused and caused[1]:
        return line[caused.start(1) :]
    return re.sub(
        r"^\s*(?:E   +|\[(?:ERROR|FATAL|CRITICAL)\]\s*|npm (?:ERR!|error)\s*)", "", line
    ).strip()


def _type_of(line: str) -> str:
    found = _EXCEPTION.match(line.strip()) or _CAUSED.match(line)
    if found and found[1]:
        return found[1].rsplit(".", 1)[-1]
    code = _CODE.search(line[:120])
    return code[1] if code else ""
