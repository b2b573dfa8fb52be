"""Renders groups, group snapshots and group types."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import created_at

GROUP_SUMMARY = View(Field("id"), Field("name"))
GROUP_BASE = View(
    Field("id"), Field("status"), Field("availability_zone"), Field("created_at", created_at), Field("name"),
    Field("description"), Field("group_type", "group_type_id"),
    Field("volume_types", lambda row, req: row.volume_types["ids"]),
    Field("group_snapshot_id", since="3.14"), Field("source_group_id", since="3.14"),
    Field("replication_status", lambda row, req: "disabled", since="3.38"),
    Field("project_id", since="3.58", policy="group:group_project_attribute"))


def GROUP(row: Row, req: Request) -> dict[str, Any]:
    """A group; with `list_volume=True` also its volumes, from the request's `members`."""
    shown = GROUP_BASE(row, req)
    if req.members is not None:
        shown["volumes"] = req.members[row.id]
    return shown


SNAPSHOT_SUMMARY = View(Field("id"), Field("name"))
SNAPSHOT_CREATED = View(Field("id"), Field("name"), Field("group_type_id"))
SNAPSHOT = View(
    Field("id"), Field("group_id"), Field("group_type_id"), Field("status"), Field("created_at", created_at),
    Field("name"), Field("description"),
    Field("project_id", since="3.58", policy="group:group_snapshot_project_attribute"))


def TYPE(row: Row, req: Request) -> dict[str, Any]:
    """A group type; its specs are for administrators."""
    shown = {"id": row.id, "name": row.name, "description": row.description, "is_public": row.is_public}
    if req.allows("group:access_group_types_specs", req.ctx.project_id):
        shown["group_specs"] = row.group_specs
    return shown


# -- the legacy API

CONSISTENCY_GROUP = View(
    Field("id"), Field("status"), Field("availability_zone"), Field("created_at", created_at), Field("name"),
    Field("description"), Field("volume_types", lambda row, req: row.volume_types["ids"]))
CGSNAPSHOT = View(
    Field("id"), Field("consistencygroup_id", "group_id"), Field("status"), Field("created_at", created_at),
    Field("name"), Field("description"))
