"""Handlers of /types/{type_id}/encryption: how the volumes of a type are encrypted."""

import uuid

from cinder_lite import db, errors
from cinder_lite.api.views.volumes import time
from cinder_lite.db import types

_KEPT = ("provider", "control_location", "cipher", "key_size")


def _shown(type_):
    return {"volume_type_id": type_.id, "deleted": False, "deleted_at": None, **type_.encryption}


def _type(req, tx):
    return types.get(tx, req.ctx, req.type_id)


def show(req):
    """GET /types/{type_id}/encryption: {} when the type has none."""
    with req.db.read() as tx:
        type_ = _type(req, tx)
    return _shown(type_) if type_.encryption is not None else {}


def show_key(req):
    """GET /types/{type_id}/encryption/{key}"""
    with req.db.read() as tx:
        type_ = _type(req, tx)
    shown = _shown(type_) if type_.encryption is not None else {}
    if shown.get(req.key) is None:
        raise errors.NotFound(f"The encryption of volume type {req.type_id} has no {req.key}.")
    return {req.key: shown[req.key]}


def _values(body, former=None):
    values = {key: body[key] for key in _KEPT if key in body}
    if isinstance(values.get("key_size"), str):
        values["key_size"] = int(values["key_size"])
    return dict.fromkeys(_KEPT) | (former or {}) | values


def _unused(tx, type_, what):
    if types.in_use(tx, type_.id):
        raise errors.BadRequest(f"Cannot {what} encryption specs: volume type {type_.name} is in use.")


def create(req):
    """POST /types/{type_id}/encryption"""
    with req.db.write() as tx:
        type_ = _type(req, tx)
        if type_.encryption is not None:
            raise errors.BadRequest(f"Volume type {type_.name} has encryption specs already; change them.")
        _unused(tx, type_, "create")
        values = _values(req.body) | {"encryption_id": str(uuid.uuid4())}
        types.update(tx, type_.id, encryption=values | {"created_at": time(db.now()), "updated_at": None})
    return {"encryption": values | {"volume_type_id": type_.id}}


def _existing(req, tx, what):
    type_ = _type(req, tx)
    if type_.encryption is None:
        raise errors.NotFound(f"Volume type {type_.name} has no encryption specs.")
    _unused(tx, type_, what)
    return type_


def _named(req, tx, what):
    """The type whose encryption the path names; clients write `provider` for the id."""
    type_ = _existing(req, tx, what)
    if req.key not in ("provider", type_.encryption["encryption_id"]):
        raise errors.NotFound(f"Volume type {type_.name} has no encryption {req.key}; it has "
                              f"{type_.encryption['encryption_id']}.")
    return type_


def update(req):
    """PUT /types/{type_id}/encryption/{encryption_id}: the answer is what was sent."""
    with req.db.write() as tx:
        type_ = _named(req, tx, "update")
        types.update(tx, type_.id, encryption=_values(req.body, type_.encryption) | {"updated_at": time(db.now())})
    return {"encryption": req.body}


def delete(req):
    """DELETE /types/{type_id}/encryption/{encryption_id}"""
    with req.db.write() as tx:
        type_ = _named(req, tx, "delete")
        types.update(tx, type_.id, encryption=None)
