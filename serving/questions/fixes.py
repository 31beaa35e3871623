"""What is asked and answered about fixes, attempts and retries."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from onward.serving.questions.answered import Answered

__all__ = ["AttemptAnswer", "AttemptRequest", "Fix", "FixAnswer", "FixRequest", "Retry"]


class FixRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What mends the check that failed last in a session, or the one that is given here."""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    command: Annotated[str, msgspec.Meta(max_length=100_000)] = ""
    """The command that failed; empty = the session's last failing check."""
    output: Annotated[str, msgspec.Meta(max_length=1_000_000)] = ""
    """What it printed; empty = what the session recorded."""
    tool: Annotated[str, msgspec.Meta(max_length=200)] = "Bash"
    at: float = 0.0
    """Now, in Unix seconds, to read times of day in the output; 0 = only durations are read."""
    most: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    """How many fixes are wanted."""


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """One fix, with what is known of it."""

    fix: str
    """Action and place: ``edit@own``, ``install`` ..."""
    text: str
    """The same for a person."""
    p: float
    """Probability that this is the one that makes the check pass."""
    lower: float
    """Lower end of its one-sided 95 % interval; fixes are ranked by it."""
    worked: float
    """Decayed count of attempts with it at this kind of error that passed."""
    tried: float
    """The same of all attempts."""
    files: list[str] = []
    """The files meant, by their last part, where the place tells."""
    steps: list[str] = []
    """Ids of steps of this history that did it and worked, the newest last."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the very same command is worth running again."""

    p_transient: float
    """Probability that it passes with nothing changed."""
    advice: str
    """``retry now``, ``wait`` or ``do not retry``."""
    wait: float
    """Seconds to wait before it."""
    reruns: float
    """Decayed count of such reruns that this rests on."""
    passed: float
    evidence: str
    """One sentence: what the advice rests on."""


class FixAnswer(Answered, frozen=True, kw_only=True):
    """What mends a failing check."""

    check: str
    """Program, sub-command and targets."""
    signature: str
    """The error's line without what changes."""
    kind: str
    """The error's class."""
    failures: int
    """Failing runs in a row."""
    known: bool
    """False: the fixes below are guesses; ``reason`` says why."""
    reason: str
    fixes: list[Fix]
    tried: dict[str, int]
    """What was tried in vain since the check last passed -> how often."""
    retry: Retry


class AttemptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Will the check that a call runs again pass, after what was done since it failed?"""

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    tool: Annotated[str, msgspec.Meta(max_length=200)] = "Bash"
    input: dict[str, Any] = {}
    agent: str = ""
    project: str = ""


class AttemptAnswer(Answered, frozen=True, kw_only=True):
    """P(the next run passes)."""

    attempt: bool
    """False: the call runs no check that failed before in this session."""
    p_pass: float
    fix: str
    """The last thing done that could mend it."""
    signature: str
    worked: float
    """Decayed count of attempts like it that passed: the same action at this kind of error."""
    tried: float
