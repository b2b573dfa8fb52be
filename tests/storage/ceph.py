"""A real Ceph for tests: one monitor, one manager, one OSD, in a temporary directory on free loopback ports.

    with Ceph() as cluster:
        cluster.start()

`python -m tests.storage.ceph ADDRESS` runs one on another address until it is ended, and prints what clients need: a
line of JSON, {path of a file: its text}.

`conf` and the keyring beside it are what a client needs: user `cinder` may use the pools `volumes`, `images` and
`backups`. Proposals of the monitor wait 0.05 s in place of a second, since it has nobody to agree with. A placement
group may be read for ten minutes after its OSD has last renewed that, in place of 16 s: one that has a single OSD,
which was stopped for longer, stays `laggy`, and nothing ends what waits for it.
"""

import json
import os
import signal
import subprocess
import sys
import uuid

from tests.services import processes

POOLS = ("volumes", "images", "backups")
USER = "cinder"
#: Size of the OSD's disk, a sparse file.
DISK = 20 * 1024**3

CONF = """
[global]
fsid = {fsid}
mon_host = v1:{address}:{port}
keyring = {directory}/ceph.client.$id.keyring
run_dir = {directory}
admin_socket =
log_to_stderr = true
log_file =
ms_bind_msgr2 = false
ms_bind_port_min = 20000
ms_bind_port_max = 31999
auth_allow_insecure_global_id_reclaim = false
[mon]
mon_data = {directory}/mon
keyring = {directory}/mon.keyring
public_addr = v1:{address}:{port}
paxos_propose_interval = 0.05
mon_cluster_log_file = {directory}/cluster.log
mon_osd_min_down_reporters = 2
mon_warn_on_pool_no_redundancy = false
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
[mgr]
mgr_data = {directory}/mgr
keyring = {directory}/mgr/keyring
mgr_stats_period = 1
mgr_initial_modules =
[osd]
public_addr = {address}
cluster_addr = {address}
osd_data = {directory}/osd
keyring = {directory}/osd/keyring
osd_objectstore = bluestore
bluestore_block_size = {disk}
osd_pool_default_size = 1
osd_memory_target = 939524096
osd_class_update_on_start = false
osd_pool_default_read_lease_ratio = 30
"""


class Ceph:
    """Start it, use it by `conf`, remove it; `mon`, `mgr` and `osd` are its processes."""

    def __init__(self, address="127.0.0.1"):
        self.address = address
        self.directory = processes.Directory("ceph")
        self.path = self.directory.path
        self.conf = os.path.join(self.path, "ceph.conf")
        self.fsid = str(uuid.uuid4())
        self.port = processes.free_port()
        self.mon, self.mgr, self.osd = (
            processes.Process(f"ceph-{name}", [f"/usr/bin/ceph-{name}", "-f", "-i", id, "-c", self.conf],
                              os.path.join(self.path, f"{name}.log"))
            for name, id in (("mon", "a"), ("mgr", "a"), ("osd", "0")))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()

    def start(self):
        """Make the cluster and wait until its pools can be used."""
        self.directory.make("ceph.conf", CONF.format(
            fsid=self.fsid, address=self.address, port=self.port, directory=self.path, disk=DISK))
        for name in ("mon", "mgr", "osd"):
            self.directory.make(name)
        self._start_mon()
        self._start_mgr()
        self._start_osd()
        for pool in POOLS:
            self.make_pool(pool)
        self.directory.make(f"ceph.client.{USER}.keyring", self.command(
            "auth", "get-or-create", f"client.{USER}", "mon", "profile rbd", "mgr", "profile rbd pool=volumes",
            "osd", ", ".join(f"profile rbd pool={pool}" for pool in POOLS)))
        return self

    def _start_mon(self):
        keyring, monmap = (os.path.join(self.path, name) for name in ("mon.keyring", "monmap"))
        admin = os.path.join(self.path, "ceph.client.admin.keyring")
        self.run("ceph-authtool", "--create-keyring", admin, "--gen-key", "-n", "client.admin", "--cap", "mon",
                 "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", keyring, "--import-keyring", admin)
        self.run("monmaptool", "--create", "--addv", "a", f"[v1:{self.address}:{self.port}]", "--fsid", self.fsid,
                 monmap)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self.mon.start()
        self.mon.wait(lambda: processes.listens(self.port, self.address))

    def _start_mgr(self):
        self.directory.make("mgr/keyring", self.command(
            "auth", "get-or-create", "mgr.a", "mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"))
        self.mgr.start()

    def _start_osd(self):
        id = str(uuid.uuid4())
        assert self.command("osd", "new", id).strip() == "0"
        self.directory.make("osd/keyring", self.command(
            "auth", "get-or-create", "osd.0", "mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"))
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", id)
        self.osd.start()
        self.osd.wait(lambda: json.loads(self.command("osd", "stat", "--format", "json"))["num_up_osds"] == 1)

    def make_pool(self, pool):
        """Make a pool and wait until it can be used."""
        self.command("osd", "pool", "create", pool, "8")
        self.command("osd", "pool", "set", pool, "size", "1", "--yes-i-really-mean-it")
        processes.until(lambda: self._clean() and self._room(pool), 60, f"pool {pool} being ready", 0.1)
        self.run("rbd", "pool", "init", pool)

    def _clean(self):
        groups = json.loads(self.command("status", "--format", "json"))["pgmap"]
        return groups["num_pgs"] > 0 and [one["state_name"] for one in groups["pgs_by_state"]] == ["active+clean"]

    def _room(self, pool):
        pools = json.loads(self.command("df", "--format", "json"))["pools"]
        return any(one["name"] == pool and one["stats"]["max_avail"] for one in pools)

    def command(self, *words):
        """The output of a `ceph` command, as its administrator."""
        return self.run("ceph", *words)

    def run(self, program, *words):
        """The output of a program that reads this cluster's configuration."""
        done = subprocess.run([program, "-c", self.conf, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stderr}"
        return done.stdout

    def rbd(self, *words):
        """The output of an `rbd` command in the pool `volumes`, as client.cinder."""
        return self.run("rbd", "--id", USER, "--pool", POOLS[0], *words)

    def hang(self, *daemons):
        """Let daemons stop answering, without an end of their connections."""
        for daemon in daemons:
            daemon.send(signal.SIGSTOP)

    def go_on(self, *daemons):
        """Let daemons that hang go on."""
        for daemon in daemons:
            daemon.send(signal.SIGCONT)

    def remove(self):
        """End it and remove its data."""
        for daemon in (self.osd, self.mgr, self.mon):
            daemon.kill()
        self.directory.remove()


if __name__ == "__main__":
    with Ceph(sys.argv[1]) as cluster:
        cluster.start()
        files = {}
        for path in (cluster.conf, *(f"{cluster.path}/ceph.client.{user}.keyring" for user in ("admin", USER))):
            with open(path) as file:
                files[path] = file.read()
        print(json.dumps(files), flush=True)
        signal.pause()
