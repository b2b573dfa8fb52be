"""Handles /volumes/{volume_id}/metadata and /snapshots/{snapshot_id}/metadata. The metadata of volumes has an Etag."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cinder_lite import errors
from cinder_lite.api import pages
from cinder_lite.api.request import Request

ETAG_SINCE = "3.15"


def _resource(req: Request) -> tuple[str, str, Any]:
    """(kind, id, the operations on resources of that kind)."""
    if "volume_id" in vars(req):
        return "volume", req.volume_id, req.volumes
    return "snapshot", req.snapshot_id, req.snapshots


def _has_etag(req: Request) -> bool:
    return "volume_id" in vars(req) and req.at(ETAG_SINCE)


def _etag(metadata: Mapping[str, Any]) -> str:
    return hashlib.md5(orjson.dumps({"metadata": metadata}), usedforsecurity=False).hexdigest()


def _get(req: Request) -> dict[str, Any]:
    _, id, operations = _resource(req)
    return operations.get(req.ctx, id).metadata


def _change(req: Request, change: Callable[[dict[str, Any]], dict[str, Any]], if_match: bool = False) -> dict[str, Any]:
    """Change the metadata. With `if_match` raise PreconditionFailed when it is not the one that If-Match names."""
    wanted = req.http.headers.get("If-Match") if if_match and _has_etag(req) else None

    def checked(present: dict[str, Any]) -> dict[str, Any]:
        if wanted is not None and wanted.strip('"') != _etag(present):
            raise errors.PreconditionFailed("The metadata has changed since the Etag in If-Match was read.")
        return change(present)

    _, id, operations = _resource(req)
    return operations.change_metadata(req.ctx, id, checked)


def show(req: Request) -> dict[str, Any]:
    """GET …/metadata: show the metadata; from 3.15 on that of a volume with an Etag."""
    found = _get(req)
    if _has_etag(req):
        req.headers.append(("Etag", _etag(found)))
    return {"metadata": found}


def add(req: Request) -> dict[str, Any]:
    """POST …/metadata: add items."""
    return {"metadata": _change(req, lambda present: present | req.body)}


def replace(req: Request) -> dict[str, Any]:
    """PUT …/metadata: replace it, unless its Etag differs from If-Match."""
    return {"metadata": _change(req, lambda _present: dict(req.body), if_match=True)}


def show_item(req: Request) -> dict[str, Any]:
    """GET …/metadata/{key}: show an item of the metadata."""
    return {"meta": {req.key: pages.metadata_value(_get(req), req.key, *_resource(req)[:2])}}


def set_item(req: Request) -> dict[str, Any]:
    """PUT …/metadata/{key}: set an item of the metadata."""
    pages.expect_same_key(req, req.body)
    _change(req, lambda present: present | req.body, if_match=True)
    return {"meta": req.body}


def delete_item(req: Request) -> None:
    """DELETE …/metadata/{key}: delete an item of the metadata."""
    _change(req, lambda present: pages.without_key(present, req.key, *_resource(req)[:2]))
