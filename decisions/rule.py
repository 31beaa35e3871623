"""One rule of the rulebook, as it stands in TOML: its fields, and what they may hold."""

from __future__ import annotations

from typing import Literal

import msgspec

from onward.decisions.places import KINDS

__all__ = ["SEVERITY", "Rule", "RuleError", "Strings"]

SEVERITY = {"deny": 2, "ask": 1, "allow": 0}
"""Of several rules that match, the one of the highest speaks."""
Strings = tuple[str, ...]
_HOSTS = frozenset({"loopback", "remote", "unknown"})


class RuleError(ValueError):
    """A field of a rule cannot be used; says which, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"field {field!r}: {why}")
        self.field = field


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as it stands in TOML. Every condition that it states must hold."""

    id: str
    """Unique name, in which the answer refers to it."""
    effect: Literal["deny", "ask", "allow"]
    text: str
    """One sentence for the person who is asked."""
    instead: str = ""
    """What to do instead, for the agent."""
    program: Strings = ()
    """Names of programs; ``*`` stands for any letters."""
    sub: Strings = ()
    """Subcommands."""
    verb: Strings = ()
    """Words after the subcommand; "" = none."""
    flags: Strings = ()
    """Options; ``-r`` is also found in ``-rf``, ``--recursive`` in ``--recurs``."""
    args: Strings = ()
    """Regular expressions, searched in every argument."""
    code: Strings = ()
    """Regular expressions, searched in all arguments together and in the text on its input."""
    paths: Strings = ()
    """Kinds of the files named in its arguments (`onward.decisions.places.KINDS`)."""
    target: Strings = ()
    """Kinds of the last of them, where ``cp`` and ``mv`` write."""
    sources: Strings = ()
    """Kinds of the others."""
    reads: Strings = ()
    """Kinds of the files that its input comes from."""
    writes: Strings = ()
    """Kinds of the files that its output goes to."""
    hosts: Strings = ()
    """``loopback``, ``remote`` or ``unknown``: the machines that its addresses name."""
    env: Strings = ()
    """Regular expressions, searched in each ``NAME=value`` before it."""
    wrappers: Strings = ()
    """What it is wrapped in: ``sudo``, ``ssh``."""
    dynamic: bool | None = None
    """Whether what runs is unknown before it runs."""
    remote: bool | None = None
    """Whether it runs on another machine or in a container."""
    changes: bool | None = None
    """Whether it does more than read."""
    tool: Strings = ()
    """Names of tools that are no shell, letters of either case; ``*`` stands for any letters."""
    input: dict[str, str] = {}
    """Regular expressions, each searched in one field of the tool's input."""
    unless_program: Strings = ()
    unless_sub: Strings = ()
    unless_verb: Strings = ()
    unless_flags: Strings = ()
    unless_args: Strings = ()
    unless_code: Strings = ()

    def check(self) -> None:
        """Raise `RuleError` where a field holds what it cannot, or fields exclude each other."""
        for field in ("paths", "target", "sources", "reads", "writes"):
            wrong = set(getattr(self, field)) - KINDS
            if wrong:
                raise RuleError(
                    field, f"unknown kind of place {sorted(wrong)}; use {sorted(KINDS)}"
                )
        if set(self.hosts) - _HOSTS:
            raise RuleError("hosts", f"use {sorted(_HOSTS)}")
        if not self.id or not self.text:
            raise RuleError("id" if not self.id else "text", "it must not be empty")
        if self.tool and self.program:
            raise RuleError("tool", "a rule is for programs or for tools, not for both")
        if self.input and not self.tool:
            raise RuleError("input", "it needs `tool`, which says whose input is meant")
