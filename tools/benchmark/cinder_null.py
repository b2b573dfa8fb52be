"""A driver for a real Cinder that makes nothing, as this project's null driver does: to measure what is around it."""

from cinder.volume import driver


class NoServers:
    """A Nova that knows no server: Cinder asks it before it lets a user delete an attachment that has a connection."""

    class NotFound(Exception):
        pass

    def get_server_volume(self, context, server_id, attachment_id):
        raise self.NotFound


class NullDriver(driver.VolumeDriver):
    """Says that everything was done."""

    VERSION = "1.0"

    def check_for_setup_error(self):
        pass

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name, "vendor_name": "none",
            "driver_version": self.VERSION, "storage_protocol": "null", "total_capacity_gb": "infinite",
            "free_capacity_gb": "infinite", "multiattach": True, "online_extend_support": True,
        }

    def create_volume(self, volume):
        pass

    def create_volume_from_snapshot(self, volume, snapshot):
        pass

    def create_cloned_volume(self, volume, src_vref):
        pass

    def extend_volume(self, volume, new_size):
        pass

    def delete_volume(self, volume):
        pass

    def create_snapshot(self, snapshot):
        pass

    def delete_snapshot(self, snapshot):
        pass

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "null", "data": {"volume_id": volume.id}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass
