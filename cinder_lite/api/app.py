"""The WSGI application: authenticates, routes, validates and authorizes requests, and renders the responses."""

import logging
import re
import types
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from oslo_config import cfg

from cinder_lite import context, db, errors
from cinder_lite.api import body, enforcer, fault, installed, request, root, route, route_table, versions, visibility
from cinder_lite.api.auth import scope, strategy
from cinder_lite.api.fault import JSON, TEXT, VERSIONS, Response
from cinder_lite.concurrency import clock, randomness

LOG = logging.getLogger(__name__)

#: Methods that have a label of their own in metrics.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"))
_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")
_PROJECT = re.compile(r"[0-9A-Za-z_.-]{1,255}")


class Application:
    """Serves requests. `domains` are the objects whose methods handlers call, by name (volumes, snapshots, ...).

    `examine()` returns the health of all services, as health.examine does. `meter` records metrics if it is set.
    """

    meter: Any = None
    leaving = False  # whether load balancers are to send requests elsewhere

    def __init__(self, conf: cfg.ConfigOpts, db: "db.Database", domains: Mapping[str, Any],
                 examine: Callable[[], dict[str, Any]]) -> None:
        self.conf, self.db, self.examine = conf, db, examine
        self.domains = types.SimpleNamespace(**domains)
        self.policy = enforcer.Policy(conf)
        self.table = route_table.Table(installed.routes())
        self.authenticate = strategy.load(conf)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        began = clock.monotonic()
        request_id = f"req-{randomness.new_id()}"
        # Log lines before authentication must not carry the context of the thread's former request.
        context.Context(request_id=request_id)
        req = request.Request(environ, self, request_id)
        try:
            status, headers, out = self._respond(req, environ)
        except Exception as error:  # noqa: BLE001 - the outermost level of a request: every error becomes a response
            status, headers, out = fault.response(error, req.sees_internals())
            headers += [JSON, *fault.version_headers(error, req)]
        headers += [("Content-Length", str(len(out))), ("x-compute-request-id", request_id),
                    ("x-openstack-request-id", request_id)]
        if status == 204:
            headers = [header for header in headers if header[0] != "Content-Length"]
        start_response(f"{status} {fault.REASONS.get(status, 'Unknown')}", headers)
        if self.meter is not None:
            self._measure(req, environ["REQUEST_METHOD"], status, clock.monotonic() - began)
        level = logging.DEBUG if environ["REQUEST_METHOD"] == "GET" and status < 400 else logging.INFO
        if LOG.isEnabledFor(level):
            LOG.log(level, "%s %s %s %d %d bytes %.1f ms", req.client_address, environ["REQUEST_METHOD"],
                    environ.get("PATH_INFO"), status, len(out), (clock.monotonic() - began) * 1000)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [out]

    def _measure(self, req: request.Request, method: str, status: int, seconds: float) -> None:
        # Labels are values of the route table only, never texts of clients: their number has to stay bounded.
        found = req.route
        name = "none" if found is None else f"{found.path} {found.action}" if found.action else found.path
        self.meter.observe("http_request_seconds", seconds, method if method in METHODS else "other", name, status)

    def _respond(self, req: request.Request, environ: Mapping[str, Any]) -> Response:
        path = _decoded_path(environ)
        api, _, rest = path[1:].partition("/")
        if api not in VERSIONS or not rest:
            return root.respond(self, req, path)
        refusal = self.identify(req)
        if refusal is not None:
            return refusal
        req.version = versions.requested(environ.get("HTTP_OPENSTACK_API_VERSION")) if api == "v3" else versions.MINIMUM
        return self._dispatch(req, "/" + rest)

    def identify(self, req: request.Request) -> Response | None:
        """Set the request's context; returns the strategy's own response if it has no requester."""
        outer = req.http.environ.get("HTTP_X_OPENSTACK_REQUEST_ID")
        found = self.authenticate(req.http, req.request_id, outer if outer and _REQUEST_ID.fullmatch(outer) else None)
        if isinstance(found, tuple):
            return found
        found.is_admin = self.policy.is_administrator(found)
        scope.expect_scope(found)
        found.ends = clock.time() + self.conf.osapi_response_timeout
        req.ctx = found
        return None

    def _dispatch(self, req: request.Request, path: str) -> Response:
        rest, project = self._without_project(path)
        req.project_in_path = project
        entry, arguments = self.table.match(rest or "/")
        if entry is None:
            raise errors.NotFound(f"The path {path[:200]} does not exist.")
        if project is not None and project != req.ctx.project_id:
            raise errors.BadRequest("Malformed request url: the project in the path is not the token's.")
        method = "GET" if req.http.method == "HEAD" else req.http.method
        req.document = self._read_body(req)
        found = req.route = self.table.choose(entry, method, req.version, req.document)
        req.__dict__.update(arguments)
        self._check_body(req, found)
        scope.expect_project(req.ctx, found)
        if found.policy is not None:
            self._enforce(req, found.policy, arguments)
        result = db.patiently(found.handler, req) if method == "GET" else found.handler(req)
        shown = found.view(result, req) if found.view is not None else None
        if isinstance(shown, bytes):
            return found.status, [TEXT, *req.headers, *versions.headers(req.version)], shown
        out = orjson.dumps(shown) if found.view is not None else b""
        kind = [JSON] if out or found.status != 204 else []
        return found.status, [*kind, *req.headers, *versions.headers(req.version)], out

    def _check_body(self, req: request.Request, found: route.Route) -> None:
        """Validate the document, and set the request's body to its inner part."""
        if found.body is not None:
            document = body.check(req.document, found.body, req.version)
            body.check_item_counts(self.conf, document)
            req.document = document
            # The inner part is under the action's name, or under the one key that such a body must have.
            key = found.action or next(iter(found.body.get("required", document)), None)
            req.body = document.get(key) if key is not None else None
        elif found.action:
            req.body = req.document[found.action]

    @staticmethod
    def _enforce(req: request.Request, rule: str, arguments: Mapping[str, str]) -> None:
        try:
            req.enforce(rule)
        except errors.PolicyNotAuthorized:
            visibility.expect_visible(req, arguments)
            raise

    def _without_project(self, path: str) -> tuple[str, str | None]:
        """(path behind the optional project, project or None)."""
        first, slash, rest = path[1:].partition("/")
        if self.table.is_collection(first) or not _PROJECT.fullmatch(first):
            return path, None
        return slash + rest, first

    def _read_body(self, req: request.Request) -> dict[str, Any] | None:
        maximum = self.conf.osapi_max_request_body_size
        length = req.http.content_length
        if length is not None and length > maximum:
            raise errors.OverLimit(f"The body has {length} bytes; at most {maximum} are accepted.")
        # The HTTP server reads a chunked body as a whole and sets its length.
        raw = req.http.body_file.read(length) if length else b""
        return body.read(raw, req.http.content_type or "")


def _decoded_path(environ: Mapping[str, Any]) -> str:
    """The path as text, which WSGI passes as bytes in Latin-1. Raises BadRequest for a URL that is not UTF-8."""
    try:
        path = (environ.get("PATH_INFO") or "/").encode("latin-1").decode()
        query = urllib.parse.unquote_to_bytes(environ.get("QUERY_STRING", "")).decode()
    except UnicodeDecodeError as error:
        raise errors.BadRequest("The URL is not UTF-8.") from error
    if "\0" in path or "\0" in query:
        raise errors.BadRequest("The URL has a NUL character in it.")
    return path
