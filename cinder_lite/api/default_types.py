"""Handlers of /default-types: the type of a project's volumes that ask for none."""

from cinder_lite import errors
from cinder_lite.api import words
from cinder_lite.db import types


def _shown(row):
    return {"project_id": row.project_id, "volume_type_id": row.volume_type_id}


def set_default(req):
    """PUT /default-types/{default_project_id}"""
    words.short("The project's id", req.default_project_id)
    with req.db.write() as tx:
        try:
            type_ = types.named(tx, req.ctx, req.body["volume_type"])
        except errors.TypeNotFound as error:
            raise errors.BadRequest(str(error)) from error
        types.set_default(tx, req.default_project_id, type_.id)
        return {"default_type": {"project_id": req.default_project_id, "volume_type_id": type_.id}}


def show(req):
    """GET /default-types/{default_project_id}"""
    with req.db.read() as tx:
        row = types.project_default(tx, req.default_project_id)
    if row is None:
        raise errors.NotFound(f"Default type for project {req.default_project_id} not found.")
    return {"default_type": _shown(row)}


def index(req):
    """GET /default-types"""
    with req.db.read() as tx:
        return {"default_types": [_shown(row) for row in types.defaults(tx)]}


def unset(req):
    """DELETE /default-types/{default_project_id}; one without a default is no error."""
    with req.db.write() as tx:
        types.unset_default(tx, req.default_project_id)
