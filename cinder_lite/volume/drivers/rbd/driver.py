"""The RBD driver: volumes are images of a Ceph pool, snapshots theirs, and clones share their objects."""

import math
import socket
import urllib.parse

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd import content, qos
from cinder_lite.volume.drivers.rbd.options import OPTIONS
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

PREFIXES = ("volume-", "snapshot-")
MIB = 1024**2


class RbdDriver(base.Driver, base.AppliesQos, base.ClonesImages, base.Connects, base.Manages, base.Revertable):
    """Images named as Cinder names volumes. All calls of librbd are made in a process of their own (see `process`)."""

    OPTIONS = OPTIONS
    protocol = "ceph"

    def __init__(self, options, backend):
        super().__init__(options, backend)
        self.cluster = Cluster(
            conf=options.rbd_ceph_conf, cluster=options.rbd_cluster_name, user=options.rbd_user, pool=options.rbd_pool,
            timeout=options.rbd_call_timeout, connect_timeout=options.rados_connect_timeout,
            owner=f"{socket.gethostname()}@{backend}")
        self.librbd = Librbd(self.cluster)
        self._version, self._promised = object(), (None, None)

    # -- the backend

    def check(self):
        """Ask the monitors and the pool for a sign of life; BackendDown when there is none."""
        chunk = self.options.rbd_store_chunk_size
        if chunk & (chunk - 1):
            raise base.BackendDown(f"rbd_store_chunk_size of {self.backend} is {chunk}: it has to be a power of two")
        try:
            self.librbd.call("probe")
        except base.BackendDown:
            raise
        except base.DriverError as error:
            raise base.BackendDown(str(error)) from error

    def clean_up(self):
        self.librbd.call("clean_up")
        if self.options.rbd_exclusive_cinder_pool:
            self.librbd.call("take_over_deleted")

    def run_maintenance(self):
        deferred = self.options.enable_deferred_deletion
        self.librbd.call("run_maintenance", interval=self.options.deferred_deletion_purge_interval if deferred else None)

    def pools(self):
        """One pool, named after the backend; free is what Ceph says can be stored, after replication."""
        version = self._version
        known = self.options.rbd_exclusive_cinder_pool and self._promised[0] is version
        found = self.librbd.call("measure", images=not known)
        if not known:
            self._promised = version, found["promised"]
        total, free = self._room(found)
        location = f"ceph:{self.cluster.conf}:{self.librbd.call('identity')}:{self.cluster.user}:{self.cluster.pool}"
        return (base.PoolStats(
            name=self.backend, total_gb=total / base.GIB, free_gb=free / base.GIB, provisioned_gb=self._promised[1] / base.GIB,
            thin=True, thick=False, multiattach=True, online_extend=True, capabilities={
                "location_info": location, "qos_support": found["limits"], "QoS_support": found["limits"]}),)

    def _room(self, found):
        """(total, free) in bytes; a quota on the pool bounds both."""
        free, total = found["available"], found["whole"]
        if found["quota"]:
            total = found["quota"]
            free = max(0, min(free, total - found["stored"]))
        if self.options.report_dynamic_total_capacity:
            total = free + found["stored"]
        return total, free

    # -- volumes

    def create(self, volume):
        order = int(math.log2(self.options.rbd_store_chunk_size * MIB))
        self._changing("create", name=volume.name, size=volume.size * base.GIB, order=order,
                       limits=qos.limits(volume))
        return {}

    def delete(self, volume):
        """Remove it whatever was cloned from it; with deferred deletion, after a time in the trash."""
        deferred = self.options.enable_deferred_deletion
        self._changing("delete", name=volume.name, delay=self.options.deferred_deletion_delay if deferred else None)

    def extend(self, volume, new_size):
        self._changing("extend", name=volume.name, size=new_size * base.GIB)

    def clone(self, volume, source, progress):
        return self._clone(volume, progress, source=source.name)

    def from_snapshot(self, volume, snapshot, progress):
        return self._clone(volume, progress, source=snapshot.volume.name, snapshot=snapshot.name,
                           flatten=self.options.rbd_flatten_volume_from_snapshot)

    def clone_image(self, volume, location):
        """A clone when the location is rbd://FSID/POOL/IMAGE/SNAPSHOT of this cluster, and can be read; else None."""
        scheme, _, path = location.partition("://")
        parts = [urllib.parse.unquote(part) for part in path.split("/")]
        if scheme != "rbd" or len(parts) != 4 or parts[0] != self.librbd.call("identity"):
            return None
        pool, image, snapshot = parts[1:]
        if not self.librbd.call("readable", pool=pool, name=image, snapshot=snapshot):
            return None
        return self._clone(volume, lambda done, whole: None, pool=pool, source=image, snapshot=snapshot)

    def _clone(self, volume, progress, **source):
        size = volume.size * base.GIB
        self._changing("clone", name=volume.name, size=size, depth=self.options.rbd_max_clone_depth,
                       limits=qos.limits(volume), **source)
        progress(size, size)
        return {}

    def _changing(self, call, /, **arguments):
        """Make a call after which the images' sizes have to be measured again."""
        try:
            self.librbd.call(call, **arguments)
        finally:
            self._version = object()

    def names(self):
        found = []
        for name, size, snapshots in self.librbd.call("list", snapshots=True):
            if name.startswith(PREFIXES[0]):
                found.append((name, size))
                found += [(snapshot, bytes) for snapshot, bytes in snapshots if snapshot.startswith(PREFIXES[1])]
        return found

    def exists(self, volume):
        return self.librbd.call("exists", name=volume.name)

    def apply_qos(self, volume):
        self.librbd.call("limit", names=[volume.name], limits=qos.limits(volume), others_too=True)

    # -- snapshots

    def create_snapshot(self, snapshot):
        self.librbd.call("create_snapshot", name=snapshot.volume.name, snapshot=snapshot.name)
        return {}

    def delete_snapshot(self, snapshot):
        self.librbd.call("delete_snapshot", name=snapshot.volume.name, snapshot=snapshot.name)

    def revert(self, volume, snapshot):
        self._changing("revert", name=volume.name, snapshot=snapshot.name, size=volume.size * base.GIB)

    # -- connections and content

    def connection(self, volume, connector):
        """What os-brick and libvirt need: the monitors, the user, libvirt's secret and, where wanted, the keyring."""
        monitors = self.librbd.call("monitors")
        keyring = self.librbd.call("keyring") if self.options.rbd_give_keyring else None
        data = {
            "name": f"{self.cluster.pool}/{volume.name}", "hosts": [address.strip("[]") for address, _ in monitors],
            "ports": [port for _, port in monitors], "cluster_name": self.cluster.cluster, "auth_enabled": True,
            "auth_username": self.cluster.user or "admin", "secret_type": "ceph",
            "secret_uuid": self.options.rbd_secret_uuid, "volume_id": volume.id, "discard": True,
            **({"keyring": keyring} if keyring else {})}
        return {"driver_volume_type": "rbd", "data": data}

    def disconnect(self, volume, connector):
        """There is nothing to undo: hosts connect to the cluster by themselves."""

    def content(self, volume):
        return content.data(self.cluster, volume.name)

    def snapshot_content(self, snapshot):
        return content.data(self.cluster, snapshot.volume.name, snapshot.name)

    # -- what others made

    def foreign_volumes(self):
        return [base.Found({"source-name": name}, size) for name, size, _ in self.librbd.call("list", snapshots=False)]

    def foreign_snapshots(self):
        return [base.Found({"source-name": snapshot}, bytes, source={"source-name": name})
                for name, _, snapshots in self.librbd.call("list", snapshots=True) for snapshot, bytes in snapshots]

    def inspect(self, reference, volume=None):
        wanted = self.name_in(reference)
        for name, size, snapshots in self.librbd.call("list", snapshots=volume is not None):
            if volume is None and name == wanted:
                return base.Found(reference, size)
            if volume is not None and name == volume.name and wanted in dict(snapshots):
                return base.Found(reference, dict(snapshots)[wanted], source={"source-name": name})
        place = f"volume {volume.name}" if volume is not None else f"pool {self.cluster.pool}"
        raise base.DriverError(f"there is no '{wanted}' in {place}")

    def adopt(self, volume, reference):
        """Limits that somebody gave the image stay where its type has none in their place."""
        source, limits = self.name_in(reference), qos.limits(volume)
        if limits:
            # Before it has its new name: one whose limits are refused stays what it was.
            self.librbd.call("limit", names=[source, volume.name], limits=limits, others_too=False)
        self._changing("rename", source=source, name=volume.name)
        return {}

    def adopt_snapshot(self, snapshot, reference):
        self.librbd.call("rename_snapshot", name=snapshot.volume.name, source=self.name_in(reference), snapshot=snapshot.name)
        return {}
