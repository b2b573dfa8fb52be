"""Lets a WSGI application serve a limited number of requests at a time, and counts those under way."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from cinder_lite.concurrency import http_limits, locks


class Slots:
    """The application with places for requests; others wait for a place, unless they are quick."""

    def __init__(self, application: Callable[..., Iterable[bytes]], limits: http_limits.Limits):
        self._application, self._limits = application, limits
        self._places, self._counting = locks.semaphore(limits.requests), locks.lock()
        #: Idle connections must not delay the end of a server, requests under way do.
        self.busy = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._counting:
            self.busy += 1
        quick = environ.get("PATH_INFO") in self._limits.quick and not environ.get("QUERY_STRING")
        try:
            with contextlib.nullcontext() if quick else self._places:
                return self._application(environ, start_response)
        finally:
            with self._counting:
                self.busy -= 1
