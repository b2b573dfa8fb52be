"""What answers show of a transfer."""

from cinder_lite.api.route import Field, View
from cinder_lite.api.views.volumes import created_at


def _links(row, req):
    return req.links("os-volume-transfer", row.id)


_SHORT = (Field("id"), Field("volume_id"), Field("name"), Field("links", _links))
SUMMARY = View(*_SHORT)
#: One that was accepted is gone, so nothing but its source is ever known.
DETAIL = View(
    *_SHORT, Field("created_at", created_at), Field("no_snapshots", since="3.55"),
    Field("source_project_id", "project_id", since="3.57"),
    Field("destination_project_id", lambda row, req: None, since="3.57"),
    Field("accepted", lambda row, req: False, since="3.57"))


def CREATED(made, req):
    """A new transfer with its key, which is shown this once."""
    row, key = made
    return DETAIL(row, req) | {"auth_key": key}
