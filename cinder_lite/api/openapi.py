"""Generates the OpenAPI 3.1 document of a microversion from the routes, the schemas of bodies and the views."""

import re
from collections.abc import Sequence
from typing import Any

from cinder_lite.api import body_schema, filters, installed, versions
from cinder_lite.api.pages import Many
from cinder_lite.api.route import Route
from cinder_lite.api.schemas import responses
from cinder_lite.api.view import text

#: Formats that are kept in the document; those of this service are removed, as other tools do not have them.
_KNOWN_FORMATS = frozenset(("uuid",))
_PAGING: tuple[tuple[str, body_schema.Schema], ...] = (
    ("limit", {"type": "integer", "minimum": 0}), ("marker", {"type": "string"}),
    ("offset", {"type": "integer", "minimum": 0}), ("sort", {"type": "string"}), ("all_tenants", {"type": "string"}))


def document(version: versions.Version = versions.MAXIMUM) -> dict[str, Any]:
    """The document as a dict."""
    paths: dict[str, dict[str, list[Route]]] = {}
    for route in installed.routes():
        if route.served_at(version):
            paths.setdefault(route.path, {}).setdefault(route.method.lower(), []).append(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cinder-lite, Block Storage API", "version": versions.text(version),
                 "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/v3"}],
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}},
        "paths": {path: {**_arguments(path), **{method: _operation(path, found, version)
                                                for method, found in methods.items()}}
                  for path, methods in sorted(paths.items())},
    }


def _arguments(path: str) -> dict[str, Any]:
    names = re.findall(r"{([^}]*)}", path)
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                           for name in names]} if names else {}


def _operation(path: str, routes: Sequence[Route], version: versions.Version) -> dict[str, Any]:
    """One operation; actions that share a path are the alternatives of its body."""
    header = {"name": versions.HEADER, "in": "header", "required": versions.text(version) != "3.0", "schema": {
        "type": "string", "const": f"{versions.SERVICE} {versions.text(version)}"}}
    operation = {
        "operationId": "_".join(filter(None, (routes[0].method.lower(), *re.findall(r"[a-zA-Z0-9]+", path)))),
        "summary": "; ".join(_summary(route) for route in routes),
        "parameters": [header, *_query(path, routes)], "responses": _responses(routes, version)}
    bodies = [_plain(body_schema.at(route.body, version)) for route in routes if route.body is not None]
    if bodies:
        schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _summary(route: Route) -> str:
    lines = (route.handler.__doc__ or "").strip().splitlines()
    return " ".join(filter(None, (route.action, lines[0] if lines else "")))


def _query(path: str, routes: Sequence[Route]) -> list[dict[str, Any]]:
    collection = path.split("/")[1]
    if not isinstance(routes[0].view, Many):
        return []
    resource = "volume_type" if collection == "types" else collection.removesuffix("s")
    names = [*_PAGING, *((name, {"type": "string"}) for name in filters.ALLOWED.get(resource, ()))]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in names]


def _responses(routes: Sequence[Route], version: versions.Version) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for route in routes:
        schema = responses.of_route(route, version)
        kind = "text/plain" if route.view is text else "application/json"
        content = {kind: {"schema": schema or {"type": "string"}}} if schema or route.view is text else {}
        description = "Accepted." if route.status == 202 else "Success."
        response = found.setdefault(str(route.status), {"description": description, "content": {}})
        for kind, one in content.items():
            before = response["content"].get(kind)
            response["content"][kind] = one if before is None else {"schema": {
                "anyOf": [*before["schema"].get("anyOf", [before["schema"]]), one["schema"]]}}
    fault = {"content": {"application/json": {"schema": responses.FAULT}}}
    return {**found, "4XX": {
        "description": "The request cannot be carried out; the message gives the reason.", **fault}}


def _plain(schema: Any) -> Any:
    """A body's schema without the formats of this service."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(value) for key, value in schema.items()
            if not (key == "format" and isinstance(value, str) and value not in _KNOWN_FORMATS)}
