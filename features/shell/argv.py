"""From the words of a command to the program that really runs.

``sudo -u root env A=1 timeout 5 bash -c 'rm -rf /'`` runs ``rm``; nothing else of it matters
as much. `unwrap` peels one word vector down to the program, or to the script that is run.
"""

from __future__ import annotations

import re

import msgspec

from onward.features.shell.programs import SHELLS, WRAPPERS, Wrapper, canonical
from onward.features.shell.words import FOUND, HOLE, has_hole

__all__ = ["Invocation", "nested", "unwrap"]

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_MAX_WRAPPERS = 32
_SCRIPT_OPTIONS = {
    "su": ("-c", "--command"),
    "runuser": ("-c", "--command"),
    "script": ("-c", "--command"),
    "flock": ("-c", "--command"),
    "npx": ("-c", "--call"),
    "env": ("-S", "--split-string"),
    "nix-shell": ("--run", "--command"),
    "xterm": ("-e",),
    "sg": ("-c",),
    "newgrp": ("-c",),
}
_EXEC = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FD_EXEC = frozenset({"-x", "-X", "--exec", "--exec-batch"})
_REMOTE = frozenset({"ssh", "mosh", "docker", "podman", "kubectl", "oc", "chroot"})
_SETTING = frozenset({"env", "sudo", "doas"})
_MOVING = frozenset({"-C", "--chdir", "-D", "-R", "--cwd", "--directory", "-w", "--workdir"})


class Invocation(msgspec.Struct):
    """What a word vector runs, once its wrappers are off."""

    argv: list[str]
    """The program and its arguments; empty where only a script is run."""
    wrappers: list[str] = []
    env: list[str] = []
    """``NAME=value`` words given to ``env`` or ``sudo``."""
    script: str | None = None
    """A script that a shell runs: of ``bash -c``, ``eval``, ``ssh host``, ``su -c``."""
    outer: list[list[str]] = []
    """Wrappers that are commands of their own, with all their words: ssh, docker, kubectl."""
    remote: bool = False
    """It runs on another machine or in a container."""
    moved: bool = False
    """It runs in a folder that nobody here knows."""


def unwrap(argv: list[str]) -> Invocation:
    """Peel wrappers off a word vector.

    Parameters
    ----------
    argv
        Words with their quotes removed.

    Examples
    --------
    >>> unwrap(["sudo", "-u", "root", "timeout", "5", "rm", "-r", "x"]).argv
    ['rm', '-r', 'x']
    >>> unwrap(["bash", "-lc", "make test"]).script
    'make test'
    """
    found = Invocation(argv)
    for _ in range(_MAX_WRAPPERS):
        if not _peel(found):
            return found
    found.argv = [HOLE]  # so many wrappers are there to hide something
    return found


def nested(argv: list[str], roots: list[str]) -> list[list[str]]:
    """Give the word vectors that ``find -exec`` and ``fd -x`` run on what they find.

    Parameters
    ----------
    argv
        The program and its arguments.
    roots
        The folders searched; ``{}`` becomes a hole below each of them.
    """
    if argv[0].endswith("find"):
        return [_filled(part, roots) for part in _exec_parts(argv)]
    for at, word in enumerate(argv):
        if word in _FD_EXEC and at + 1 < len(argv):
            part = argv[at + 1 :]
            return [_filled(part if "{}" in "".join(part) else [*part, "{}"], roots)]
    return []


def _exec_parts(argv: list[str]) -> list[list[str]]:
    parts: list[list[str]] = []
    current: list[str] | None = None
    for word in argv:
        if word in _EXEC:
            current = []
            parts.append(current)
        elif word == ";" or (word == "+" and current and current[-1] == "{}"):
            current = None
        elif current is not None:
            current.append(word)
    return [part for part in parts if part]


def _filled(argv: list[str], roots: list[str]) -> list[str]:
    below = [f"{root.rstrip('/')}/{FOUND}" for root in roots]
    words: list[str] = []
    for word in argv:
        if word == "{}":
            words.extend(below)
        else:
            words.append(word.replace("{}", below[0]) if "{}" in word else word)
    return words


def _peel(found: Invocation) -> bool:
    """Take one wrapper off; tell whether there may be another below it."""
    argv = found.argv
    if not argv:
        return False
    name = canonical(argv[0])
    if name in SHELLS:
        return _shell(found, name)
    if name in {"python", "pypy"}:
        return _module(found)
    if name == "eval":
        return _scripted(found, name, " ".join(argv[1:]))
    wrapper = WRAPPERS.get(name)
    options = _SCRIPT_OPTIONS.get(name)
    if options is not None:
        script = _after(argv, options)
        if script is not None:
            return _scripted(found, name, script)
    return wrapper is not None and _wrapped(found, name, wrapper)


def _scripted(found: Invocation, name: str, script: str) -> bool:
    found.wrappers.append(name)
    found.argv, found.script = [], script
    return False


def _after(argv: list[str], options: tuple[str, ...]) -> str | None:
    for at, word in enumerate(argv[1:], 1):
        short = word[:1] == "-" and word[1:].isalpha() and f"-{word[-1]}" in options
        if word in options or short:
            return " ".join(argv[at + 1 : at + 2])
        head, _, value = word.partition("=")
        if value and head in options:
            return value
    return None


def _shell(found: Invocation, name: str) -> bool:
    """Find the script of ``bash -c``, whose ``c`` may stand among other letters."""
    argv = found.argv
    at, given = 1, False
    while at < len(argv) and argv[at][:1] in ("-", "+") and argv[at] not in ("-", "--"):
        word = argv[at]
        given |= word == "--command" or (not word.startswith("--") and "c" in word)
        at += 2 if word in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    if at < len(argv) and argv[at] == "--":
        at += 1
    if not given or at >= len(argv):
        return False
    return _scripted(found, name + " -c", argv[at])


def _module(found: Invocation) -> bool:
    """Take ``python -m`` for a wrapper: ``python -m pip`` is ``pip``."""
    argv, at = found.argv, 1
    while at < len(argv) and argv[at].startswith("-"):
        word = argv[at]
        if word == "-m" and at + 1 < len(argv):
            found.argv = argv[at + 1 :]
        elif word.startswith("-m") and len(word) > 2:
            found.argv = [word[2:], *argv[at + 1 :]]
        if found.argv is not argv:
            found.wrappers.append("python -m")
            return False
        if word in ("-c", "-") or word.startswith("-c"):
            return False
        at += 2 if word in ("-W", "-X") else 1
    return False


def _wrapped(found: Invocation, name: str, wrapper: Wrapper) -> bool:
    argv = found.argv
    at, first = _inner_start(found, name, wrapper)
    if wrapper.dashed:
        at = argv.index("--") + 1 if "--" in argv else len(argv)
    flags = set(argv[1:at])
    if at >= len(argv) or flags & wrapper.never or (wrapper.needs and not flags & wrapper.needs):
        return False
    if wrapper.subs and first not in wrapper.subs and first != "compose":
        return False
    return _inner(found, name, at, wrapper, first)


def _inner_start(found: Invocation, name: str, wrapper: Wrapper) -> tuple[int, str]:
    """Give the place of the wrapped command, and the first plain word before it."""
    argv = found.argv
    at, left, first = 1, wrapper.positional, ""
    while at < len(argv):
        word = argv[at]
        if word == "--" and left <= 0:
            return at + 1, first
        if len(word) > 1 and word[0] == "-":
            at += 2 if word in wrapper.values else 1
        elif name in _SETTING and _ASSIGNMENT.match(word):
            found.env.append(word)
            at += 1
        elif left > 0:
            left += word == "compose" and not first
            first = first or word
            left, at = left - 1, at + 1
        else:
            break
    return at, first


def _inner(found: Invocation, name: str, at: int, wrapper: Wrapper, first: str) -> bool:
    if name in _REMOTE:
        found.remote = found.moved = True
        found.outer.append(found.argv)
    found.moved |= any(word.partition("=")[0] in _MOVING for word in found.argv[1:at])
    label = f"{name} {first}" if wrapper.subs else name
    if wrapper.joined:
        return _scripted(found, label, " ".join(found.argv[at:]))
    found.wrappers.append(label)
    found.argv = found.argv[at:]
    return not has_hole(found.argv[0])
