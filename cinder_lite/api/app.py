"""The WSGI application: from a request's first byte to its answer."""

import logging
import os
import re
import time
import types
import urllib.parse
import uuid

import orjson

from cinder_lite import context, errors
from cinder_lite.api import body, fault, policy, refusal, request, route, versions
from cinder_lite.api.auth import strategy
from cinder_lite.api.routes import ROUTES

LOG = logging.getLogger(__name__)

JSON = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/plain; charset=UTF-8")
#: First segments of paths; v2 is answered as the first microversion of v3.
VERSIONS = ("v3", "v2")
#: Methods that are told apart when requests are counted.
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"))
_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")
_PROJECT = re.compile(r"[0-9A-Za-z_.-]{1,255}")


class Application:
    """Answers requests. `domains` are the verbs that handlers call, by name (volumes, snapshots, ...).

    `examine()` says how all services do, as health.examine does.
    """

    meter = None

    def __init__(self, conf, db, domains, examine):
        self.conf, self.db, self.examine = conf, db, examine
        self.domains = types.SimpleNamespace(**domains)
        self.policy = policy.Policy(conf)
        self.table = route.Table(ROUTES)
        self.authenticate = strategy.strategy(conf)

    def __call__(self, environ, start_response):
        began = time.perf_counter()
        request_id = f"req-{uuid.uuid4()}"
        # Until it is known who asks: the thread may have worked for somebody else.
        context.Context(request_id=request_id)
        req = request.Request(environ, self)
        try:
            status, headers, out = self._answer(req, environ, request_id)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a request: everything becomes an answer
            status, headers, out = fault.answer(error, req.sees_insides())
            headers.append(JSON)
            headers += self._version_headers(req, environ, error)
        headers += (("Content-Length", str(len(out))), ("x-compute-request-id", request_id),
                    ("x-openstack-request-id", request_id))
        if status == 204:
            headers = [header for header in headers if header[0] != "Content-Length"]
        start_response(f"{status} {fault.REASONS.get(status, 'Unknown')}", headers)
        if self.meter is not None:
            self._measure(req, environ["REQUEST_METHOD"], status, time.perf_counter() - began)
        level = logging.DEBUG if environ["REQUEST_METHOD"] == "GET" and status < 400 else logging.INFO
        if LOG.isEnabledFor(level):
            LOG.log(level, "%s %s %s %d %d bytes %.1f ms", req.client_address, environ["REQUEST_METHOD"],
                    environ.get("PATH_INFO"), status, len(out), (time.perf_counter() - began) * 1000)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [out]

    def _measure(self, req, method, status, seconds):
        # Of what clients may write as they like nothing becomes a label.
        found = req.route
        name = "none" if found is None else f"{found.path} {found.action}" if found.action else found.path
        self.meter.observe("http_request_seconds", seconds, method if method in METHODS else "other", name, status)

    def _answer(self, req, environ, request_id):
        path = _readable(environ)
        if path == "/":
            return 300, [JSON], orjson.dumps(versions.document(req.root))
        if path == "/healthcheck":
            return self._healthcheck(req, request_id)
        if path == "/openapi.json":
            return self._describe(req)
        api, slash, rest = path[1:].partition("/")
        if api not in VERSIONS:
            raise _nothing_at(path)
        if not slash:
            return 302, [("Location", f"{req.root}{path}/"), JSON], b""
        # keystoneauth looks the versions up without a token, and the SDK needs them; X-Auth-User asks for a token.
        asked = self._identify(req, request_id) if rest or "X-Auth-User" in req.http.headers else None
        if asked is not None:
            return asked
        req.version = versions.asked(req.http.headers.get(versions.HEADER)) if api == "v3" else versions.MINIMUM
        if not rest:
            return 200, [JSON, *_said(req.version)], orjson.dumps(versions.document(req.root))
        return self._dispatch(req, "/" + rest)

    def _healthcheck(self, req, request_id):
        """Whether this process answers, which costs nothing and tells nothing; to administrators how all do.

        That the database is away is no reason to send requests elsewhere: it is away for all.
        """
        if "detailed" not in req.query:
            path = self.conf.healthcheck.disable_by_file_path
            return (503, [TEXT], b"DISABLED BY FILE") if path and os.path.exists(path) else (200, [TEXT], b"OK")
        asked = self._identify(req, request_id)
        if asked is not None:
            # What noauth answers to nobody is a token, which is not what was asked for.
            if asked[0] < 400:
                raise errors.Unauthorized()
            return asked
        req.enforce("cinder_lite:health")
        found = self.examine()
        return 200 if found["healthy"] else 503, [JSON], orjson.dumps(found)

    @staticmethod
    def _describe(req):
        """The OpenAPI document of the version in the query, the newest by default."""
        from cinder_lite.api import openapi

        word = req.query.get("version", "latest")
        return 200, [JSON], orjson.dumps(openapi.document(versions.asked(f"{versions.SERVICE} {word}")))

    def _identify(self, req, request_id):
        headers = req.http.headers
        outer = headers.get("X-OpenStack-Request-ID")
        found = self.authenticate(req.http, request_id, outer if outer and _REQUEST_ID.fullmatch(outer) else None)
        if isinstance(found, tuple):
            return found
        found.is_admin = self.policy.is_administrator(found)
        strategy.expect_scope(found)
        req.ctx = found
        return None

    def _dispatch(self, req, path):
        rest, project = self._without_project(path)
        req.project_in_path = project
        entry, arguments = self.table.match(rest or "/")
        if entry is None:
            raise _nothing_at(path)
        if project is not None and project != req.ctx.project_id:
            raise errors.BadRequest("Malformed request url: the project in the path is not the token's.")
        method = "GET" if req.http.method == "HEAD" else req.http.method
        req.document = self._read_body(req)
        found = req.route = self.table.choose(entry, method, req.version, req.document)
        req.__dict__.update(arguments)
        if found.body is not None:
            document = body.check(req.document, found.body, req.version)
            body.check_amounts(self.conf, document)
            req.document = document
            # The inner part is under the action's name, or under the one key that such a body must have.
            req.body = document.get(found.action or next(iter(found.body.get("required", document)), None))
        elif found.action:
            req.body = req.document[found.action]
        strategy.expect_project(req.ctx, found)
        if found.policy is not None:
            self._enforce(req, found.policy, arguments)
        result = found.handler(req)
        shown = found.view(result, req) if found.view is not None else None
        if isinstance(shown, bytes):
            return found.status, [TEXT, *req.headers, *_said(req.version)], shown
        out = orjson.dumps(shown, default=_plain) if found.view is not None else b""
        kind = [JSON] if out or found.status != 204 else []
        return found.status, [*kind, *req.headers, *_said(req.version)], out

    @staticmethod
    def _enforce(req, rule, arguments):
        try:
            req.enforce(rule)
        except errors.PolicyNotAuthorized:
            refusal.hide(req, arguments)
            raise

    def _without_project(self, path):
        """(path behind the optional project, project or None)."""
        first, slash, rest = path[1:].partition("/")
        if self.table.is_collection(first) or not _PROJECT.fullmatch(first):
            return path, None
        return slash + rest, first

    def _read_body(self, req):
        most = self.conf.osapi_max_request_body_size
        length = req.http.content_length
        if length is not None and length > most:
            raise errors.OverLimit(f"The body has {length} bytes; at most {most} are accepted.")
        # Servers read what comes in chunks before they hand it on, and say then how long it is.
        raw = req.http.body_file.read(length) if length else b""
        return body.read(raw, req.http.content_type or "")

    def _version_headers(self, req, environ, error):
        if (environ.get("PATH_INFO") or "/").split("/")[1] not in VERSIONS:
            return []
        if isinstance(error, errors.VersionOutOfRange):
            word = error.values["version"]
            return [(versions.HEADER, f"{versions.SERVICE} {word}"), ("Vary", versions.HEADER)]
        return _said(req.version)


def _said(version):
    return [(versions.HEADER, f"{versions.SERVICE} {versions.text(version)}"), ("Vary", versions.HEADER)]


def _nothing_at(path):
    return errors.NotFound(f"There is nothing at {path[:200]}.")


def _readable(environ):
    """The path as text, which WSGI hands on as bytes in Latin-1. Raises BadRequest for a URL that is no text."""
    try:
        path = (environ.get("PATH_INFO") or "/").encode("latin-1").decode()
        query = urllib.parse.unquote_to_bytes(environ.get("QUERY_STRING", "")).decode()
    except UnicodeDecodeError as error:
        raise errors.BadRequest("The URL is not UTF-8.") from error
    if "\0" in path or "\0" in query:
        raise errors.BadRequest("The URL has a NUL character in it.")
    return path


def _plain(value):
    raise TypeError(f"{type(value)} in an answer: views render plain values")
