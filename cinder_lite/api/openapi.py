"""The API as an OpenAPI 3.1 document of one microversion, made from routes, bodies and views."""

import re

from cinder_lite.api import body, filters, versions
from cinder_lite.api.route import Many, text
from cinder_lite.api.routes import ROUTES
from cinder_lite.api.schemas import answers

#: Formats of our own, which others need not know: the schemas beside them say enough.
_KNOWN_FORMATS = frozenset(("uuid",))
#: Collections whose lists take filters -> the resource that filters.ALLOWED knows.
_FILTERED = {"volumes": "volume", "snapshots": "snapshot", "backups": "backup", "groups": "group", "messages": "message",
             "group_snapshots": "group_snapshot", "attachments": "attachment", "types": "volume_type"}
_PAGING = (("limit", {"type": "integer", "minimum": 0}), ("marker", {"type": "string"}),
           ("offset", {"type": "integer", "minimum": 0}), ("sort", {"type": "string"}), ("all_tenants", {"type": "string"}))


def document(version=versions.MAXIMUM):
    """The document as a dict. `version` is (major, minor)."""
    paths = {}
    for route in ROUTES:
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


def _arguments(path):
    names = re.findall(r"{([^}]*)}", path)
    return {"parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                           for name in names]} if names else {}


def _operation(path, routes, version):
    """One operation; actions that share a path are the alternatives of its body."""
    header = {"name": versions.HEADER, "in": "header", "required": versions.text(version) != "3.0", "schema": {
        "type": "string", "const": f"{versions.SERVICE} {versions.text(version)}"}}
    found = {
        "operationId": "_".join(filter(None, (routes[0].method.lower(), *re.findall(r"[a-zA-Z0-9]+", path)))),
        "summary": "; ".join(_summary(route) for route in routes),
        "parameters": [header, *_query(path, routes)], "responses": _responses(routes, version)}
    bodies = [_plain(body.at(route.body, version)) for route in routes if route.body is not None]
    if bodies:
        schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def _summary(route):
    words = (route.handler.__doc__ or "").strip().splitlines()
    return " ".join(filter(None, (route.action, words[0] if words else "")))


def _query(path, routes):
    collection = path.split("/")[1]
    if not isinstance(routes[0].view, Many):
        return []
    names = [*_PAGING, *((name, {"type": "string"}) for name in filters.ALLOWED.get(_FILTERED.get(collection), ()))]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in names]


def _responses(routes, version):
    found = {}
    for route in routes:
        schema = answers.of_route(route, version)
        kind = "text/plain" if route.view is text else "application/json"
        content = {kind: {"schema": schema or {"type": "string"}}} if schema or route.view is text else {}
        done = "Accepted." if route.status == 202 else "Done."
        answer = found.setdefault(str(route.status), {"description": done, "content": {}})
        for kind, one in content.items():
            before = answer["content"].get(kind)
            answer["content"][kind] = one if before is None else {"schema": {
                "anyOf": [*before["schema"].get("anyOf", [before["schema"]]), one["schema"]]}}
    fault = {"content": {"application/json": {"schema": answers.FAULT}}}
    return {**found, "4XX": {"description": "The request cannot be carried out; the message says why.", **fault}}


def _plain(schema):
    """A body's schema without formats of our own."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _plain(value) for key, value in schema.items()
            if not (key == "format" and isinstance(value, str) and value not in _KNOWN_FORMATS)}
