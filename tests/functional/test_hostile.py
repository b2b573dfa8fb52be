"""Malformed HTTP requests are refused clearly and delay no other request."""

import contextlib
import json
import socket
import threading

import pytest
import requests

from tests.functional.client import PROJECT
from tests.functional.service import Apart, Service, until

THREADS = 4
HEAD = (f"POST /v3/{PROJECT}/volumes HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t:{PROJECT}\r\n"
        "Content-Type: application/json\r\n")
MANY = 5 * THREADS
#: Clients that send nearly a whole request, and the most bytes of one by default (docs/limits.md).
CROWD, MOST_OF_A_HEAD, MOST_OF_A_BODY = 300, 64 * 1024, 112 * 1024


@pytest.fixture(scope="module")
def patient():
    """A service that a slow client can hold for longer than a test waits."""
    with Service(backends=("null-1",), target=False, default=f"osapi_volume_threads = {THREADS}\n"
                 "client_request_timeout = 300") as service:
        yield service


@pytest.fixture(scope="module")
def strict():
    with Service(backends=("null-1",), target=False, default=f"osapi_volume_threads = {THREADS}\n"
                 "client_request_timeout = 1") as service:
        yield service


def connected(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def answer(connection):
    """Return (status, fault or None) of the response, reading until the service closes the connection."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
        head, end, body = said.partition(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        if end and (not length or len(body) >= int(length[0])):
            break
    assert said.startswith(b"HTTP/1."), said[:200]
    return int(said.split()[1]), json.loads(body) if body.startswith(b"{") else None


def refusal(connection):
    """Return the status of a refusal and check that it has a reason."""
    status, fault = answer(connection)
    inner, = fault.values()
    assert inner["code"] == status and inner["message"], fault
    return status


def works(service):
    """It answers another client."""
    assert requests.get(f"{service.url}/v3/{PROJECT}/volumes", headers={"X-Auth-Token": f"t:{PROJECT}"}, timeout=60
                        ).json() == {"volumes": []}


SLOW = {"nothing": b"", "half a line": b"GET /v3/", "half a head": HEAD.encode(),
        "half a body": HEAD.encode() + b"Content-Length: 100\r\n\r\n{",
        "half a chunk": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"}


@pytest.mark.parametrize("what", SLOW)
def test_slow_clients_do_not_block_others(patient, what):
    held = [connected(patient) for _ in range(MANY)]
    try:
        for connection in held:
            connection.sendall(SLOW[what])
        works(patient)
    finally:
        for connection in held:
            connection.close()
    works(patient)


def test_clients_that_do_not_read_do_not_block_others(patient):
    held = [connected(patient) for _ in range(MANY)]
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    try:
        for connection in held:
            connection.sendall(ask)
        works(patient)
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("what", ["half a line", "half a head", "half a body", "half a chunk"])
def test_slow_requests_get_408(strict, what):
    with connected(strict) as connection:
        connection.sendall(SLOW[what])
        assert refusal(connection) == 408
    works(strict)


@pytest.mark.parametrize("start", [HEAD + "X-Slow: ", HEAD + "Content-Length: 100000\r\n\r\n"], ids=["head", "body"])
def test_a_byte_now_and_then_is_too_slow(strict, start):
    with connected(strict) as connection:
        connection.sendall(start.encode())
        over = threading.Event()

        def drip():
            try:
                while not over.wait(0.1):
                    connection.sendall(b"x")
            except OSError:  # the service has closed the connection
                pass

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert refusal(connection) == 408
        finally:
            over.set()
            dripping.join()


FLOODS = {
    "headers": HEAD + "".join(f"X-{n}: {n}\r\n" for n in range(20_000)) + "\r\n",
    "some headers": HEAD + "".join(f"X-{n}: {n}\r\n" for n in range(500)) + "\r\n",
    "a long header": HEAD + f"X-Long: {'x' * 1_000_000}\r\n\r\n",
    "a long URL": f"GET /v3/{'x' * 200_000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long query": f"GET /v3/{PROJECT}/volumes?{'a=b&' * 50_000} HTTP/1.1\r\nHost: x\r\n\r\n"}


def send(connection, data):
    """Send the data from a thread, as far as the service accepts it."""
    def run():
        try:
            connection.sendall(data)
        except OSError:  # it had enough
            pass

    sending = threading.Thread(target=run)
    sending.start()
    return sending


def over(connection, sending):
    with contextlib.suppress(OSError):  # it is closed
        connection.shutdown(socket.SHUT_RDWR)
    sending.join()


@pytest.mark.parametrize("what", FLOODS)
def test_floods_are_refused(patient, what):
    with connected(patient) as connection:
        sending = send(connection, FLOODS[what].encode())
        assert 400 <= answer(connection)[0] < 500
        over(connection, sending)
    works(patient)


BIG = json.dumps({"volume": {"size": 1, "name": "x" * 10 * 1024**2}}).encode()


@pytest.mark.parametrize("form", ["length", "chunks", "asked first", "promised"])
def test_large_bodies_are_refused(patient, form):
    heads = {"length": f"Content-Length: {len(BIG)}\r\n", "chunks": "Transfer-Encoding: chunked\r\n",
             "asked first": f"Content-Length: {len(BIG)}\r\nExpect: 100-continue\r\n",
             "promised": f"Content-Length: {10**12}\r\n"}
    bodies = {"length": BIG, "promised": b"", "asked first": b"", "chunks": b"".join(
        b"%x\r\n%s\r\n" % (len(BIG[at:at + 65536]), BIG[at:at + 65536])
        for at in range(0, len(BIG), 65536)) + b"0\r\n\r\n"}
    with connected(patient) as connection:
        sending = send(connection, (HEAD + heads[form] + "\r\n").encode() + bodies[form])
        if form == "asked first" and connection.recv(12, socket.MSG_PEEK).endswith(b"100"):
            assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sending.join()
            sending = send(connection, BIG)
        assert refusal(connection) == 413
        over(connection, sending)
    works(patient)


def memory(pid, name):
    """VmRSS, or VmHWM, its maximum so far, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith(name)).split()[1]) * 1024


def test_floods_take_the_memory_of_the_limits():
    """Each connection can hold a head and a body of the largest size, and no more."""
    service = Apart(backends=("null-1",), target=False, default="client_request_timeout = 300")
    asking = HEAD.encode() + b"Content-Length: %d\r\n\r\n"
    try:
        service.launch("all")
        until(service.answers, "the API to answer")
        works(service)
        before, limit = memory(service.main.pid, "VmRSS"), MOST_OF_A_BODY + MOST_OF_A_HEAD
        with contextlib.ExitStack() as stack:
            for _ in range(CROWD):
                slow = stack.enter_context(connected(service))
                slow.sendall(asking % MOST_OF_A_BODY + b"x" * (MOST_OF_A_BODY - 1))
            for _ in range(20):
                with connected(service) as connection:
                    sending = send(connection, asking % 2**23 + b"x" * 2**23)
                    assert refusal(connection) == 413
                    over(connection, sending)
            works(service)
            assert memory(service.main.pid, "VmHWM") - before < CROWD * limit
    finally:
        service.stop()
        service.remove()


def test_a_body_may_come_in_chunks(patient):
    with connected(patient) as connection:
        body = json.dumps({"volume": {"size": 1}}).encode()
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + b"".join(
            b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:7], body[7:])) + b"0\r\n\r\n")
        status, document = answer(connection)
        assert status == 202
    assert requests.delete(f"{patient.url}/v3/{PROJECT}/volumes/{document['volume']['id']}?force=true", timeout=60,
                           headers={
        "X-Auth-Token": f"t:{PROJECT}", "OpenStack-API-Version": "volume 3.71"}).status_code == 202
    until(lambda: requests.get(f"{patient.url}/v3/{PROJECT}/volumes", headers={"X-Auth-Token": f"t:{PROJECT}"},
                               timeout=60
                               ).json() == {"volumes": []}, "the volume to be gone")


RAW = {
    "noise": b"\x00\x01\x02\xff\r\n\r\n", "one word": b"GET\r\n\r\n", "no such version": b"GET /v3/ HTTP/9.9\r\n\r\n",
    "a negative length": HEAD.encode() + b"Content-Length: -1\r\n\r\n",
    "a length in words": HEAD.encode() + b"Content-Length: ten\r\n\r\n",
    "a huge length": HEAD.encode() + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "two lengths": HEAD.encode() + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}    ",
    "a length and chunks": HEAD.encode() + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no chunk": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    "another coding": HEAD.encode() + b"Transfer-Encoding: gzip\r\n\r\n",
    "a header without colon": HEAD.encode() + b"nothing\r\n\r\n",
    "a NUL in a header": HEAD.encode() + b"X-A: \x00\r\n\r\n",
    "a path that is no text": f"GET /v3/{PROJECT}/volumes/".encode() + b"\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that says it is no text": f"GET /v3/{PROJECT}/volumes/%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "a token that is no text": f"GET /v3/{PROJECT}/volumes?limit=x HTTP/1.1\r\nX-Auth-Token: "
                               f"".encode() + b"\xf0\x9f:\xff\r\n\r\n",
    "a version that is no text": HEAD.encode() + b"OpenStack-API-Version: volume \xf0\x9f\r\nContent-Length: "
                                                 b"2\r\n\r\n{}",
    "a method of its own": f"BREW /v3/{PROJECT}/volumes HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "
                           f"t:{PROJECT}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("what", RAW)
def test_non_http_requests_are_refused(patient, what):
    with connected(patient) as connection:
        connection.sendall(RAW[what])
        connection.shutdown(socket.SHUT_WR)
        status = answer(connection)[0]
        # One server takes an unknown version for the first.
        assert 400 <= status < 500 or (what == "no such version" and status == 200), status
    works(patient)
