"""The RBD driver: volumes are images of a Ceph pool, with RBD snapshots and clones."""

import math
import socket
import urllib.parse
from collections.abc import Callable, Iterable

from oslo_config import cfg

from cinder_lite.concurrency import randomness
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd import content, qos
from cinder_lite.volume.drivers.rbd.options import OPTIONS
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

PREFIXES = ("volume-", "snapshot-")
MIB = 1024**2


class RbdDriver(base.Driver, base.AppliesQos, base.ClonesImages, base.Connects, base.ManagesExisting, base.Revertable,
                base.Shared):
    """Images with Cinder's names of volumes. librbd is called in a separate process (see `supervisor`)."""

    OPTIONS = OPTIONS
    protocol = "ceph"

    def __init__(self, options: cfg.ConfigOpts, backend: str) -> None:
        super().__init__(options, backend)
        self.cluster = Cluster(
            conf=options.rbd_ceph_conf, cluster=options.rbd_cluster_name, user=options.rbd_user, pool=options.rbd_pool,
            timeout=options.rbd_call_timeout, connect_timeout=options.rados_connect_timeout,
            owner=f"{options.backend_host if options.cluster else socket.gethostname()}@{backend}",
            shared=bool(options.cluster))
        self.librbd = Librbd(self.cluster)
        self._version = object()
        self._provisioned: tuple[object, int | None] = (None, None)

    # -- the backend

    def check(self) -> None:
        """Raise BackendDown if the monitors or the pool do not respond."""
        chunk = self.options.rbd_store_chunk_size
        if chunk & (chunk - 1):
            raise base.BackendDown(f"rbd_store_chunk_size of {self.backend} is {chunk}: it must be a power of two")
        try:
            self.librbd.call("probe")
        except base.BackendDown:
            raise
        except base.DriverError as error:
            raise base.BackendDown(str(error)) from error

    def join(self, cluster: str, id: str | None) -> str:
        """The id is in the pool's journal."""
        return self.librbd.call("join", cluster=cluster, id=id, proposed=randomness.new_id())

    def clean_up(self) -> None:
        self.librbd.call("clean_up")
        if self.options.rbd_exclusive_cinder_pool:
            self.librbd.call("take_over_deleted")

    def run_maintenance(self) -> None:
        deferred = self.options.enable_deferred_deletion
        interval = self.options.deferred_deletion_purge_interval if deferred else None
        self.librbd.call("run_maintenance", interval=interval)

    def pools(self) -> tuple[base.PoolStats, ...]:
        """One pool, named after the backend; the free capacity is Ceph's, after replication."""
        version = self._version
        known = (self.options.rbd_exclusive_cinder_pool and not self.cluster.shared
                 and self._provisioned[0] is version)
        found = self.librbd.call("measure", images=not known)
        if not known:
            self._provisioned = version, found["promised"]
        total, free = self._capacity(found)
        location = f"ceph:{self.cluster.conf}:{self.librbd.call('identity')}:{self.cluster.user}:{self.cluster.pool}"
        return (base.PoolStats(
            name=self.backend, total_gb=total / base.GIB, free_gb=free / base.GIB,
            provisioned_gb=(self._provisioned[1] or 0) / base.GIB, thin=True, thick=False, multiattach=True,
            online_extend=True, capabilities={
                "location_info": location, "qos_support": found["limits"],
                "QoS_support": found["limits"]}),)

    def _capacity(self, found):
        """(total, free) in bytes; a quota of the pool limits both."""
        free, total = found["available"], found["whole"]
        if found["quota"]:
            total = found["quota"]
            free = max(0, min(free, total - found["stored"]))
        if self.options.report_dynamic_total_capacity:
            total = free + found["stored"]
        return total, free

    # -- volumes

    def create(self, volume: base.Volume) -> dict:
        order = int(math.log2(self.options.rbd_store_chunk_size * MIB))
        self._changing("create", name=volume.name, size=volume.size * base.GIB, order=order,
                       limits=qos.limits(volume))
        return {}

    def delete(self, volume: base.Volume) -> None:
        """Remove the image, also if it has clones; with deferred deletion, after a time in the trash."""
        deferred = self.options.enable_deferred_deletion
        self._changing("delete", name=volume.name, delay=self.options.deferred_deletion_delay if deferred else None)

    def extend(self, volume: base.Volume, new_size: int) -> None:
        self._changing("extend", name=volume.name, size=new_size * base.GIB)

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> dict:
        return self._clone(volume, progress, source=source.name)

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> dict:
        return self._clone(volume, progress, source=snapshot.volume.name, snapshot=snapshot.name,
                           flatten=self.options.rbd_flatten_volume_from_snapshot)

    def clone_image(self, volume: base.Volume, location: str) -> dict | None:
        """Clone the image if the location is a readable rbd://FSID/POOL/IMAGE/SNAPSHOT of this cluster."""
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
        """Make a call that changes images, so that their sizes have to be measured again."""
        try:
            self.librbd.call(call, **arguments)
        finally:
            self._version = object()

    def names(self) -> Iterable[tuple[str, int | None]]:
        found = []
        for name, size, snapshots in self.librbd.call("list", snapshots=True):
            if name.startswith(PREFIXES[0]):
                found.append((name, size))
                found += [(snapshot, bytes) for snapshot, bytes in snapshots if snapshot.startswith(PREFIXES[1])]
        return found

    def exists(self, volume: base.Volume) -> bool:
        return self.librbd.call("exists", name=volume.name)

    def apply_qos(self, volume: base.Volume) -> None:
        self.librbd.call("limit", names=[volume.name], limits=qos.limits(volume), others_too=True)

    # -- snapshots

    def create_snapshot(self, snapshot: base.Snapshot) -> dict:
        self.librbd.call("create_snapshot", name=snapshot.volume.name, snapshot=snapshot.name)
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        self.librbd.call("delete_snapshot", name=snapshot.volume.name, snapshot=snapshot.name)

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        self._changing("revert", name=volume.name, snapshot=snapshot.name, size=volume.size * base.GIB)

    # -- connections and content

    def connection(self, volume: base.Volume, connector: dict | None) -> dict:
        """The monitors, the user, libvirt's secret and, if configured, the keyring."""
        monitors = self.librbd.call("monitors")
        keyring = self.librbd.call("keyring") if self.options.rbd_give_keyring else None
        data = {
            "name": f"{self.cluster.pool}/{volume.name}", "hosts": [address.strip("[]") for address, _ in monitors],
            "ports": [port for _, port in monitors], "cluster_name": self.cluster.cluster, "auth_enabled": True,
            "auth_username": self.cluster.user or "admin", "secret_type": "ceph",
            "secret_uuid": self.options.rbd_secret_uuid, "volume_id": volume.id, "discard": True,
            **({"keyring": keyring} if keyring else {})}
        return {"driver_volume_type": "rbd", "data": data}

    def disconnect(self, volume: base.Volume, connector: dict | None) -> None:
        """Nothing to undo: hosts connect to the cluster directly."""

    def content(self, volume: base.Volume) -> dict:
        return content.data(self.cluster, volume.name)

    def snapshot_content(self, snapshot: base.Snapshot) -> dict:
        return content.data(self.cluster, snapshot.volume.name, snapshot.name)

    # -- existing images

    def existing_volumes(self) -> list[base.Manageable]:
        return [base.Manageable({"source-name": name}, size)
                for name, size, _ in self.librbd.call("list", snapshots=False)]

    def existing_snapshots(self) -> list[base.Manageable]:
        return [base.Manageable({"source-name": snapshot}, bytes, source={"source-name": name})
                for name, _, snapshots in self.librbd.call("list", snapshots=True) for snapshot, bytes in snapshots]

    def inspect(self, reference: dict, volume: base.Volume | None = None) -> base.Manageable:
        wanted = self.name_of(reference)
        for name, size, snapshots in self.librbd.call("list", snapshots=volume is not None):
            if volume is None and name == wanted:
                return base.Manageable(reference, size)
            if volume is not None and name == volume.name and wanted in dict(snapshots):
                return base.Manageable(reference, dict(snapshots)[wanted], source={"source-name": name})
        place = f"volume {volume.name}" if volume is not None else f"pool {self.cluster.pool}"
        raise base.DriverError(f"there is no '{wanted}' in {place}")

    def manage(self, volume: base.Volume, reference: dict) -> dict:
        """Rename the image; its own limits stay, unless its volume type has others in their place."""
        source, limits = self.name_of(reference), qos.limits(volume)
        if limits:
            # Before the rename: an image whose limits are refused stays unchanged.
            self.librbd.call("limit", names=[source, volume.name], limits=limits, others_too=False)
        self._changing("rename", source=source, name=volume.name)
        return {}

    def manage_snapshot(self, snapshot: base.Snapshot, reference: dict) -> dict:
        source = self.name_of(reference)
        self.librbd.call("rename_snapshot", name=snapshot.volume.name, source=source, snapshot=snapshot.name)
        return {}
