"""What varies in a message, masked by its shape alone: numbers, names of files, hosts, times.

A message becomes a sequence of tokens in which every value that its shape gives away is `WILD`.
The rules know no system and no format: a token with a digit is a value, so are paths, host names,
web addresses, names with an index, what stands in quotes, the names of days and months beside a
number, and the unit behind one. Values that stand next to each other are one value, for lists
differ in length and not in meaning, and empty brackets hold a value that is missing.

Which of the remaining words vary is found by `onward.features.errors.templates`, which sees many
messages. The work is linear in the length of a message, of which only the first `MAX_CHARS`
characters and `MAX_TOKENS` tokens are looked at.
"""

from __future__ import annotations

import re

__all__ = ["MAX_CHARS", "MAX_TOKENS", "WILD", "masked", "shown"]

WILD = "<*>"
"""Stands for a value."""
MAX_CHARS = 1000
MAX_TOKENS = 80

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_QUOTED = re.compile(r"(?<!\w)(['\"`])(?!\s)[^'\"`\n]{1,120}\1(?!\w)")
_ADDRESS = re.compile(r"\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5,}\b")  # of a network card
_INDEXED = re.compile(r"\b[A-Za-z_]\w{0,40}(?:\(\d+\)|\[\d+\])")
_RUN = re.compile(r"([.*#=~-])\1+")
_DELIMITERS = r",;:=()\[\]{}<>\"'|"
_TOKEN = re.compile(
    rf"<\*>|[A-Za-z][A-Za-z0-9+.-]*://[^\s,;()\[\]{{}}<>\"'|]+"
    rf"|[^\s{_DELIMITERS}]+(?:'(?:t|s|re|ve|ll|d)\b)?|[{_DELIMITERS}]"
)
_HOST = re.compile(r"(?:[\w-]+\.)+(?:com|net|org|edu|gov|mil|int|io|local|localdomain)\.?")
_EXTENSION = re.compile(r"\.[A-Za-z]{1,5}$")
_DIGIT = re.compile(r"\d")
_EMPTY = ("()", "[]")
_JOINING = frozenset(",:/#@|.+*-;")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LITERALS = _words("true false True False TRUE FALSE null nil None NULL NaN")
_DATES = _words(
    "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday "
    "jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july "
    "august september october november december am pm utc gmt est edt cst cdt pst pdt cet "
    "cest"
)
_UNITS = _words(
    "b kb mb gb tb pb kib mib gib tib byte bytes k m g ns us µs ms s sec secs second seconds "
    "min mins minute minutes hour hours hrs h day days msec msecs millisecond milliseconds "
    "microsecond microseconds hz khz mhz ghz %"
)


def masked(text: str) -> tuple[str, ...]:
    """The tokens of a message, its values masked.

    >>> " ".join(masked("Connection to 10.0.0.7:8080 lost after 3.5 seconds"))
    'Connection to <*> lost after <*>'
    >>> masked("No module named 'numpy'") == masked("No module named 'yaml.loader'")
    True
    """
    if len(text) > MAX_CHARS:  # a word that was cut in half would be another word
        text = text[:MAX_CHARS].rpartition(" ")[0] or text[:MAX_CHARS]
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = _QUOTED.sub(r"\1<*>\1", text)
    text = _RUN.sub(" ", _INDEXED.sub(WILD, _ADDRESS.sub(WILD, text)))
    out: list[str] = []
    for token in _TOKEN.findall(text):
        if _is_value(token):
            _add_value(out)
        elif not (out and out[-1] == WILD and _belongs(token)):
            if out and out[-1] + token in _EMPTY:
                out.append(WILD)
            out.append(token)
    return tuple(out[:MAX_TOKENS])


def shown(tokens: tuple[str, ...]) -> str:
    """Tokens as a template that a person reads.

    >>> shown(masked("open('a.txt') failed: no space"))
    "open('<*>') failed: no space"
    """
    text = " ".join(tokens)
    text = re.sub(r"(['\"]) <\*> \1", r"\1<*>\1", text)
    text = re.sub(r"(?<=[\w>]) (?=[(\[=,;:])|(?<=[(\[=]) | (?=[)\],;:])", "", text)
    return re.sub(r"(?<=[\w>)])(['\"])(?=<)", r" \1", text)


def _is_value(token: str) -> bool:
    if token == WILD or token in _LITERALS:
        return True
    if _DIGIT.search(token):  # the name of an exception says what it is, also with a digit
        return not token.endswith(("Error", "Exception"))
    if "/" in token and len(token) > 1:
        if "://" in token or token[0] in "/~.":
            return any(map(str.isalnum, token))
        return token.count("/") > 1 or _EXTENSION.search(token) is not None
    return "." in token and _HOST.fullmatch(token) is not None


def _belongs(token: str) -> bool:
    """Whether a word behind a value is part of it: a unit, or the rest of a date."""
    low = token.lower().rstrip(".")
    return low in _UNITS or low in _DATES


def _add_value(out: list[str]) -> None:
    """One more value; with one before it, parted by signs and dates only, the two are one."""
    at = len(out)
    while at and out[at - 1] in _JOINING:
        at -= 1
    start = at
    while at and out[at - 1].lower() in _DATES:
        at -= 1
    while at and out[at - 1] in _JOINING:
        at -= 1
    if at and out[at - 1] == WILD:
        del out[at:]
        return
    if start == len(out):  # the name of a day or month before a number
        while out and out[-1].lower() in _DATES:
            del out[-1]
    out.append(WILD)
