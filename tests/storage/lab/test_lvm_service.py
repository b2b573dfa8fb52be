"""The whole service on volume groups, thin, thick and missing, exported by tgt, also after a kill."""

import os
import random
import subprocess
import sys
import textwrap
import uuid

import pytest

from cinder_lite.volume.targets import tgtd
from tests.services import processes
from tests.storage import lvm
from tools.demonstration import Attached, Service

MIB, GIB = 1024**2, 1024**3
CONFIGURATION = """
    [DEFAULT]
    host = lab
    state_path = {state}
    osapi_volume_listen = 127.0.0.1
    osapi_volume_listen_port = {port}
    auth_strategy = noauth
    enabled_backends = thin, thick, gone
    backend_stats_polling_interval = 10
    [database]
    connection = sqlite:///{state}/cinder.sqlite
    [thin]
    volume_group = {thin}
    lvm_type = thin
    volume_driver = lvm
    volume_copy_bps_limit = {limit}
    target_port = {target_port}
    tgt_control_port = {control_port}
    [thick]
    volume_group = {thick}
    lvm_type = default
    lvm_snapshot_percent = 10
    volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
    target_port = {target_port}
    tgt_control_port = {control_port}
    [gone]
    volume_driver = lvm
    volume_group = gone
    target_port = {target_port}
    tgt_control_port = {control_port}
"""


class Installation:
    """cinder-lite-all on two volume groups; `api` is how to ask it."""

    def __init__(self, state, thin, thick):
        self.groups = {"thin": thin, "thick": thick}
        port, target_port, control_port = (processes.free_port() for _ in range(3))
        self.tgtd = tgtd.TgtDaemon(f"127.0.0.1:{target_port}", control_port, str(state / "tgtd.log"))
        self.tgtd.start()
        conf = state / "cinder.conf"
        conf.write_text(textwrap.dedent(CONFIGURATION.format(
            state=state, port=port, target_port=target_port, control_port=control_port, thin=thin, thick=thick,
            limit=50 * MIB)))
        program = os.path.join(os.path.dirname(sys.executable), "cinder-lite-all")
        self.process = processes.Process("cinder-lite-all", [program, "--config-file", str(conf)], str(state / "log"))
        self.port, self.api = port, Service(f"http://127.0.0.1:{port}")

    def start(self):
        self.process.start()
        self.process.wait(lambda: processes.listens(self.port), limit=120)
        processes.until(lambda: self.states() == {"thin": "up", "thick": "up", "gone": "down"} and self.measured(),
                        limit=120, what="the backends")

    def measured(self):
        pools = self.api("GET", "/scheduler-stats/get_pools?detail=True")["pools"]
        return {"lab@thin#thin", "lab@thick#thick"} <= {pool["name"] for pool in pools}

    def states(self):
        found = self.api("GET", "/os-services")["services"]
        return {one["host"].partition("@")[2]: one["backend_state"] for one in found
                if one["binary"] == "cinder-volume"}

    def stop(self):
        self.process.kill()
        self.tgtd.stop()

    def volume(self, kind, **facts):
        return self.api.make("volume", size=1, volume_type=kind, **facts)

    def device(self, kind, id):
        return f"/dev/{self.groups[kind]}/volume-{id}"

    def names(self, kind):
        return [name for name in lvm.lvs(self.groups[kind]) if not name.startswith("[") and not name.endswith("-pool")]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with lvm.group(0) as thin, lvm.group(1) as thick:
        made = Installation(tmp_path_factory.mktemp("service"), thin, thick)
        try:
            made.start()
            for kind in (*made.groups, "any"):
                specs = {"volume_backend_name": kind} if kind in made.groups else {}
                made.api("POST", "/types", {"volume_type": {"name": kind, "extra_specs": specs}})
            yield made
        finally:
            made.stop()


def io(url, *commands):
    """Have qemu-io, as an initiator, do what the commands say; it fails when bytes are other than expected."""
    done = subprocess.run(["qemu-io", "-f", "raw", *(word for command in commands for word in ("-c", command)), url],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout


@pytest.mark.parametrize("kind", ["thin", "thick"])
def test_the_main_job(service, kind):
    api = service.api
    volume = service.volume(kind)
    with Attached(api, volume) as attached:
        io(attached.url, "write -P 1 0 4M", "write -P 2 900M 1M")
    snapshot = api.make("snapshot", volume_id=volume)
    with Attached(api, volume) as attached:
        # What is no longer wanted may be unmapped, or written as zeros without sending these.
        io(attached.url, "read -P 1 0 4M", "write -P 3 1M 1M", "write -P 7 600M 1M", "write -z -u 600M 1M",
           "read -P 0 600M 1M",
           "write -z 601M 64k", "discard 602M 1M")
        clone = service.volume(kind, source_volid=volume)
    restored = service.volume(kind, snapshot_id=snapshot)
    with Attached(api, clone) as attached:
        io(attached.url, "read -P 1 0 1M", "read -P 3 1M 1M", "read -P 2 900M 1M", "read -P 0 500M 1M")
    with Attached(api, restored) as attached:
        io(attached.url, "read -P 1 0 4M", "read -P 2 900M 1M", "read -P 0 901M 1M")
    api("POST", f"/volumes/{volume}/action", {"revert": {"snapshot_id": snapshot}})
    api.wait("volume", volume)
    api("POST", f"/volumes/{clone}/action", {"os-extend": {"new_size": 2}})
    api.wait("volume", clone)
    with Attached(api, volume) as attached:
        io(attached.url, "read -P 1 0 4M")
    with Attached(api, clone) as attached:
        io(attached.url, "read -P 0 1500M 1M", "write -P 4 2047M 1M")
    api.remove("snapshot", snapshot)
    for id in (volume, clone, restored):
        api.remove("volume", id)
    assert service.names(kind) == []


def moved(api, volume):
    """Wait until the volume's migration has succeeded."""
    def look():
        found = api("GET", f"/volumes/{volume}")["volume"]["migration_status"]
        assert found != "error", api("GET", f"/jobs?resource_id={volume}")["jobs"][0]["error"]
        return found == "success"

    processes.until(look, limit=120, what="the migration")
    api.wait("volume", volume)


def test_a_volume_moves_to_another_group_and_back_with_its_bytes(service):
    api = service.api
    volume = service.volume("thick")
    with Attached(api, volume) as attached:
        io(attached.url, "write -P 5 8M 1M", "write -P 6 1000M 1M")
    api("POST", f"/volumes/{volume}/action", {"os-retype": {"new_type": "thin", "migration_policy": "on-demand"}})
    moved(api, volume)
    processes.until(lambda: service.names("thick") == [], limit=60, what="the end of the former volume")
    with Attached(api, volume) as attached:
        io(attached.url, "read -P 5 8M 1M", "read -P 6 1000M 1M", "read -P 0 500M 1M")
    api("POST", f"/volumes/{volume}/action", {"os-retype": {"new_type": "any"}})
    processes.until(lambda: api("GET", f"/volumes/{volume}")["volume"]["volume_type"] == "any", what="the type")
    api.wait("volume", volume)
    api("POST", f"/volumes/{volume}/action", {"os-migrate_volume": {"host": "lab@thick"}})
    moved(api, volume)
    processes.until(lambda: service.names("thin") == [], limit=120, what="the end of the former volume")
    with Attached(api, volume) as attached:
        io(attached.url, "read -P 5 8M 1M", "read -P 6 1000M 1M", "read -P 0 500M 1M")
    api.remove("volume", volume)
    assert service.names("thick") == []


def test_a_move_that_was_killed_goes_on_where_it_was_and_takes_room_for_data_alone(service):
    api, data, far = service.api, random.Random(7).randbytes(MIB), 1000 * MIB
    volume = service.volume("thick")
    former = service.device("thick", volume)
    overwrite(former, {0: data, far: data})
    api("POST", f"/volumes/{volume}/action", {"os-retype": {"new_type": "thin", "migration_policy": "on-demand"}})
    # It is written down after each 64 MiB.
    processes.until(lambda: api("GET", f"/jobs?resource_id={volume}")["jobs"][0]["progress"] >= 6, limit=120,
                    what="some of it")
    service.process.kill()
    # Nobody does this; it shows which bytes are read once more.
    overwrite(former, {0: bytes(MIB)})
    service.start()
    moved(api, volume)
    name = f"volume-{volume}"
    assert api("GET", f"/volumes/{volume}")["volume"]["os-vol-mig-status-attr:name_id"] is None
    with open(f"/dev/{service.groups['thin']}/{name}", "rb", buffering=0) as device:
        assert [os.pread(device.fileno(), MIB, place) for place in (0, MIB, far)] == [data, bytes(MIB), data]
    assert float(lvm.run("lvs", "--noheadings", "-o", "data_percent", f"{service.groups['thin']}/{name}")) < 1
    api.remove("volume", volume)
    processes.until(lambda: service.names("thick") == service.names("thin") == [], limit=120,
                    what="the end of both volumes")


def overwrite(path, pieces):
    """Write bytes at places of a device, to its disk."""
    with open(path, "r+b", buffering=0) as device:
        for place, data in pieces.items():
            os.pwrite(device.fileno(), data, place)
        os.fsync(device.fileno())


@pytest.mark.parametrize("kind", ["thin", "thick"])
def test_what_cinder_left_is_listed_taken_over_and_let_go_with_its_bytes(service, kind):
    api, group, old, taken = service.api, service.groups[kind], str(uuid.uuid4()), str(uuid.uuid4())
    size = ["-V", "1G", "--thinpool", f"{group}-pool"] if kind == "thin" else ["-L", "1G"]
    lvm.run("lvcreate", "-y", *size, "-n", f"volume-{old}", group)
    device = service.device(kind, old)
    lvm.run("sh", "-c", f"printf cinder | dd of={device} oflag=sync 2>&1")
    lvm.run("lvcreate", "-y", "-n", f"_snapshot-{taken}", "-s", f"{group}/volume-{old}",
            *([] if kind == "thin" else ["-L", "100M"]))
    host = f"lab@{kind}#{kind}"
    (found,) = api("GET", f"/manageable_volumes/detail?host={host}")["manageable-volumes"]
    assert (found["reference"], found["size"], found["safe_to_manage"]) == ({"source-name": f"volume-{old}"}, 1, True)
    (found,) = api("GET", f"/manageable_snapshots/detail?host={host}")["manageable-snapshots"]
    assert found["source_reference"] == {"source-name": f"volume-{old}"}

    made = api("POST", "/manageable_volumes", {"volume": {"host": host, "ref": {"source-name": f"volume-{old}"},
                                                          "volume_type": kind}})["volume"]["id"]
    api.wait("volume", made)
    snapshot = api("POST", "/manageable_snapshots", {"snapshot": {"volume_id": made, "ref": found["reference"]}})[
        "snapshot"]["id"]
    api.wait("snapshot", snapshot)
    assert sorted(service.names(kind)) == sorted([f"volume-{made}", f"_snapshot-{snapshot}"])
    with Attached(api, made) as attached:
        io(attached.url, "read -P 0x63 0 1")
    api("POST", f"/snapshots/{snapshot}/action", {"os-unmanage": {}})
    api.wait("snapshot", snapshot, None)
    lvm.run("lvremove", "-f", f"{group}/_snapshot-{snapshot}")
    api("POST", f"/volumes/{made}/action", {"os-unmanage": {}})
    api.wait("volume", made, None)
    with open(service.device(kind, made), "rb", buffering=0) as still:
        assert still.read(6) == b"cinder"
    lvm.run("lvremove", "-f", f"{group}/volume-{made}")


def test_a_missing_group_hurts_no_other_backend_and_says_why(service):
    (gone,) = (one for one in service.api("GET", "/os-services")["services"] if one["host"] == "lab@gone")
    assert gone["backend_state"] == "down"
    with open(service.process.log) as log:
        assert "backend lab@gone is down: there is no volume group gone (volume_group of gone)" in log.read()


def test_a_group_that_keeps_lvm_waiting_holds_up_nobody_else(service):
    api = service.api
    with lvm.held(service.groups["thin"]):
        waiting = [api("POST", "/volumes", {"volume": {"size": 1, "volume_type": "thin"}})["volume"]["id"]
                   for _ in range(5)]
        processes.until(lambda: lvm.waiting(service.groups["thin"]) == 5, what="LVM to be asked for all")
        volume = service.volume("thick")
        with Attached(api, volume) as attached:
            io(attached.url, "write -P 1 0 1M")
        api.remove("volume", volume)
        assert [api("GET", f"/volumes/{id}")["volume"]["status"] for id in waiting] == ["creating"] * 5
    for id in waiting:
        api.wait("volume", id)
        api.remove("volume", id)
    assert service.names("thin") == []


def test_a_snapshot_that_overflows_goes_into_error_and_its_owner_hears_why(service):
    api = service.api
    volume = service.volume("thick")
    snapshot = api.make("snapshot", volume_id=volume)
    with open(service.device("thick", volume), "r+b", buffering=0) as device:
        for _ in range(150):
            device.write(random.randbytes(MIB))
        os.fsync(device.fileno())
    processes.until(lambda: api("GET", f"/snapshots/{snapshot}")["snapshot"]["status"] == "error", limit=120,
                    what="the snapshot's end")
    (message,) = api("GET", f"/messages?resource_uuid={snapshot}")["messages"]
    assert "has overflowed" in message["user_message"]
    api.remove("snapshot", snapshot)
    api.remove("volume", volume)
    assert service.names("thick") == []


@pytest.mark.parametrize("kind", ["thin", "thick"])
def test_a_kill_in_the_middle_of_copies_leaves_nothing_and_loses_nothing(service, kind):
    api = service.api
    source = service.volume(kind)
    with open(service.device(kind, source), "r+b", buffering=0) as device:
        device.write(b"source" * 1000)
        device.seek(-6000, os.SEEK_END)
        device.write(b"source" * 1000)
        os.fsync(device.fileno())
    snapshot = api.make("snapshot", volume_id=source)
    asked = [api("POST", "/volumes", {"volume": {"size": 1, "volume_type": kind, **of}})["volume"]["id"]
             for of in ({"source_volid": source}, {"snapshot_id": snapshot}, {})]
    processes.until(lambda: len(service.names(kind)) > 2, limit=60, every=0, what="the first copy")
    service.process.kill()
    service.start()
    for id in asked:
        api.wait("volume", id)
    for id in asked[:2]:
        with open(service.device(kind, id), "rb", buffering=0) as device:
            assert device.read(6000) == b"source" * 1000
            assert device.seek(0, os.SEEK_END) == GIB
            device.seek(-6000, os.SEEK_END)
            assert device.read(6000) == b"source" * 1000
    assert len(service.names(kind)) == 5
    api.remove("snapshot", snapshot)
    for id in (source, *asked):
        api.remove("volume", id)
    assert service.names(kind) == []
    assert lvm.run("dmsetup", "ls").count("copied") == 0
