"""A run of tests, as data."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["OUTSIDE", "Result", "TestRecord", "TestRun", "Verdicts"]

OUTSIDE = ""
"""Stands for a test: what ran and was read outside of all tests."""


class Result(StrEnum):
    """How a test came out."""

    PASSED = "passed"
    FAILED = "failed"
    """Also where its set-up or tear-down failed."""
    SKIPPED = "skipped"
    """It said that it cannot run here; nothing is learned from it."""


class TestRecord(msgspec.Struct, kw_only=True):
    """What is known of one test since it last ran."""

    __test__ = False  # pytest takes the name for a test's

    node: str
    """pytest's id of it."""
    result: Result = Result.PASSED
    duration: float = 0.0
    """Seconds, set-up and tear-down included."""
    run: int = 0
    """The run in which it last ran, and so the tree that it ran on."""
    blocks: list[int] = []
    """Numbers of the blocks that it ran, ascending."""
    reads: list[str] = []
    """Files that it read and, with ``/`` at the end, directories that it listed."""
    modules: list[str] = []
    """Files whose import it caused or shares."""
    opaque: bool = False
    """It started a process, or did other things that cannot be seen."""


class Verdicts(msgspec.Struct, kw_only=True, array_like=True):
    """What a model needs from a run: what was known of each test before, and how it came out."""

    nodes: list[str] = []
    failed: list[bool] = []
    fresh: list[bool] = []
    """It failed, and had not failed when it last ran."""
    width: int = 0
    vectors: bytes = b""
    """(tests, width) float32, row after row."""
    seconds: list[float] = []
    version: str = ""
    """Version of the features."""


class TestRun(msgspec.Struct, kw_only=True):
    """One run of a project's tests."""

    __test__ = False

    id: int = 0
    at: float = 0.0
    """When it ended, Unix seconds."""
    project: str = ""
    environment: str = ""
    """Hash of the Python and the packages that it ran on."""
    tree: dict[str, str] = {}
    """Path -> hash of every file that was there."""
    changed: list[str] = []
    """Files that differ from those of the run before."""
    verdicts: Verdicts = msgspec.field(default_factory=Verdicts)
    total: int = 0
    """Tests that were found; those without a verdict were left out."""
    seconds: float = 0.0
