"""Handles /group_types: types of groups, and their specs."""

from collections.abc import Callable
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import pages
from cinder_lite.api.body import is_true
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.types import changes, is_public
from cinder_lite.api.view import Row
from cinder_lite.db import groups, metadata_limits


def index(req: Request) -> Page:
    """GET /group_types: list group types."""
    paging = req.paging()
    with req.db.read() as tx:
        return pages.page(groups.page_of_types(tx, is_public(req), paging), paging)


def _get(req: Request) -> Row:
    with req.db.read() as tx:
        row = groups.get_type(tx, req.group_type_id)
        return groups.usable_type(tx, req.ctx, row.id)


def show(req: Request) -> Row:
    """GET /group_types/{id}; the id `default` is the configured default."""
    if req.group_type_id != "default":
        return _get(req)
    name = req.conf.default_group_type
    if not name:
        raise errors.NotFound("There is no default group type: default_group_type is not set.")
    with req.db.read() as tx:
        return groups.find_type(tx, name)


@db.retried
def create(req: Request) -> Row:
    """POST /group_types: create a group type."""
    body = req.body
    try:
        with req.db.write() as tx:
            id = groups.create_type(tx, body["name"].strip(), body.get("description"),
                                    is_true(body.get("is_public", True)), body.get("group_specs") or {})
            return groups.get_type(tx, id)
    except db.Duplicate as error:
        raise errors.GroupTypeExists(name=body["name"]) from error


@db.retried
def update(req: Request) -> Row:
    """PUT /group_types/{id}: change a group type."""
    values = changes(req.body, "group type")
    try:
        with req.db.write() as tx:
            groups.update_type(tx, req.group_type_id, **values)
            return groups.get_type(tx, req.group_type_id)
    except db.Duplicate as error:
        raise errors.GroupTypeExists(name=values.get("name")) from error


@db.retried
def delete(req: Request) -> None:
    """DELETE /group_types/{id}: delete a group type."""
    with req.db.write() as tx:
        groups.delete_type(tx, req.group_type_id)


# -- specs

def list_specs(req: Request) -> dict[str, Any]:
    """GET /group_types/{id}/group_specs: list the specs."""
    return {"group_specs": _get(req).group_specs}


def show_spec(req: Request) -> dict[str, Any]:
    """GET /group_types/{id}/group_specs/{key}: show a spec."""
    return {req.key: _spec(_get(req), req)}


def _spec(row: Row, req: Request) -> Any:
    if req.key not in row.group_specs:
        raise errors.NotFound(f"Group type {row.id} has no group specs with key {req.key}.")
    return row.group_specs[req.key]


@db.retried
def _change(req: Request, change: Callable[[Row], dict[str, Any]]) -> None:
    with req.db.write() as tx:
        row = groups.get_type(tx, req.group_type_id)
        new = change(row)
        metadata_limits.check_items(req.conf, new, row.group_specs)
        groups.update_type(tx, row.id, group_specs=new)


def add_specs(req: Request) -> dict[str, Any]:
    """POST /group_types/{id}/group_specs: add specs."""
    _change(req, lambda row: row.group_specs | req.body)
    return {"group_specs": req.body}


def set_spec(req: Request) -> dict[str, Any]:
    """PUT /group_types/{id}/group_specs/{key}: set a spec."""
    pages.expect_same_key(req, req.document)
    _change(req, lambda row: row.group_specs | req.document)
    return req.document


def delete_spec(req: Request) -> None:
    """DELETE /group_types/{id}/group_specs/{key}: delete a spec."""
    def without(row: Row) -> dict[str, Any]:
        _spec(row, req)
        return {key: value for key, value in row.group_specs.items() if key != req.key}

    _change(req, without)
