"""Handlers of /volumes."""

import hashlib

import orjson

from cinder_lite import errors, states
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.db import attachments, groups, volumes
from cinder_lite.volume.flows.wanted import Wanted

ETAG_SINCE = "3.15"


def create(req):
    """POST /volumes: make a volume, empty or from one source."""
    body = req.body
    if is_true(body.get("multiattach")):
        raise errors.InvalidInput(reason="A volume can be attached more than once when its type says multiattach="
                                         "\"<is> True\"; the key multiattach is not taken in a request.")
    hints = req.document.get("OS-SCH-HNT:scheduler_hints") or {}
    if isinstance(body.get("size"), str) and body["size"] != str(int(body["size"])):
        raise errors.InvalidInput(reason=f"A size is written without zeros in front, not '{body['size'][:50]}'.")
    reference, image, snapshot_id = body.get("imageRef") or body.get("image_id"), None, body.get("snapshot_id")
    if reference:
        image = req.imaging.find(req.ctx, reference, snapshots_too=req.at("3.46"))
        if req.at("3.46") and image.snapshot_id and not snapshot_id:
            image, snapshot_id = None, image.snapshot_id
    row = req.volumes.create(req.ctx, Wanted(
        size=int(body["size"]) if body.get("size") is not None else None, hints=hints,
        type=body.get("volume_type") or None, zone=body.get("availability_zone") or None,
        snapshot_id=snapshot_id, source_volid=body.get("source_volid"), backup_id=body.get("backup_id"), image=image,
        group_id=body.get("group_id") or body.get("consistencygroup_id") or None,
        metadata=body.get("metadata") or {}, **names(body)))
    req.attached, req.consistency_groups = {}, set()
    if row.group_id is not None:
        with req.db.read() as tx:
            req.consistency_groups = groups.legacy(tx, {row.group_id})
    return row


def show(req):
    """GET /volumes/{volume_id}"""
    with req.db.read() as tx:
        row = volumes.shown(tx, req.ctx, req.volume_id)
        _look_beside(req, tx, [row])
    return row


def _look_beside(req, tx, rows):
    """What the answer says of volumes that is not in their rows: a statement for those of the page that have any of it."""
    req.attached = attachments.of_volumes(tx, [row.id for row in rows if row.attach_status != states.DETACHED])
    req.consistency_groups = groups.legacy(tx, {row.group_id for row in rows if row.group_id is not None})


def index(req):
    """GET /volumes"""
    return _list(req, volumes.SUMMARY, detailed=False)


def detail(req):
    """GET /volumes/detail"""
    return _list(req, volumes.SHOWN, detailed=True)


def _list(req, query, detailed):
    req.check_all_tenants()
    where = filters.clauses(req, "volume")
    paging, visible = req.paging(), volumes.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = volumes.page(tx, query, where, paging, visible)
        if detailed:
            _look_beside(req, tx, rows)
        count = volumes.count(tx, where, visible) if pages.wants_count(req) else None
    return pages.page(rows, paging, count)


def summary(req):
    """GET /volumes/summary: how many volumes there are and how large they are together."""
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


def update(req):
    """PUT /volumes/{volume_id}: rename, describe, replace the metadata."""
    values = names(req.body, given_only=True)
    if "metadata" in req.body:
        values["metadata"] = req.body["metadata"]
    if not values and req.at("3.53"):
        raise errors.BadRequest("The volume needs at least one of name, description and metadata.")
    req.volumes.update(req.ctx, req.volume_id, **values)
    return show(req)


def delete(req):
    """DELETE /volumes/{volume_id}?cascade=&force="""
    force = req.at("3.23") and req.flag("force")
    if force:
        req.enforce("volume:force_delete")
    req.volumes.delete(req.ctx, req.volume_id, cascade=req.flag("cascade"), force=force)


# -- metadata

def _etag(metadata):
    return hashlib.md5(orjson.dumps({"metadata": metadata}), usedforsecurity=False).hexdigest()


def show_metadata(req):
    """GET /volumes/{volume_id}/metadata; from 3.15 with an Etag."""
    row = req.volumes.get(req.ctx, req.volume_id)
    if req.at(ETAG_SINCE):
        req.headers.append(("Etag", _etag(row.metadata)))
    return {"metadata": row.metadata}


def add_metadata(req):
    """POST /volumes/{volume_id}/metadata: add to it."""
    return {"metadata": _change(req, lambda present: present | req.body)}


def replace_metadata(req):
    """PUT /volumes/{volume_id}/metadata: replace it, if it is still what If-Match names."""
    return {"metadata": _change(req, lambda present: _if_match(req, present) or dict(req.body))}


def _change(req, change):
    return req.volumes.change_metadata(req.ctx, req.volume_id, "metadata", change)


def _if_match(req, present):
    wanted = req.http.headers.get("If-Match")
    if req.at(ETAG_SINCE) and wanted is not None and wanted.strip('"') != _etag(present):
        raise errors.PreconditionFailed("The metadata has changed since the Etag in If-Match was read.")


def show_meta(req):
    """GET /volumes/{volume_id}/metadata/{key}"""
    row = req.volumes.get(req.ctx, req.volume_id)
    return {"meta": {req.key: pages.present(row.metadata, req.key, "volume", row.id)}}


def set_meta(req):
    """PUT /volumes/{volume_id}/metadata/{key}"""
    pages.same_key(req)
    _change(req, lambda present: _if_match(req, present) or present | req.body)
    return {"meta": req.body}


def delete_meta(req):
    """DELETE /volumes/{volume_id}/metadata/{key}"""
    def without(present):
        pages.present(present, req.key, "volume", req.volume_id)
        return {key: value for key, value in present.items() if key != req.key}

    _change(req, without)


def encryption(req):
    """GET /volumes/{volume_id}/encryption: a volume of an unencrypted type has nothing but a null key."""
    row = req.volumes.get(req.ctx, req.volume_id)
    shown = {"encryption_key_id": row.encryption_key_id}
    if row.type_encryption is not None:
        shown |= {key: row.type_encryption[key] for key in ("control_location", "cipher", "key_size", "provider")}
    return shown


def encryption_value(req):
    """GET /volumes/{volume_id}/encryption/{key}: the value as plain text."""
    value = pages.present(encryption(req), req.key, "encryption of volume", req.volume_id)
    return "" if value is None else str(value)
