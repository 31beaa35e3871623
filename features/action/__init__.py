"""What a call would do, read from its words alone: the static half of the features.

An `Action` holds which files a call needs, makes, changes and removes, which program decides its
outcome, and under which classes its outcome is counted. It depends on nothing but the call, so it
is computed once and remembered.
"""

from __future__ import annotations

import msgspec

from onward.data.events import Call, command_of
from onward.features.action.shell import shell_action
from onward.features.action.tools import tool_action
from onward.features.action.types import KINDS, STATIC_NAMES, WORD_SLOTS, Action

__all__ = ["KINDS", "STATIC_NAMES", "WORD_SLOTS", "Action", "action_of"]


def action_of(call: Call) -> Action:
    """The action of a call; remembered for calls that come again soon.

    >>> call = Call(session="s", tool="Bash", input={"command": "cd src && python a.py | head"})
    >>> action_of(call).keys[1], action_of(call).script
    ('Bash:head', 'a.py')
    """
    seen, action = _latest[0]
    if seen is call:
        return action
    command = command_of(call)
    if command is not None:
        action = shell_action(call.tool, command, "timeout" in call.input)
    else:
        action = tool_action(call.tool, msgspec.json.encode(call.input))
    _latest[0] = call, action
    return action


_latest: list[tuple[Call, Action]] = [(Call(session="", tool=""), tool_action("", b"{}"))]
"""The call that was asked about last: deciding and learning ask half a dozen times. The pair is
read and set whole, so that threads lose the short cut at most."""
