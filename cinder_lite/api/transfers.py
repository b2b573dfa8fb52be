"""Handlers of /volume-transfers and of their former path, /os-volume-transfer."""

import dataclasses

from cinder_lite import errors
from cinder_lite.api import pages
from cinder_lite.api.body import is_true
from cinder_lite.db import transfers

#: From here on snapshots may stay behind, encrypted volumes may be given, and lists have markers and an order.
SNAPSHOTS_SINCE, ENCRYPTED_SINCE, PAGING_SINCE = "3.55", "3.70", "3.59"


def _name(req):
    return (req.body.get("name") or "").strip() or None


def create(req):
    """POST /volume-transfers"""
    without = req.at(SNAPSHOTS_SINCE) and is_true(req.body.get("no_snapshots") or False)
    return req.transfers.create(req.ctx, req.body["volume_id"], _name(req), without, req.at(ENCRYPTED_SINCE))


def create_formerly(req):
    """POST /os-volume-transfer: the snapshots go along, and encrypted volumes stay."""
    return req.transfers.create(req.ctx, req.body["volume_id"], _name(req))


def show(req):
    """GET /volume-transfers/{transfer_id}"""
    with req.db.read() as tx:
        return transfers.get(tx, req.ctx, req.transfer_id)


def index(req):
    """GET /volume-transfers and /volume-transfers/detail"""
    return _list(req, req.at(PAGING_SINCE))


def index_formerly(req):
    """GET /os-volume-transfer and /os-volume-transfer/detail: pages are turned by offset alone."""
    return _list(req, False)


def _list(req, by_marker):
    paging, visible = req.paging(), transfers.visible_to(req.ctx, req.all_projects)
    if not by_marker:
        paging = dataclasses.replace(paging, marker=None, sort=())
    with req.db.read() as tx:
        return pages.page(transfers.page(tx, req.query.get("name"), paging, visible), paging)


def delete(req):
    """DELETE /volume-transfers/{transfer_id}"""
    req.transfers.delete(req.ctx, req.transfer_id)


def accept(req):
    """POST /volume-transfers/{transfer_id}/accept"""
    auth_key = str(req.body["auth_key"])
    if not auth_key.isascii():
        raise errors.BadRequest("auth_key is made of the digits that the transfer's creation has shown.")
    return req.transfers.accept(req.ctx, req.transfer_id, auth_key)
