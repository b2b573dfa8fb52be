"""Requests to other services: a bounded number waits, and one that does not answer is named."""

import socket
import threading

import pytest
import webob
from keystoneauth1 import session

from cinder_lite import conf, errors
from cinder_lite.api.auth import keystone
from cinder_lite.observe import outgoing
from tests.functional.service import until

LIMIT = 2


@pytest.fixture
def silent():
    """The URL of a server that accepts connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=20) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def loaded(tmp_path, *lines):
    file = tmp_path / "cinder.conf"
    file.write_text("\n".join(["[DEFAULT]", f"rpc_max_waiting = {LIMIT}", *lines, ""]))
    return conf.load([], files=[str(file)])


def asking(function, count):
    """Threads that call function(), and the errors that it raises."""
    raised = []

    def call():
        try:
            function()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            raised.append(error)

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, raised


def test_no_more_than_the_limit_wait(tmp_path, silent, monkeypatch):
    monkeypatch.setattr(outgoing, "SLOW", 0.1)
    options, client = loaded(tmp_path), session.Session(timeout=3)
    client.request = outgoing.watched(client.request, options, "Glance", LIMIT)
    threads, raised = asking(lambda: client.get(silent, authenticated=False), 3 * LIMIT)
    until(lambda: len(raised) >= 2 * LIMIT, "the others to be refused")
    assert {type(error) for error in raised[:2 * LIMIT]} == {errors.Unavailable}
    until(lambda: outgoing.problems(options), "the service to be named")
    for thread in threads:
        thread.join()
    assert outgoing.problems(options) == [
        "Glance did not answer the last request: ConnectTimeout; check it and the network to it"]
    assert outgoing.problems(loaded(tmp_path)) == []


class Recorded(list):
    """What a meter was given."""

    def observe(self, *measured):
        self.append(measured)


@pytest.mark.parametrize("name", ["Keystone", "Glance", "Nova"])
@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_each_is_named_while_it_is_waited_for_and_measured(tmp_path, monkeypatch, name, outcome):
    """One answers slowly in the end, the other never."""
    monkeypatch.setattr(outgoing, "SLOW", 0.1)
    monkeypatch.setattr(outgoing.Outgoing, "meter", Recorded())
    options, client = loaded(tmp_path), session.Session(timeout=60 if outcome == "done" else 2)
    client.request = outgoing.watched(client.request, options, name, LIMIT)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        threads, _ = asking(lambda: client.get(url, authenticated=False), 1)
        until(lambda: outgoing.problems(options), "the service to be named")
        assert outgoing.problems(options)[0].startswith(f"{name} is slow: it has not answered for ")
        if outcome == "done":
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                threads[0].join()
        threads[0].join()
    (metric, seconds, *labels), = outgoing.Outgoing.meter
    assert (metric, labels) == ("outgoing_request_seconds", [name, outcome]) and seconds >= 0.1
    assert bool(outgoing.problems(options)) == (outcome == "failed")


def test_a_silent_keystone_is_waited_for_by_few_and_not_for_ever(tmp_path, silent):
    options = loaded(tmp_path, "[keystone_authtoken]", "auth_type = password", f"auth_url = {silent}/v3",
                     "username = cinder", "password = x", "user_domain_name = Default", "project_name = service",
                     "project_domain_name = Default", "http_connect_timeout = 1", "http_request_max_retries = 0")
    strategy = keystone.Keystone(options)

    def identify():
        strategy(webob.Request.blank("/v3/volumes", headers={"X-Auth-Token": "t"}), "req-1", None)

    threads, raised = asking(identify, 3 * LIMIT)
    for thread in threads:
        thread.join()
    assert {type(error) for error in raised} == {errors.Unavailable} and len(raised) == 3 * LIMIT
    assert sum(str(error).startswith("Too many requests wait for Keystone") for error in raised) == 2 * LIMIT
    assert outgoing.problems(options) == [
        "Keystone did not answer the last request: ConnectTimeout; check it and the network to it"]


def test_keystone_has_a_deadline_by_default(tmp_path):
    options = loaded(tmp_path)
    keystone.configuration_error(options)
    assert options.keystone_authtoken.http_connect_timeout == keystone.TIMEOUT
