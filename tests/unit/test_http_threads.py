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


class Servers:
    """Starts servers of applications, and stops them."""

    def __init__(self):
        self.running = []

    def __call__(self, application):
        sock = socket.create_server(("127.0.0.1", 0))
        self.running.append(http_server.WSGIServer(sock, application, http_limits.Limits(
            connections=100, requests=LIMIT, request_timeout=60, body=1024), logging.getLogger("test")))
        self.running[-1].start()
        return f"http://127.0.0.1:{sock.getsockname()[1]}/"

    def stop(self):
        while self.running:
            self.running.pop().stop(1)


@pytest.fixture
def serve():
    servers = Servers()
    yield servers
    servers.stop()


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


@pytest.mark.once
def test_a_stopping_server_keeps_its_trigger_until_it_is_pulled(serve, monkeypatch):
    url = serve(Application(together=1))
    assert ask(url, 1) == ["ok"]
    server = serve.running.pop()._server
    server.refuse()
    trigger, closed, kept = server.trigger, threading.Event(), []
    pull, close = trigger._physical_pull, trigger.close

    def pull_late():
        """Wakes the loop as another thread may do, before the byte of this thread is written."""
        pull()
        kept.append(not closed.wait(1))
        pull()

    monkeypatch.setattr(trigger, "_physical_pull", pull_late)
    monkeypatch.setattr(trigger, "close", lambda: (close(), closed.set()))
    server.stop()
    assert kept == [True] and closed.wait(60)
