"""Handles /attachments."""

from cinder_lite.api import filters, pages
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import attachments


def create(req: Request) -> Row:
    """POST /attachments: reserve a volume for a server, and connect its host if a connector is given."""
    body = req.body
    return req.attachments.create(req.ctx, body["volume_uuid"], body.get("instance_uuid"), body.get("connector"),
                                  body.get("mode"))


def show(req: Request) -> Row:
    """GET /attachments/{attachment_id}: show an attachment."""
    return req.attachments.get(req.ctx, req.attachment_id)


def index(req: Request) -> Page:
    """GET /attachments and /attachments/detail: list attachments."""
    return pages.read(req, attachments.page, filters.clauses(req, "attachment"),
                      attachments.visible_to(req.ctx, req.all_projects))


def update(req: Request) -> Row:
    """PUT /attachments/{attachment_id}: connect the host of the server."""
    return req.attachments.update(req.ctx, req.attachment_id, req.body["connector"])


def delete(req: Request) -> Page:
    """DELETE /attachments/{attachment_id}: disconnect the host and delete the attachment."""
    return pages.Page(req.attachments.delete(req.ctx, req.attachment_id))


def complete(req: Request) -> None:
    """os-complete: record that the host has connected."""
    req.attachments.complete(req.ctx, req.attachment_id)
