"""The API calls of Nova for volumes of servers, with service tokens of Keystone and data over iSCSI.

The calls have the order of the Block Storage API documentation for attachments, extension and volume swaps. The
initiator of the compute hosts is libiscsi.
"""

import random
import subprocess
import uuid

import pytest

from tests.acceptance.installation import BACKENDS
from tests.contract import initiator
from tests.services.processes import until

#: Bytes that a server writes to its volume.
WRITTEN = 4 * 1024**2


class Compute:
    """A Nova for one of its users: what it asks to do something with a volume of a server, named by its parts there."""

    def __init__(self, people, user):
        self.call, self.user = people(user, service="nova"), people(user)
        #: {volume: (attachment, connection's data)} of the server that now has it.
        self.held = {}

    def action(self, volume, name, body=None, expect=202, **more):
        return self.call("POST", f"/volumes/{volume}/action", {name: body or {}}, expect=expect, **more)

    def shown(self, volume):
        return self.call("GET", f"/volumes/{volume}", expect=200)["volume"]

    def is_(self, volume, status):
        return until(lambda: self.shown(volume)["status"] == status, what=f"volume {volume} being {status}")

    def reserved(self, volume, server):
        body = {"attachment": {"volume_uuid": volume, "instance_uuid": server}}
        return self.call("POST", "/attachments", body, expect=200)["attachment"]["id"]

    def connected(self, attachment, host):
        """The host's part: it says who it is and gets where to log in."""
        connector = {"host": host, "initiator": f"iqn.2026-01.org.example:{host}", "ip": "127.0.0.1",
                     "multipath": False,
                     "platform": "x86_64", "os_type": "linux", "mountpoint": "/dev/vdb"}
        answer = self.call("PUT", f"/attachments/{attachment}", {"attachment": {"connector": connector}}, expect=200)
        info = answer["attachment"]["connection_info"]
        assert (info["driver_volume_type"], info["auth_method"]) == ("iscsi", "CHAP")
        return info

    def completed(self, attachment):
        self.call("POST", f"/attachments/{attachment}/action", {"os-complete": {}}, expect=204)

    def removed(self, attachment):
        self.call("DELETE", f"/attachments/{attachment}", expect=200)

    def attach(self, volume, server, host="compute-1"):
        assert self.shown(volume)["status"] == "available"
        attachment = self.reserved(volume, server)
        assert self.shown(volume)["status"] == "reserved"
        self.held[volume] = attachment, self.connected(attachment, host)
        self.completed(attachment)
        found = self.shown(volume)
        assert (found["status"], [(one["attachment_id"], one["server_id"], one["host_name"])
                                  for one in found["attachments"]]) == (
            "in-use", [(attachment, server, host)])

    def detach(self, volume):
        self.action(volume, "os-begin_detaching")
        assert self.shown(volume)["status"] == "detaching"
        self.removed(self.held.pop(volume)[0])
        found = self.shown(volume)
        assert (found["status"], found["attachments"]) == ("available", [])

    def address(self, volume):
        return initiator.url(self.held[volume][1])


@pytest.fixture
def compute(people):
    return Compute(people, "ann")


@pytest.fixture
def server():
    return str(uuid.uuid4())


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "written"
    path.write_bytes(random.Random(7).randbytes(WRITTEN))
    return path


@pytest.fixture
def volume(compute):
    return compute.user.made("volumes", size=1)["id"]


def begins_with(address, data, directory):
    """Whether a volume begins with the data, as an initiator reads it."""
    copy = directory / f"read-{uuid.uuid4()}"
    done, said = initiator.qemu("convert", "-f", "raw", "-O", "raw", address, str(copy))
    assert done, said
    with open(copy, "rb") as file:
        found = file.read(WRITTEN) == data.read_bytes()
    copy.unlink()
    return found


def closed(info):
    """Nobody can log in where one could before."""
    return not initiator.qemu("info", "-f", "raw", initiator.url(info))[0]


def test_attach_and_detach(compute, volume, server, data, tmp_path):
    compute.attach(volume, server)
    initiator.write(str(data), compute.address(volume))
    info = compute.held[volume][1]
    compute.detach(volume)
    until(lambda: closed(info), what="the export being gone")
    other = str(uuid.uuid4())
    compute.attach(volume, other, "compute-2")
    assert begins_with(compute.address(volume), data, tmp_path)
    compute.action(volume, "os-begin_detaching")
    compute.action(volume, "os-roll_detaching")
    assert compute.shown(volume)["status"] == "in-use"
    compute.detach(volume)
    compute.user.removed("volumes", volume)


def test_an_attach_that_fails_on_its_host_leaves_nothing(compute, volume, server):
    attachment = compute.reserved(volume, server)
    info = compute.connected(attachment, "compute-1")
    compute.removed(attachment)
    assert compute.shown(volume)["status"] == "available"
    until(lambda: closed(info), what="the export being gone")
    compute.user.removed("volumes", volume)


def test_live_migration(compute, volume, server, data, tmp_path):
    """Both hosts have the volume for a while, by two attachments of one server."""
    compute.attach(volume, server, "compute-1")
    initiator.write(str(data), compute.address(volume))
    source = compute.held[volume][0]
    target = compute.reserved(volume, server)
    info = compute.connected(target, "compute-2")
    for address in (compute.address(volume), initiator.url(info)):
        assert begins_with(address, data, tmp_path)
    compute.completed(target)
    assert {one["host_name"] for one in compute.shown(volume)["attachments"]} == {"compute-1", "compute-2"}
    compute.removed(source)
    found = compute.shown(volume)
    assert (found["status"], [one["attachment_id"] for one in found["attachments"]]) == ("in-use", [target])
    compute.held[volume] = target, info
    assert begins_with(compute.address(volume), data, tmp_path)
    compute.detach(volume)
    compute.user.removed("volumes", volume)


def test_live_migration_that_is_rolled_back(compute, volume, server, data, tmp_path):
    compute.attach(volume, server, "compute-1")
    initiator.write(str(data), compute.address(volume))
    target = compute.reserved(volume, server)
    compute.connected(target, "compute-2")
    compute.removed(target)
    assert compute.shown(volume)["status"] == "in-use"
    assert begins_with(compute.address(volume), data, tmp_path)
    compute.detach(volume)
    compute.user.removed("volumes", volume)


def test_extend(compute, nova, keystone, volume, server, data, tmp_path):
    compute.attach(volume, server)
    initiator.write(str(data), compute.address(volume))
    compute.user("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}, expect=202, version="3.42")
    assert nova.received(volume, "volume-extended") == [("volume-extended", server, "completed")]
    headers = next(headers for _, path, _, headers in reversed(nova.asked) if path == "/os-server-external-events")
    assert headers["X-Auth-Token"] and headers["OpenStack-API-Version"] == "compute 2.51"
    assert initiator.size_of(compute.address(volume)) == 2 * 1024**3
    assert begins_with(compute.address(volume), data, tmp_path)
    assert (compute.shown(volume)["size"], compute.shown(volume)["status"]) == (2, "in-use")
    compute.detach(volume)
    compute.user.removed("volumes", volume)


def copied(source, target):
    subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, target], check=True, timeout=300)


def swapped(compute, server, old, new, host="compute-1"):
    """Nova's part of putting a volume into another's place, up to the detachment of the old one."""
    compute.action(old, "os-begin_detaching")
    attachment = compute.reserved(new, server)
    info = compute.connected(attachment, host)
    copied(compute.address(old), initiator.url(info))
    compute.completed(attachment)
    compute.removed(compute.held.pop(old)[0])
    return attachment, info


def test_a_user_swaps_a_volume_for_another(compute, volume, server, data, tmp_path):
    new = compute.user.made("volumes", size=1)["id"]
    compute.attach(volume, server)
    initiator.write(str(data), compute.address(volume))
    compute.held[new] = swapped(compute, server, volume, new)
    assert (compute.shown(volume)["status"], compute.shown(new)["status"]) == ("available", "in-use")
    assert begins_with(compute.address(new), data, tmp_path)
    compute.detach(new)
    for id in (volume, new):
        compute.user.removed("volumes", id)


@pytest.mark.parametrize("action", ["migrate", "retype"])
def test_a_volume_moves_to_another_backend_under_its_server(compute, people, nova, volume, server, data, tmp_path,
                                                            action):
    admin = people("admin")
    compute.attach(volume, server)
    initiator.write(str(data), compute.address(volume))
    here = admin("GET", f"/volumes/{volume}", expect=200)["volume"]["os-vol-host-attr:host"]
    backend, = {f"here@{name}" for name in BACKENDS} - {here.partition("#")[0]}
    there = f"{backend}#{backend.partition('@')[2]}"
    swaps = []

    def swap(server, old, new):
        admins = Compute(people, "admin")
        admins.held = compute.held
        attachment, info = swapped(admins, server, old, new)
        answer = admins.action(old, "os-migrate_volume_completion", {"new_volume": new, "error": False}, expect=200)
        assert answer == {"save_volume_id": old}
        compute.held[old] = attachment, info
        swaps.append((server, old))

    nova.swap = swap
    try:
        if action == "migrate":
            admin("POST", f"/volumes/{volume}/action", {"os-migrate_volume": {"host": there}}, expect=202)
        else:
            admin("POST", "/types", {"volume_type": {"name": "elsewhere", "extra_specs": {
                "volume_backend_name": backend.partition("@")[2]}}}, expect=200)
            body = {"os-retype": {"new_type": "elsewhere", "migration_policy": "on-demand"}}
            compute.user("POST", f"/volumes/{volume}/action", body, expect=202)
        until(lambda: swaps or nova.failures, what="Nova having swapped the volume")
    finally:
        nova.swap = None
    found = admin("GET", f"/volumes/{volume}", expect=200)["volume"]
    assert (found["os-vol-host-attr:host"], found["status"], found["migration_status"]) == (there, "in-use", "success")
    assert [(one["server_id"], one["attachment_id"]) for one in found["attachments"]] == [(server,
                                                                                           compute.held[volume][0])]
    assert begins_with(compute.address(volume), data, tmp_path)
    compute.detach(volume)
    compute.user.removed("volumes", volume)
    if action == "retype":
        kind = next(one["id"] for one in admin("GET", "/types", expect=200)["volume_types"]
                    if one["name"] == "elsewhere")
        admin("DELETE", f"/types/{kind}", expect=202)
