"""The label of a step: the tool, or the command word, that says what kind of step it is.

For a shell it is the first command that the line is about: directories that are changed into,
variables that are set, and wrappers (``sudo``, ``timeout``) are passed over, and a program that
stands for many gets its sub-command: git, pip, npm, ``python -m``. Of ``cd src && git -C lib
push | tee log`` it is ``git push``.
"""

from __future__ import annotations

from collections.abc import Iterable

from onward.data.events import Call, command_of
from onward.features.shell import Command, parse

__all__ = ["NOTHING", "OTHER", "frequent", "label_of"]

NOTHING = "(nothing)"
"""The label of a shell call that runs nothing, such as a bare comment."""
OTHER = "other"
"""The label that stands for all that are rare."""

_WITH_SUB = frozenset(("git", "pip", "npm"))
_PASSED_OVER = frozenset(("", "cd", "export", "set", "source", "pushd"))
_LEAST_SHARE = 1 / 200
"""Labels with a smaller share of the steps they were counted on are rare."""


def label_of(call: Call) -> str:
    """The label of a call; empty where the agent named no tool at all.

    >>> label_of(Call(session="s", tool="Bash", input={"command": "cd a && python3 -m pytest b"}))
    'python -m pytest'
    >>> label_of(Call(session="s", tool="Read", input={"file_path": "a.py"}))
    'Read'
    """
    command = command_of(call)
    return call.tool if command is None else _command_label(command)


def _command_label(text: str) -> str:
    commands = parse(text).commands
    top = [one for one in commands if one.depth == 0] or list(commands)
    main = [one for one in top if one.program not in _PASSED_OVER] or top[:1]
    return _word(main[0])[:80] if main else NOTHING


def _word(command: Command) -> str:
    if command.program in _WITH_SUB and command.sub:
        return f"{command.program} {command.sub}"
    if "python -m" in command.wrappers:
        return f"python -m {command.program}"
    return command.program or NOTHING


def frequent(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels with at least half a percent of those given, most frequent first.

    Steps without a label are not counted.

    >>> frequent(["a"] * 300 + ["b"] * 2 + ["c"] * 98)
    ('a', 'c', 'b')
    """
    counts: dict[str, int] = {}
    for label in labels:
        if label:
            counts[label] = counts.get(label, 0) + 1
    least = sum(counts.values()) * _LEAST_SHARE
    return tuple(sorted((k for k, n in counts.items() if n >= least), key=lambda k: -counts[k]))
