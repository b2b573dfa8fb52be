"""Requests are served by as many threads as there are at the same time, up to the limit, in either mode."""

import concurrent.futures
import logging
import socket
import threading

import pytest
import requests

from cinder_lite.concurrency import http_limits, http_server

LIMIT = 4


class Application:
    """Answers once `together` requests are here; `most` is the largest number at a time."""

    def __init__(self, together):
        self._together, self._changed = together, threading.Condition()
        self.here = self.most = self.arrived = 0

    def __call__(self, _environ, start_response):
        with self._changed:
            self.here, self.arrived = self.here + 1, self.arrived + 1
            self.most = max(self.most, self.here)
            self._changed.notify_all()
            met = self._changed.wait_for(lambda: self.arrived >= self._together, 60)
            self.here -= 1
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok" if met else b"no"]


@pytest.fixture
def serve():
    servers = []

    def start(application):
        sock = socket.create_server(("127.0.0.1", 0))
        servers.append(http_server.WSGIServer(sock, application, http_limits.Limits(
            connections=100, requests=LIMIT, request_timeout=60, body=1024), logging.getLogger("test")))
        servers[-1].start()
        return f"http://127.0.0.1:{sock.getsockname()[1]}/"

    yield start
    for server in servers:
        server.stop(1)


def ask(url, count):
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        return [answer.text for answer in threads.map(lambda _: requests.get(url, timeout=120), range(count))]


def waitress_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("waitress")]


def test_requests_that_wait_for_each_other_all_have_a_thread(serve):
    application = Application(together=LIMIT)
    assert ask(serve(application), LIMIT) == ["ok"] * LIMIT
    assert application.most == LIMIT


def test_no_more_requests_than_the_limit_are_served_at_a_time(serve):
    application = Application(together=LIMIT)
    assert ask(serve(application), 5 * LIMIT) == ["ok"] * 5 * LIMIT
    assert application.most == LIMIT and len(waitress_threads()) <= LIMIT


def test_threads_are_started_when_they_are_needed(serve):
    before = set(waitress_threads())
    url = serve(Application(together=1))
    assert set(waitress_threads()) <= before
    assert ask(url, 1) == ["ok"]
    assert len(set(waitress_threads()) - before) <= 1
