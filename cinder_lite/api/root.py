"""Responds to the paths above all resources: the versions, the health check and the API's description."""

import os
from typing import TYPE_CHECKING, Any

import orjson

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.api.fault import JSON, TEXT, VERSIONS, Response
from cinder_lite.api.request import Request

if TYPE_CHECKING:
    from cinder_lite.api.app import Application

#: Paths that need nothing but this process, for load balancers.
QUICK = frozenset(("/healthcheck",))


def respond(app: "Application", req: Request, path: str) -> Response:
    """The response for a path without a resource. Raises NotFound."""
    if path == "/":
        return 300, [JSON], orjson.dumps(_versions(req.root))
    if path == "/healthcheck":
        return _health(app, req)
    if path == "/openapi.json":
        return _description(req)
    api, slash, _ = path[1:].partition("/")
    if api not in VERSIONS:
        raise errors.NotFound(f"The path {path[:200]} does not exist.")
    if not slash:
        return 302, [("Location", f"{req.root}{path}/"), JSON], b""
    # keystoneauth and the SDK read the versions without a token. X-Auth-User requests a token.
    refusal = app.identify(req) if "X-Auth-User" in req.http.headers else None
    if refusal is not None:
        return refusal
    req.version = versions.requested(req.http.headers.get(versions.HEADER)) if api == "v3" else versions.MINIMUM
    return 200, [JSON, *versions.headers(req.version)], orjson.dumps(_versions(req.root))


def _versions(base: str) -> dict[str, Any]:
    """The response to GET /: the one version that is served, at `base` (the URL of the service's root)."""
    return {"versions": [{
        "id": "v3.0", "status": "CURRENT", "version": versions.text(versions.MAXIMUM),
        "min_version": versions.text(versions.MINIMUM), "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
                  {"rel": "self", "href": base + "/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}]}]}


def _health(app: "Application", req: Request) -> Response:
    """Whether this process serves requests; with `detailed`, for administrators, the health of all services.

    The plain one does not query the database: when that is down it is down for all processes, and a load balancer
    has no better one to send requests to.
    """
    if "detailed" not in req.query:
        if app.leaving:
            return 404, [TEXT], b"STOPPING"
        path = req.conf.healthcheck.disable_by_file_path
        return (503, [TEXT], b"DISABLED BY FILE") if path and os.path.exists(path) else (200, [TEXT], b"OK")
    refusal = app.identify(req)
    if refusal is not None:
        # Without a token noauth responds with a new one, which is not the requested document.
        if refusal[0] < 400:
            raise errors.Unauthorized()
        return refusal
    req.enforce("cinder_lite:health")
    found = app.examine()
    return 200 if found["healthy"] else 503, [JSON], orjson.dumps(found)


def _description(req: Request) -> Response:
    """The OpenAPI document of the version in the query, the newest by default."""
    # Imported on demand to save memory: few processes are asked for it.
    from cinder_lite.api import openapi

    word = req.query.get("version", "latest")
    return 200, [JSON], orjson.dumps(openapi.document(versions.requested(f"{versions.SERVICE} {word}")))
