"""Renders backups."""

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import created_at, time, updated_at


def _links(row: Row, req: Request) -> list[dict[str, str]]:
    return req.links("backups", row.id)


_ADMIN = "backup:backup_project_attribute"

SUMMARY = View("id", "name", Field("links", _links))
DETAIL = View(
    "id", "status", "size", "object_count", "availability_zone", "container", Field("created_at", created_at),
    Field("updated_at", updated_at), "name", "description", "fail_reason", "volume_id", Field("links", _links),
    Field("is_incremental", lambda row, req: row.parent_id is not None),
    Field("has_dependent_backups", lambda row, req: bool(row.has_dependent_backups)), "snapshot_id",
    Field("data_timestamp", lambda row, req: time(row.data_timestamp)),
    Field("os-backup-project-attr:project_id", "project_id", since="3.18", policy=_ADMIN),
    Field("metadata", since="3.43"), Field("user_id", since="3.56", policy=_ADMIN),
    Field("encryption_key_id", since="3.64", when=lambda row, req: row.encryption_key_id is not None))
