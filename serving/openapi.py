"""The HTTP door described: an OpenAPI 3.1 document made from its route table and types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from onward.serving import wire

if TYPE_CHECKING:
    from onward.serving.http import Route

__all__ = ["document", "page"]

VERSION = "1"
"""Version of the interface, as in ``/v1/``."""

_ALWAYS = (400, 401, 403, 500)
_MEDIA = {"/metrics": "text/plain", "/docs": "text/html", "/openapi.json": "application/json"}
_REF = "#/components/schemas/{name}"


def document(routes: Sequence[Route]) -> bytes:
    """The OpenAPI document of these routes, as JSON."""
    bodies = [route.body for route in routes if route.body is not None]
    answers = [route.answer for route in routes if route.answer is not None]
    types = [*bodies, *answers, wire.Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schema_of)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "onward",
                "version": VERSION,
                "description": "Calibrated, local decisions for long-running agents.",
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{}, {"token": []}],
        }
    )


def page() -> bytes:
    """The page that shows the document; it needs nothing from elsewhere."""
    return files("onward.serving").joinpath("docs.html").read_bytes()


def _operation(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {str(status): _success(route, schema_of) for status in (200, *route.also)},
    }
    problem = {"application/problem+json": {"schema": schema_of[id(wire.Problem)]}}
    for status in sorted({*_ALWAYS, *route.errors}):
        operation["responses"][str(status)] = {"description": "A problem.", "content": problem}
    if parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    if route.body is not None:
        schema = schema_of[id(route.body)]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _success(route: Route, schema_of: dict[int, Any]) -> dict[str, Any]:
    media = _MEDIA.get(route.path, "application/json")
    schema = {} if route.answer is None else schema_of[id(route.answer)]
    return {"description": route.summary, "content": {media: {"schema": schema}}}


def _parameters(route: Route) -> Iterable[dict[str, Any]]:
    if "{" in route.path:
        yield {
            "name": route.path.partition("{")[2].rstrip("}"),
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 256},
        }
    for header in route.headers:
        schema = {"type": "string", "maxLength": 256}
        yield {"name": header, "in": "header", "required": False, "schema": schema}
