"""What a prompt's words tell by themselves."""

from __future__ import annotations

import re
from itertools import pairwise
from zlib import crc32

from onward.data.events import Prompt
from onward.features.memory.lexical import terms

__all__ = ["OWN_NAMES", "PATH", "SLOTS", "own", "slots_of"]

SLOTS = 1 << 12
"""Size of a table of running weights of words; a power of two."""

_BEGINNINGS = {
    "mends": r"fix|repair|solve|bug|broken|wrong|fail\w*|error\w*|not work\w*|does\s?n.?t work",
    "makes": r"create|add|implement|build|write|make|generate|new|introduce|design",
    "explains": r"document\w*|readme|docs?|diagram\w*|puml|mermaid|comment\w*|describe|summar\w+",
    "does": r"run|start|restart|test\w*|execute|launch|deploy|verify|check|kill|stop",
    "records": r"commit|push|merge|branch|git|pr|release|tag",
    "installs": r"install|upgrade|dependenc\w+|package|npm|pip",
    "looks": r"read|look|find|analy[sz]e|review|show|list|search|investigate|understand|examine",
    "asks": r"why|what|how|where|which|when|who|is|are|does|do|can|could|should|explain|tell",
    "goes_on": r"continue|resume|proceed|go on|go ahead|yes|ok|okay|next|again|retry|sl",
    "takes_back": r"revert|undo|stop|don.?t|no|instead|remove|delete|rename|move",
}
_BEGINS = {name: re.compile(rf"\b(?:{words})\b") for name, words in _BEGINNINGS.items()}
PATH = re.compile(
    r"(?:[\w.@~-]+/)+[\w.-]+|\b[\w-]+\.(?:py|[jt]sx?|md|json|ya?ml|sh|c|go|rs|java)\b"
)
_LOOKED_AT = 1_500
"""Characters of a prompt that are looked at."""
_SHORT = 32
"""Up to so many characters a prompt leaves most of what is meant unsaid."""

OWN_NAMES = ("continues", "short", "asks", *(f"begins_{name}" for name in _BEGINS))


def slots_of(prompt: Prompt) -> tuple[int, ...]:
    """A prompt's words, and its role, as places in the running weights."""
    words = [f"role:{prompt.role}", *terms(prompt.text[:_LOOKED_AT])]
    pairs = [f"{a} {b}" for a, b in pairwise(words[:4])]  # how it begins
    return tuple({crc32(word.encode()) % SLOTS for word in (*words[:120], *pairs)})


def own(prompt: Prompt) -> tuple[float, ...]:
    """What the words tell by themselves, 0 or 1 each."""
    low = prompt.text[:_LOOKED_AT].lower()
    begin = " ".join(low.split()[:4])
    continues = prompt.role == "continuation"
    return (
        float(continues),
        float(not continues and len(prompt.text) <= _SHORT),
        float("?" in low),
        *(float(bool(words.search(begin))) for words in _BEGINS.values()),
    )
