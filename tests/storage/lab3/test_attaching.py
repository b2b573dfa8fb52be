"""Attaching with LIO on one host, and os-brick and open-iscsi on two others with separate kernels."""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

from cinder_lite.volume.targets import base, lio, tgt, tgtd
from tests.contract import backends, initiator
from tests.services import processes
from tests.storage import lvm
from tests.storage.brick import Host
from tools.demonstration import PROJECT, Failed, Service

TOP = pathlib.Path(__file__).resolve().parents[3]
PORTAL = "10.90.0.1"
CONFIGURATION = """
    [DEFAULT]
    host = lab
    state_path = {state}
    osapi_volume_listen = 0.0.0.0
    auth_strategy = noauth
    allow_noauth_anywhere = true
    enabled_backends = lio
    backend_stats_polling_interval = 3600
    scheduler_wait_for_backends = 1
    [database]
    connection = sqlite:///{state}/cinder.sqlite
    [lio]
    volume_driver = lvm
    volume_group = {group}
    lvm_type = thin
    target_helper = lioadm
    target_ip_address = vec1
"""
TARGETS = pathlib.Path("/sys/kernel/config/target/iscsi")
STORES = pathlib.Path("/sys/kernel/config/target/core")


def on(host, *command):
    """The output of a command on another host, which has to succeed."""
    done = subprocess.run([TOP / "tools/kernel-lab", "--on", str(host), "--", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Attaching:
    """A host that attaches volumes."""

    def __init__(self, number):
        self.number, self.brick = number, Host(f"10.89.0.{number}")
        # In sessions of their own, as what a command leaves behind ends with it. udev makes /dev/disk/by-path.
        on(number, "sh", "-c", "mkdir -p /run/udev && modprobe -a iscsi_tcp sd_mod sg; pidof iscsid || setsid iscsid; "
                               "pidof systemd-udevd || setsid /lib/systemd/systemd-udevd --daemon")
        self._serving = subprocess.Popen(
            [TOP / "tools/kernel-lab", "--on", str(number), "--",
             sys.executable, "-W", "ignore", "-m", "tests.storage.brick"],
            stdout=subprocess.PIPE, text=True, cwd=TOP)
        assert self._serving.stdout.readline() == "serving\n"
        self.connector = self.brick("connector", f"10.90.0.{number}")

    def end(self):
        self._serving.kill()
        self._serving.wait()

    def run(self, script):
        return on(self.number, "sh", "-ec", script)


class Attached:
    """A volume on an attaching host for the time of a `with` block; `path` is its device there."""

    def __init__(self, service, volume, host):
        self.service, self.volume, self.host = service, volume, host

    def __enter__(self):
        made = self.service.api("POST", "/attachments", {"attachment": {
            "volume_uuid": self.volume, "connector": self.host.connector, "mode": "rw"}})["attachment"]
        self.id, self.connection = made["id"], made["connection_info"]
        self.path = self.host.brick("connect", self.connection)["path"]
        self.service.api("POST", f"/attachments/{self.id}/action", {"os-complete": {}})
        return self

    def __exit__(self, *failure):
        self.host.brick("disconnect", self.connection)
        self.service.api("DELETE", f"/attachments/{self.id}")


class Installation:
    """cinder-lite-all with one backend: thin volumes, exported by LIO."""

    def __init__(self, state, group):
        self.group = group
        conf = state / "cinder.conf"
        conf.write_text(textwrap.dedent(CONFIGURATION.format(state=state, group=group)))
        program = os.path.join(os.path.dirname(sys.executable), "cinder-lite-all")
        self.process = processes.Process("cinder-lite-all", [program, "--config-file", str(conf)], str(state / "log"))
        self.api = Service("http://127.0.0.1:8776")

    def start(self):
        self.process.start()
        self.process.wait(lambda: processes.listens(8776), limit=120)
        self.wait_for("up")

    def wait_for(self, state):
        return processes.until(lambda: self.state() == state, limit=120, what=f"a backend that is {state}")

    def state(self):
        found = [one for one in self.api("GET", "/os-services")["services"] if one["host"] == "lab@lio"]
        return found[0]["backend_state"] if found else None


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    lvm.run("modprobe", "target_core_mod")
    with lvm.group(0) as group:
        made = Installation(tmp_path_factory.mktemp("service"), group)
        try:
            made.start()
            yield made
        finally:
            made.process.kill()


@pytest.fixture(scope="module")
def hosts():
    made = [Attaching(2), Attaching(3)]
    yield made
    for host in made:
        host.end()


@pytest.fixture(autouse=True)
def nothing_stays(service):
    """After a test, nothing is exported any more."""
    yield
    assert left() == []


def left():
    return [path.name for path in (*TARGETS.glob("iqn.*"), *STORES.glob("*_*/volume-*"))]


WRITE = """\
    mkfs.ext4 -q {path}
    mount {path} /mnt
    head -c 20M /dev/urandom >/mnt/file
    sync
    sha256sum </mnt/file
"""
READ = """\
    mount {path} /mnt
    sha256sum </mnt/file
    umount /mnt
"""


def test_files_written_by_one_host_are_read_by_another(service, hosts):
    one, two = hosts
    volume = service.api.make("volume", size=1)
    with Attached(service, volume, one) as attached:
        written = one.run(WRITE.format(path=attached.path) + "umount /mnt")
        login = attached.connection
        assert 12 <= len(login["auth_password"]) <= 16 and login["target_portal"] == f"{PORTAL}:3260"
    assert left() == []
    with Attached(service, volume, two) as attached:
        assert two.run(READ.format(path=attached.path)) == written
    service.api.remove("volume", volume)


def test_growth_and_a_snapshot_in_use(service, hosts):
    one, two = hosts
    volume = service.api.make("volume", size=1)
    with Attached(service, volume, one) as attached:
        written = one.run(WRITE.format(path=attached.path))
        snapshot = service.api.make("snapshot", volume_id=volume, force=True)
        service.api("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}})
        service.api.wait("volume", volume, "in-use")
        assert one.brick("extend", attached.connection) == 2 * 1024**3
        one.run(f"resize2fs {attached.path}")
        assert int(one.run("df --output=size -k /mnt | tail -1")) > 1.8 * 1024**2
        one.run("umount /mnt")
    copy = service.api.make("volume", size=1, snapshot_id=snapshot)
    with Attached(service, copy, two) as attached:
        assert two.run(READ.format(path=attached.path)) == written
        two.run(f"fsck.ext4 -fn {attached.path}")
    for kind, id in (("volume", copy), ("snapshot", snapshot), ("volume", volume)):
        service.api.remove(kind, id)


#: iscsiadm's status when a login is refused (ISCSI_ERR_LOGIN_AUTH_FAILED).
REFUSED = 24


def log_in(host, connection, secret):
    """iscsiadm's status of a login with that secret; what came of it is undone."""
    node = f"iscsiadm -m node -T {connection['target_iqn']} -p {connection['target_portal']}"
    values = {"authmethod": "CHAP", "username": connection["auth_username"], "password": secret}
    settings = "\n".join(f"{node} -o update -n node.session.auth.{name} -v {value}" for name, value in values.items())
    return int(host.run(f"""
        exec 3>&1 >/dev/null
        {node} -o new
        {settings}
        {node} --login && echo 0 >&3 || echo $? >&3
        {node} --logout 2>/dev/null || true
        {node} -o delete
    """))


def test_who_has_a_wrong_secret_or_no_attachment_is_refused(service, hosts):
    one, two = hosts
    volume = service.api.make("volume", size=1)
    with Attached(service, volume, one) as attached:
        assert log_in(two, attached.connection, attached.connection["auth_password"]) == REFUSED
    with Attached(service, volume, two) as attached:
        two.brick("disconnect", attached.connection)
        assert log_in(two, attached.connection, "wrong-secret-1") == REFUSED
        assert log_in(two, attached.connection, attached.connection["auth_password"]) == 0
    service.api.remove("volume", volume)


def test_two_hosts_at_once_and_one_that_dies(service, hosts):
    one, two = hosts
    kind = service.api("POST", "/types", {"volume_type": {
        "name": "shared", "extra_specs": {"multiattach": "<is> True"}}})
    volume = service.api.make("volume", size=1, volume_type="shared")
    with Attached(service, volume, one) as attached:
        dead = Attached(service, volume, two).__enter__()
        one.run(f"printf shared | dd of={attached.path} bs=4096 conv=sync oflag=direct 2>/dev/null")
        assert two.run(f"dd if={dead.path} bs=6 count=1 2>/dev/null") == "shared"
        on(254, "ip", "link", "set", "lan3", "nomaster")
        try:
            service.api("POST", f"/volumes/{volume}/action", {"os-force_detach": {
                "attachment_id": dead.id, "connector": None}})
            acls = [path.name for path in TARGETS.glob("iqn.*/tpgt_1/acls/*")]
            assert acls == [one.connector["initiator"]]
            assert one.run(f"dd if={attached.path} bs=6 count=1 iflag=nocache 2>/dev/null") == "shared"
        finally:
            on(254, "ip", "link", "set", "lan3", "master", "lan")
        two.brick("force", dead.connection)
    service.api.remove("volume", volume)
    service.api("DELETE", f"/types/{kind['volume_type']['id']}")


class Cinder:
    """The `cinder` command on an attaching host, with python-brick-cinderclient-ext."""

    environment = TOP / ".tox/attaching/bin"

    def __init__(self, host, version):
        self._host, self._version = host, version
        # sudo looks for it here.
        host.run(f"ln -sf {self.environment}/privsep-helper /usr/local/bin")

    def __call__(self, words):
        settings = {"auth-type": "noauth", "endpoint": "http://10.89.0.1:8776/v3", "user-id": "admin",
                    "project-id": PROJECT, "volume-api-version": self._version}
        options = " ".join(f"--os-{name} {value}" for name, value in settings.items())
        return self._host.run(f"OSLO_LOCK_PATH=/run/lock {self.environment}/cinder {options} {words}")

    def attach(self, volume):
        """The device that it becomes."""
        return re.search(r"\| path +\| (/dev/\S+)", self(f"local-attach {volume} --nic vec1"))[1]


def test_cinder_local_attach_as_now_and_as_of_old(service, hosts):
    one, two = hosts
    volume = service.api.make("volume", size=1)
    cinder = Cinder(one, "3.44")
    path = cinder.attach(volume)
    service.api.wait("volume", volume, "in-use")
    written = one.run(WRITE.format(path=path) + "umount /mnt")
    assert one.run(f"readlink -f {cinder(f'get-volume-paths {volume}')}").strip() == path
    cinder(f"local-detach {volume}")
    service.api.wait("volume", volume)
    assert left() == []
    cinder = Cinder(two, "3.0")
    assert two.run(READ.format(path=cinder.attach(volume))) == written
    service.api.wait("volume", volume, "in-use")
    cinder(f"local-detach {volume}")
    service.api.remove("volume", volume)


def test_io_goes_on_through_a_kill_and_after_the_host_has_forgotten_all(service, hosts):
    one, _ = hosts
    volume = service.api.make("volume", size=1)
    with Attached(service, volume, one) as attached:
        one.run(WRITE.format(path=attached.path))
        service.process.kill()
        one.run("head -c 10M /dev/urandom >/mnt/two; sync")
        service.start()
        one.run("head -c 10M /dev/urandom >/mnt/three; sync")
        written = one.run("sha256sum /mnt/file /mnt/two /mnt/three")
        service.process.kill()
        # What a restart of the host leaves: no target, and no active logical volume.
        lvm.run(sys.executable, "-c", "import rtslib_fb; rtslib_fb.RTSRoot().clear_existing(confirm=True)")
        lvm.run("vgchange", "-an", service.group)
        assert left() == []
        service.start()
        one.run("echo 3 >/proc/sys/vm/drop_caches")
        assert one.run("sha256sum /mnt/file /mnt/two /mnt/three") == written
        one.run("umount /mnt")
    service.api.remove("volume", volume)


def test_a_backend_whose_link_goes_is_down_until_it_is_back_and_then_io_goes_on(service, hosts):
    one, _ = hosts
    volume = service.api.make("volume", size=1)
    with Attached(service, volume, one) as attached:
        one.run(WRITE.format(path=attached.path))
        on(1, "ip", "link", "set", "vec1", "down")
        service.wait_for("down")
        with pytest.raises(Failed, match="link vec1 is down"):
            service.api.make("volume", size=1)
        on(1, "ip", "link", "set", "vec1", "up")
        service.wait_for("up")
        one.run("head -c 10M /dev/urandom >/mnt/two; sync; umount /mnt")
    service.api.remove("volume", volume)


@contextlib.contextmanager
def target_of(kind, directory, **values):
    """A target on the storage network that no service uses."""
    port = processes.free_port()
    state, values = str(directory / "targets"), {"target_ip_address": PORTAL, "target_port": port, **values}
    if kind == "lio":
        yield lio.LioTarget(backends.options(lio.OPTIONS, **values), state)
        return
    daemon = tgtd.TgtDaemon(base.portal(values["target_ip_address"], port), port)
    daemon.start()
    try:
        yield tgt.TgtTarget(backends.options(tgt.OPTIONS, tgt_control_port=port, **values), state)
    finally:
        daemon.stop()


@pytest.mark.parametrize("kind", ["lio", "tgt"])
@pytest.mark.parametrize("cache, seen", [("on", "write back"), ("off", "write through")])
def test_what_the_initiator_learns_of_the_write_cache(hosts, tmp_path, kind, cache, seen):
    one, _ = hosts
    name, path = initiator.volume(tmp_path)
    with target_of(kind, tmp_path, iscsi_write_cache=cache) as target:
        target.check()
        data = target.connection(name, target.export(name, path, connector=one.connector), one.connector)["data"]
        connection = {**data, "driver_volume_type": "iscsi"}
        disk = os.path.basename(one.brick("connect", connection)["path"])
        assert one.run(f"cat /sys/block/{disk}/device/scsi_disk/*/cache_type").strip() == seen
        one.brick("disconnect", connection)
        target.remove(name)


@pytest.fixture
def six(hosts):
    """The serving host's IPv6 address in the storage network, where the first that attaches has one too."""
    numbers = (1, hosts[0].number)
    for number in numbers:
        on(number, "ip", "addr", "add", f"fd90::{number}/64", "dev", "vec1", "nodad")
    yield "fd90::1"
    for number in numbers:
        on(number, "ip", "addr", "del", f"fd90::{number}/64", "dev", "vec1")


@pytest.mark.parametrize("kind", ["lio", "tgt"])
def test_a_portal_of_ipv6(hosts, six, tmp_path, kind):
    one, _ = hosts
    name, path = initiator.volume(tmp_path)
    with target_of(kind, tmp_path, target_ip_address=six) as target:
        target.check()
        data = target.connection(name, target.export(name, path, connector=one.connector), one.connector)["data"]
        assert data["target_portal"] == f"[{six}]:{target.options.target_port}"
        connection = {**data, "driver_volume_type": "iscsi"}
        disk = one.brick("connect", connection)["path"]
        assert one.run(f"sha256sum <{disk}").split()[0] == initiator.digest(path)
        one.run(f"head -c 1M /dev/urandom | dd of={disk} bs=1M iflag=fullblock oflag=direct 2>/dev/null")
        assert one.brick("extend", connection) == initiator.SIZE
        assert one.run(f"sha256sum <{disk}").split()[0] == initiator.digest(path)
        one.brick("disconnect", connection)
        assert one.run(f"[ -e {disk} ] || echo gone") == "gone\n"
        target.remove(name)
