"""Shell command lines, parsed into the commands that they run.

A command line is what most agents' steps are made of, and splitting it at blanks sees neither
the second half of ``ls; rm -rf /`` nor the ``rm`` in ``sudo bash -c 'r""m -rf /'``. `parse`
gives every command that a line may run, also those inside substitutions, subshells, functions,
here-documents for shells, ``bash -c``, ``eval``, ``xargs`` and ``find -exec``; each with its
wrappers taken off and its quotes removed.

It never raises. Where it could not follow, ``ok`` is False or the command is ``dynamic``:
whoever judges must then be careful.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from onward.features.shell.walk import Walk
from onward.features.shell.words import HOLE, has_hole

__all__ = ["HOLE", "MAX_TEXT", "Command", "Parsed", "has_hole", "parse"]

MAX_TEXT = 65_536
"""Characters that are read; what stands after them makes a command ``ok=False``."""

_CACHED_TEXT = 2_000  # longer commands hardly ever repeat
_CACHED_COMMANDS = 512


class Command(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One command that a line runs."""

    program: str
    """Its name without folder and version, wrappers taken off; empty for a bare redirection."""
    sub: str = ""
    """The subcommand of git, pip, npm, cargo, docker ...; empty where there is none."""
    verb: str = ""
    """The plain word after the subcommand: ``add`` of ``git remote add``."""
    args: tuple[str, ...] = ()
    """All words after the program, quotes removed; unknown pieces are holes (``⟨NAME⟩``)."""
    flags: tuple[str, ...] = ()
    """The options among them, without their ``=value``; none after ``--``."""
    paths: tuple[str, ...] = ()
    """The arguments that name files, as written (``$HOME`` and ``~`` are both ``~``)."""
    env: tuple[str, ...] = ()
    """``NAME=value`` given for this command alone."""
    wrappers: tuple[str, ...] = ()
    """What it was wrapped in, outermost first: ``sudo``, ``timeout``, ``bash -c``, ``uv run``."""
    reads: tuple[str, ...] = ()
    """Files that its input is redirected from."""
    writes: tuple[str, ...] = ()
    """Files that its output is redirected to, ``/dev/null`` too."""
    stdin: str = ""
    """The text on its input, where known: a here-document, a here-string, ``echo`` before it."""
    fed_by: tuple[str, ...] = ()
    """Programs before it in its pipeline."""
    cwd: str = ""
    """Where it runs, seen from where the line starts (``cd`` before it); a hole if unknown."""
    background: bool = False
    """It was sent to the background with ``&``."""
    depth: int = 0
    """How many substitutions, subshells, functions and scripts it stands in."""
    dynamic: bool = False
    """What it runs is not known before it runs: ``$x``, ``curl ... | sh``, ``eval "$y"``."""
    remote: bool = False
    """It runs on another machine or in a container."""

    def __str__(self) -> str:
        """Give the command as a person would write it."""
        return " ".join((self.program, *self.args)).strip()


class Parsed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A command line, taken apart."""

    commands: tuple[Command, ...]
    """Every command that may run, outer ones before those in their substitutions."""
    operators: tuple[str, ...] = ()
    """``&&``, ``||``, ``|``, ``|&``, ``;`` and ``&`` in the order in which they stand."""
    heredocs: tuple[tuple[str, str], ...] = ()
    """Of each here-document the file that its command writes to, or "", and its body."""
    ok: bool = True
    """All of it was understood: no syntax error, nothing cut off, no limit reached."""
    text_len: int = 0
    """Characters of the command line, also those beyond `MAX_TEXT`."""


def parse(command: str) -> Parsed:
    r"""Take a command line apart; never raises, and takes bounded time and memory.

    Examples
    --------
    >>> [str(one) for one in parse("cd src && sudo r''m -rf \"$(pwd)\"").commands]
    ['cd src', 'rm -rf ⟨…⟩', 'pwd']
    >>> parse("x=git; $x -C lib push").commands[0].sub
    'push'
    """
    return _cached(command) if len(command) <= _CACHED_TEXT else _parse(command)


def _parse(command: str) -> Parsed:
    text = command[:MAX_TEXT].replace("\0", "")
    walk = Walk()
    walk.script(text)
    return Parsed(
        commands=tuple([Command(**fields) for fields in walk.out.commands]),
        operators=tuple(walk.operators),
        heredocs=tuple(walk.heredocs),
        ok=walk.ok and walk.out.ok and len(command) <= MAX_TEXT,
        text_len=len(command),
    )


_cached = lru_cache(maxsize=_CACHED_COMMANDS)(_parse)
