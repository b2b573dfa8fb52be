"""Connects to the Ceph cluster and the backend's pool, measures the pool, and keeps a journal in it."""

import configparser
import contextlib
import errno
import json
import os
import time
import typing
from collections.abc import Callable

import rados
import rbd

from cinder_lite.volume.drivers.rbd import locking
from cinder_lite.volume.drivers.rbd.limiting import has_limits
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: The object with the journal of operations in progress, which persists when this process or the service ends.
JOURNAL = "cinder_lite_journal"
#: Entries of the journal per read.
PAGE = 500
#: Twice the number of objects of a placement group that an OSD caches (its osd_pg_object_context_cache_count).
EVICTING = 128


class Pool:
    """The backend's pool: `ioctx` for librbd's calls, `locks` that serialize calls for one image, the journal."""

    CALLS = ("address", "probe", "measure", "identity", "monitors", "keyring", "join")

    def __init__(self, setup: dict) -> None:
        self.name, self.user, self.owner = setup["pool"], setup["user"] or "admin", setup["owner"]
        self.locks: locking.Locks = locking.Locks()
        self._others: dict[str, typing.Any] = {}
        try:
            self.cluster = rados.Rados(conffile=setup["conf"], rados_id=self.user, clustername=setup["cluster"])
            self.cluster.conf_set("rbd_default_clone_format", "2")
            self.cluster.conf_set("rbd_cache", "false")  # it acknowledges writes early and loses their errors
            self.cluster.conf_set("client_mount_timeout", str(setup["connect_timeout"]))
            if setup["mon_timeout"]:
                self.cluster.conf_set("rados_mon_op_timeout", str(setup["mon_timeout"]))
            self.cluster.connect()
            self._fence(setup["fence"])
            self.ioctx = self._opened(self.name)
            if setup["shared"]:
                self.locks = locking.SharedLocks(self._opened(self.name), self.owner)
        except (rados.Error, OSError) as error:
            raise Failure(self._why(error, setup), "down") from error

    def _opened(self, name):
        """An ioctx with which writes to a full pool fail instead of blocking, and removals still work."""
        ioctx = self.cluster.open_ioctx(name)
        ioctx.set_osdmap_full_try()
        return ioctx

    def _why(self, error, setup):
        conf = setup["conf"] or f"/etc/ceph/{setup['cluster']}.conf"
        place = f"the Ceph cluster of {conf}"
        if setup["conf"] and not os.access(setup["conf"], os.R_OK):
            return f"{conf} (rbd_ceph_conf) cannot be read: write Ceph's configuration there, or change the option"
        if isinstance(error, rados.PermissionDeniedError | rados.PermissionError) or error.errno == errno.EOPNOTSUPP:
            return f"{place} refuses access to client.{self.user} (rbd_user): check its keyring and capabilities"
        if isinstance(error, rados.TimedOut):
            return f"{place} cannot be reached within {setup['connect_timeout']} s"
        if isinstance(error, rados.ObjectNotFound) and self.cluster.state == "connected":
            return f"{place} has no pool {self.name} (rbd_pool): create it and run 'rbd pool init {self.name}'"
        return f"{place} cannot be used: {error}"

    def _fence(self, addresses):
        """Put earlier, ended processes on the blocklist, so that their pending requests are not executed any more."""
        for address in addresses:
            self.ask("osd blocklist", blocklistop="add", addr=address)
        if addresses:
            self.cluster.wait_for_latest_osdmap()

    def address(self) -> str:
        """This client's address in the cluster."""
        return self.cluster.get_addrs().removeprefix("v1:").removeprefix("v2:")

    def ask(self, command: str, **arguments: object) -> typing.Any:
        """Run a command on the monitors. Returns its parsed output."""
        status, out, error = self.cluster.mon_command(
            json.dumps({"prefix": command, "format": "json", **arguments}), b"")
        if status != 0:
            raise Failure(f"Ceph refused '{command}': {error or os.strerror(-status)}")
        return json.loads(out) if out.strip() else None

    def other(self, name: str) -> typing.Any:
        """The ioctx of another pool."""
        if name == self.name:
            return self.ioctx
        if name not in self._others:
            try:
                self._others[name] = self._opened(name)
            except rados.Error as error:
                raise Failure(f"pool {name} cannot be used by client.{self.user}: {error}") from error
        return self._others[name]

    def evict(self, name: str) -> None:
        """Make the OSD drop an unused object from its cache, and with it a leaked watch of a dead client.

        Releases of Ceph without the fix of issue 58120 leak a watch if the client was killed while it was being
        recorded: the watch stays as long as the OSD caches the object. Accesses to other objects of the same placement
        group, also to missing ones, evict it from the cache; an object with the watch of a live client stays.
        """
        with contextlib.closing(self._opened(self.name)) as ioctx:
            ioctx.set_locator_key(name)
            for removed in [ioctx.aio_remove(f"{JOURNAL}.none.{number}") for number in range(EVICTING)]:
                removed.wait_for_complete()

    # -- information about the cluster

    def probe(self) -> None:
        """Check that the monitors and the OSDs of the pool's directory and journal, which every call needs, respond."""
        self.ask("df")
        for name in ("rbd_directory", JOURNAL):
            with contextlib.suppress(rados.ObjectNotFound):
                self.ioctx.stat(name)

    def identity(self) -> str:
        """The cluster's fsid."""
        return self.cluster.get_fsid()

    def measure(self, images: bool) -> dict:
        """The pool's `stored`, `available` and `quota` bytes (0: none), and `whole`, the cluster's total.

        `promised` are the provisioned bytes, None unless `images`.
        """
        usage, mine = retry(self._usage, Failure, 10)
        return {
            "stored": mine.get("stored", mine["bytes_used"]), "used": mine["bytes_used"],
            "available": mine["max_avail"], "whole": usage["stats"]["total_bytes"],
            "quota": self.ask("osd pool get-quota", pool=self.name)["quota_max_bytes"],
            "limits": has_limits(),
            "promised": rbd.RBD().pool_stats_get(self.ioctx)["image_provisioned_bytes"] if images else None}

    def _usage(self):
        usage = self.ask("df")
        for pool in usage["pools"]:
            if pool["name"] == self.name:
                return usage, pool["stats"]
        raise Failure(f"Ceph has no statistics of pool {self.name} (rbd_pool): it was deleted, or created a moment ago",
                      "down")

    def monitors(self) -> list[tuple[str, str]]:
        """(address, port) of each monitor, as strings."""
        return [one["public_addr"].partition("/")[0].rpartition(":")[::2] for one in self.ask("mon dump")["mons"]]

    def keyring(self) -> str | None:
        """The user's keyring as a text, None if this host has none."""
        section = f"client.{self.user}"
        for path in self.cluster.conf_get("keyring").split(","):
            parser = configparser.ConfigParser(delimiters=("=",))
            with contextlib.suppress(OSError, configparser.Error):
                with open(path.strip()) as file:
                    parser.read_file(line.strip() for line in file)
                return f"[{section}]\n\tkey = {parser[section]['key']}\n"
        return None

    # -- the journal

    def join(self, cluster: str, id: str | None, proposed: str) -> str:
        """The id of a cluster of services, which is in the journal; see drivers.base.Shared."""
        key = f"cluster/{cluster}"
        if id is None:
            with rados.WriteOpCtx() as operation:
                # Compared as empty if there is none.
                operation.omap_cmp(key, "")
                self.ioctx.set_omap(operation, (key,), (json.dumps({"owner": self.owner, "id": proposed}).encode(),))
                try:
                    self.ioctx.operate_write_op(operation, JOURNAL)
                except rados.ObjectNotFound:
                    self.note(key, id=proposed)
                except rados.Error as error:
                    if error.errno != errno.ECANCELED:
                        raise
        found = self.noted(key).get(key, {}).get("id", "")
        if id not in (None, found):
            raise Failure(f"pool {self.name} is not that of the cluster {cluster}: its journal has another id of it, "
                          "or none; give all hosts of the cluster the same rbd_ceph_conf and rbd_pool", "down")
        return found

    def note(self, key: str, **values: object) -> None:
        """Record in the journal that an operation begins."""
        with rados.WriteOpCtx() as operation:
            self.ioctx.set_omap(operation, (key,), (json.dumps({"owner": self.owner, **values}).encode(),))
            self.ioctx.operate_write_op(operation, JOURNAL)

    def noted(self, prefix: str) -> dict[str, dict]:
        """The journal's entries whose keys have that prefix: {key: values}."""
        found: dict[str, dict] = {}
        page: dict[str, dict] | None = None
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

    def become_writer(self, key: str) -> None:
        """Make this client the one that writes to an image, after excluding the former one from the cluster.

        `key` is the journal's entry of the image. A former writer did not end in order: it may be stopped, and execute
        its requests when it goes on.
        """
        own = json.dumps({"owner": self.owner, "address": self.address()})
        while True:
            former = self.noted(key).get(key)
            if former is not None and former["address"] != self.address():
                self._fence([former["address"]])
            with rados.WriteOpCtx() as operation:
                operation.omap_cmp(key, json.dumps(former) if former else "")
                self.ioctx.set_omap(operation, (key,), (own.encode(),))
                try:
                    return self.ioctx.operate_write_op(operation, JOURNAL)
                except rados.ObjectNotFound:
                    self.note(key, address=self.address())
                except rados.Error as error:
                    if error.errno != errno.ECANCELED:
                        raise

    def strike(self, *keys: str) -> None:
        """Remove entries from the journal."""
        with rados.WriteOpCtx() as operation:
            self.ioctx.remove_omap_keys(operation, keys)
            with contextlib.suppress(rados.ObjectNotFound):
                self.ioctx.operate_write_op(operation, JOURNAL)


def retry(call: Callable[[], typing.Any], errors: type[Exception] | tuple[type[Exception], ...],
          limit: float = 60) -> typing.Any:
    """Repeat the call on one of the errors, for up to `limit` seconds; a dead client's locks expire within 30."""
    end = time.monotonic() + limit
    while True:
        try:
            return call()
        except errors:
            if time.monotonic() >= end:
                raise
            time.sleep(0.5)
