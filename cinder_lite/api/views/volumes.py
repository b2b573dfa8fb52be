"""Renders volumes."""

import datetime
from typing import Any

from cinder_lite import states
from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.db import volumes


def time(value: datetime.datetime | None) -> str | None:
    """A time as the API writes it: UTC, microseconds, without a zone."""
    return value.isoformat(timespec="microseconds") if value is not None else None


def created_at(row: Row, _req: Request) -> str | None:
    return time(row.created_at)


def updated_at(row: Row, _req: Request) -> str | None:
    return time(row.updated_at)


def links(row: Row, req: Request) -> list[dict[str, str]]:
    return req.links("volumes", row.id)


def _attachments(row: Row, req: Request) -> list[dict[str, Any]]:
    shown = []
    for one in req.attached.get(row.id, ()):
        shown.append({
            "id": row.id, "attachment_id": one.id, "volume_id": row.id, "server_id": one.instance_uuid,
            "host_name": one.attached_host if req.ctx.is_admin or req.ctx.is_service else None,
            "device": one.mountpoint, "attached_at": time(one.attached_at)})
    return shown


def _consistency_group(row: Row, req: Request) -> str | None:
    return row.group_id if row.group_id in req.consistency_groups else None


def _shared_targets(row: Row, req: Request) -> bool | None:
    return row.shared_targets if req.at("3.69") or row.shared_targets is not None else True


_COMMON = (
    "id",
    Field("status", lambda row, req: states.SHOWN.get(row.status, row.status)),
    "size", "availability_zone",
    Field("created_at", created_at), Field("updated_at", updated_at),
    "name", "description",
    Field("volume_type", "type_name"), Field("volume_type_id", since="3.63"),
    "snapshot_id", "source_volid",
    Field("metadata", lambda row, req: {**row.metadata, **row.admin_metadata} if row.admin_metadata else row.metadata),
    Field("links", links),
    "user_id",
    Field("bootable", lambda row, req: "true" if row.bootable else "false"),
    Field("encrypted", lambda row, req: row.encryption_key_id is not None),
    "multiattach", "replication_status",
    Field("consistencygroup_id", _consistency_group),
    Field("attachments", _attachments),
    Field("group_id", since="3.13"),
    Field("shared_targets", _shared_targets, since="3.48"), Field("service_uuid", since="3.48"),
    Field("consumes_quota", since="3.65"),
    Field("encryption_key_id", since="3.64",
          when=lambda row, req: row.encryption_key_id not in (None, volumes.FIXED_KEY)),
)
_ADMIN = (
    Field("migration_status", policy="context_is_admin"),
    Field("provider_id", since="3.21", policy="context_is_admin"),
    Field("cluster_name", since="3.61", policy="context_is_admin"),
)
_MORE = (
    Field("os-vol-tenant-attr:tenant_id", "project_id", policy="volume_extension:volume_tenant_attribute"),
    Field("os-vol-host-attr:host", "host", policy="volume_extension:volume_host_attribute"),
    Field("os-vol-mig-status-attr:migstat", "migration_status", policy="volume_extension:volume_mig_status_attribute"),
    Field("os-vol-mig-status-attr:name_id", "name_id", policy="volume_extension:volume_mig_status_attribute"),
)

#: The response of create and update, and that of show and of the detailed list.
DETAIL = View(*_COMMON, *_ADMIN)
WHOLE = View(*_COMMON, *_ADMIN, *_MORE,
             Field("volume_image_metadata", "image_metadata", policy="volume_extension:volume_image_metadata:show",
                   when=lambda row, req: bool(row.image_metadata)))
SUMMARY = View("id", "name", Field("links", links))
