"""Passwords, tokens and CHAP secrets do not appear in logs, lists and messages."""

import json
import uuid

import pytest

from tests.acceptance.person import Person

SERVER = str(uuid.uuid4())
CONNECTOR = {"host": "compute", "initiator": "iqn.2026-01.org.example:compute", "ip": "127.0.0.1"}
LISTS = ("/attachments/detail", "/volumes/detail", "/snapshots/detail", "/backups/detail", "/messages", "/jobs",
         "/os-services", "/scheduler-stats/get_pools?detail=true", "/capabilities/here@file-1", "/types", "/limits")


@pytest.fixture(scope="module")
def attached(keystone, service):
    """(an attachment to a server, its CHAP secret)."""
    nova = Person(keystone, "ann", service="nova")
    volume = nova.made("volumes", size=1)
    body = {"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": CONNECTOR}}
    attachment = nova("POST", "/attachments", body, expect=200)["attachment"]
    yield attachment["id"], attachment["connection_info"]["auth_password"]
    nova("DELETE", f"/attachments/{attachment['id']}", expect=200)


def test_who_connects_hosts_gets_the_secret_and_a_reader_does_not(people, attached):
    id, secret = attached
    shown = people("ann")("GET", f"/attachments/{id}", expect=200)["attachment"]["connection_info"]
    assert shown["auth_password"] == secret
    hidden = people("rita")("GET", f"/attachments/{id}", expect=200)["attachment"]["connection_info"]
    assert hidden == {**shown, "auth_password": "***"}


@pytest.mark.parametrize("path", LISTS)
def test_no_list_shows_secrets(people, attached, keystone, path):
    separator = "&" if "?" in path else "?"
    for name in ("ann", "admin"):
        document = json.dumps(people(name)("GET", f"{path}{separator}all_tenants=1"))
        assert attached[1] not in document
        assert keystone.password not in document


def test_no_log_tells_secrets(people, attached, keystone, service):
    """The service logs all that it can, with debug."""
    wrong = {"attachment": {"volume_uuid": str(uuid.uuid4()), "connector": CONNECTOR}}
    ann = people("ann", service="nova")
    assert ann("POST", "/attachments", wrong)[0] == 404
    assert ann("GET", f"/attachments/{attached[0]}")[0] == 200
    with open(service.log) as file:
        log = file.read()
    assert " DEBUG " in log
    secrets = {"CHAP": attached[1], "password": keystone.password, "tokens": ann.token,
               "service tokens": ann.service_token}
    assert [name for name, secret in secrets.items() if secret in log] == []
