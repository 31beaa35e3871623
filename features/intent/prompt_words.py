"""What a prompt's words tell by themselves."""

from __future__ import annotations

import re
from itertools import pairwise
from math import log1p
from zlib import crc32

from onward.data.events import Prompt
from onward.features.memory.lexical import terms

__all__ = ["OWN_NAMES", "PATH", "SLOTS", "own", "slots_of"]

SLOTS = 1 << 12
"""Size of a table of running weights of words; a power of two."""

_GROUPS = {
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
_GROUP_WORDS = {name: re.compile(rf"\b(?:{words})\b") for name, words in _GROUPS.items()}
PATH = re.compile(
    r"(?:[\w.@~-]+/)+[\w.-]+|\b[\w-]+\.(?:py|[jt]sx?|md|json|ya?ml|sh|c|go|rs|java)\b"
)
_LOOKED_AT = 1_500
"""Characters of a prompt whose words are grouped."""

OWN_NAMES = (
    "is_continuation",
    "is_command",
    "length",
    "lines",
    "questions",
    "paths",
    "urls",
    "code",
    *(f"says_{name}" for name in _GROUPS),
    *(f"begins_{name}" for name in _GROUPS),
)


def slots_of(prompt: Prompt) -> tuple[int, ...]:
    """A prompt's words, and its role, as places in the running weights."""
    words = [f"role:{prompt.role}", *terms(prompt.text[:_LOOKED_AT])]
    pairs = [f"{a} {b}" for a, b in pairwise(words[:4])]  # how it begins
    return tuple({crc32(word.encode()) % SLOTS for word in (*words[:120], *pairs)})


def own(prompt: Prompt) -> tuple[float, ...]:
    """What the words tell by themselves."""
    text = prompt.text
    low = text[:_LOOKED_AT].lower()
    begin = " ".join(low.split()[:4])
    return (
        prompt.role == "continuation",
        prompt.role == "command",
        log1p(len(text)),
        log1p(text.count("\n")),
        log1p(low.count("?")),
        log1p(len(PATH.findall(low))),
        low.count("http"),
        "```" in text or "Traceback" in text,
        *(float(len(words.findall(low))) for words in _GROUP_WORDS.values()),
        *(float(bool(words.search(begin))) for words in _GROUP_WORDS.values()),
    )
