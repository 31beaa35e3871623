"""A pytest plugin that writes which tests were chosen and how they came out, whoever chose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_chosen: list[str] = []
_broken: list[str] = []
_results: dict[str, list[Any]] = {}


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What is left after everybody's cuts, in the order in which it will run."""
    _chosen.extend(item.nodeid for item in session.items)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be imported fails as a whole."""
    if report.failed:
        _broken.append(report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Failed in any phase, skipped, seconds."""
    found = _results.setdefault(report.nodeid, [False, False, 0.0])
    found[0] |= report.failed
    found[1] |= report.skipped and not hasattr(report, "wasxfail")
    found[2] += report.duration


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write it down."""
    body = {"chosen": _chosen, "broken": _broken, "results": _results}
    Path(os.environ["TOLD_TO"]).write_text(json.dumps(body), encoding="utf-8")
