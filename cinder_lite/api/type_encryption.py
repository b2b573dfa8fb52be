"""Handles /types/{type_id}/encryption: how the volumes of a type are encrypted."""

from collections.abc import Mapping
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.volumes import time
from cinder_lite.concurrency import randomness
from cinder_lite.db import types

_KEPT = ("provider", "control_location", "cipher", "key_size")


def _rendered(type_: Row) -> dict[str, Any]:
    return {"volume_type_id": type_.id, "deleted": False, "deleted_at": None, **type_.encryption}


def _type(req: Request, tx: db.Transaction) -> Row:
    return types.get(tx, req.ctx, req.type_id)


def show(req: Request) -> dict[str, Any]:
    """GET /types/{type_id}/encryption: {} when the type has none."""
    with req.db.read() as tx:
        type_ = _type(req, tx)
    return _rendered(type_) if type_.encryption is not None else {}


def show_key(req: Request) -> dict[str, Any]:
    """GET /types/{type_id}/encryption/{key}: show a property of the type's encryption."""
    shown = show(req)
    if shown.get(req.key) is None:
        raise errors.NotFound(f"The encryption of volume type {req.type_id} has no {req.key}.")
    return {req.key: shown[req.key]}


def _values(body: Mapping[str, Any], former: Mapping[str, Any] | None = None) -> dict[str, Any]:
    values = {key: body[key] for key in _KEPT if key in body}
    if isinstance(values.get("key_size"), str):
        values["key_size"] = int(values["key_size"])
    return {**dict.fromkeys(_KEPT), **(former or {}), **values}


def _expect_unused(tx: db.Transaction, type_: Row, operation: str) -> None:
    if types.in_use(tx, type_.id):
        raise errors.BadRequest(f"Cannot {operation} encryption specs: volume type {type_.name} is in use.")


@db.retried
def create(req: Request) -> dict[str, Any]:
    """POST /types/{type_id}/encryption: create the type's encryption."""
    with req.db.write() as tx:
        type_ = _type(req, tx)
        if type_.encryption is not None:
            raise errors.BadRequest(f"Volume type {type_.name} has encryption specs already; change them.")
        _expect_unused(tx, type_, "create")
        values = _values(req.body) | {"encryption_id": randomness.new_id()}
        types.update(tx, type_.id, encryption=values | {"created_at": time(db.now()), "updated_at": None})
    return {"encryption": values | {"volume_type_id": type_.id}}


def _named(req: Request, tx: db.Transaction, operation: str) -> Row:
    """The type, if the path names its encryption by the id or, as clients do, by `provider`."""
    type_ = _type(req, tx)
    if type_.encryption is None:
        raise errors.NotFound(f"Volume type {type_.name} has no encryption specs.")
    _expect_unused(tx, type_, operation)
    if req.key not in ("provider", type_.encryption["encryption_id"]):
        raise errors.NotFound(f"Volume type {type_.name} has no encryption {req.key}; it has "
                              f"{type_.encryption['encryption_id']}.")
    return type_


@db.retried
def update(req: Request) -> dict[str, Any]:
    """PUT /types/{type_id}/encryption/{encryption_id}: the response repeats the request."""
    with req.db.write() as tx:
        type_ = _named(req, tx, "update")
        types.update(tx, type_.id, encryption=_values(req.body, type_.encryption) | {"updated_at": time(db.now())})
    return {"encryption": req.body}


@db.retried
def delete(req: Request) -> None:
    """DELETE /types/{type_id}/encryption/{encryption_id}: delete the type's encryption."""
    with req.db.write() as tx:
        type_ = _named(req, tx, "delete")
        types.update(tx, type_.id, encryption=None)
