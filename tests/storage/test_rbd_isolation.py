"""Isolation of hosts by Ceph, which grants access to pools: a volume that is gone is refused, others are not.

The latter is no promise: it shows which ends of access Ceph cannot enforce. docs/targets.md lists them.
"""

import contextlib
import json
import pathlib
import re
import subprocess

import pytest

from cinder_lite.volume.drivers.rbd import supervisor
from tests.functional import test_connections as connections
from tests.functional.isolated import ENDS, reimaging
from tests.functional.killable import Killable
from tests.functional.service import Service
from tests.images.images_service import Glance
from tests.meta.source import TOP
from tests.storage import ceph as ceph_module
from tests.storage import rbd

HOST = pathlib.Path(__file__).with_name("rbd_host.py")
#: The backends, each with a pool of its own.
POOLS = {"rbd-1": "volumes", "rbd-2": "backups"}
SECTION = """
[{name}]
volume_driver = rbd
rbd_ceph_conf = {ceph.conf}
rbd_user = {user}
rbd_pool = {pool}
"""
#: The ends after which the image is gone.
ENFORCED = ("delete", "force_delete", "delete_the_group", "migrate", "retype_with_a_move")


class Host:
    """The volume as a host has it open, with the connection information; `answer` is "in" or a refusal."""

    def __init__(self, info):
        # Without the script's directory, where `rbd` is a module of tests.
        self._process = subprocess.Popen([supervisor.SYSTEM_PYTHON, "-P", HOST], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self.answer = self._ask(json.dumps(info))

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def reaches(self):
        """Whether it reads and writes."""
        return [self._ask(word) for word in ("read", "write")] == ["done", "done"]

    def end(self):
        self._process.communicate()


@contextlib.contextmanager
def opened(info):
    host = Host(info)
    try:
        yield host
    finally:
        host.end()


def refusal(info):
    """The reason why the host cannot open the volume; None if it reads and writes."""
    with opened(info) as host:
        if host.answer == "in":
            assert host.reaches()
            return None
        return host.answer


class Site(Killable):
    """All services as one process, with two backends in Ceph."""

    def __init__(self, ceph, glance):
        sections = {name: SECTION.format(name=name, ceph=ceph, user=ceph_module.USER, pool=pool)
                    for name, pool in POOLS.items()}
        super().__init__(Service(backends=tuple(sections), sections=sections, target=False, default=(
            "job_sweep_interval = 0.2\nquota_volumes = 100\nquota_gigabytes = 200\n"
            f"backend_stats_polling_interval = 2\nglance_api_servers = {glance.url}")))
        self.url = self.configured.url

    def __enter__(self):
        super().__enter__()
        connections.add_types(self.client, self.configured.backends)
        return self


@pytest.fixture(scope="module")
def glance():
    with Glance() as started:
        yield started


@pytest.fixture(scope="module")
def site(ceph, glance):
    for pool in POOLS.values():
        rbd.emptied(ceph, pool)
    with Site(ceph, glance) as running:
        yield running


@pytest.mark.parametrize("end", [end for end in ENDS if end.name in ENFORCED], ids=lambda end: end.name)
def test_a_volume_that_is_gone_is_refused_also_after_a_restart(site, end):
    id, info = end.connected(site, "rbd")
    assert refusal(info) is None
    end.end(site, id)
    assert "image not found" in refusal(info)
    site.process.kill()
    site.start()
    assert "image not found" in refusal(info)


@pytest.mark.parametrize("end", [end for end in ENDS if end.name not in ENFORCED], ids=lambda end: end.name)
def test_ceph_lets_a_host_with_the_keyring_go_on(site, end):
    id, info = end.connected(site, "rbd")
    with opened(info) as former:
        end.end(site, id)
        assert former.reaches()
    assert refusal(info) is None


def test_ceph_lets_a_host_with_the_keyring_go_on_after_a_reimage(site, glance):
    test_ceph_lets_a_host_with_the_keyring_go_on(site, reimaging(glance))


def test_the_keyring_of_one_volume_opens_another(site):
    one, other = (site.client.made("volumes", size=1, volume_type="rbd-1")["id"] for _ in range(2))
    info = connections.initialized(site.client, one)
    assert refusal({**info, "name": f"volumes/volume-{other}"}) is None


def test_a_keyring_without_access_to_the_pool_is_refused(site, ceph):
    id = site.client.made("volumes", size=1, volume_type="rbd-1")["id"]
    keyring = ceph.command("auth", "get-or-create", "client.other", "mon", "profile rbd", "osd",
                           "profile rbd pool=images")
    info = {**connections.initialized(site.client, id), "auth_username": "other", "keyring": keyring}
    assert "permission error" in refusal(info)


def test_the_documentation_has_each_action():
    cells = re.findall(r"^\|.*\| `(\w+)` \|.*\| ([GP]) \|$", (TOP / "docs/targets.md").read_text(), re.M)
    assert dict(cells) == {end.name: "G" if end.name in ENFORCED else "P" for end in (*ENDS, reimaging(None))}
