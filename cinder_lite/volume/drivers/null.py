"""The null driver: it makes nothing and takes no time, so that what the control plane itself costs can be measured."""

from cinder_lite.volume.drivers import base


class NullDriver(base.Driver, base.Connects, base.Revertable):
    """Every call succeeds and leaves nothing behind; there is no end of room.

    It keeps no names: `names()` is empty and `exists()` always true. `connection` has the form of iSCSI's under a type
    that no host can attach by mistake.
    """

    protocol = "null"

    def check(self):
        pass

    def pools(self):
        return (base.PoolStats(name=self.backend, total_gb="infinite", free_gb="infinite", thin=True, thick=True,
                               multiattach=True),)

    def create(self, volume):
        return {}

    def delete(self, volume):
        pass

    def extend(self, volume, new_size):
        if new_size < volume.size:
            raise base.DriverError(f"{volume.name} has {volume.size} GiB and cannot shrink to {new_size} GiB")

    def create_snapshot(self, snapshot):
        return {}

    def delete_snapshot(self, snapshot):
        pass

    def clone(self, volume, source, progress):
        return {}

    def from_snapshot(self, volume, snapshot, progress):
        return {}

    def revert(self, volume, snapshot):
        pass

    def names(self):
        return ()

    def exists(self, volume):
        return True

    def content(self, volume):
        """Always a DriverError: there is nothing to read, write, export or back up."""
        raise base.DriverError(f"backend {self.backend} uses the null driver: {volume.name} holds no data; choose a "
                               "backend with another driver")

    def snapshot_content(self, snapshot):
        return self.content(snapshot)

    def connection(self, volume, connector):
        return {"driver_volume_type": "null",
                "data": {"target_discovered": False, "target_portal": "192.0.2.1:3260", "target_lun": 1,
                         "target_iqn": f"iqn.2010-10.org.openstack:{volume.name}", "discard": False}}

    def disconnect(self, volume, connector):
        pass
