"""The parts of an argument vector: options, subcommand, the words that name files.

These work on words whose quotes are gone, with no knowledge of where the command stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onward.features.shell.programs import FILE_PROGRAMS, SUBCOMMANDS, names

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["flags_of", "paths_of", "roots_of", "subcommands_of"]

_BLANK = re.compile(r"\s")
_SUFFIX = re.compile(r"\w\.\w{1,6}$")
_MAX_PATH = 4_096
_NUMBER = re.compile(r"[-+]?\d+[a-zA-Z%]?$")
_PATTERN_FIRST = names("grep rg ag ack sed awk gawk mawk jq yq perl chmod chown chgrp tr")
_PATTERN_GIVEN = names("-e -f --regexp --file --expression --reference")
_NO_PATHS = names("echo printf true false : test export declare local kill sleep")
_CODE_OPTIONS = names("-c -e -m -p -r --eval --message --expression --title --body --execute")
_FIND_OPTIONS = names("-L -H -P")


def flags_of(args: Sequence[str]) -> tuple[str, ...]:
    """Give the options, long ones without their value; nothing after ``--``.

    >>> flags_of(("-rf", "--color=auto", "src", "--", "-x"))
    ('-rf', '--color')
    """
    flags = []
    for word in args:
        if word == "--":
            break
        if len(word) > 1 and word[0] == "-":
            flags.append(word.partition("=")[0] if word.startswith("--") else word)
    return tuple(flags)


def subcommands_of(program: str, args: Sequence[str]) -> tuple[str, str]:
    """Give the first two plain words of a program that has subcommands.

    >>> subcommands_of("git", ("-C", "lib", "remote", "add", "origin"))
    ('remote', 'add')
    """
    values = SUBCOMMANDS.get(program)
    if values is None:
        return "", ""
    found = ""
    skip = False
    for word in args:
        if skip:
            skip = False
        elif word[:1] in ("-", "+"):
            skip = word in values
        elif found:
            return found, word
        else:
            found = word
    return found, ""


def paths_of(program: str, args: Sequence[str]) -> tuple[str, ...]:
    """Give the words that name files, as far as their looks and the program tell.

    >>> paths_of("sed", ("-i", "s/a/b/", "src/x.py"))
    ('src/x.py',)
    """
    if program in _NO_PATHS:
        return ()
    if program == "find":
        return tuple(roots_of(program, args, ()))
    takes_all = program in FILE_PROGRAMS
    found = []
    skip = program in _PATTERN_FIRST and _PATTERN_GIVEN.isdisjoint(args)
    coded = False
    for word in args:
        if coded:
            coded = False
        elif word[:1] == "-":
            coded = not takes_all and word in _CODE_OPTIONS
            coded = coded or (program in _INTERPRETERS and word in ("-c", "-e", "-r"))
            value = word.partition("=")[2]
            if value and _pathlike(value):
                found.append(value)
        elif skip:
            skip = not word  # sed -i '' of BSD: the script is yet to come
        elif "://" not in word and (_pathlike(word) or (takes_all and _named(word))):
            found.append(word)
    return tuple(found)


_INTERPRETERS = names("python node ruby perl bash sh zsh pytest")


def _pathlike(word: str) -> bool:
    """Tell whether a word looks like a path, in time linear in its length."""
    if not word or len(word) > _MAX_PATH or _BLANK.search(word):
        return False
    if word[0] in ".~" or "/" in word.partition("=")[0]:
        return True
    return "=" not in word and ":" not in word and _SUFFIX.search(word) is not None


def _named(word: str) -> bool:
    return bool(word) and not _NUMBER.match(word)


def roots_of(program: str, args: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Give the folders that a listing program looks into; ``.`` where it names none."""
    if program != "find":
        return list(paths) or ["."]
    roots: list[str] = []
    for word in args:
        if word[:1] not in ("-", "(", "!"):
            roots.append(word)
        elif word not in _FIND_OPTIONS:
            break
    return roots or ["."]
