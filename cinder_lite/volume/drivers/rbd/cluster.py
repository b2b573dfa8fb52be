"""The connection to the Ceph cluster and to the backend's pool, and what the cluster says of itself."""

import configparser
import contextlib
import errno
import json
import os
import threading
import time

import rados
import rbd

from cinder_lite.volume.drivers.rbd.limiting import limits_work
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: The object in which is written down what is under way: it outlives this process and the service.
JOURNAL = "cinder_lite_journal"
#: How many entries of it are read at once.
PAGE = 500
#: Twice as many objects as an OSD remembers of a placement group (its osd_pg_object_context_cache_count).
REMEMBERED = 128


class Pool:
    """The backend's pool: `ioctx` for librbd's calls, `locks` that keep calls for one image in order, the journal."""

    CALLS = ("address", "probe", "measure", "identity", "monitors", "keyring")

    def __init__(self, setup):
        self.name, self.user, self.owner = setup["pool"], setup["user"] or "admin", setup["owner"]
        self.locks = Locks()
        self._others = {}
        try:
            self.cluster = rados.Rados(conffile=setup["conf"], rados_id=self.user, clustername=setup["cluster"])
            self.cluster.conf_set("rbd_default_clone_format", "2")
            self.cluster.conf_set("client_mount_timeout", str(setup["connect_timeout"]))
            if setup["mon_timeout"]:
                self.cluster.conf_set("rados_mon_op_timeout", str(setup["mon_timeout"]))
            self.cluster.connect()
            self._fence(setup["fence"])
            self.ioctx = self._opened(self.name)
        except (rados.Error, OSError) as error:
            raise Failure(self._why(error, setup), "down") from error

    def _opened(self, name):
        """An ioctx by which what a full pool has no room for is refused and not kept waiting, and removals go on."""
        ioctx = self.cluster.open_ioctx(name)
        ioctx.set_osdmap_full_try()
        return ioctx

    def _why(self, error, setup):
        conf = setup["conf"] or f"/etc/ceph/{setup['cluster']}.conf"
        place = f"the Ceph cluster of {conf}"
        if setup["conf"] and not os.access(setup["conf"], os.R_OK):
            return f"{conf} (rbd_ceph_conf) cannot be read: write Ceph's configuration there, or change the option"
        if isinstance(error, rados.PermissionDeniedError | rados.PermissionError) or error.errno == errno.EOPNOTSUPP:
            return f"{place} does not let client.{self.user} in (rbd_user): check its keyring and capabilities"
        if isinstance(error, rados.TimedOut):
            return f"{place} cannot be reached within {setup['connect_timeout']} s"
        if isinstance(error, rados.ObjectNotFound) and self.cluster.state == "connected":
            return f"{place} has no pool {self.name} (rbd_pool): make it and run 'rbd pool init {self.name}'"
        return f"{place} cannot be used: {error}"

    def _fence(self, addresses):
        """Let nothing arrive any more of what processes before this one, that have ended, had sent to the cluster."""
        for address in addresses:
            self.ask("osd blocklist", blocklistop="add", addr=address)
        if addresses:
            self.cluster.wait_for_latest_osdmap()

    def address(self):
        """What the cluster knows this process by."""
        return self.cluster.get_addrs().removeprefix("v1:").removeprefix("v2:")

    def ask(self, command, **arguments):
        """The monitors' answer to a command."""
        status, out, error = self.cluster.mon_command(
            json.dumps({"prefix": command, "format": "json", **arguments}), b"")
        if status != 0:
            raise Failure(f"Ceph refused '{command}': {error or os.strerror(-status)}")
        return json.loads(out) if out.strip() else None

    def other(self, name):
        """The ioctx of another pool."""
        if name == self.name:
            return self.ioctx
        if name not in self._others:
            try:
                self._others[name] = self._opened(name)
            except rados.Error as error:
                raise Failure(f"pool {name} cannot be used by client.{self.user}: {error}") from error
        return self._others[name]

    def look_anew(self, name):
        """Have the OSD read an object anew that nobody uses, and so end a dead client's watch that it has lost sight of.

        Releases of Ceph without the fix of its issue 58120 lose sight of it when the client was killed while the watch was
        being written down: it stays for as long as the OSD remembers the object. What it remembers is displaced by others
        of the same placement group, also by such as do not exist; an object that a living client watches is not.
        """
        with contextlib.closing(self._opened(self.name)) as ioctx:
            ioctx.set_locator_key(name)
            for removed in [ioctx.aio_remove(f"{JOURNAL}.none.{number}") for number in range(REMEMBERED)]:
                removed.wait_for_complete()

    # -- what it says of itself

    def probe(self):
        """A sign of life from the monitors and from the OSDs of what every call needs: the pool's directory, the journal."""
        self.ask("df")
        for name in ("rbd_directory", JOURNAL):
            with contextlib.suppress(rados.ObjectNotFound):
                self.ioctx.stat(name)

    def identity(self):
        """The cluster's fsid."""
        return self.cluster.get_fsid()

    def measure(self, images):
        """Bytes of the pool: `stored`, `available`, `quota` (0: none), of the cluster `whole`; `promised` if `images`."""
        usage, mine = patiently(self._usage, Failure, 10)
        return {
            "stored": mine.get("stored", mine["bytes_used"]), "used": mine["bytes_used"],
            "available": mine["max_avail"], "whole": usage["stats"]["total_bytes"],
            "quota": self.ask("osd pool get-quota", pool=self.name)["quota_max_bytes"],
            "limits": limits_work(), "promised": rbd.RBD().pool_stats_get(self.ioctx)["image_provisioned_bytes"] if images else None}

    def _usage(self):
        usage = self.ask("df")
        for pool in usage["pools"]:
            if pool["name"] == self.name:
                return usage, pool["stats"]
        raise Failure(f"Ceph has no figures of pool {self.name} (rbd_pool): it does not exist any more, or has only "
                      "just been made", "down")

    def monitors(self):
        """(address, port) of each monitor, as strings."""
        return [one["public_addr"].partition("/")[0].rpartition(":")[::2] for one in self.ask("mon dump")["mons"]]

    def keyring(self):
        """The user's keyring as a text, None when this host has none."""
        section = f"client.{self.user}"
        for path in self.cluster.conf_get("keyring").split(","):
            parser = configparser.ConfigParser(delimiters=("=",))
            with contextlib.suppress(OSError, configparser.Error):
                with open(path.strip()) as file:
                    parser.read_file(line.strip() for line in file)
                return f"[{section}]\n\tkey = {parser[section]['key']}\n"
        return None

    # -- the journal

    def note(self, key, **values):
        """Write down that something has begun, before it is."""
        with rados.WriteOpCtx() as operation:
            self.ioctx.set_omap(operation, (key,), (json.dumps({"owner": self.owner, **values}).encode(),))
            self.ioctx.operate_write_op(operation, JOURNAL)

    def noted(self, prefix):
        """What was written down under keys that begin so: {key: values}."""
        found, page = {}, None
        while page is None or len(page) == PAGE:
            with rados.ReadOpCtx() as operation:
                entries, _ = self.ioctx.get_omap_vals(operation, max(found, default=""), prefix, PAGE)
                try:
                    self.ioctx.operate_read_op(operation, JOURNAL)
                except rados.ObjectNotFound:
                    return {}
                page = {key: json.loads(value) for key, value in entries}
            found |= page
        return found

    def strike(self, key):
        """It has ended."""
        with rados.WriteOpCtx() as operation:
            self.ioctx.remove_omap_keys(operation, (key,))
            with contextlib.suppress(rados.ObjectNotFound):
                self.ioctx.operate_write_op(operation, JOURNAL)


class Locks:
    """A lock for each name that is in use."""

    def __init__(self):
        self._held, self._changed = set(), threading.Condition()

    @contextlib.contextmanager
    def __call__(self, *names):
        """Hold the locks of all the names at once; "" has none."""
        names = set(names) - {""}
        with self._changed:
            self._changed.wait_for(lambda: self._held.isdisjoint(names))
            self._held.update(names)
        try:
            yield
        finally:
            with self._changed:
                self._held.difference_update(names)
                self._changed.notify_all()


def patiently(call, errors, limit=60):
    """Call again while one of the errors is raised, up to `limit` seconds: within 30 a dead client's holds are gone."""
    end = time.monotonic() + limit
    while True:
        try:
            return call()
        except errors:
            if time.monotonic() >= end:
                raise
            time.sleep(0.5)
