"""The log of a service: request ids from HTTP to the device, no secrets, no tracebacks of user errors."""

import json
import os
import uuid

import pytest
import requests
from oslo_context import context as oslo_context

from cinder_lite import context, errors
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.drivers.lvm import commands, volume_group
from tests.functional.client import Client
from tests.functional.service import Apart, until

LOUD = "debug = true\nuse_json = true\nlog_file = cinder.log\nlog_dir = {state}\ntransport_url = local://guest:br0ker-s3cret@here/"
CONNECTOR = {"host": "h", "initiator": "iqn.2026-01.org.example:h", "ip": "127.0.0.1"}


class Logging(Apart):
    """cinder-lite-all with a log of JSON."""

    def start(self):
        self.tgtd.start()
        self.launch("all")
        client = Client(self.url)
        self.main.wait(lambda: self.answers() and all(
            one["state"] == "up" for one in client("GET", "/os-services", expect=200)["services"]) and client(
                "GET", "/scheduler-stats/get_pools", expect=200)["pools"])
        return self

    def lines(self):
        """The log so far, parsed."""
        with open(os.path.join(self.state, "cinder.log")) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def text(self):
        with open(os.path.join(self.state, "cinder.log")) as file:
            return file.read()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    state = tmp_path_factory.mktemp("log")
    with Logging(default=LOUD.format(state="{state}").replace("{state}", str(state))) as running:
        os.symlink(state / "cinder.log", os.path.join(running.state, "cinder.log"))
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def asked(service, client, kind, **body):
    """Make something and wait for its end; returns the id of the request."""
    answer = requests.post(f"{service.url}/v3/{client.project}/{kind}", json={kind[:-1]: body}, timeout=60,
                           headers={"X-Auth-Token": f"tester:{client.project}", "OpenStack-API-Version": "volume 3.71"})
    assert answer.status_code == 202, answer.text
    made = answer.json()[kind[:-1]]
    client.settled(kind, made["id"])
    return answer.headers["x-openstack-request-id"], made["id"]


def test_one_request_id_from_the_request_to_the_device(service, client):
    request_id, volume = asked(service, client, "volumes", size=1)
    backup_request, _ = asked(service, client, "backups", volume_id=volume)

    def follow(id):
        return [(line["name"].removeprefix("cinder_lite."), line["message"]) for line in service.lines()
                if line["context"].get("request_id") == id and line["levelname"] == "INFO"]

    until(lambda: any("completed" in message for _, message in follow(request_id)), "the job's last line")
    places = [place for place, _ in follow(request_id)]
    assert {"api.app", "scheduler.manager", "jobs.worker"} <= set(places), follow(request_id)
    assert [message for _, message in follow(request_id) if message.startswith(f"create of {volume} on file-1 done")]
    until(lambda: ("jobs.worker", "completed") in [(place, message[-9:]) for place, message in follow(backup_request)],
          "the backup's last line")
    assert {"api.app", "jobs.worker"} <= {place for place, _ in follow(backup_request)}
    others = [line for line in service.lines() if line["name"] == "cinder_lite.api.app" and line["context"] == {}]
    assert others == []


def test_periodic_work_has_no_request_id(service):
    looks = until(lambda: [line for line in service.lines() if line["message"].startswith("check on file-1")],
                  "a measurement")
    assert {(line["levelname"], line["context"].get("request_id")) for line in looks} == {("DEBUG", None)}


def test_logs_contain_no_secrets(service, client):
    _, volume = asked(service, client, "volumes", size=1)
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": str(uuid.uuid4()), "connector": CONNECTOR}}, expect=200)["attachment"]
    secret = attachment["connection_info"]["auth_password"]
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    log = until(lambda: "--password ***" in service.text() and service.text(), "the command that sets the secret")
    assert secret not in log
    assert "br0ker-s3cret" not in log


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/volumes", {"volume": {"size": "much"}}, 400), ("POST", "/volumes", b"{", 400),
    ("POST", "/volumes", {"volume": {"size": 10**6}}, (400, 413)), ("GET", f"/volumes/{uuid.UUID(int=1)}", None, 404),
    ("POST", f"/volumes/{uuid.UUID(int=1)}/action", {"os-extend": {"new_size": 2}}, 404),
    ("GET", "/nothing", None, 404)])
def test_a_user_s_error_leaves_no_traceback(service, client, method, path, body, status):
    before = len(service.lines())
    answer = requests.request(method, f"{service.url}/v3/{client.project}{path}", timeout=60,
                              headers={"X-Auth-Token": f"tester:{client.project}", "Content-Type": "application/json"},
                              data=body if isinstance(body, bytes | None) else json.dumps(body))
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    assert [line for line in service.lines()[before:] if line["traceback"] or line["levelname"] == "ERROR"] == []


def test_a_job_that_cannot_succeed_leaves_no_traceback(service, client):
    volume = client.create("volumes", size=1, volume_type=client("POST", "/types", {"volume_type": {
        "name": "nowhere", "extra_specs": {"volume_backend_name": "nowhere"}}}, expect=200)["volume_type"]["name"])
    client.settled("volumes", volume["id"], "error")
    found = [line for line in service.lines() if volume["id"] in line["message"]]
    assert any("no backend for the create" in line["message"] for line in found)
    assert [line for line in service.lines() if line["traceback"]] == []


def test_lvm_s_commands_are_logged_with_the_request(caplog):
    """The group or LVM is missing: the command is in the log anyway."""
    ctx = context.Context(request_id=f"req-{uuid.uuid4()}")
    with pytest.raises((drivers.DriverError, errors.Explained)), caplog.at_level("INFO"):
        volume_group.Group("cinder-lite-not-there", "", "lvm").run(
            commands.create_thin("cinder-lite-not-there", "pool", "volume-1", 2**30), "create volume-1")
    oslo_context._request_store.context = None
    assert ctx.request_id and "'lvm lvcreate -y -V 1073741824b" in caplog.text
