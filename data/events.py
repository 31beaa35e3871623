"""What can happen, as types.

Seven kinds of event make up the history. Each is immutable, has an ``id`` that makes
storing it twice the same as storing it once, and converts to and from JSON without loss::

    Call                      what an agent is about to do
    └── Step                  ... and how it came out
    Decision                  what onward answered before a step, and why
    Prompt                    what the user said
    Verdict                   what the user answered when asked about a step
    Sample                    a reading of the machine's resources
    Note                      what was decided, with its reasons: a memory for later
    Feedback                  whether a note that was recalled helped or misled

Times are Unix seconds (UTC); 0 means that the source had no clock. Durations are seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

__all__ = [
    "SHELL_TOOLS",
    "Band",
    "Call",
    "Decision",
    "Event",
    "Feedback",
    "Note",
    "Outcome",
    "Prompt",
    "Reason",
    "Sample",
    "Step",
    "Verdict",
    "command_of",
    "decode_event",
    "encode_event",
]

SHELL_TOOLS = frozenset({"bash", "shell", "sh", "execute_bash", "run_command", "local_shell"})
"""Tool names, in lower case, whose ``command`` argument is a shell command line."""


class Outcome(StrEnum):
    """How a step came out."""

    OK = "ok"
    ERROR = "error"
    REJECTED = "rejected"
    """The user, or a policy, did not let it run."""
    INTERRUPTED = "interrupted"
    """It began, and somebody stopped it."""
    UNKNOWN = "unknown"
    """The source holds the call but no result; nothing is learned from it."""


class Band(StrEnum):
    """What may happen with a step, from free to not at all."""

    EXECUTE = "execute"
    """Go ahead."""
    MONITOR = "monitor"
    """Go ahead, and watch the outcome."""
    GUARD = "guard"
    """Go ahead behind a snapshot that can be restored."""
    ASK = "ask"
    """Ask the user."""
    DENY = "deny"
    """A rule forbids it. No model ever says this."""


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an agent is about to do. Nothing in here is known only afterwards."""

    session: str
    """One run of one agent."""
    tool: str
    """The tool's name as the agent gives it: ``Bash``, ``Edit``, ``mcp__x__y``."""
    input: dict[str, Any] = {}
    """The tool's arguments; for a shell ``{"command": "..."}``."""
    at: float = 0.0
    """When it was proposed, in Unix seconds; 0 = unknown."""
    agent: str = ""
    """Which agent or model: ``claude-code``, ``mini-swe-agent/gemini-3-pro``."""
    project: str = ""
    """Repository or directory; splits by group never part it."""
    cwd: str = ""
    """Working directory."""


class Step(Call, frozen=True, kw_only=True, gc=False, tag="step", tag_field="kind"):
    """One thing an agent did, with its outcome."""

    id: str
    outcome: Outcome
    exit_code: int | None = None
    duration: float | None = None
    """Seconds."""
    output: str = ""
    """The end of what it printed, secrets redacted."""
    decision: str = ""
    """Id of the decision that let it run, if one was asked for."""
    usage: dict[str, float] = {}
    """Resources it took, where measured: ``cpu_s``, ``rss_peak_bytes``, ``written_bytes`` ..."""


class Reason(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One ground of a decision."""

    source: str
    """``rule``, ``counts``, ``model``, ``reversibility``, ``risk``, ``mode`` or ``degraded``."""
    text: str
    """One sentence for a person."""
    ref: str = ""
    """What it rests on: the rule's id, the class that was counted, the model's version."""
    value: float | None = None
    """Its number, where it has one."""


class Decision(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="decision", tag_field="kind"
):
    """What onward answered before a step, and why."""

    id: str
    call: Call
    at: float
    band: Band
    """What the policy says. In shadow mode nothing acts on it."""
    shadow: bool
    """True: logged only; the caller must behave as if onward were not there."""
    p_success: float
    p_approve: float
    reversible: str
    """``read_only``, ``reversible``, ``guardable`` or ``irreversible``."""
    reasons: list[Reason] = []
    model: str = ""
    """Version of the bundle that answered; empty = rules and counts only."""
    degraded: str = ""
    """Why this answer is less than the full one; empty = it is the full one."""

    @property
    def session(self) -> str:
        """The session of the call that was decided on."""
        return self.call.session


class Prompt(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="prompt", tag_field="kind"):
    """What the user said. It is also a verdict on the steps before it."""

    id: str
    session: str
    text: str
    at: float = 0.0
    agent: str = ""
    project: str = ""
    role: str = "prompt"
    """``prompt``, ``continuation`` (a summary after compaction), ``command``, or ``interrupt``
    (the mark that the user stopped something)."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="verdict", tag_field="kind"):
    """What the user answered when asked about a step: the one clean label for approval."""

    id: str
    session: str
    decision: str
    approved: bool
    at: float = 0.0
    text: str = ""


class Sample(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="sample", tag_field="kind"):
    """A reading of the machine's resources."""

    id: str
    at: float
    session: str = ""
    host: str = ""
    values: dict[str, float] = {}
    """``mem_available_bytes``, ``disk_free_bytes``, ``load_1m``, ``cpu_percent`` ..."""


class Note(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="note", tag_field="kind"):
    """What was decided, in the words of whoever decided it: a memory for later."""

    id: str
    session: str
    text: str
    """What was decided, or found out."""
    at: float = 0.0
    agent: str = ""
    project: str = ""
    about: str = ""
    """What it is about: the question, the task, a file, an error."""
    reasons: list[str] = []
    alternatives: list[str] = []
    """What was weighed and not taken."""
    tags: list[str] = []


class Feedback(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, tag="feedback", tag_field="kind"
):
    """Whether a note that was recalled helped or misled: what came of a decision."""

    id: str
    session: str
    note: str
    """Id of the note."""
    helped: bool
    """False: it misled."""
    at: float = 0.0
    query: str = ""
    """What was asked when it was recalled."""
    text: str = ""
    """What came of it, in words."""


Event = Step | Decision | Prompt | Verdict | Sample | Note | Feedback

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """One event as JSON."""
    return _encoder.encode(event)


def decode_event(body: bytes | str) -> Event:
    """One event from JSON; raises `msgspec.ValidationError` where it is none.

    >>> step = Step(id="a", session="s", tool="Bash", input={"command": "ls"}, outcome=Outcome.OK)
    >>> decode_event(encode_event(step)) == step
    True
    """
    return _decoder.decode(body)


def command_of(call: Call) -> str | None:
    """The shell command line of a call, or None where its tool is no shell.

    >>> command_of(Call(session="s", tool="Bash", input={"command": "ls -l"}))
    'ls -l'
    >>> command_of(Call(session="s", tool="Read", input={"file_path": "a"})) is None
    True
    """
    if call.tool.lower() not in SHELL_TOOLS:
        return None
    command = call.input.get("command")
    if isinstance(command, list):  # an argument vector, as some agents send it
        import shlex

        return shlex.join(map(str, command))
    return command if isinstance(command, str) else None
