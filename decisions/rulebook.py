"""The rulebook (P2): rules over parsed commands and tool calls, the strictest speaks.

Rules are read from TOML. The bundled ones (``rules.toml``) are the floor; a user's may restrict
further, and allow what nothing in the floor speaks of::

    deny > ask > allow          the first match of the highest severity speaks
    a; b && c                   a compound command gets the worst of its parts
    allow                       only if every part is allowed, all of it was understood,
                                and nothing in it is decided at run time

Notes
-----
Rules that name programs are found by the program; the others are few. So judging takes some
microseconds, however long the rulebook is.
"""

from __future__ import annotations

import os
import re
import tomllib
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from onward.data.errors import SettingsError
from onward.data.events import SHELL_TOOLS, Call
from onward.decisions.matching import CompiledRule
from onward.decisions.part import Part
from onward.decisions.places import Places
from onward.decisions.rule import Rule, RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onward.features.shell import Parsed

__all__ = ["Rulebook", "Ruling", "places_of"]

_WORD = re.compile(r"[A-Za-z_][\w.-]*")
_FIELD = re.compile(r"(?:\$\.|field `)(\w+)")
_MAX_PART = 160


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What the rulebook says of a call."""

    effect: Literal["deny", "ask", "allow"] | None = None
    """None where no rule speaks."""
    rule_id: str = ""
    """Which rule spoke."""
    text: str = ""
    """What it says, for a person, with the part that it speaks of."""
    part: str = ""
    """The command of the line that it speaks of."""
    instead: str = ""
    """What to do instead, for the agent; may be empty."""
    severity: int = -1
    """2 deny, 1 ask, 0 allow, -1 no rule."""


_SILENT = Ruling()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[dict[str, Any]] = []


class Rulebook:
    """Rules, indexed by program.

    Parameters
    ----------
    rules
        In the order in which they are asked; `load` and `bundled` read them from files.
    state
        Folder of onward's own state (``ONWARD_HOME``), which no agent may change; a relative one
        is seen from where this runs.
    """

    def __init__(self, rules: Sequence[CompiledRule], *, state: str = "") -> None:
        self.rules = tuple(rules)
        self._states = _names_of(state)
        shell = [one for one in rules if one.shell]
        strict = sorted((one for one in shell if one.severity), key=lambda one: -one.severity)
        self._strict, self._strict_any = _indexed(strict)
        self._allow, self._allow_any = _indexed([one for one in shell if not one.severity])
        tools = sorted((one for one in rules if not one.shell), key=lambda one: -one.severity)
        self._tools = tuple(tools)

    @classmethod
    def load(cls, paths: Iterable[str | Path] = (), *, state: str = "") -> Rulebook:
        """Read the bundled rules and those of the given files.

        Parameters
        ----------
        paths
            Of the user's files; each must be there, since a rule that is silently missing is a
            rule broken.
        state
            Folder of onward's own state.

        Raises
        ------
        SettingsError
            Where a file is missing or cannot be read, or a rule in it cannot be used; it names the
            file, the rule and the field.
        """
        rules = list(cls.bundled().rules)
        seen = {one.rule.id: "the bundled rules" for one in rules}
        for path in map(Path, paths):
            rules += _read(_text_of(path), str(path), seen)
        return cls(rules, state=state)

    @staticmethod
    @cache
    def bundled() -> Rulebook:
        """Give the rules that come with onward: the floor."""
        text = resources.files("onward.decisions").joinpath("rules.toml").read_text("utf-8")
        return Rulebook(_read(text, "rules.toml", {}, proven=True))

    def judge(self, call: Call, parsed: Parsed | None) -> Ruling:
        """Say what the rules say of a call.

        Parameters
        ----------
        call
            The call; its working directory tells which files are in the tree.
        parsed
            Its command line, taken apart; None for a tool that is no shell.
        """
        places = places_of(call, self._states)
        if parsed is None:
            if call.tool.lower() in SHELL_TOOLS:
                return _unread("it holds no command line")
            return _spoken(self._tools, Part.of_tool(call, places)) or _SILENT
        ruling = self._strictest(call, parsed, places)
        if ruling is not None:
            return ruling
        if not parsed.ok:
            return self._broken(call)
        return self._allowed(call, parsed, places)

    def _strictest(self, call: Call, parsed: Parsed, places: Places) -> Ruling | None:
        found: Ruling | None = None
        index, others = self._strict, self._strict_any
        for command in parsed.commands:
            rules = index.get(command.program, others)
            ruling = _spoken(rules, Part(call, command, places))
            if ruling is not None and (found is None or ruling.severity > found.severity):
                found = ruling
                if ruling.effect == "deny":
                    break
        return found

    def _broken(self, call: Call) -> Ruling:
        """Ask where a line that nobody understands names a program that rules speak of."""
        text = str(call.input.get("command", ""))
        named = sorted({word for word in _WORD.findall(text) if word in self._strict})
        if not named:
            return _SILENT
        return _unread(f"it could not be understood, and names {', '.join(named[:3])}")

    def _allowed(self, call: Call, parsed: Parsed, places: Places) -> Ruling:
        ruling = _SILENT
        for command in parsed.commands:
            rules = self._allow.get(command.program, self._allow_any)
            spoken = _spoken(rules, Part(call, command, places))
            if spoken is None:
                return _SILENT
            ruling = spoken
        return ruling


def places_of(call: Call, states: tuple[str, ...] = ()) -> Places:
    """Give the places seen from a call's working directory; `states` as in `Places`."""
    return _places(call.cwd, call.project if call.project[:1] in ("/", "~") else "", states)


_places = lru_cache(maxsize=256)(Places)


def _names_of(folder: str) -> tuple[str, ...]:
    """Give the absolute paths under which a folder is reached: as it is named, and links followed.

    >>> _names_of("")
    ()
    """
    if not folder:
        return ()
    return tuple({os.path.abspath(folder), os.path.realpath(folder)})


def _indexed(
    rules: Sequence[CompiledRule],
) -> tuple[dict[str, tuple[CompiledRule, ...]], tuple[CompiledRule, ...]]:
    """Give the rules of each program in their order, and those of any other program."""
    programs = {name for one in rules for name in one.programs}
    index = {
        name: tuple(one for one in rules if name in one.programs or not one.named)
        for name in programs
    }
    return index, tuple(one for one in rules if not one.named)


def _spoken(rules: Iterable[CompiledRule], part: Part) -> Ruling | None:
    command = part.command
    for one in rules:
        if one.needs and not getattr(command, one.needs):
            continue
        if one.matches(part):
            rule, named = one.rule, str(part)
            if len(named) > _MAX_PART:
                named = named[: _MAX_PART - 1] + "…"
            return Ruling(
                effect=rule.effect,
                rule_id=rule.id,
                text=f"`{named}`: {rule.text}",
                part=named,
                instead=rule.instead,
                severity=one.severity,
            )
    return None


def _unread(why: str) -> Ruling:
    return Ruling("ask", "unreadable", f"The command is asked about since {why}.", severity=1)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the rules cannot be read ({error}); correct or remove the file"
        raise SettingsError(msg, file=str(path)) from error


def _read(
    text: str, file: str, seen: dict[str, str], *, proven: bool = False
) -> list[CompiledRule]:
    """Read a file's rules; `seen` holds the ids so far and where they stand.

    Where they are proven, their expressions may wait until they are needed.
    """
    try:
        tables = msgspec.convert(tomllib.loads(text), _File).rule
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        msg = f"{file}: it is no file of rules ({error}); each rule begins with [[rule]]"
        raise SettingsError(msg, file=file) from error
    rules = []
    for place, table in enumerate(tables, 1):
        name = str(table.get("id", f"number {place}"))
        if name in seen:
            msg = f"{file}: rule {name!r} stands already in {seen[name]}; give it another id"
            raise SettingsError(msg, file=file, rule=name, field="id")
        rules.append(_compiled(table, file, name, proven=proven))
        seen[name] = file
    return rules


def _compiled(table: dict[str, Any], file: str, name: str, *, proven: bool) -> CompiledRule:
    try:
        rule = CompiledRule(msgspec.convert(table, Rule))
        if not proven:
            rule.compile()
        return rule
    except RuleError as error:
        field, why = error.field, str(error)
    except msgspec.ValidationError as error:
        why = str(error)
        match = _FIELD.search(why)
        field = match[1] if match else ""
    msg = f"{file}: rule {name!r}: {why}"
    raise SettingsError(msg, file=file, rule=name, field=field)
