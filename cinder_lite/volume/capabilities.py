"""Describes what a backend can do, as the capabilities API shows it."""

from cinder_lite.volume.backends import Backend


def describe(backend: Backend) -> dict:
    """See VolumeRPC.capabilities."""
    name, values = backend.measure()[0]
    known = values["capabilities"]
    return {
        "namespace": f"OS::Storage::Capabilities::{backend.name}", "vendor_name": known["vendor_name"],
        "volume_backend_name": known["volume_backend_name"], "pool_name": name.partition("#")[2],
        "driver_version": known["driver_version"], "storage_protocol": known["storage_protocol"],
        "display_name": known["volume_backend_name"],
        "description": (type(backend.driver).__doc__ or "").partition("\n")[0],
        "visibility": None, "replication_targets": [],
        "properties": {
            "thin_provisioning": {"title": "Thin Provisioning", "type": "boolean",
                                  "description": "Whether volumes use capacity only for written data."}}}
