"""Limits of an HTTP server on its clients."""

import dataclasses
import http
import resource
from collections.abc import Callable

#: Seconds within which a new connection is expected to send its first request.
FIRST_REQUEST = 1.0
#: A status line, headers and a body.
Answer = tuple[str, list[tuple[str, str]], bytes]


def plain_text(status: int, sentence: str) -> Answer:
    return f"{status} {http.HTTPStatus(status).phrase}", [("Content-Type",
                                                           "text/plain; charset=UTF-8")], sentence.encode()


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on connections and requests at a time, and on each request.

    `request_timeout`: seconds for sending a request. `body`: bytes of its body that the application gets. `head`:
    bytes of its head. `received`: bytes of a body that are received at all, so that the client gets the refusal.
    `idle`: seconds without a request after which a connection is closed. `quick`: paths that are answered, without a
    query, even while all `requests` places are taken. `refuse(status, sentence)` builds the
    answer to requests that never reach the application.
    """

    connections: int
    requests: int
    request_timeout: float
    body: int
    refuse: Callable[[int, str], Answer] = plain_text
    head: int = 65536
    received: int = 16 * 1024**2
    idle: float = 75
    quick: frozenset[str] = frozenset()


def raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files, which is lower than our own limits on most systems."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (
            wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
