"""A driver without storage for a real Cinder, to read its fields; runs in the environment of Cinder."""

from cinder.volume import driver


class NullDriver(driver.VolumeDriver):
    """Says that everything was done."""

    VERSION = "1.0"

    def check_for_setup_error(self):
        pass

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name, "vendor_name": "none",
            "driver_version": self.VERSION,
            "storage_protocol": "iSCSI", "total_capacity_gb": 1000, "free_capacity_gb": 1000, "multiattach": True,
            "online_extend_support": True, "shared_targets": False, "location_info": "here"}

    def _nothing(self, *_arguments, **_more):
        pass

    create_volume = delete_volume = create_volume_from_snapshot = create_cloned_volume = extend_volume = _nothing
    create_snapshot = delete_snapshot = ensure_export = create_export = remove_export = terminate_connection = _nothing
    manage_existing = manage_existing_snapshot = unmanage = unmanage_snapshot = _nothing

    def manage_existing_get_size(self, volume, existing_ref):
        return 1

    manage_existing_snapshot_get_size = manage_existing_get_size

    def retype(self, context, volume, new_type, diff, host):
        return True, None

    def migrate_volume(self, context, volume, host):
        return True, None

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "iscsi", "data": {"volume_id": volume.id}}
