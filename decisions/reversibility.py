"""Can it be undone? Four levels, from rules and tables alone; nothing here is learned.

A call is `IRREVERSIBLE` where a rule of the floor speaks of it (`onward.decisions.rules.toml`),
where it cannot be read, and where an unknown tool may reach beyond this machine. Otherwise it is
the worst of its parts, by the tables of `onward.decisions.effects`; an unknown program is taken
to change the tree, which a snapshot brings back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from onward.data.events import SHELL_TOOLS
from onward.decisions.effects import Effect, Effects
from onward.decisions.rulebook import Rulebook, Ruling, places_of

if TYPE_CHECKING:
    from onward.data.events import Call
    from onward.decisions.places import Places
    from onward.features.shell import Command, Parsed

__all__ = ["Level", "Reversibility", "classify"]

_REMOVERS = frozenset({"rm", "rmdir", "unlink"})


class Level(StrEnum):
    """How far a step can be undone."""

    READ_ONLY = "read_only"
    """There is nothing to undo."""
    REVERSIBLE = "reversible"
    """What it makes can be made again or removed: caches, builds, commits."""
    GUARDABLE = "guardable"
    """It changes the tree; a snapshot taken before restores it."""
    IRREVERSIBLE = "irreversible"
    """Nothing here brings back what it changes."""


class Reversibility(msgspec.Struct, frozen=True, gc=False):
    """A level with its reason."""

    level: Level
    reason: str
    """One sentence for a person."""
    rule_id: str = ""
    """The rule of the floor that it rests on, if any."""


_LEVELS = {
    Effect.READ_ONLY: (Level.READ_ONLY, "only reads"),
    Effect.REVERSIBLE: (Level.REVERSIBLE, "makes what can be made again or taken back"),
    Effect.GUARDABLE: (Level.GUARDABLE, "may change the project; a snapshot would restore it"),
}
_NOTHING = Reversibility(Level.READ_ONLY, "It runs nothing.")


def classify(
    call: Call,
    parsed: Parsed | None,
    *,
    floor: Rulebook | None = None,
    ruling: Ruling | None = None,
) -> Reversibility:
    """Say whether a call can be undone, and why.

    Parameters
    ----------
    call
        The call.
    parsed
        Its command line, taken apart; None for a tool that is no shell.
    floor
        The bundled rules, where onward's state lies elsewhere than in ``.onward``
        (`Rulebook.load` with ``state``); never a user's rules.
    ruling
        What the floor says of the call, where that is at hand.

    Examples
    --------
    >>> from onward.data.events import Call
    >>> from onward.features.shell import parse
    >>> call = Call(session="s", tool="Bash", input={"command": "git push"}, cwd="/work")
    >>> classify(call, parse("git push")).level
    <Level.IRREVERSIBLE: 'irreversible'>
    """
    if ruling is None:
        ruling = (floor or Rulebook.bundled()).judge(call, parsed)
    if ruling.effect in ("deny", "ask"):
        return Reversibility(Level.IRREVERSIBLE, ruling.text, ruling.rule_id)
    if parsed is None:
        return _tool(call.tool)
    if not parsed.ok:
        return Reversibility(Level.IRREVERSIBLE, "It could not be understood.")
    return _worst(parsed, places_of(call))


def _worst(parsed: Parsed, places: Places) -> Reversibility:
    effects = Effects.bundled()
    worst, named = None, ""
    for command in parsed.commands:
        effect = _effect(command, effects, places)
        if worst is None or effect > worst:
            worst, named = effect, command.program
    if worst is None:
        return _NOTHING
    level, text = _LEVELS[worst]
    return Reversibility(level, f"`{named}` {text}.")


def _effect(command: Command, effects: Effects, places: Places) -> Effect:
    """Give what one command changes, its redirections included."""
    if any("null" not in places.kinds(path, command.cwd) for path in command.writes):
        return Effect.GUARDABLE
    if command.program in _REMOVERS and all(map(effects.recreatable, command.paths)):
        return Effect.REVERSIBLE
    return effects.of(command) if command.program else Effect.READ_ONLY


def _tool(tool: str) -> Reversibility:
    effects, name = Effects.bundled(), tool.lower()
    if not name:
        return _NOTHING
    if name in effects.reading_tools or effects.reads_by_name(tool):
        return Reversibility(Level.READ_ONLY, f"{tool} only reads.")
    if name in effects.editing_tools:
        text = f"{tool} changes the project; a snapshot would restore it."
        return Reversibility(Level.GUARDABLE, text)
    if name in SHELL_TOOLS:
        return Reversibility(Level.IRREVERSIBLE, "It holds no command that could be read.")
    return Reversibility(Level.IRREVERSIBLE, f"What {tool} changes is not known.")
