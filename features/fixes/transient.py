"""Will the very same command pass when it is run again, with nothing changed in between?

Mined from history: reruns of a failing command after which nothing was edited, installed or run.
What the text itself says about when to come back (``Retry-After``, a reset time) comes first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import log, log1p

from onward.features.action.types import KIND
from onward.features.fixes.attempt_numbers import GROUP_NAMES, KIND_NAMES, check_flags, fault_flags
from onward.features.fixes.attempts import Attempt, Failing
from onward.features.fixes.changes import FIX_OF
from onward.features.rates import Rates, leaning

__all__ = [
    "TRANSIENT_NAMES",
    "keyword",
    "retry_after",
    "retry_keys",
    "transient_numbers",
    "unchanged",
]

TRANSIENT_NAMES: tuple[str, ...] = (
    "rate",
    "rate_kind",
    "rate_head",
    "rate_signature",
    "rate_signature_head",
    "count_kind",
    "count_signature",
    "rate_command",
    "command_ok",
    "command_bad",
    "keyword",
    "fails",
    "same_fault",
    "ever_passed",
    *(f"check_{name}" for name in KIND_NAMES),
    *(f"fault_{name}" for name in GROUP_NAMES),
)
"""Names of the numbers of a failing command, in order."""

KEYWORDS = re.compile(
    r"timed? ?out|timeout|connection (?:refused|reset|aborted)|econn|temporar|try again|retry"
    r"|rate.?limit|too many requests|overloaded|unavailable|\b(?:429|502|503|504)\b|locked|busy"
    r"|could not read from remote|network|in progress|not ready|flak",
    re.IGNORECASE,
)
"""Words of errors that often pass by themselves: the trivial peer."""

_PRIOR = 0.3
_LONGEST = 7 * 86400.0
_UNITS = {"ms": 1e-3, "milli": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_HEADER = re.compile(r"retry-after[\"']?\s*[:=]\s*[\"']?([^\n\"']{1,40})", re.IGNORECASE)
_RESET = re.compile(
    r"(?:x-)?rate-?limit-reset[\w-]*[\"']?\s*[:=]\s*[\"']?(\d{1,12}(?:\.\d+)?)", re.IGNORECASE
)
_IN = re.compile(
    r"(?:retry|try again|wait|available|resets?|reset)\W+(?:again\W+)?(?:after|in|for)?\W*"
    r"((?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?"
    r"|d|days?)\b[\s,and]*)+)",
    re.IGNORECASE,
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h|d)", re.IGNORECASE)
_AT = re.compile(
    r"(?:resets?|retry|try again|available|until)\W+(?:\w+\W+){0,2}?"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)",
    re.IGNORECASE,
)
_CHANGING = frozenset(("edit", "make", "install", "git", "files", "act", "run"))
_TOOL_EDITS = frozenset((KIND["edit"], KIND["write"]))


def unchanged(attempt: Attempt) -> bool:
    """Whether the very same command runs again with nothing changed since it failed."""
    if attempt.check.exact != attempt.failing.check.exact:
        return False
    if attempt.check.kind in _TOOL_EDITS:  # a file that was read in between is a change to them
        return attempt.fix == FIX_OF["again"]
    steps = [c for one in attempt.done if one.good for c in one.changes]
    inside = [c for c in attempt.effect.changes if c.action in ("edit", "make")]
    return not inside and not any(change.action in _CHANGING for change in steps)


def keyword(output: str) -> bool:
    """The trivial peer: whether a word of the output sounds as if it would pass by itself.

    >>> keyword("curl: (7) Failed: Connection refused"), keyword("SyntaxError: invalid syntax")
    (True, False)
    """
    return KEYWORDS.search(output[-4000:]) is not None


def retry_after(output: str, now: float = 0.0) -> float | None:
    r"""Seconds until the output says to come back; None = it says nothing that can be used.

    Parameters
    ----------
    output
        The failing output.
    now
        Unix seconds, for times of day; 0 = unknown, then only durations count.

    >>> retry_after("429 Too Many Requests\nRetry-After: 30"), retry_after("try again in 1m 5s")
    (30.0, 65.0)
    >>> retry_after("limit resets at 1970-01-01T00:02:00Z", now=60.0)
    60.0
    """
    text = output[-4000:]
    found = _header(text, now)
    if found is None and (match := _IN.search(text)):
        parts = _PART.findall(match.group(1).lower())
        found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if found is None and now and (match := _AT.search(text)):
        found = _until(match.group(1), now)
    return found if found is not None and 0.0 <= found <= _LONGEST else None


def _header(text: str, now: float) -> float | None:
    """What a header says: seconds, a date, or the time of a reset."""
    if match := _HEADER.search(text):
        value = match.group(1).strip().rstrip(",;})")
        with suppress(ValueError):
            return float(value.split()[0].rstrip("s"))
        with suppress(ValueError, TypeError):
            return parsedate_to_datetime(value).timestamp() - now if now else None
    if match := _RESET.search(text):
        value = float(match.group(1))
        if value < 1e8:  # seconds from now; larger numbers are times
            return value
        return value - now if now else None
    return None


def _until(text: str, now: float) -> float | None:
    with suppress(ValueError):
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return None


def retry_keys(failing: Failing) -> tuple[str, ...]:
    """Classes of a failing command to count reruns under, from wide to narrow."""
    check, fault = failing.check, failing.fault
    return (
        "",
        f"k{fault.kind}",
        f"h{check.head}",
        f"s{fault.signature}",
        f"sh{fault.signature}|{check.head}",
    )


def transient_numbers(
    failing: Failing,
    retries: Rates,
    runs: tuple[float, float],
    *,
    passes: int,
    sounds: bool,
) -> list[float]:
    """The numbers of a failing command, `TRANSIENT_NAMES` long.

    Parameters
    ----------
    failing
        The check as it failed.
    retries
        How reruns with nothing changed came out.
    runs
        Decayed counts of good and bad runs of the very same command in its project.
    passes
        How often the check passed in the session.
    sounds
        What `keyword` says of its output.
    """
    counts = [retries.counts(key) for key in retry_keys(failing)]
    rates = _rates(counts)
    return [
        *rates,
        log1p(sum(counts[1])),
        log1p(sum(counts[3])),
        leaning(runs, 0.5, 2.0),
        log(1.0 + runs[0]),
        log(1.0 + runs[1]),
        float(sounds),
        float(failing.fails),
        float(failing.same),
        float(passes > 0),
        *check_flags(failing.check.kind),
        *fault_flags(failing.fault.kind),
    ]


def _rates(counts: Sequence[tuple[float, float]]) -> list[float]:
    """Rates from wide to narrow: a kind and a head lean on all, an error leans on its kind."""
    overall = leaning(counts[0], _PRIOR)
    kind = leaning(counts[1], overall)
    sign = leaning(counts[3], kind, 2.0)
    return [overall, kind, leaning(counts[2], overall), sign, leaning(counts[4], sign, 2.0)]
