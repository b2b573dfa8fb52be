"""Renders transfers."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import created_at


def _links(row: Row, req: Request) -> list[dict[str, str]]:
    return req.links("os-volume-transfer", row.id)


_SHORT = ("id", "volume_id", "name", Field("links", _links))
SUMMARY = View(*_SHORT)
#: An accepted transfer is deleted, so there is never a destination.
DETAIL = View(
    *_SHORT, Field("created_at", created_at), Field("no_snapshots", since="3.55"),
    Field("source_project_id", "project_id", since="3.57"),
    Field("destination_project_id", lambda row, req: None, since="3.57"),
    Field("accepted", lambda row, req: False, since="3.57"))


def CREATED(created: tuple[Row, str], req: Request) -> dict[str, Any]:
    """A new transfer with its key, which is shown only here."""
    row, key = created
    return DETAIL(row, req) | {"auth_key": key}
