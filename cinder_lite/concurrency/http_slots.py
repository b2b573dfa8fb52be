"""Lets a WSGI application serve a limited number of requests at a time, and counts those under way."""

from collections.abc import Callable, Iterable
from typing import Any

from cinder_lite.concurrency import locks


class Slots:
    """The application with `places` for requests; others wait for a place."""

    def __init__(self, application: Callable[..., Iterable[bytes]], places: int):
        self._application, self._places, self._counting = application, locks.semaphore(places), locks.lock()
        #: Idle connections must not delay the end of a server, requests under way do.
        self.busy = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._counting:
            self.busy += 1
        try:
            with self._places:
                return self._application(environ, start_response)
        finally:
            with self._counting:
                self.busy -= 1
