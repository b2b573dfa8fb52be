"""Requests to Glance: credentials, servers, retries, errors."""

import http.server
import json
import threading

import pytest

from cinder_lite import conf, context, errors
from cinder_lite.image import glance

ID = "5a4e4a7a-de6e-41b2-8aef-6f9913a58540"
DATA = bytes(range(256)) * 4096


class Server(http.server.ThreadingHTTPServer):
    """Returns the responses in `answers` in order, the last one repeatedly; records the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url, self.asked = f"http://127.0.0.1:{self.server_port}", []
        self.answers = [(200, json.dumps({"id": ID, "status": "active"}).encode())]


class Handler(http.server.BaseHTTPRequestHandler):
    """Handles one request."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing is logged."""


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def client(server):
    return made(server.url)


def made(*urls):
    loaded = conf.load(argv=[], files=["/dev/null"])
    loaded.set_override("glance_api_servers", list(urls))
    return glance.Glance(loaded, pause=lambda attempt: 0)


def requester(**more):
    return context.Context(user_id="ann", project_id="p1", overwrite=False, **more)


def test_identity_headers_without_keystone(client, server):
    assert client.show(requester(roles=["member"]), ID).id == ID
    path, headers = server.asked[0]
    assert path == f"/v2/images/{ID}"
    assert (headers["X-User-Id"], headers["X-Project-Id"], headers["X-Roles"]) == ("ann", "p1", "member")
    assert headers["X-Identity-Status"] == "Confirmed"


def test_the_users_token_is_passed_on_and_nothing_beside_it(client, server):
    client.show(requester(auth_token="secret"), ID)
    headers = server.asked[0][1]
    assert headers["X-Auth-Token"] == "secret" and "X-Project-Id" not in headers


def test_retries_while_they_may_help(client, server):
    server.answers.insert(0, (503, b"later"))
    server.answers.insert(0, (502, b"later"))
    assert client.show(requester(), ID).id == ID
    assert len(server.asked) == 3


def test_given_up_with_the_reason(client, server):
    server.answers = [(503, b"never")]
    with pytest.raises(errors.ImageServiceUnavailable, match="answered 503"):
        client.show(requester(), ID)
    assert len(server.asked) == 4


def test_a_server_that_is_away_is_passed_over(server):
    client = made("http://127.0.0.1:1", f"{server.url}/v2/")
    assert [client.show(requester(), ID).id for _ in range(4)] == [ID] * 4


@pytest.mark.parametrize(("status", "error", "says"), [
    (404, errors.ImageNotFound, ID), (403, errors.BadRequest, "403 You may not"),
    (415, errors.BadRequest, "415 You may not")])
def test_refusals_of_glance(client, server, status, error, says):
    server.answers = [(status, b"<html><title>x</title>\n<body><h1>403 Forbidden</h1>You may not<br/></body></html>")]
    with pytest.raises(error) as raised:
        client.show(requester(), ID)
    assert says.split()[0] in str(raised.value) and "<" not in str(raised.value)


def test_no_server_configured():
    with pytest.raises(errors.NoImageService, match="glance_api_servers"):
        made().show(requester(), ID)


@pytest.mark.parametrize(("status", "body"), [(206, DATA[1000:]), (200, DATA)])
def test_data_from_the_middle_whether_ranges_are_understood_or_not(client, server, status, body):
    server.answers = [(status, body)]
    with client.read(requester(), ID, 1000) as pieces:
        assert b"".join(pieces) == DATA[1000:]
    assert server.asked[0][1]["Range"] == "bytes=1000-"


def test_the_pauses_grow_to_a_limit():
    assert [glance.pause(attempt) for attempt in (1, 2, 3, 4, 5, 6, 99)] == [1, 2, 4, 8, 10, 10, 10]
