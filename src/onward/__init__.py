"""onward keeps long-running autonomous agents going.

It records what an agent did and how it came out, learns from that history, and answers in
milliseconds the questions that otherwise stop the work. These few names are what a program
needs that asks a running server::

    from onward import Call, Client

    with Client() as client:
        decision = client.decide(Call(session="s", tool="Bash", input={"command": "make test"}))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onward.data.errors import OnwardError
    from onward.data.events import (
        Band,
        Call,
        Decision,
        Feedback,
        Note,
        Outcome,
        Prompt,
        Sample,
        Step,
        Verdict,
    )
    from onward.serving.client import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "Band",
    "Call",
    "Client",
    "Decision",
    "Feedback",
    "Note",
    "OnwardError",
    "Outcome",
    "Prompt",
    "Sample",
    "Step",
    "Verdict",
]

__version__ = "0.1.0"

_HOME = dict.fromkeys(__all__, "onward.data.events") | {
    "AsyncClient": "onward.serving.client",
    "Client": "onward.serving.client",
    "OnwardError": "onward.data.errors",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `onward --help` needs none of them."""
    if name not in _HOME:
        raise AttributeError(f"module 'onward' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
