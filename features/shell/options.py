"""Scripts that hide in options: ``git -c alias.x='!rm -rf /'``, ``tar --to-command=...``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onward.features.shell.programs import names

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["RUN_VARIABLES", "scripts_in"]

RUN_VARIABLES = names(
    "GIT_SSH_COMMAND GIT_SSH GIT_EXTERNAL_DIFF GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER "
    "GIT_PROXY_COMMAND GIT_ASKPASS SSH_ASKPASS EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN "
    "PROMPT_COMMAND"
)
"""Environment variables whose value is run as a command by the programs that read them."""

_PREFIXES = {
    "tar": ("--checkpoint-action=exec=", "--to-command=", "--use-compress-program="),
    "rsync": ("--rsh=", "--rsync-path="),
    "ssh": ("ProxyCommand=", "LocalCommand="),
    "scp": ("ProxyCommand=", "LocalCommand="),
    "sftp": ("ProxyCommand=", "LocalCommand="),
    "git": ("--upload-pack=", "--receive-pack=", "--exec=", "--extcmd="),
    "split": ("--filter=",),
    "sort": ("--compress-program=",),
    "vim": (":!", "!"),
    "vi": (":!", "!"),
    "nvim": (":!", "!"),
    "gdb": ("shell ", "!"),
    "make": ("SHELL=",),
}
_NEXT = {
    "rsync": names("-e"),
    "tar": names("-I"),
    "git": names("-x --exec --extcmd --upload-pack"),
    "script": names("-c"),
}
_GIT_SETTING = re.compile(
    r"(?:alias\.[^= ]+|\w[\w.-]*\.\w*(?:sshcommand|pager|editor|askpass|fsmonitor|helper|cmd"
    r"|command|external|textconv|clean|smudge|process|driver))(?:=|$)",
    re.IGNORECASE,
)
_GIT_RUNS = {("submodule", "foreach"), ("bisect", "run")}


def scripts_in(program: str, args: Sequence[str]) -> list[str]:
    """Give the scripts that a program would run because an argument says so.

    >>> scripts_in("git", ("-c", "alias.x=!rm -rf /", "x"))
    ['rm -rf /']
    """
    prefixes, following = _PREFIXES.get(program, ()), _NEXT.get(program, ())
    found = []
    for at, word in enumerate(args):
        found += [word[len(prefix) :] for prefix in prefixes if word.startswith(prefix)]
        if word in following and at + 1 < len(args):
            found.append(args[at + 1])
    if program == "git":
        found += _git(args)
    elif program == "hyperfine":
        found += [word for word in args if " " in word]
    return found


def _git(args: Sequence[str]) -> list[str]:
    found = []
    for at, word in enumerate(args):
        if tuple(args[at : at + 2]) in _GIT_RUNS:
            found.append(" ".join(args[at + 2 :]))
        elif _GIT_SETTING.match(word):
            inline = word.partition("=")[2]
            value = inline or (" ".join(args[at + 1 : at + 2]) if args[0] == "config" else "")
            if value.startswith("!") or (value and not word.startswith("alias.")):
                found.append(value.removeprefix("!"))
    return found
