"""Renders snapshots."""

from cinder_lite.api.view import Field, View
from cinder_lite.api.views.volumes import created_at, updated_at

_COMMON = (
    "id", "name", "description", Field("created_at", created_at), Field("updated_at", updated_at), "volume_id",
    "status", "size", "metadata")
_DETAIL = (
    *_COMMON,
    Field("group_snapshot_id", since="3.14"), Field("user_id", since="3.41"), Field("consumes_quota", since="3.65"))
_EXTENDED = "volume_extension:extended_snapshot_attributes"

SUMMARY = View(*_COMMON)
DETAIL = View(*_DETAIL)
WHOLE = View(
    *_DETAIL,
    Field("os-extended-snapshot-attributes:project_id", "project_id", policy=_EXTENDED),
    Field("os-extended-snapshot-attributes:progress", "progress", policy=_EXTENDED))
