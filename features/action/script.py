"""Facts about a piece of code that a step writes or runs: does it look as if it will fail?"""

from __future__ import annotations

import math
import re

import msgspec

from onward.features.text import name_hash, words_of

__all__ = ["NO_SCRIPT", "SCRIPT_NAMES", "ScriptFacts", "script_facts"]

_MISJOINED = re.compile(r";[ \t]*(?:def|class|for|while|if|try|with)\b[^;\n]*:")
_IMPORT = re.compile(r"(?:^|[;\n])[ \t]*(?:import|from)[ \t]+(\w+)")
_FAILURE_WORDS = ("fail", "reproduc", "expected", "issue", "bug")
_MAX_MODULES = 12
_MASK = (1 << 15) - 1

_CODE_WORDS = frozenset(
    b"assert raise sys exit try except Exception print traceback unittest main TestCase setUp "
    b"subprocess os open write def class if for while with True False None else not in is "
    b"AssertionError ValueError TypeError KeyError AttributeError RuntimeError ImportError Error "
    b"FAIL FAILED PASS PASSED SUCCESS FAILURE expected Expected reproduced Reproduced issue bug "
    b"fixed Fixed settings configure setup shutil mkdir tempfile import from isinstance len repr "
    b"str format pytest raises warnings catch_warnings simplefilter error const let var require "
    b"async await function return throw new catch then process console log path fs exec spawn "
    b"fetch http test describe expect print_exc returncode stderr stdout check lambda yield".split()
)
"""Words that mean the same in the code of any project; its own names would not carry over."""

SCRIPT_NAMES = (
    "lines",
    "asserts",
    "raises",
    "exits",
    "guards",
    "prints",
    "imports",
    "expects_failure",
    "patches",
    "misjoined",
)
"""Names of the numbers of `ScriptFacts`, in order."""


class ScriptFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a piece of code contains, counted by its words."""

    numbers: tuple[float, ...] = (math.nan,) * len(SCRIPT_NAMES)
    """Named by `SCRIPT_NAMES`; NaN = no code is known."""
    modules: tuple[int, ...] = ()
    """Hashes of the modules that it imports."""
    words: tuple[int, ...] = ()
    """Slots of its words that mean the same in any project."""
    patches: bool = False
    """It writes other files: a script that edits."""


NO_SCRIPT = ScriptFacts()
"""No code is known."""


def script_facts(code: str) -> ScriptFacts:
    r"""Facts of a piece of code; `NO_SCRIPT` for none.

    >>> dict(zip(SCRIPT_NAMES, script_facts("import sys\nassert 1 == 2\n").numbers))["asserts"]
    1.0
    >>> script_facts("") is NO_SCRIPT
    True
    """
    if not code or code.isspace():
        return NO_SCRIPT
    patches = _count(code, ".write(", "write_text", "writeFile")
    words = _CODE_WORDS.intersection(words_of(code))
    modules = {name_hash(name) for name in _IMPORT.findall(code)}
    return ScriptFacts(
        numbers=(
            math.log1p(code.count("\n") + 1),
            _count(code, "assert", "expect("),
            _count(code, "raise ", "throw "),
            _count(code, "exit(1", "exit(-1", "process.exit"),
            _count(code, "except", "catch"),
            _count(code, "print(", "console.log"),
            _count(code, "import ", "require("),
            _count(code.lower(), *_FAILURE_WORDS),
            patches,
            float(_MISJOINED.search(code) is not None),
        ),
        modules=tuple(sorted(modules))[:_MAX_MODULES],
        words=tuple(sorted({name_hash(word.decode()) & _MASK for word in words})),
        patches=patches > 0,
    )


def _count(code: str, *marks: str) -> float:
    """How often any of the marks stands in the code, at most 9."""
    return float(min(9, sum(map(code.count, marks))))
