"""Handlers of /attachments."""

from cinder_lite.api import filters, pages
from cinder_lite.db import attachments


def create(req):
    """POST /attachments: reserve a volume for a server, and connect its host when the connector is given."""
    body = req.body
    return req.attachments.create(req.ctx, body["volume_uuid"], body.get("instance_uuid"), body.get("connector"),
                                  body.get("mode"))


def show(req):
    """GET /attachments/{attachment_id}"""
    return req.attachments.get(req.ctx, req.attachment_id)


def index(req):
    """GET /attachments and /attachments/detail"""
    where = filters.clauses(req, "attachment")
    paging = req.paging()
    with req.db.read() as tx:
        rows = attachments.page(tx, where, paging, attachments.visible_to(req.ctx, req.all_projects))
    return pages.page(rows, paging)


def update(req):
    """PUT /attachments/{attachment_id}: connect a host."""
    return req.attachments.update(req.ctx, req.attachment_id, req.body["connector"])


def delete(req):
    """DELETE /attachments/{attachment_id}: disconnect and forget it."""
    return pages.Page(req.attachments.delete(req.ctx, req.attachment_id))


def complete(req):
    """os-complete: the host has the volume."""
    req.attachments.complete(req.ctx, req.attachment_id)
