"""Renders groups, group snapshots and group types."""

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import created_at


def _volume_types(row: Row, _req: Request) -> list[str]:
    return row.volume_types["ids"]


def _members(row, req):
    """The ids of the group's volumes, which the handler has read if `list_volume=True` requests them."""
    return req.members[row.id]


GROUP_SUMMARY = View("id", "name")
GROUP = View(
    "id", "status", "availability_zone", Field("created_at", created_at), "name", "description",
    Field("group_type", "group_type_id"), Field("volume_types", _volume_types),
    Field("group_snapshot_id", since="3.14"), Field("source_group_id", since="3.14"),
    Field("replication_status", lambda row, req: "disabled", since="3.38"),
    Field("project_id", since="3.58", policy="group:group_project_attribute"),
    Field("volumes", _members, when=lambda row, req: req.members is not None))
SNAPSHOT_SUMMARY = View("id", "name")
SNAPSHOT_CREATED = View("id", "name", "group_type_id")
SNAPSHOT = View(
    "id", "group_id", "group_type_id", "status", Field("created_at", created_at), "name", "description",
    Field("project_id", since="3.58", policy="group:group_snapshot_project_attribute"))
TYPE = View("id", "name", "description", "is_public", Field("group_specs", policy="group:access_group_types_specs"))

# -- the legacy API

CONSISTENCY_GROUP = View(
    "id", "status", "availability_zone", Field("created_at", created_at), "name", "description",
    Field("volume_types", _volume_types))
CGSNAPSHOT = View(
    "id", Field("consistencygroup_id", "group_id"), "status", Field("created_at", created_at), "name", "description")
