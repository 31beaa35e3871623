"""What a step shares with others: the keys under which the online layer learns offsets.

A trait is a number: the hash of a session, of what the call mainly is, or of a name in its words.
Nothing of the words themselves is kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from zlib import crc32

from onward.data.events import Call
from onward.features.action import action_of

__all__ = ["traits_of"]

MAX_NAMES = 24
"""Names of a call that count, from the beginning. More add noise, fewer lose files."""

_HEAD = 1000
"""Characters of a call that are looked at."""

# Names of files, options, functions: dots and dashes hold them together, slashes part them.
_NAME = re.compile(r"[A-Za-z0-9_.\-]{2,}")


def traits_of(call: Call) -> tuple[int, ...]:
    """Hashes of what a call shares with others, each once: at most 27.

    >>> listing = Call(session="s", tool="Bash", input={"command": "ls -l src"})
    >>> reading = Call(session="s", tool="Bash", input={"command": "cat src/a.py"})
    >>> len(set(traits_of(listing)) & set(traits_of(reading)))  # session, Bash, command, src
    4
    """
    tool, program, _, template, _ = action_of(call).keys
    return tuple(
        dict.fromkeys(
            (
                _hash(f"session {call.session}"),
                _hash(f"here {call.session} {program}"),
                _hash(f"shape {template}"),
                *_name_hashes(tool, _words(call.input)),
            )
        )
    )


def _hash(key: str) -> int:
    return crc32(key.encode("utf-8", "replace"))


def _words(given: dict[str, object]) -> str:
    """The beginning of a call's words: the names and values of its arguments.

    A shell's description of its command is among them: what it is for tells how it may end. No
    value is taken at more than the length that counts.
    """
    words: list[str] = []
    for name, value in given.items():
        words += name, value[:_HEAD] if isinstance(value, str) else str(value)[:_HEAD]
    return " ".join(words)[:_HEAD]


@lru_cache(maxsize=1024)
def _name_hashes(tool: str, words: str) -> tuple[int, ...]:
    names = dict.fromkeys([tool, *_NAME.findall(words)])
    return tuple(
        [crc32(name.encode("utf-8", "replace"), _NAMED) for name in islice(names, MAX_NAMES)]
    )


_NAMED = crc32(b"name ")
"""Where the hash of a name goes on from: that of ``name foo`` is that of ``foo``, begun here."""
