"""Handles /types: volume types, their extra specs and access lists."""

from collections.abc import Callable, Mapping
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import filters, pages, query_values
from cinder_lite.api.body import is_true
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.types import FOR_USERS, visible_specs
from cinder_lite.db import filtering, metadata_limits, new_volumes, quota_limits, schema, types

T = schema.volume_types


@db.retried
def create(req: Request) -> Row:
    """POST /types: create a volume type."""
    body = req.body
    try:
        with req.db.write() as tx:
            id = types.create(tx, body["name"].strip(), body.get("description"),
                              is_true(body.get("os-volume-type-access:is_public", True)),
                              _specs(body.get("extra_specs") or {}))
            return types.get(tx, req.ctx, id)
    except db.Duplicate as error:
        raise errors.TypeExists(name=body["name"]) from error


def _specs(specs: dict[str, Any]) -> dict[str, Any]:
    """The specs. Raises BadRequest for invalid ones, and for those that exclude each other."""
    if specs.get("cacheable") and specs.get("multiattach"):
        raise errors.BadRequest("A type cannot be both cacheable and multiattach.")
    for key in ("provisioning:min_vol_size", "provisioning:max_vol_size"):
        value = specs.get(key)
        if value is not None and not (value.isascii() and value.isdecimal() and int(value) > 0):
            raise errors.BadRequest(f"{key} must be a whole number of GiB above 0, not '{value}'.")
    return specs


def show(req: Request) -> Row:
    """GET /types/{type_id}; the id `default` is the project's or the configured default."""
    with req.db.read() as tx:
        if req.type_id == "default":
            try:
                return new_volumes.default_type(tx, req.conf, req.ctx.project_id)
            except errors.DefaultTypeMissing as error:
                raise errors.NotFound(f"Default volume type can not be found: {error}") from error
        return types.get(tx, req.ctx, req.type_id)


def index(req: Request) -> Page:
    """GET /types: list volume types."""
    paging = req.paging()
    where = [types.visible_to(req.ctx, is_public(req))]
    specs = req.query.get("extra_specs")
    if req.at("3.52"):
        filters.check(req, "volume_type", req.filters())
    with req.db.read() as tx:
        if specs is not None and req.at("3.52"):
            wanted = filters.dictionary(specs)
            if wanted is None or (not req.ctx.is_admin and not wanted.keys() <= set(FOR_USERS)):
                return pages.page([], paging)
            where.append(filtering.in_document(T.c.extra_specs, wanted))
        return pages.page(types.page(tx, where, paging), paging)


def is_public(req: Request) -> bool | None:
    """The filter is_public, which administrators may use: True by default, None for all types."""
    value = req.query.get("is_public")
    if not req.ctx.is_admin or value is None:
        return True
    if value.lower() == "none":
        return None
    return query_values.boolean("is_public", value)


def changes(body: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """The columns that a body changes of a type or group type, the `subject`. Raises BadRequest."""
    values = {key: body[key] for key in ("name", "description") if body.get(key) is not None}
    for key in ("os-volume-type-access:is_public", "is_public"):
        if body.get(key) is not None:
            values["is_public"] = is_true(body[key])
    if not values:
        raise errors.BadRequest(f"The {subject} needs at least one of name, description and is_public.")
    if "name" in values:
        values["name"] = values["name"].strip()
        if not values["name"]:
            raise errors.BadRequest(f"The name of a {subject} cannot be empty.")
    return values


@db.retried
def update(req: Request) -> Row:
    """PUT /types/{type_id}: change a volume type."""
    values = changes(req.body, "type")
    try:
        with req.db.write() as tx:
            types.update(tx, req.type_id, **values)
            return types.get(tx, req.ctx, req.type_id)
    except db.Duplicate as error:
        raise errors.TypeExists(name=values.get("name")) from error


@db.retried
def delete(req: Request) -> None:
    """DELETE /types/{type_id}: delete a volume type."""
    with req.db.write() as tx:
        row = types.get(tx, req.ctx, req.type_id)
        if row.name == req.conf.default_volume_type:
            raise errors.BadRequest(f"The type {row.name} is the default and cannot be deleted.")
        types.lock(tx, req.type_id)
        # A create in progress holds usage of the type before its volume is visible: delete it with the type locked.
        quota_limits.delete_type(tx, req.type_id)
        types.delete(tx, req.type_id)


# -- extra specs

def _get(req: Request) -> Row:
    with req.db.read() as tx:
        return types.get(tx, req.ctx, req.type_id)


def list_specs(req: Request) -> dict[str, Any]:
    """GET /types/{type_id}/extra_specs: list the specs."""
    return {"extra_specs": visible_specs(_get(req), req)}


def show_spec(req: Request) -> dict[str, Any]:
    """GET /types/{type_id}/extra_specs/{key}: show a spec."""
    specs = visible_specs(_get(req), req)
    if req.key not in specs:
        raise errors.ExtraSpecNotFound(type_id=req.type_id, key=req.key)
    return {req.key: specs[req.key]}


@db.retried
def _change_specs(req: Request, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with req.db.write() as tx:
        row = types.get(tx, req.ctx, req.type_id)
        if types.in_use(tx, req.type_id):
            raise errors.BadRequest(f"Volume type {row.name} is in use: its extra specs cannot be changed while "
                                    "volumes are of it.")
        new = _specs(change(dict(row.extra_specs)))
        metadata_limits.check_items(req.conf, new, row.extra_specs)
        types.update(tx, req.type_id, extra_specs=new)


def add_specs(req: Request) -> dict[str, Any]:
    """POST /types/{type_id}/extra_specs: add specs."""
    _change_specs(req, lambda present: present | req.body)
    return {"extra_specs": req.body}


def set_spec(req: Request) -> dict[str, Any]:
    """PUT /types/{type_id}/extra_specs/{key}: set a spec."""
    pages.expect_same_key(req, req.document)
    _change_specs(req, lambda present: present | req.document)
    return req.document


def delete_spec(req: Request) -> None:
    """DELETE /types/{type_id}/extra_specs/{key}: delete a spec."""
    def without(present: dict[str, Any]) -> dict[str, Any]:
        if req.key not in present:
            raise errors.ExtraSpecNotFound(type_id=req.type_id, key=req.key)
        return {key: value for key, value in present.items() if key != req.key}

    _change_specs(req, without)


# -- access

def list_access(req: Request) -> dict[str, Any]:
    """GET /types/{type_id}/os-volume-type-access: list the projects that have access to a private type."""
    with req.db.read() as tx:
        if types.get(tx, req.ctx, req.type_id).is_public:
            raise errors.NotFound("Access list not available for public volume types.")
        return {"volume_type_access": [{"volume_type_id": req.type_id, "project_id": project_id}
                                       for project_id in types.projects(tx, req.type_id)]}


@db.retried
def add_access(req: Request) -> None:
    """addProjectAccess: give a project access to a private type."""
    project_id = req.body["project"]
    try:
        with req.db.write() as tx:
            if types.get(tx, req.ctx, req.type_id).is_public:
                raise errors.BadRequest("Type access modification is not applicable to public volume types.")
            types.share(tx, req.type_id, project_id)
    except db.Duplicate as error:
        raise errors.AccessExists(type_id=req.type_id, project_id=project_id) from error


@db.retried
def remove_access(req: Request) -> None:
    """removeProjectAccess: revoke a project's access to a private type."""
    with req.db.write() as tx:
        if types.get(tx, req.ctx, req.type_id).is_public:
            raise errors.BadRequest("Type access modification is not applicable to public volume types.")
        if not types.unshare(tx, req.type_id, req.body["project"]):
            raise errors.AccessNotFound(type_id=req.type_id, project_id=req.body["project"])
