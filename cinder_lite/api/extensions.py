"""Handles /extensions and /resource_filters, which clients read to see what a service supports."""

from typing import Any

from cinder_lite import errors
from cinder_lite.api import filters
from cinder_lite.api.request import Request

#: alias -> name
ALIASES = {
    "OS-SCH-HNT": "SchedulerHints", "backups": "Backups", "capabilities": "Capabilities",
    "cgsnapshots": "Cgsnapshots", "consistencygroups": "Consistencygroups", "encryption": "VolumeTypeEncryption",
    "os-admin-actions": "AdminActions", "os-availability-zone": "AvailabilityZones",
    "os-extended-services": "ExtendedServices", "os-extended-snapshot-attributes": "ExtendedSnapshotAttributes",
    "os-hosts": "Hosts", "os-quota-class-sets": "QuotaClasses", "os-quota-sets": "Quotas", "os-services": "Services",
    "os-snapshot-actions": "SnapshotActions", "os-snapshot-manage": "SnapshotManage",
    "os-snapshot-unmanage": "SnapshotUnmanage", "os-types-extra-specs": "TypesExtraSpecs",
    "os-types-manage": "TypesManage", "os-used-limits": "UsedLimits", "os-vol-host-attr": "VolumeHostAttribute",
    "os-vol-image-meta": "VolumeImageMetadata", "os-vol-mig-status-attr": "VolumeMigStatusAttribute",
    "os-vol-tenant-attr": "VolumeTenantAttribute", "os-volume-actions": "VolumeActions",
    "os-volume-encryption-metadata": "VolumeEncryptionMetadata", "os-volume-manage": "VolumeManage",
    "os-volume-transfer": "VolumeTransfer", "os-volume-type-access": "VolumeTypeAccess",
    "os-volume-unmanage": "VolumeUnmanage", "qos-specs": "Qos_specs_manage", "scheduler-stats": "Scheduler_stats",
}


def _rendered(alias: str) -> dict[str, Any]:
    return {"alias": alias, "name": ALIASES[alias], "links": [], "updated": "2026-11-22T00:00:00+00:00",
            "description": f"The part of the API that is known as {alias}."}


def index(_req: Request) -> dict[str, Any]:
    """GET /extensions"""
    return {"extensions": [_rendered(alias) for alias in ALIASES]}


def show(req: Request) -> dict[str, Any]:
    """GET /extensions/{alias}: show an extension."""
    if req.alias not in ALIASES:
        raise errors.NotFound(f"There is no extension {req.alias[:100]}.")
    return {"extension": _rendered(req.alias)}


def resource_filters(req: Request) -> dict[str, Any]:
    """GET /resource_filters?resource=: list the filters of resources."""
    asked = req.query.get("resource")
    return {"resource_filters": [{"resource": resource, "filters": list(keys)}
                                 for resource, keys in filters.ALLOWED.items() if asked in (None, resource)]}
