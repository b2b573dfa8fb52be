"""Volume services of two hosts, each with a volume group: migrations between them over iSCSI.

Both run in this process and this kernel under different host names. The data takes the same path as between two
machines.
"""

import glob
import os

import pytest

from cinder_lite import conf
from cinder_lite.host import privsep
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.volume import VolumeService
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_moves import DATA, PLACES, act
from tests.storage import lvm

#: Seconds within which copies over iSCSI are done; a lab has one processor.
LIMIT = 300
SECTION = """
[{name}]
volume_driver = lvm
volume_group = {group}
lvm_type = {kind}
volume_clear = none
{export}
"""
#: The first host exports by the kernel, on the usual port, the second by tgtd.
EXPORTS = {"one": "target_helper = lio", "two": "target_port = {target_port}\ntgt_control_port = {control_port}"}
SECOND = """
[DEFAULT]
host = second
enabled_backends = two
"""


class TwoHosts(Service):
    """A service on host `first` with backend `one`, and the volume service of host `second` with backend `two`."""

    def __init__(self, groups):
        self.groups = groups
        sections = {name: SECTION.format(name=name, group=groups[name], kind=kind, export=EXPORTS[name])
                    for name, kind in (("one", "default"), ("two", "thin"))}
        super().__init__(host="first", backends=("one",), sections=sections, default="job_sweep_interval = 1")
        self.second_file = os.path.join(self.state, "second.conf")
        with open(self.second_file, "w") as out:
            out.write(SECOND + sections["two"].format(target_port=self.target_port, control_port=self.target_port))

    def start(self):
        super().start()
        self.start_second()
        return self

    def start_second(self):
        """Start the second host's service."""
        files = [word for file in (self.config_file, self.second_file) for word in ("--config-file", file)]
        shared = process.Process(conf.load(argv=files), INTERFACES)
        # Messages in memory are those of one transport.
        vars(shared)["transport"] = self.process.transport
        self.second = VolumeService(shared)
        self.services.append(self.second)
        self.second.start()
        until(lambda: all(backend.started and backend.backend.up for backend in self.second.backends),
              "the second host", LIMIT)

    def stop_second(self):
        self.second.stop(20)
        self.services.remove(self.second)

    def limit(self, bytes_a_second):
        """Slow the copies of the second host down."""
        self.second.backends[0].conf.set_override("volume_copy_bps_limit", bytes_a_second)

    def names(self, name):
        return [lv for lv in lvm.lvs(self.groups[name]) if lv.startswith(("vol", "_"))]

    def device(self, name, lv):
        return f"/dev/{self.groups[name]}/{lv}"


def left():
    """iSCSI sessions and targets of the kernel."""
    return [*glob.glob("/sys/class/iscsi_session/*"), *glob.glob("/sys/kernel/config/target/iscsi/iqn.*")]


@pytest.fixture(scope="module")
def service():
    lvm.run("modprobe", "-a", "target_core_mod", "iscsi_tcp", "sd_mod", "sg")
    lvm.run("iscsid")
    with lvm.group(0) as one, lvm.group(1) as two, TwoHosts({"one": one, "two": two}) as running:
        for name, specs in (("one", {"volume_backend_name": "one"}), ("any", {})):
            Client(running.url)("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}}, expect=200)
        yield running
        privsep.storage.stop()


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def filled(service, client):
    """A volume of the first host, of a type that fits both, with data at its beginning, in its middle and at its
    end."""
    id = client.made("volumes", size=1, volume_type="one")["id"]
    act(client, id, "os-retype", {"new_type": "any"})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] == "any", "the type")
    client.settled("volumes", id)
    with open(service.device("one", f"volume-{id}"), "r+b", buffering=0) as device:
        for place in PLACES:
            os.pwrite(device.fileno(), DATA, place)
        os.fsync(device.fileno())
    return id


def holds(path):
    with open(path, "rb", buffering=0) as device:
        return [os.pread(device.fileno(), len(DATA), place) == DATA for place in PLACES] == [True] * len(PLACES)


def remove(client, id):
    client("DELETE", f"/volumes/{id}", expect=202)
    client.gone("volumes", id)


def moved(client, id):
    """The volume, once it has been moved."""
    def look():
        volume = client("GET", f"/volumes/{id}", expect=200)["volume"]
        assert volume["migration_status"] != "error", client.why(id)
        return volume["migration_status"] == "success" and volume

    return until(look, "the volume to be moved", LIMIT)


def progress(client, id):
    return client("GET", f"/jobs?resource_id={id}", expect=200)["jobs"][0]["progress"]


def test_a_volume_moves_to_the_other_host_also_when_that_is_restarted_meanwhile(service, client, filled):
    service.limit(100 * 1024**2)
    act(client, filled, "os-migrate_volume", {"host": "second@two#two"})
    until(lambda: progress(client, filled) >= 25, "some of the copy", LIMIT)
    service.stop_second()
    at = progress(client, filled)
    service.start_second()
    volume = moved(client, filled)
    assert (volume["os-vol-host-attr:host"], volume["status"]) == ("second@two#two", "available") and at >= 25
    assert volume["os-vol-mig-status-attr:name_id"] is None and holds(service.device("two", f"volume-{filled}"))
    until(lambda: service.names("one") == [], "the former volume to be removed", LIMIT)
    assert left() == []
    remove(client, filled)
    assert service.names("two") == []


def test_a_migration_that_is_reset_leaves_no_session_no_export_and_no_copy(service, client, filled):
    service.limit(10 * 1024**2)
    act(client, filled, "os-migrate_volume", {"host": "second@two"})
    until(lambda: glob.glob("/sys/class/iscsi_session/*"), "the volume to be attached", LIMIT)
    act(client, filled, "os-reset_status", {"status": "available"})
    until(lambda: left() == [] and service.names("two") == [], "all to be undone", LIMIT)
    assert holds(service.device("one", f"volume-{filled}"))
    assert client("GET", f"/volumes/{filled}", expect=200)["volume"]["os-vol-host-attr:host"] == "first@one#one"
    remove(client, filled)
    assert service.names("one") == []
