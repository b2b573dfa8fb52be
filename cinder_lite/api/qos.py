"""Handles /qos-specs: limits that hosts or backends apply to the volumes of a type."""

from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import pages
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.schemas.qos import CONSUMERS
from cinder_lite.api.view import Row
from cinder_lite.db import metadata_limits, qos, types


def _read(req: Request) -> Row:
    with req.db.read() as tx:
        return qos.get(tx, req.qos_id)


def index(req: Request) -> Page:
    """GET /qos-specs: list QoS specs."""
    wanted = {key: value for key, value in req.filters().items() if key in qos.FILTERS}
    paging = req.paging()
    with req.db.read() as tx:
        return pages.page(qos.page(tx, wanted, paging), paging)


def show(req: Request) -> Row:
    """GET /qos-specs/{qos_id}: show a QoS spec."""
    return _read(req)


@db.retried
def create(req: Request) -> Row:
    """POST /qos-specs: create a QoS spec."""
    specs = dict(req.body)
    name, consumer = specs.pop("name").strip(), specs.pop("consumer", None) or CONSUMERS[0]
    try:
        with req.db.write() as tx:
            return qos.get(tx, qos.create(tx, name, consumer, specs))
    except db.Duplicate as error:
        raise errors.QosExists(name=name) from error


@db.retried
def update(req: Request) -> dict[str, Any]:
    """PUT /qos-specs/{qos_id}: add keys or change them; the response repeats the request."""
    specs = dict(req.body)
    consumer = specs.pop("consumer", None)
    with req.db.write() as tx:
        row = qos.held(tx, req.qos_id)
        metadata_limits.check_items(req.conf, row.specs | specs, row.specs)
        qos.update(tx, row.id, consumer=consumer or row.consumer, specs=row.specs | specs)
    return {"qos_specs": req.body}


@db.retried
def delete_keys(req: Request) -> None:
    """PUT /qos-specs/{qos_id}/delete_keys: delete keys of a QoS spec."""
    with req.db.write() as tx:
        row = qos.held(tx, req.qos_id)
        missing = sorted(set(req.body) - row.specs.keys())
        if missing:
            raise errors.QosKeyNotFound(id=row.id, key=missing[0])
        qos.update(tx, row.id, specs={key: value for key, value in row.specs.items() if key not in req.body})


@db.retried
def delete(req: Request) -> None:
    """DELETE /qos-specs/{qos_id}?force=: delete a QoS spec; with force also one that is associated with types."""
    force = req.flag("force")
    with req.db.write() as tx:
        row = qos.held(tx, req.qos_id)
        users = qos.types_of(tx, row.id)
        if users and not force:
            raise errors.BadRequest(f"QoS spec {row.id} is associated with {', '.join(one.name for one in users)}; "
                                    "disassociate it first, or delete it by force.")
        qos.delete(tx, row.id)


def associations(req: Request) -> dict[str, Any]:
    """GET /qos-specs/{qos_id}/associations: list the volume types that are associated with a QoS spec."""
    with req.db.read() as tx:
        row = qos.get(tx, req.qos_id)
        return {"qos_associations": [{"association_type": "volume_type", "name": one.name, "id": one.id}
                                     for one in qos.types_of(tx, row.id)]}


def _type(req: Request, tx: db.Transaction) -> Row:
    id = req.query.get("vol_type_id")
    if not id:
        raise errors.BadRequest("The volume type is named by vol_type_id in the query, which is missing.")
    return types.get(tx, req.ctx, id)


@db.retried
def associate(req: Request) -> None:
    """GET /qos-specs/{qos_id}/associate?vol_type_id=: associate a volume type with a QoS spec."""
    with req.db.write() as tx:
        row, type_ = qos.held(tx, req.qos_id), _type(req, tx)
        if not qos.associate(tx, row.id, type_.id):
            raise errors.BadRequest(f"Volume type {type_.name} is associated with QoS spec {type_.qos_specs_id} "
                                    "already.")


@db.retried
def disassociate(req: Request) -> None:
    """GET /qos-specs/{qos_id}/disassociate?vol_type_id=: disassociate a volume type."""
    with req.db.write() as tx:
        qos.disassociate(tx, qos.held(tx, req.qos_id).id, _type(req, tx).id)


@db.retried
def disassociate_all(req: Request) -> None:
    """GET /qos-specs/{qos_id}/disassociate_all: disassociate all volume types."""
    with req.db.write() as tx:
        qos.disassociate_all(tx, qos.held(tx, req.qos_id).id)
