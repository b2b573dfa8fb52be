"""Renders errors as responses, with Cinder's names of faults."""

import http.client
import logging
from typing import Any

import orjson
from oslo_db import exception as db_errors

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.api.request import Request

LOG = logging.getLogger(__name__)

JSON = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/plain; charset=UTF-8")
#: First segments of the API's paths; v2 is served as the first microversion of v3.
VERSIONS = ("v3", "v2")
#: (status, headers, body)
Response = tuple[int, list[tuple[str, str]], bytes]

NAMES = {400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
         408: "requestTimeout", 409: "conflictingRequest", 413: "overLimit", 414: "uriTooLong", 415: "badMediaType",
         429: "tooManyRequests", 431: "headersTooLarge", 501: "notImplemented", 503: "serviceUnavailable"}
OTHER = "computeFault"
#: Phrases that differ between versions of Python stay as they are.
REASONS = {**http.client.responses, 413: "Request Entity Too Large", 414: "URI Too Long"}
HIDDEN = "The server could not carry out the request because of an unexpected error; its log has the request id."


def response(error: Exception, internals: bool) -> Response:
    """The response for an exception that ended a request.

    `internals`: whether the requester may see hosts, pools and capacities.
    """
    headers: list[tuple[str, str]] = []
    if isinstance(error, errors.Error):
        status, message = error.status, str(error) if internals else error.public
        if error.retry_after:
            headers.append(("Retry-After", str(error.retry_after)))
        if status >= 500 or message != str(error):
            LOG.log(logging.ERROR if status >= 500 else logging.INFO, "request failed: %s", error)
    elif isinstance(error, db_errors.DBConnectionError):
        LOG.error("the database cannot be used: %s", error)
        reason = getattr(error, "reason", None)
        message = (f"The database cannot be used at the moment: {reason}. Try again later." if reason else
                   "The database cannot be reached at the moment; try again later.")
        status = 503
        headers.append(("Retry-After", "1"))
    elif isinstance(error, db_errors.DBDeadlock):
        LOG.error("a transaction was rolled back too often: %s", error)
        message, status = "Too many requests change the same resource at the moment; try again later.", 503
        headers.append(("Retry-After", "1"))
    else:
        LOG.error("unexpected error", exc_info=error)
        status, message = 500, HIDDEN
    inner: dict[str, Any] = {"code": status, "message": message}
    if status == 413:
        inner["retryAfter"] = "0"
        headers.append(("Retry-After", "0"))
    return status, headers, orjson.dumps({NAMES.get(status, OTHER): inner})


def version_headers(error: Exception, req: Request) -> list[tuple[str, str]]:
    """The headers of a fault's microversion: the one that cannot be served, or that of the request."""
    if (req.http.environ.get("PATH_INFO") or "/").split("/")[1] not in VERSIONS:
        return []
    if isinstance(error, errors.VersionOutOfRange):
        return [(versions.HEADER, f"{versions.SERVICE} {error.values['version']}"), ("Vary", versions.HEADER)]
    return versions.headers(req.version)


def rejection(status: int, message: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """(status line, headers, body) for a request that the HTTP server rejects itself."""
    body = orjson.dumps({NAMES.get(status, OTHER): {"code": status, "message": message}})
    return f"{status} {REASONS.get(status, 'Refused')}", [JSON], body
