"""The action of a tool that is no shell: read, edit, search, and whatever else agents bring."""

from __future__ import annotations

import math
import posixpath
from functools import lru_cache
from typing import Any
from zlib import crc32

import msgspec

from onward.features.action.script import script_facts
from onward.features.action.types import KIND, Action, clean_path, kind_flags, target_of
from onward.features.slots import slots_of
from onward.features.text import ends_of, line_hashes, name_hash, pattern_words

__all__ = ["tool_action"]

_TEXT_LIMIT = 4000
_CACHED_ACTIONS = 1024

_TOOL_KINDS = (
    ("todo", "other"),
    ("notebook", "edit"),
    ("edit", "edit"),
    ("replace", "edit"),
    ("insert", "edit"),
    ("write", "write"),
    ("create", "write"),
    ("read", "read"),
    ("view", "read"),
    ("list", "read"),
    ("output", "read"),
    ("overview", "read"),
    ("grep", "search"),
    ("glob", "search"),
    ("search", "search"),
    ("find", "search"),
    ("fetch", "net"),
    ("web", "net"),
)
"""The first of these words that stands in a tool's name gives its kind."""
_PATH_KEYS = ("file_path", "path", "notebook_path", "relative_path", "filename", "file")
_OLD_KEYS = ("old_string", "old_str")
_NEW_KEYS = ("new_string", "new_str", "content", "file_text", "body")
_PATTERN_KEYS = ("pattern", "query", "name_path", "substring_pattern", "file_mask")


@lru_cache(maxsize=_CACHED_ACTIONS)
def tool_action(tool: str, encoded: bytes) -> Action:
    """The action of a tool call.

    Parameters
    ----------
    tool
        The tool's name as the agent gives it.
    encoded
        Its arguments as a JSON object.
    """
    given: dict[str, Any] = msgspec.json.decode(encoded)
    kind = _kind(tool)
    path = clean_path(_text(given, _PATH_KEYS))
    old, new = _old_and_new(given)
    pattern = _text(given, _PATTERN_KEYS)
    paths = (path,) if path else ()
    names = ",".join(sorted(given)[:8])
    suffix = posixpath.splitext(path)[1][:8]
    needs, makes = ((), paths) if kind == KIND["write"] else (paths, ())
    target = target_of(tool, needs, makes)
    template = f"{tool} {names} {suffix}"
    exact = f"{tool}#{crc32(encoded):08x}"
    marks = [f"tool {tool}", f"keys {names}", f"end {tool} {suffix}"]
    return Action(
        program=tool,
        kind=kind,
        keys=(tool, tool, f"{tool} {names}", template, exact),
        target=target,
        lead=name_hash(tool),
        shape=name_hash(template),
        aim=name_hash(target),
        programs=(f"of {tool}",),
        needs=needs,
        makes=makes,
        edits=paths if kind == KIND["edit"] else (),
        looks=pattern_words(pattern),
        old_lines=tuple(sorted(line_hashes(ends_of(old))))[:200],
        new_lines=tuple(sorted(line_hashes(ends_of(new))))[:200],
        words=slots_of(marks, encoded[:_TEXT_LIMIT].decode("utf-8", "replace")),
        body=script_facts(ends_of(new)),
        static=(
            math.log1p(len(encoded)),
            *(0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),  # no commands but itself, no operators
            float(bool(given.get("run_in_background"))),
            *(0.0, 0.0),
            float(len(needs)),
            float(len(makes)),
            0.0,
            *kind_flags(kind),
            float(len(pattern_words(pattern))),
            float(bool(pattern) and not path),
            float(any(sign in pattern for sign in "\\[*+?^$|(")),
            math.log1p(len(old)) if old else math.nan,
            float(bool(old) and old == new),
            float("timeout" in given),
            float(len(given)),
        ),
    )


def _kind(tool: str) -> int:
    low = tool.lower()
    return next((KIND[kind] for word, kind in _TOOL_KINDS if word in low), 0)


def _text(given: dict[str, Any], names: tuple[str, ...]) -> str:
    values = (given.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _old_and_new(given: dict[str, Any]) -> tuple[str, str]:
    edits = given.get("edits")
    if not isinstance(edits, list):
        return _text(given, _OLD_KEYS), _text(given, _NEW_KEYS)
    parts = [edit for edit in edits if isinstance(edit, dict)]
    return (
        "\n".join(_text(part, _OLD_KEYS) for part in parts),
        "\n".join(_text(part, _NEW_KEYS) for part in parts),
    )
