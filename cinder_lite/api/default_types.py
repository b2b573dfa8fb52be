"""Handles /default-types: the type of a project's volumes that are created without one."""

from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import lengths
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import types


def _rendered(row: Row) -> dict[str, Any]:
    return {"project_id": row.project_id, "volume_type_id": row.volume_type_id}


@db.retried
def set_default(req: Request) -> dict[str, Any]:
    """PUT /default-types/{default_project_id}: set a project's default type."""
    lengths.check_length("The project's id", req.default_project_id)
    with req.db.write() as tx:
        try:
            type_ = types.get_by_name_or_id(tx, req.ctx, req.body["volume_type"])
        except errors.TypeNotFound as error:
            raise errors.BadRequest(str(error)) from error
        types.set_default(tx, req.default_project_id, type_.id)
        return {"default_type": {"project_id": req.default_project_id, "volume_type_id": type_.id}}


def show(req: Request) -> dict[str, Any]:
    """GET /default-types/{default_project_id}: show a project's default type."""
    with req.db.read() as tx:
        row = types.project_default(tx, req.default_project_id)
    if row is None:
        raise errors.NotFound(f"Default type for project {req.default_project_id} not found.")
    return {"default_type": _rendered(row)}


def index(req: Request) -> dict[str, Any]:
    """GET /default-types: list the projects' default types."""
    with req.db.read() as tx:
        return {"default_types": [_rendered(row) for row in types.defaults(tx)]}


@db.retried
def unset(req: Request) -> None:
    """DELETE /default-types/{default_project_id}; a project without a default is no error."""
    with req.db.write() as tx:
        types.unset_default(tx, req.default_project_id)
