"""Renders attachments."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import time

#: Keys of connection information that give access to the volume's data.
SECRETS = frozenset(("auth_password", "discovery_auth_password", "keyring"))
HIDDEN = "***"


def _hidden(row: Row, _req: Request) -> dict[str, Any]:
    return {key: HIDDEN if key in SECRETS and value else value for key, value in row.connection_info.items()}


def _for_hosts(row: Row, req: Request) -> dict[str, Any]:
    """The connection information, with its secrets for requesters who may connect hosts; readers may not."""
    return row.connection_info if req.allows("volume:attachment_update", row.project_id) else _hidden(row, req)


_COMMON = ("id", Field("status", "attach_status"), Field("instance", "instance_uuid"), "volume_id")
_MORE = (
    Field("attached_at", lambda row, req: time(row.attached_at) or ""),
    Field("detached_at", lambda row, req: ""),
    Field("attach_mode", lambda row, req: row.attach_mode or "null"))

SUMMARY = View(*_COMMON)
DETAIL = View(*_COMMON, *_MORE, Field("connection_info", _for_hosts))
#: In lists the secrets are hidden from everybody: no client connects a host from a list.
LISTED = View(*_COMMON, *_MORE, Field("connection_info", _hidden))
