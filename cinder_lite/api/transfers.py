"""Handles /volume-transfers and the former path, /os-volume-transfer."""

import dataclasses

from cinder_lite import errors
from cinder_lite.api import pages
from cinder_lite.api.body import is_true
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import transfers

#: The versions that exclude snapshots, transfer encrypted volumes, and have markers and an order of lists.
SNAPSHOTS_SINCE, ENCRYPTED_SINCE, PAGING_SINCE = "3.55", "3.70", "3.59"


def _name(req: Request) -> str | None:
    return (req.body.get("name") or "").strip() or None


def create(req: Request) -> tuple[Row, str]:
    """POST /volume-transfers: create a transfer."""
    without = req.at(SNAPSHOTS_SINCE) and is_true(req.body.get("no_snapshots") or False)
    return req.transfers.create(req.ctx, req.body["volume_id"], _name(req), without, req.at(ENCRYPTED_SINCE))


def create_formerly(req: Request) -> tuple[Row, str]:
    """POST /os-volume-transfer: with the snapshots; refused for encrypted volumes."""
    return req.transfers.create(req.ctx, req.body["volume_id"], _name(req))


def show(req: Request) -> Row:
    """GET /volume-transfers/{transfer_id}: show a transfer."""
    with req.db.read() as tx:
        return transfers.get(tx, req.ctx, req.transfer_id)


def index(req: Request) -> Page:
    """GET /volume-transfers and /volume-transfers/detail: list transfers."""
    return _list(req, req.at(PAGING_SINCE))


def index_formerly(req: Request) -> Page:
    """GET /os-volume-transfer and /os-volume-transfer/detail: pages are selected by offset only."""
    return _list(req, False)


def _list(req: Request, by_marker: bool) -> Page:
    paging = req.paging() if by_marker else dataclasses.replace(req.paging(), marker=None, sort=())
    return pages.read(req, transfers.page, req.query.get("name"), transfers.visible_to(req.ctx, req.all_projects),
                      paging=paging)


def delete(req: Request) -> None:
    """DELETE /volume-transfers/{transfer_id}: delete a transfer."""
    req.transfers.delete(req.ctx, req.transfer_id)


def accept(req: Request) -> Row:
    """POST /volume-transfers/{transfer_id}/accept: accept a transfer."""
    auth_key = str(req.body["auth_key"])
    if not auth_key.isascii():
        raise errors.BadRequest("auth_key must be the one that the creation of the transfer has returned.")
    return req.transfers.accept(req.ctx, req.transfer_id, auth_key)
