"""Secrets out, before anything is stored.

What looks like a secret becomes ``[redacted:kind]``; the words around it stay, so that a
command still reads, and still counts, as what it was. Placeholders (``$TOKEN``,
``<token>``) are no secrets and stay too.

One pass over the JSON of an event looks for the hints of all rules (Aho and Corasick, 1975:
one step a byte, however many words). Only where it finds one are the event's texts looked
at, of these only the lines that hold a hint, and in a line only what is near it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from ahocorasick_rs import BytesAhoCorasick, Implementation

from onward.data.errors import TooLarge
from onward.data.events import Call, Event
from onward.data.secret_rules import PRIVATE_KEY, RULES, SECRET_NAME, SHAPED, Rule, mark

__all__ = ["redact", "redact_call", "redact_event", "redact_id", "redact_request"]

E_ = TypeVar("E_", bound=Event)
S_ = TypeVar("S_", bound=msgspec.Struct)

_IDS = {"id", "session", "decision", "note"}
"""Fields by which events find each other."""

_KELVIN = "\u212a"
"""A sign that is a k to patterns that take either case."""
_WORDS = sorted({word for rule in RULES for word in rule.hints} | {"private key", _KELVIN})
_RULES_OF = [[n for n, rule in enumerate(RULES) if word in rule.hints] for word in _WORDS]
_HINTS = BytesAhoCorasick([word.encode() for word in _WORDS], implementation=Implementation.DFA)
_LONGEST = max(map(len, _WORDS))
_WINDOW = 1 << 16
"""Bytes. All that is found in one window is gathered, so this bounds the memory it takes."""
_NEAR = 64
"""Hints of one rule in one line. With more of them it is quicker to look at the whole line."""

_Hint = tuple[int, int, int]
"""The number of its word, where it begins, and where it ends."""

_encoder = msgspec.json.Encoder()


def redact(text: str) -> str:
    """The text without its secrets.

    Redacting again changes nothing. Secrets that look like any other word, with nothing
    before them that gives them away, are not found.

    >>> redact("curl -H 'Authorization: Bearer abcdef123456' https://me:hunter2@example.org")
    "curl -H 'Authorization: Bearer [redacted:authorization]' https://me:[redacted:password]@example.org"
    >>> redact("export API_KEY=abcd1234 && deploy --token $TOKEN")
    'export API_KEY=[redacted:secret] && deploy --token $TOKEN'
    """
    if "PRIVATE KEY" in text:
        text = PRIVATE_KEY.sub(mark("private_key"), text)
    hints = _hints(_searchable(text))
    if not hints:
        return text
    parts, done = [], 0
    for start, end in _lines(text, hints):
        line = text[start:end]
        clean = _redact_line(line)
        if clean != line:
            parts += [text[done:start], clean]
            done = end
    return "".join([*parts, text[done:]]) if parts else text


def redact_id(text: str) -> str:
    """The id without what is shaped like a secret; the same id stays the same id.

    The mark holds a digest of what it stands for, so that ids that differ still do.

    >>> redact_id("run-7 of AKIA" + "IOSFODNN7EXAMPLE")
    'run-7 of [redacted:aws_key-f0436ee6d371]'
    """
    for rule in SHAPED if _hints(_searchable(text)) else ():
        text = rule.pattern.sub(partial(_digest_mark, rule.kind), text)
    return text


def _digest_mark(kind: str, secret: re.Match[str]) -> str:
    return mark(f"{kind}-{blake2b(secret[0].encode(), digest_size=6).hexdigest()}")


def _searchable(text: str) -> bytes:
    """In lower case, one byte for each character: a place in it is a place in the text."""
    return text.replace(_KELVIN, "k").encode("ascii", "replace").lower()


def _hints(lower: bytes, *, overlapping: bool = False) -> Iterable[_Hint]:
    """Every hint; falsy where a short text has none."""
    if len(lower) <= _WINDOW:
        return _HINTS.find_matches_as_indexes(lower, overlapping=overlapping)
    return _hints_of_long(lower, overlapping=overlapping)


def _hints_of_long(lower: bytes, *, overlapping: bool) -> Iterator[_Hint]:
    for base in range(0, len(lower), _WINDOW):
        window = lower[base : base + _WINDOW + _LONGEST]
        for word, place, end in _HINTS.find_matches_as_indexes(window, overlapping=overlapping):
            if place < _WINDOW:  # else the next window has it, too
                yield word, base + place, base + end


def _lines(text: str, hints: Iterable[_Hint]) -> Iterator[tuple[int, int]]:
    """The lines that hold a hint: where each begins and ends."""
    end = -1
    for _word, place, _end in hints:
        if place > end:
            start = text.rfind("\n", 0, place) + 1
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            yield start, end


def _redact_line(line: str) -> str:
    before = None
    # Again until nothing changes: taking one secret away may lay the next one bare. It ends,
    # because each round takes at least one character that is in no mark, and adds none.
    while line != before:
        before, places = line, _places(line)
        for number, rule in enumerate(RULES):
            if number in places and rule.begins in line:
                clean = _replace(rule, line, places[number])
                if clean != line:
                    line, places = clean, _places(clean)
    return line


def _places(line: str) -> dict[int, list[int]]:
    """Where the hints of each rule are in a line, in order."""
    places: defaultdict[int, list[int]] = defaultdict(list)
    for word, place, _end in _hints(_searchable(line), overlapping=True):
        for number in _RULES_OF[word]:
            if len(places[number]) <= _NEAR:
                places[number].append(place)
    return places


def _replace(rule: Rule, line: str, places: list[int]) -> str:
    """The line with this rule's mark instead of its secrets."""
    if rule.begins or len(places) > _NEAR:
        return rule.pattern.sub(rule.replacement, line)
    parts, done = [], 0
    for place in places:
        found = rule.pattern.match(line, place) or rule.pattern.match(line, place + 1)
        if found and found.start() >= done:
            parts += [line[done : found.start()], found.expand(rule.replacement)]
            done = found.end()
    return "".join([*parts, line[done:]]) if parts else line


def redact_event(event: E_) -> E_:
    """The event without secrets in any of its texts, names of arguments among them.

    An argument whose name says that it is a secret (``{"password": ...}``) goes whole. By
    their ids events still find each other: see `redact_id`. An event without secrets is
    given back as it is.

    Raises
    ------
    TooLarge
        It is nested too deeply to be looked through.
    """
    return _redact_struct(event, f"event {event.id!r}")


def redact_call(call: Call, body: bytes | None = None) -> Call:
    """The call without secrets, which is what a decision on it is stored with.

    Parameters
    ----------
    call
        The call.
    body
        Its JSON, where it is at hand.

    Raises
    ------
    TooLarge
        It is nested too deeply to be looked through.
    """
    return _redact_struct(call, "the call", body)


def redact_request(request: S_) -> S_:
    """A question's request without secrets: it is compared with what was stored without them.

    Raises
    ------
    TooLarge
        It is nested too deeply to be looked through.
    """
    return _redact_struct(request, "the request")


def _redact_struct(struct: S_, what: str, body: bytes | None = None) -> S_:
    try:
        return _clean(struct) if _may_hold_secrets(struct, body) else struct
    except RecursionError as error:
        raise TooLarge(f"{what} is nested too deeply") from error


def _may_hold_secrets(value: object, body: bytes | None) -> bool:
    """A quick look at all texts and names in it at once, as its JSON has them."""
    try:
        return any(_hints((body or _encoder.encode(value)).lower()))
    except (TypeError, ValueError):  # JSON cannot hold it; then each text is looked at
        return True


def _clean(struct: S_) -> S_:
    """The struct without secrets; itself where it has none."""
    fields = {name: getattr(struct, name) for name in struct.__struct_fields__}
    clean = {
        name: redact_id(value) if name in _IDS and isinstance(value, str) else _redact_value(value)
        for name, value in fields.items()
    }
    changes = {name: value for name, value in clean.items() if value != fields[name]}
    return msgspec.structs.replace(struct, **changes) if changes else struct


def _redact_value(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        secret = value and SECRET_NAME.search(name) and not value.startswith(("[redacted:", "$"))
        return mark("secret") if secret else redact(value)
    if isinstance(value, dict):
        return _redact_dict(value)
    if isinstance(value, list | tuple):
        return [_redact_value(item, name) for item in value]
    if isinstance(value, msgspec.Struct):
        return _clean(value)
    return value


def _redact_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    clean: dict[Any, Any] = {}
    for key, item in value.items():
        name = redact(key) if isinstance(key, str) else key
        if name in clean:  # two secrets with one mark
            name = f"{name} {len(clean) + 1}"
        clean[name] = _redact_value(item, str(key))
    return clean
