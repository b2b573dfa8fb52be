"""A service with volume groups, Ceph and files: migrations between them, and isolation from failures of Ceph.

Ceph runs outside the lab if the lab has a separate kernel.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from cinder_lite.blockio import device
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd.supervisor import ATTEMPTS
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.functional.test_moves import DATA, PLACES, act, moved
from tests.storage import ceph as ceph_module
from tests.storage import lvm
from tests.storage.test_rbd_service import FILE, begun, load

TOP = pathlib.Path(__file__).resolve().parents[3]
#: The machine outside the lab, and its address.
OUTSIDE, ADDRESS = "254", "10.89.0.254"
LVM = """
[{name}]
volume_driver = lvm
volume_group = {group}
lvm_type = {kind}
volume_clear = none
target_port = {{target_port}}
tgt_control_port = {{control_port}}
"""
RBD = """
[rbd-1]
volume_driver = rbd
rbd_ceph_conf = {conf}
rbd_user = {user}
rbd_pool = volumes
"""


@pytest.fixture(scope="module")
def ceph():
    """The configuration file of a Ceph, with its keyrings beside it."""
    direct = os.environ["KERNEL_LAB_HOSTS"] == "127.0.0.1"
    command = [sys.executable, "-W", "ignore", "-m", "tests.storage.ceph", "127.0.0.1" if direct else ADDRESS]
    if not direct:
        command = [TOP / "tools/kernel-lab", "--on", OUTSIDE, "--", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TOP) as running:
        files = json.loads(running.stdout.readline())
        for path, text in files.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        yield next(iter(files))
        running.terminate()


@pytest.fixture(scope="module")
def service(ceph):
    with lvm.group(0) as one, lvm.group(1) as two:
        groups = {"lvm-1": one, "lvm-2": two}
        sections = {"rbd-1": RBD.format(conf=ceph, user=ceph_module.USER), "file-1": FILE} | {
            name: LVM.format(name=name, group=groups[name], kind=kind) for name,
            kind in (("lvm-1", "thin"), ("lvm-2", "default"))}
        with Service(backends=(*groups, "rbd-1", "file-1"), sections=sections,
                     default="job_sweep_interval = 1\nquota_volumes = 100") as running:
            running.groups = groups
            for name in running.backends:
                specs = {"volume_backend_name": name}
                Client(running.url)("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}}, expect=200)
            yield running


def backend(service, name):
    return next(one.backend for one in service.volume.backends if one.backend.section == name)


def where(service, name, id):
    """Where the backend of that name has the bytes of what it calls volume-ID."""
    return backend(service, name).content(base.Volume(id, 1))


def nothing_left(service):
    """No backend has a volume or snapshot."""
    return until(lambda: not any(list(backend(service, name).driver.names()) for name in service.backends),
                 "the end of all volumes")


def holds(service, name, id):
    with device.source(where(service, name, id)) as source:
        assert [source.read(place, len(DATA)) == DATA for place in PLACES] == [True] * len(PLACES)


def managed_again(client, id, host, kind):
    """Let go of the volume, and take over what then has its name: the new volume's id."""
    act(client, id, "os-unmanage", {})
    client.gone("volumes", id)
    body = {"host": host, "ref": {"source-name": f"volume-{id}"}, "volume_type": kind}
    return client.settled("volumes", client("POST", "/manageable_volumes", {"volume": body},
                                            expect=202)["volume"]["id"])["id"]


def test_a_volume_moves_to_ceph_to_files_and_back_with_its_bytes(service):
    client = Client(service.url)
    id = client.made("volumes", size=1, volume_type="lvm-1")["id"]
    with device.target(where(service, "lvm-1", id)) as target:
        for place in PLACES:
            target.write(place, DATA)
        target.sync()
    for name in ("rbd-1", "lvm-2", "file-1", "lvm-1"):
        act(client, id, "os-retype", {"new_type": name, "migration_policy": "on-demand"})
        until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] == name, f"type {name}", 300)
        volume = moved(client, id)
        assert volume["os-vol-mig-status-attr:name_id"] is None
        holds(service, name, id)
        id = managed_again(client, id, volume["os-vol-host-attr:host"], name)
        holds(service, name, id)
    client("DELETE", f"/volumes/{id}", expect=202)
    client.gone("volumes", id)
    nothing_left(service)


def test_librbd_is_killed_under_load_and_volume_groups_and_files_go_on(service):
    driver = backend(service, "rbd-1").driver
    end = time.monotonic() + 20
    loads = [begun(load, Client(service.url), kind, end) for kind in ("rbd-1", "rbd-1", "lvm-1", "file-1")]
    killed = [None]
    for _ in range(ATTEMPTS - 1):  # so that any call comes through, however slow this machine is
        until(lambda: driver.librbd.pid not in killed, "a process with librbd")
        time.sleep(2)
        killed.append(driver.librbd.pid)
        os.kill(killed[-1], signal.SIGKILL)
    lives = [result() for result in loads]
    assert all(count > 0 for count in lives), lives
    sound(service, Client(service.url))
    nothing_left(service)
