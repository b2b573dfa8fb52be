"""The null driver, which creates nothing and takes no time, to measure the cost of the control plane alone."""

from collections.abc import Callable, Iterable

from cinder_lite.concurrency import randomness
from cinder_lite.volume.drivers import base


class NullDriver(base.Driver, base.Connects, base.Revertable, base.Shared):
    """Every call succeeds without effect; the capacity is infinite.

    `exists()` is always true. `connection` has the form of iSCSI's with a type that no host can attach by mistake.
    """

    protocol = "null"

    def check(self) -> None:
        pass

    def join(self, cluster: str, id: str | None) -> str:
        return id or randomness.new_id()

    def pools(self) -> tuple[base.PoolStats, ...]:
        return (base.PoolStats(self.backend, "infinite", "infinite", thin=True, thick=True, multiattach=True),)

    def create(self, volume: base.Volume) -> dict:
        return {}

    def delete(self, volume: base.Volume) -> None:
        pass

    def extend(self, volume: base.Volume, new_size: int) -> None:
        if new_size < volume.size:
            raise base.DriverError(f"{volume.name} has {volume.size} GiB and cannot shrink to {new_size} GiB")

    def create_snapshot(self, snapshot: base.Snapshot) -> dict:
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        pass

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> dict:
        return {}

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> dict:
        return {}

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        pass

    def names(self) -> Iterable[tuple[str, int | None]]:
        return ()

    def exists(self, volume: base.Volume) -> bool:
        return True

    def content(self, volume: base.Volume | base.Snapshot) -> dict:
        """Always raises DriverError: there is no data to read, write, export or back up."""
        raise base.DriverError(f"{self.backend} has the null driver: {volume.name} holds no data; choose another one")

    def snapshot_content(self, snapshot: base.Snapshot) -> dict:
        return self.content(snapshot)

    def connection(self, volume: base.Volume, connector: dict | None) -> dict:
        return {"driver_volume_type": "null",
                "data": {"target_discovered": False, "target_portal": "192.0.2.1:3260", "target_lun": 1,
                         "target_iqn": f"iqn.2010-10.org.openstack:{volume.name}", "discard": False}}

    def disconnect(self, volume: base.Volume, connector: dict | None) -> None:
        pass
