"""Fixes and reruns as they are told to a person."""

from __future__ import annotations

from onward.features.fixes.attempts import Failing

__all__ = ["RETRY_FROM", "advice_on", "files_of", "text_of"]

RETRY_FROM = 0.5
"""P(it passes unchanged) from which a rerun is advised."""
_STOP_BELOW = 0.2
_SOONEST = 1.0
"""Seconds; a shorter wait is none."""
_TEXTS = {
    "edit": "change {}",
    "rewrite": "write {} anew",
    "create": "make {}",
    "read": "read {}",
    "install": "install what is missing",
    "git": "put the working tree in order with git",
    "files": "move or remove files",
    "run": "run another command first",
    "command@directory": "run it in another directory",
    "command@environment": "run it with another environment",
    "command@options": "run it with other options",
    "command@arguments": "run it with other arguments",
    "again": "run it again",
}
_PLACES = {
    "own": "the check's own file",
    "named": "a file that the error names",
    "code": "another source file",
    "test": "another test file",
    "settings": "a settings file",
    "text": "a text file",
    "other": "another file",
}


def advice_on(p: float, told: float | None, usual: float) -> tuple[str, float, str]:
    """What to do, seconds to wait, and why."""
    if told is not None:
        return "wait", told, "The output says when to come back"
    if p < _STOP_BELOW:
        return "do not retry", 0.0, f"It passes unchanged with probability {p:.2f} only"
    why = f"It passes unchanged with probability {p:.2f}"
    if p >= RETRY_FROM and usual <= _SOONEST:
        return "retry now", 0.0, why
    if p >= RETRY_FROM:
        return "wait", round(usual, 1), why
    return "wait", max(usual, 2.0 * _SOONEST), f"{why}: once more, not oftener"


def text_of(name: str) -> str:
    """A fix for a person.

    >>> text_of("edit@own"), text_of("command@options")
    ("change the check's own file", 'run it with other options')
    """
    action, _, place = name.partition("@")
    return _TEXTS.get(name) or _TEXTS[action].format(_PLACES.get(place, "a file"))


def files_of(failing: Failing, place: str) -> list[str]:
    """The files that a fix at this place means, at most three; empty where nothing names them."""
    if place == "own":
        return list(failing.check.targets[:3])
    if place == "named":
        return [name for name in failing.fault.named if name not in failing.check.targets][:3]
    return []
