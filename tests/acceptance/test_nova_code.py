"""Volumes of servers by the code of Nova: its Cinder client, block devices with os-brick, volume swap.

Only the kernel, the hypervisor and the database of Nova are replaced (see nova_compute.py). The data goes over iSCSI.
"""

import json
import os
import random
import subprocess
import uuid

import pytest

from tests.acceptance.installation import BACKENDS, login
from tests.acceptance.person import Person
from tests.acceptance.test_nova import WRITTEN, begins_with
from tests.contract import initiator
from tests.meta.source import TOP
from tests.services.daemons import as_text
from tests.services.processes import until

#: Made by tox from nova-requirements.txt.
PYTHON = TOP / ".tox" / "nova" / "bin" / "python"


class Compute:
    """A compute service of its own, with one server: compute("attach", volume=...) for one of Keystone's people."""

    def __init__(self, directory, keystone, service):
        if not PYTHON.exists():
            raise FileNotFoundError(f"{PYTHON} is missing: run `tox run -e nova --notest`")
        self.keystone, self.server = keystone, str(uuid.uuid4())
        config = directory / "nova.conf"
        (directory / "locks").mkdir()
        nova = {"auth_type": "password", "auth_url": keystone.url, **login(keystone), "username": "nova"}
        config.write_text(as_text({
            "DEFAULT": {"host": "compute-1", "state_path": str(directory), "debug": "true"},
            "oslo_concurrency": {"lock_path": f"{directory}/locks"},
            "cinder": {"endpoint_template": f"{service.url}/v3/%(project_id)s", **nova},
            "service_user": {"send_service_user_token": "true", **nova}}))
        self.log = directory / "nova.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [PYTHON, TOP / "tests/acceptance/nova_compute.py", config, self.server], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, "PYTHONPATH": "", "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"})

    def __call__(self, call, user="ann", fails=None, **more):
        """The result; with `fails` the words that the error has to have."""
        person = Person(self.keystone, user)
        ask = {"call": call, "token": person.token, "user": user, "project": person.project, "admin": user == "admin",
               **more}
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log.read_text()
        answer = json.loads(answer)
        if fails is not None:
            assert fails in answer["error"]
            return None
        assert "error" not in answer, f"{answer['error']}\n{self.log.read_text()[-6000:]}"
        return answer["result"]


@pytest.fixture(scope="module")
def compute(tmp_path_factory, keystone, service):
    made = Compute(tmp_path_factory.mktemp("nova"), keystone, service)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def ann(people):
    return people("ann")


@pytest.fixture
def admin(people):
    return people("admin")


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "written"
    path.write_bytes(random.Random(9).randbytes(WRITTEN))
    return path


@pytest.fixture
def volume(ann):
    id = ann.made("volumes", size=1)["id"]
    yield id
    ann.removed("volumes", id)


def shown(ann, volume):
    found = ann("GET", f"/volumes/{volume}", expect=200)["volume"]
    return found["status"], [one["server_id"] for one in found["attachments"]]


@pytest.mark.parametrize("legacy", [False, True])
def test_attach_and_detach(compute, ann, volume, data, tmp_path, legacy):
    compute("attach", volume=volume, legacy=legacy)
    assert shown(ann, volume) == ("in-use", [compute.server])
    address = compute("address", volume=volume)
    initiator.write(str(data), address)
    compute("detach", volume=volume)
    assert shown(ann, volume) == ("available", [])
    until(lambda: not initiator.qemu("info", "-f", "raw", address)[0], what="the export being gone")
    compute("attach", volume=volume, legacy=legacy)
    assert begins_with(compute("address", volume=volume), data, tmp_path)
    compute("detach", volume=volume)
    assert compute("plugged") == 0


@pytest.mark.parametrize("legacy", [False, True])
def test_a_hypervisor_that_fails_leaves_the_volume_free(compute, ann, volume, legacy):
    compute("fail", on=True)
    try:
        compute("attach", volume=volume, legacy=legacy, fails="made to fail")
    finally:
        compute("fail", on=False)
    if legacy:  # Nova's manager gives the reservation back, when its block device has failed
        ann("POST", f"/volumes/{volume}/action", {"os-unreserve": {}}, expect=202)
    assert shown(ann, volume) == ("available", [])


@pytest.mark.parametrize("source", ["blank", "snapshot"])
def test_a_server_boots_from_a_volume_that_nova_makes(compute, ann, volume, source):
    snapshot = ann.made("snapshots", volume_id=volume)["id"] if source == "snapshot" else None
    made = compute("boot", **({"snapshot": snapshot} if snapshot else {}))
    assert shown(ann, made) == ("in-use", [compute.server])
    compute("detach", volume=made)
    ann.removed("volumes", made)
    if snapshot:
        ann.removed("snapshots", snapshot)


def test_extend(compute, ann, nova, volume, data, tmp_path):
    compute("attach", volume=volume)
    initiator.write(str(data), compute("address", volume=volume))
    ann("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}, expect=202)
    assert nova.received(volume, "volume-extended") == [("volume-extended", compute.server, "completed")]
    compute("refresh", volume=volume)
    address = compute("address", volume=volume)
    assert initiator.size_of(address) == 2 * 1024**3 and begins_with(address, data, tmp_path)
    compute("detach", volume=volume)


def test_a_user_swaps_volumes(compute, ann, volume, data, tmp_path):
    new = ann.made("volumes", size=1)["id"]
    compute("attach", volume=volume)
    initiator.write(str(data), compute("address", volume=volume))
    assert compute("swap", volume=volume, new=new) == new
    assert (shown(ann, volume), shown(ann, new)) == (("available", []), ("in-use", [compute.server]))
    assert begins_with(compute("address", volume=new), data, tmp_path)
    compute("detach", volume=new)
    ann.removed("volumes", new)


def test_a_swap_that_fails_leaves_both_as_they_were(compute, ann, volume):
    new = ann.made("volumes", size=1)["id"]
    compute("attach", volume=volume)
    compute("fail", on=True)
    try:
        compute("swap", volume=volume, new=new, fails="made to fail")
    finally:
        compute("fail", on=False)
    assert (shown(ann, volume), shown(ann, new)) == (("in-use", [compute.server]), ("available", []))
    compute("detach", volume=volume)
    ann.removed("volumes", new)


@pytest.mark.parametrize("fails", [False, True])
def test_a_volume_moves_under_its_server(compute, ann, admin, nova, volume, data, tmp_path, fails):
    compute("attach", volume=volume)
    initiator.write(str(data), compute("address", volume=volume))
    before = admin("GET", f"/volumes/{volume}", expect=200)["volume"]
    here = before["os-vol-host-attr:host"].partition("#")[0]
    backend, = {f"here@{name}" for name in BACKENDS} - {here}
    there = f"{backend}#{backend.partition('@')[2]}"
    swaps = []

    def swap(server, old, new):
        swaps.append((server, compute("swap", user="admin", volume=old, new=new,
                                      **({"fails": "made to fail"} if fails else {}))))

    nova.swap = swap
    compute("fail", on=fails)
    try:
        admin("POST", f"/volumes/{volume}/action", {"os-migrate_volume": {"host": there}}, expect=202)
        until(lambda: swaps or nova.failures, what="Nova having swapped the volume")
    finally:
        nova.swap = None
        compute("fail", on=False)
    found = admin("GET", f"/volumes/{volume}", expect=200)["volume"]
    wanted = (before["os-vol-host-attr:host"], "error") if fails else (there, "success")
    assert (found["os-vol-host-attr:host"], found["migration_status"], found["status"]) == (*wanted, "in-use")
    services = {one["host"]: one for one in admin("GET", "/os-services?binary=cinder-volume", expect=200)["services"]}
    assert found["shared_targets"] is False and found["service_uuid"] and len(services) == 2
    assert (found["service_uuid"] == before["service_uuid"]) is fails
    assert begins_with(compute("address", volume=volume), data, tmp_path)
    compute("detach", volume=volume)
    assert shown(ann, volume) == ("available", [])
