"""When an error says that it will be over."""

from __future__ import annotations

import pytest

from onward.features.fixes.transient import retry_after


@pytest.mark.parametrize(
    ("output", "seconds"),
    [
        ("HTTP 429\nRetry-After: 120", 120.0),
        ("retry-after: Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("x-ratelimit-reset: 45", 45.0),
        ("x-ratelimit-reset: 1700000000", None),
        ("Please try again in 2 hours and 5 minutes.", 7500.0),
        ("retry after 250ms", 0.25),
        ("limit reached, resets at 1970-01-01T00:00:40+00:00", 30.0),
        ("resets at 1969-01-01T00:00:40+00:00", None),
        ("nothing of the kind", None),
    ],
)
def test_reset_times_are_read(output: str, seconds: float | None) -> None:
    """Durations, headers, dates and epochs become seconds from now; nonsense becomes none."""
    assert retry_after(output, now=10.0) == seconds
