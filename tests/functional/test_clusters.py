"""Volume services of several hosts that serve one backend at the same time."""

import os
import shutil
import signal
import sys
import uuid

import pytest

from cinder_lite import conf, context, errors
from cinder_lite.db import job_changes, jobs, members, services
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.volume import VolumeService
from cinder_lite.volume.drivers.nfs import MARK
from tests.functional import test_docs
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.meta.source import TOP
from tests.services.processes import Process

NFS = """
[nfs]
volume_driver = tests.functional.gated.GatedNfsDriver
volume_backend_name = nfs
cluster = c
file_volume_dir = {state}/share
nas_host = 192.0.2.7
nas_share_path = /exports/volumes
nas_mount_options = vers=4.2
"""
CLUSTER = "c@nfs"
DOWN_TIME, LEASE = 4, 4
DEFAULT = f"service_down_time = {DOWN_TIME}\njob_lease = {LEASE}\nreport_interval = 1\njob_sweep_interval = 0.3"


class Cluster(Service):
    """A service of the host `one`, to which members of other hosts can be added, in this process or in others."""

    def __init__(self):
        super().__init__(backends=("nfs",), sections={"nfs": NFS}, target=False, host="one",
                         default=DEFAULT.replace("report_interval = 1\n", ""))
        self.share = os.path.join(self.state, "share")
        self.others = []

    def configured(self, host, share=None):
        """The path of the configuration of another host."""
        with open(self.config_file) as file:
            text = file.read()
        text = text.replace("host = one", f"host = {host}").replace(
            f"file_volume_dir = {self.share}", f"file_volume_dir = {share or self.share}")
        path = os.path.join(self.state, f"{host}.conf")
        with open(path, "w") as file:
            file.write(text)
        return path

    def member(self, host, share=None):
        """Start the volume service of another host in this process; messages reach it. Returns it."""
        other = process.Process(conf.load(argv=["--config-file", self.configured(host, share)]), INTERFACES)
        other.transport = self.process.transport
        one = VolumeService(other)
        one.start()
        self.others.append(one)
        return one

    def apart(self, host):
        """Start the volume service of another host in a process of its own. Returns the process."""
        argv = [sys.executable, "-m", "tests.functional.member", "--config-file", self.configured(host)]
        started = Process(host, argv, os.path.join(self.state, f"{host}.log"), {"PYTHONPATH": str(TOP)})
        started.start()
        self.others.append(started)
        return started

    def stop(self):
        for one in self.others:
            if isinstance(one, Process):
                one.kill()
            else:
                one.stop(10)
        super().stop()


@pytest.fixture
def cluster():
    with Cluster() as running:
        yield running


@pytest.fixture
def client(cluster):
    return Client(cluster.url)


def await_member(client, host, state="up"):
    def look():
        rows = client("GET", f"/os-services?host={host}@nfs", expect=200)["services"]
        return [row["backend_state"] for row in rows] == [state]
    until(look, f"{host} to be {state}")


def test_members_serve_one_backend(cluster, client):
    second = cluster.member("two")
    await_member(client, "two")
    rows = client("GET", "/os-services?binary=cinder-volume", expect=200)["services"]
    assert [(row["host"], row["cluster"], row["state"]) for row in rows] == [
        ("one@nfs", CLUSTER, "up"), ("two@nfs", CLUSTER, "up")]
    assert [pool["name"] for pool in client("GET", "/scheduler-stats/get_pools", expect=200)["pools"]] == ["c@nfs#nfs"]
    volumes = [client.made("volumes", size=1) for _ in range(9)]
    assert {one["os-vol-host-attr:host"] for one in volumes} == {"c@nfs#nfs"}
    assert {one["cluster_name"] for one in volumes} == {CLUSTER}
    owners = {row["owner"].partition("/")[0] for one in volumes
              for row in client("GET", f"/jobs?resource_id={one['id']}", expect=200)["jobs"]}
    assert owners and owners <= {"one@nfs", "two@nfs"}
    assert sorted(os.listdir(cluster.share)) == sorted([MARK, *(f"volume-{one['id']}" for one in volumes)])
    for kind in ("one@nfs", "two@nfs"):
        levels = client("PUT", "/os-services/get-log", {"server": kind, "binary": "cinder-volume"}, expect=200)
        assert [one["host"] for one in levels["log_levels"]] == [kind]
    snapshot = client.made("snapshots", volume_id=volumes[0]["id"])
    copy = client.made("volumes", size=2, snapshot_id=snapshot["id"])
    client("DELETE", f"/snapshots/{snapshot['id']}", expect=202)
    client.gone("snapshots", snapshot["id"])
    # A member that stops leaves all to the others at once.
    cluster.others.remove(second)
    second.stop(10)
    assert client("GET", f"/clusters/{CLUSTER}", expect=200)["cluster"]["num_down_hosts"] == 1
    for one in (*volumes, copy):
        client("DELETE", f"/volumes/{one['id']}", expect=202)
        client.gone("volumes", one["id"])
    assert os.listdir(cluster.share) == [MARK]


def test_connections_are_answered_by_any_member(cluster, client):
    cluster.member("two")
    await_member(client, "two")
    volume = client.made("volumes", size=1)
    for number in range(4):
        attachment = client("POST", "/attachments", {"attachment": {
            "volume_uuid": volume["id"], "instance_uuid": str(uuid.uuid4()), "connector": {"host": f"h{number}"}}},
            expect=200)["attachment"]
        info = attachment["connection_info"]
        assert {key: info[key] for key in ("driver_volume_type", "export", "name", "format", "options")} == {
            "driver_volume_type": "nfs", "export": "192.0.2.7:/exports/volumes", "name": f"volume-{volume['id']}",
            "format": "raw", "options": "-o vers=4.2"}
        client("DELETE", f"/attachments/{attachment['id']}", expect=200)
        client.settled("volumes", volume["id"])


@pytest.fixture
def held(cluster, client):
    """(a member in a process of its own, the file without which its create goes on, the volume that it creates); the
    other member is stopped."""
    other = cluster.apart("two")
    await_member(client, "two")
    cluster.volume.stop(10)
    hold = os.path.join(cluster.share, ".hold-create")
    open(hold, "w").close()
    volume = client.create("volumes", size=1)
    at = os.path.join(cluster.share, ".at-create")
    until(lambda: os.path.exists(at), "the other member to work on the volume")
    return other, hold, volume


def test_a_job_of_a_killed_member_is_taken_over_by_another(cluster, client, held):
    other, hold, volume = held
    os.unlink(hold)
    other.kill()
    # It may have been killed after the job's end, so that the state of the job does not matter here.
    cluster.volume = cluster.services[0] = VolumeService(cluster.process)
    cluster.volume.start()
    client.settled("volumes", volume["id"])
    await_member(client, "two", "down")
    found = client("GET", f"/clusters/{CLUSTER}", expect=200)["cluster"]
    assert (found["state"], found["num_hosts"], found["num_down_hosts"]) == ("up", 2, 1)
    cleaned = client("POST", "/workers/cleanup", {"cluster_name": CLUSTER, "is_up": False}, expect=202)
    assert [(one["host"], one["cluster_name"]) for one in cleaned["cleaning"]] == [("two@nfs", CLUSTER)]
    assert cleaned["unavailable"] == []
    assert client("POST", "/workers/cleanup", {"host": "two@nfs", "is_up": False}, expect=202) == cleaned


def test_a_stopped_member_holds_up_no_job_for_longer_than_its_lease(cluster, client, held):
    other, hold, volume = held
    os.kill(other.pid, signal.SIGSTOP)
    os.unlink(hold)
    cluster.volume = cluster.services[0] = VolumeService(cluster.process)
    cluster.volume.start()
    client.settled("volumes", volume["id"])
    row = client("GET", f"/jobs?resource_id={volume['id']}&stage=volume", expect=200)["jobs"][0]
    assert (row["owner"].partition("/")[0], row["attempt"]) == ("one@nfs", 2)
    # The kernel has killed it: its create would have gone on.
    assert other.wait_end() == -signal.SIGKILL


def test_clusters_can_be_listed_and_switched(cluster, client):
    facts = client("GET", f"/clusters/{CLUSTER}", expect=200)["cluster"]
    wanted = ("name", "binary", "state", "status", "num_hosts", "num_down_hosts", "frozen")
    assert {key: facts[key] for key in wanted} == {
        "name": CLUSTER, "binary": "cinder-volume", "state": "up", "status": "enabled", "num_hosts": 1,
        "num_down_hosts": 0, "frozen": False}
    for query, number in (("", 1), ("?is_up=true", 1), ("?is_up=false", 0), ("?disabled=true", 0), ("?num_hosts=1", 1),
                          (f"?name={CLUSTER}", 1), ("?name=d@nfs", 0), ("?frozen=true", 0), ("?binary=cinder-x", 0)):
        assert len(client("GET", f"/clusters{query}", expect=200)["clusters"]) == number
    assert "num_hosts" in client("GET", "/clusters/detail", expect=200)["clusters"][0]
    assert "frozen" not in client("GET", "/clusters/detail", version="3.25", expect=200)["clusters"][0]
    answer = client("PUT", "/clusters/disable", {"name": CLUSTER, "disabled_reason": "disks"}, expect=200)["cluster"]
    assert (answer["status"], answer["disabled_reason"]) == ("disabled", "disks")
    volume = client.create("volumes", size=1)
    client.settled("volumes", volume["id"], "error", "creating")
    assert client("PUT", "/clusters/enable", {"name": CLUSTER, "binary": "cinder-volume"}, expect=200)[
        "cluster"]["status"] == "enabled"
    client("PUT", "/clusters/enable", {"name": CLUSTER, "binary": "cinder-backup"}, expect=404)


def test_a_cluster_or_the_host_of_a_member_name_the_backend(cluster, client):
    for wanted in ({"cluster": CLUSTER}, {"host": "one@nfs"}, {"host": CLUSTER}):
        client("PUT", "/os-services/freeze", wanted, expect=200)
        assert client("GET", f"/clusters/{CLUSTER}", expect=200)["cluster"]["frozen"] is True
        client("PUT", "/os-services/thaw", wanted, expect=200)
    client("PUT", "/os-services/freeze", {"cluster": CLUSTER, "host": "one@nfs"}, expect=400)
    refused = client("PUT", "/os-services/freeze", {"cluster": "d@nfs"}, expect=400)
    assert "the clusters are: c@nfs" in refused["badRequest"]["message"]
    with open(os.path.join(cluster.share, "foreign"), "wb") as file:
        file.truncate(2**30)
    for query in (f"cluster={CLUSTER}", "host=one@nfs", "host=one@nfs%23nfs"):
        found = client("GET", f"/manageable_volumes?{query}", expect=200)["manageable-volumes"]
        assert [one["reference"] for one in found] == [{"source-name": "foreign"}]
    managed = client("POST", "/manageable_volumes", {"volume": {
        "cluster": f"{CLUSTER}#nfs", "ref": {"source-name": "foreign"}}}, expect=202)["volume"]
    assert client.settled("volumes", managed["id"])["os-vol-host-attr:host"] == "c@nfs#nfs"
    # It is there already.
    client("POST", f"/volumes/{managed['id']}/action", {"os-migrate_volume": {"cluster": f"{CLUSTER}#nfs"}}, expect=400)
    assert {row["host_name"] for row in client("GET", "/os-hosts", expect=200)["hosts"]} >= {"one@nfs"}
    assert client("GET", "/os-hosts/c", expect=200)["host"][0]["resource"]["volume_count"] == "1"


def test_a_member_with_another_directory_is_down(cluster, client):
    elsewhere = os.path.join(cluster.state, "elsewhere")
    cluster.member("two", elsewhere)
    await_member(client, "two", "down")

    def reason():
        with cluster.process.db.read() as tx:
            return services.find(tx, "cinder-volume", "two@nfs").backend_reason

    why = f"{elsewhere} (file_volume_dir of nfs) is not the storage of the cluster {CLUSTER}"
    until(lambda: reason().startswith(why), "the check of the directory")
    assert "missing" in reason() and "mount the share" in reason()
    with cluster.process.db.read() as tx:
        whole = members.find(tx, CLUSTER)
    assert (whole.backend_up, whole.backend_reason) == (True, None)
    shutil.copy(os.path.join(cluster.share, MARK), elsewhere)
    assert client.made("volumes", size=1)


def test_a_share_that_is_not_mounted_any_more_is_down(cluster, client):
    os.rename(cluster.share, f"{cluster.share}.mounted")
    cluster.volume.backends[0].measure()
    await_member(client, "one", "down")
    assert "is not the storage" in cluster.volume.backends[0].failure


def test_a_driver_of_one_host_is_refused():
    for driver, reason in (("file", "reached from one host alone"), ("lvm", "lvmlockd")):
        here = Service(backends=("one",), sections={
            "one": f"[one]\nvolume_driver = {driver}\ncluster = c\nvolume_group = vg"}, target=False)
        configured = conf.load(argv=["--config-file", here.config_file])
        with pytest.raises(errors.Misconfigured, match=rf"\[one\] cluster: the driver {driver} .*{reason}.*rbd, nfs"):
            VolumeService(process.Process(configured, INTERFACES))
        here.remove()


def test_the_cluster_of_all_backends_can_be_named_once():
    here = Service(backends=("null-1",), default="cluster = c", target=False)
    configured = conf.load(argv=["--config-file", here.config_file])
    backend = VolumeService(process.Process(configured, INTERFACES)).backends[0].backend
    assert (backend.name, backend.member) == ("c@null-1", "test@null-1")
    here.remove()


BEFORE = """
[rbd-1]
volume_driver = null
backend_host = ceph
"""


def test_the_commands_of_the_page(tmp_path, monkeypatch):
    """They move the volumes of a backend into a cluster, and show it."""
    page = "docs/active-active.md"
    here = Service(backends=("rbd-1",), sections={"rbd-1": BEFORE}, target=False, host="stor1")
    person = test_docs.Person(here, str(tmp_path), monkeypatch)
    shown, moving = [], []
    for command in test_docs.commands(page):
        (moving if moving or command == test_docs.STOPPED else shown).append(command)
    assert len(shown) > 3 and len(moving) == 4
    with here:
        volume = Client(here.url).made("volumes", size=1)
        for command in moving:
            if command == test_docs.STARTED:
                with open(here.config_file) as file:
                    text = file.read()
                with open(here.config_file, "w") as file:
                    file.write(text.replace("backend_host = ceph", "cluster = blue"))
            assert person.types(page, command) is None
        for command in shown:
            assert person.types(page, command) is None
        moved = Client(here.url)("GET", f"/volumes/{volume['id']}", expect=200)["volume"]
        assert (moved["os-vol-host-attr:host"], moved["cluster_name"]) == ("blue@rbd-1#rbd-1", "blue@rbd-1")
        rows = Client(here.url)("GET", "/os-services?binary=cinder-volume", expect=200)["services"]
        assert [row["host"] for row in rows] == ["stor1@rbd-1"]


def test_a_job_waits_for_the_worker_of_another_member_that_was_ended_from_outside(cluster):
    database, worker = cluster.process.db, cluster.volume.backends[0].manager.worker
    with database.write() as tx:
        first, second = (jobs.add(tx, context.Context(), "leftover", "1", "remove", "elsewhere", CLUSTER)
                         for _ in range(2))
        job, _ = jobs.claim(tx, first, "elsewhere", CLUSTER, "two@nfs/1", LEASE)
        job_changes.abandon(tx, job, None, 3600)
        job, _ = jobs.claim(tx, second, "elsewhere", CLUSTER, worker.owner, LEASE)
    with database.read() as tx:
        assert members.may_be_running(tx, job)
    with database.write() as tx:
        job_changes.mark_stopped(tx, first, "two@nfs/1")
    with database.read() as tx:
        assert not members.may_be_running(tx, job)
