"""The OpenAPI document taken at its word: generated requests against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode

from onward.serving.http import ROUTES

if TYPE_CHECKING:
    from tests.serving.conftest import Running

LARGE = 8_000_000
"""Bytes; bodies beyond the limit have a test of their own."""

CASES = [
    pytest.param(route.path, route.method, mode, id=f"{route.name}-{mode.value}")
    for route in ROUTES
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or route.body is not None or "{" in route.path
]
"""Every operation with valid requests, and those that take something with invalid ones too."""


@pytest.fixture(scope="module")
def api(server: Running) -> Any:
    """The document of the shared server."""
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def whole(value: Any) -> Any:
    """Whole numbers as integers: to JSON Schema 2.0 is one, to a typed reader it is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    return [whole(item) for item in value] if isinstance(value, list) else value


def fuzz(api: Any, path: str, method: str, *, mode: GenerationMode, examples: int) -> None:
    """Send generated requests of one operation, and hold the answers against the document."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    def keeps_its_word(case: schemathesis.Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            case.body = whole(case.body)
        assume(len(json.dumps(case.body, default=repr)) < LARGE)  # as it is sent
        case.call_and_validate(timeout=60)

    keeps_its_word()


@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_keeps_its_word(api: Any, path: str, method: str, mode: GenerationMode) -> None:
    """Whatever is sent, valid or not, the answer is one that the document promises."""
    fuzz(api, path, method, mode=mode, examples=25)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("path", "method", "mode"), CASES)
def test_keeps_its_word_for_long(api: Any, path: str, method: str, mode: GenerationMode) -> None:
    """The same with many more requests."""
    fuzz(api, path, method, mode=mode, examples=1000)
