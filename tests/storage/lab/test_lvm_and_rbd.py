"""Volumes move between a volume group and a Ceph, which runs outside the lab where the lab is a kernel of its own."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from cinder_lite import content
from cinder_lite.volume.drivers import base
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_moves import DATA, PLACES, act, moved
from tests.storage import ceph as ceph_module
from tests.storage import lvm

TOP = pathlib.Path(__file__).resolve().parents[3]
#: The machine outside the lab, and its address.
OUTSIDE, ADDRESS = "254", "10.89.0.254"
LVM = """
[lvm]
volume_driver = lvm
volume_group = {group}
target_port = {{target_port}}
tgt_control_port = {{control_port}}
"""
RBD = """
[rbd]
volume_driver = rbd
rbd_ceph_conf = {conf}
rbd_user = {user}
rbd_pool = volumes
"""


@pytest.fixture
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


@pytest.fixture
def service(ceph):
    with lvm.group() as group:
        sections = {"lvm": LVM.format(group=group), "rbd": RBD.format(conf=ceph, user=ceph_module.USER)}
        with Service(backends=("lvm", "rbd"), sections=sections, default="job_sweep_interval = 1") as running:
            running.group = group
            yield running


def where(service, name, id):
    """Where the backend of that name has the bytes of what it calls volume-ID."""
    backend = next(one.backend for one in service.volume.backends if one.backend.section == name)
    return backend.content(base.Volume(id, 1))


def test_a_volume_moves_to_ceph_and_back_with_its_bytes(service):
    client = Client(service.url)
    for name in ("lvm", "rbd"):
        specs = {"volume_backend_name": name}
        client("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}}, expect=200)
    id = client.made("volumes", size=1, volume_type="lvm")["id"]
    with content.target(where(service, "lvm", id)) as target:
        for place in PLACES:
            target.write(place, DATA)
        target.sync()
    for name in ("rbd", "lvm"):
        act(client, id, "os-retype", {"new_type": name, "migration_policy": "on-demand"})
        until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] == name, f"type {name}", 300)
        with content.source(where(service, name, moved(client, id)["os-vol-mig-status-attr:name_id"])) as source:
            assert [source.read(place, len(DATA)) == DATA for place in PLACES] == [True] * len(PLACES)
    client("DELETE", f"/volumes/{id}", expect=202)
    client.gone("volumes", id)
    assert [lv for lv in lvm.lvs(service.group) if lv.startswith("volume-")] == []
