"""What answers show of an attachment."""

from cinder_lite.api.route import Field, View
from cinder_lite.api.views.volumes import time

_COMMON = (Field("id"), Field("status", "attach_status"), Field("instance", "instance_uuid"), Field("volume_id"))

SUMMARY = View(*_COMMON)
DETAIL = View(
    *_COMMON,
    Field("attached_at", lambda row, req: time(row.attached_at) or ""),
    Field("detached_at", lambda row, req: ""),
    Field("attach_mode", lambda row, req: row.attach_mode or "null"),
    Field("connection_info"))
