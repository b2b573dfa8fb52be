"""Requests cannot inject lines into the log."""

import base64
import os

import pytest
import requests

from tests.functional import people
from tests.functional.service import Apart, until

FORGED = "2026-01-01 00:00:00.000 1 INFO cinder_lite.api.app [-] forged"
EVIL = ("\n", "\r", "\x1b[2J", "\u2028", "\x85")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    directory = tmp_path_factory.mktemp("people")
    running = Apart(backends=("null-1",), target=False, default="debug = true\n" + people.options(directory))
    running.launch("all")
    running.main.wait(running.answers)
    yield running
    running.stop()
    running.remove()


def log(service):
    with open(os.path.join(service.state, "output"), newline="") as file:
        return file.read()


def test_clients_cannot_add_lines_to_the_log(service):
    """In paths, queries, headers, names and bodies, with a login and without one."""
    login = ("ann", people.password("ann"))
    for evil in EVIL:
        quoted = requests.utils.quote(f"x{evil}{FORGED}")
        basic = base64.b64encode(f"mallory{evil}{FORGED}:x".encode()).decode()
        for path in (f"/{quoted}", f"/v3/{quoted}", f"/v3/volumes/{quoted}", f"/v3/volumes?name={quoted}&{quoted}=1",
                     f"/healthcheck/{quoted}"):
            for auth in (None, login):
                requests.get(service.url + path, auth=auth, timeout=60)
        requests.get(f"{service.url}/v3/volumes", headers={"Authorization": f"Basic {basic}"}, timeout=60)
        requests.get(f"{service.url}/v3/volumes", auth=login, timeout=60, headers={
            "X-OpenStack-Request-ID": f"req-{FORGED}", "OpenStack-API-Version": f"volume {FORGED}",
            "X-Forwarded-For": FORGED})
        requests.post(f"{service.url}/v3/volumes", auth=login,
                      json={"volume": {"size": 1, "availability_zone": f"x{evil}{FORGED}"}},
                      timeout=60)
    requests.get(f"{service.url}/v3/volumes", auth=("ann", "wrong"), timeout=60)
    found = until(lambda: "a login as ann from 127.0.0.1 failed" in log(service) and log(service), "the failed login")
    assert FORGED in found
    for line in found.splitlines():
        assert not line.startswith(FORGED) and not line.startswith("2026-01-01"), line
    assert not set(found) & {"\r", "\x1b", "\u2028", "\x85"}
    assert "127.0.0.1 GET /v3/volumes 401" in found


def test_the_database_is_for_its_owner_alone(service):
    for name in os.listdir(service.state):
        if name.startswith("cinder.sqlite"):
            assert os.stat(os.path.join(service.state, name)).st_mode & 0o777 == 0o600, name
