"""Handles /volumes, except the creation of volumes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from cinder_lite import db, errors, states
from cinder_lite.api import filters, pages
from cinder_lite.api.body import names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import attachments, groups, volumes

ETAG_SINCE = "3.15"


def show(req: Request) -> Row:
    """GET /volumes/{volume_id}: show a volume."""
    with req.db.read() as tx:
        row = volumes.shown(tx, req.ctx, req.volume_id)
        _load_related(req, tx, [row])
    return row


def _load_related(req: Request, tx: db.Transaction, rows: Sequence[Row]) -> None:
    """Load what views show of volumes beside their rows: one statement each, where a volume of the page has any."""
    req.attached = attachments.of_volumes(tx, [row.id for row in rows if row.attach_status != states.DETACHED])
    req.consistency_groups = groups.legacy(tx, {row.group_id for row in rows if row.group_id is not None})


def index(req: Request) -> Page:
    """GET /volumes: list volumes."""
    return _list(req, volumes.SUMMARY, detailed=False)


def detail(req: Request) -> Page:
    """GET /volumes/detail: list volumes with all fields."""
    return _list(req, volumes.SHOWN, detailed=True)


def _list(req: Request, query: Any, detailed: bool) -> Page:
    req.check_all_tenants()
    where = filters.clauses(req, "volume")
    paging, visible = req.paging(), volumes.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = volumes.page(tx, where, paging, visible, query)
        if detailed:
            _load_related(req, tx, rows)
        count = volumes.count(tx, where, visible) if pages.wants_count(req) else None
    return pages.page(rows, paging, count)


def summary(req: Request) -> dict[str, Any]:
    """GET /volumes/summary: show the number of volumes and their total size."""
    req.flag("all_tenants")
    visible = volumes.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        count, size = volumes.summary(tx, visible)
        shown = {"total_count": count, "total_size": int(size)}
        if req.at("3.36"):
            shown["metadata"] = {}
            for key, value in volumes.metadata_values(tx, visible):
                shown["metadata"].setdefault(key, []).append(value)
    return {"volume-summary": shown}


def update(req: Request) -> Row:
    """PUT /volumes/{volume_id}: change name and description, replace the metadata."""
    values = names(req.body, given_only=True)
    if "metadata" in req.body:
        values["metadata"] = req.body["metadata"]
    if not values and req.at("3.53"):
        raise errors.BadRequest("The volume needs at least one of name, description and metadata.")
    req.volumes.update(req.ctx, req.volume_id, **values)
    return show(req)


def delete(req: Request) -> None:
    """DELETE /volumes/{volume_id}?cascade=&force=: delete a volume."""
    force = req.at("3.23") and req.flag("force")
    if force:
        req.enforce("volume:force_delete")
    req.volumes.delete(req.ctx, req.volume_id, cascade=req.flag("cascade"), force=force)


# -- metadata

def _etag(metadata: Mapping[str, Any]) -> str:
    return hashlib.md5(orjson.dumps({"metadata": metadata}), usedforsecurity=False).hexdigest()


def show_metadata(req: Request) -> dict[str, Any]:
    """GET /volumes/{volume_id}/metadata; from 3.15 with an Etag."""
    row = req.volumes.get(req.ctx, req.volume_id)
    if req.at(ETAG_SINCE):
        req.headers.append(("Etag", _etag(row.metadata)))
    return {"metadata": row.metadata}


def add_metadata(req: Request) -> dict[str, Any]:
    """POST /volumes/{volume_id}/metadata: add items."""
    return {"metadata": _change(req, lambda present: present | req.body)}


def replace_metadata(req: Request) -> dict[str, Any]:
    """PUT /volumes/{volume_id}/metadata: replace it, unless its Etag differs from If-Match."""
    return {"metadata": _change(req, lambda present: dict(req.body), if_match=True)}


def _change(req: Request, change: Callable[[dict[str, Any]], dict[str, Any]], if_match: bool = False) -> dict[str, Any]:
    """Change the metadata. With `if_match` raise PreconditionFailed when it is not the one that If-Match names."""
    wanted = req.http.headers.get("If-Match") if if_match and req.at(ETAG_SINCE) else None

    def checked(present: dict[str, Any]) -> dict[str, Any]:
        if wanted is not None and wanted.strip('"') != _etag(present):
            raise errors.PreconditionFailed("The metadata has changed since the Etag in If-Match was read.")
        return change(present)

    return req.volumes.change_metadata(req.ctx, req.volume_id, "metadata", checked)


def show_meta(req: Request) -> dict[str, Any]:
    """GET /volumes/{volume_id}/metadata/{key}: show an item of the metadata."""
    row = req.volumes.get(req.ctx, req.volume_id)
    return {"meta": {req.key: pages.metadata_value(row.metadata, req.key, "volume", row.id)}}


def set_meta(req: Request) -> dict[str, Any]:
    """PUT /volumes/{volume_id}/metadata/{key}: set an item of the metadata."""
    pages.expect_same_key(req)
    _change(req, lambda present: present | req.body, if_match=True)
    return {"meta": req.body}


def delete_meta(req: Request) -> None:
    """DELETE /volumes/{volume_id}/metadata/{key}: delete an item of the metadata."""
    _change(req, lambda present: pages.without_key(present, req.key, "volume", req.volume_id))


def encryption(req: Request) -> dict[str, Any]:
    """GET /volumes/{volume_id}/encryption: of an unencrypted type only a null key is shown."""
    row = req.volumes.get(req.ctx, req.volume_id)
    shown = {"encryption_key_id": row.encryption_key_id}
    if row.type_encryption is not None:
        shown |= {key: row.type_encryption[key] for key in ("control_location", "cipher", "key_size", "provider")}
    return shown


def encryption_value(req: Request) -> str:
    """GET /volumes/{volume_id}/encryption/{key}: the value as plain text."""
    value = pages.metadata_value(encryption(req), req.key, "encryption of volume", req.volume_id)
    return "" if value is None else str(value)
