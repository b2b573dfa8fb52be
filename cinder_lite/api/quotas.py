"""Handles /os-quota-sets, /os-quota-class-sets and /limits."""

from collections.abc import Collection, Mapping
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api import lengths
from cinder_lite.api.request import Request
from cinder_lite.db import quota_limits, quota_usage, quotas, types

_ABSOLUTE = {"maxTotalVolumes": "volumes", "maxTotalSnapshots": "snapshots", "maxTotalVolumeGigabytes": "gigabytes",
             "maxTotalBackups": "backups", "maxTotalBackupGigabytes": "backup_gigabytes"}
_USED = {"totalVolumesUsed": "volumes", "totalSnapshotsUsed": "snapshots", "totalGigabytesUsed": "gigabytes",
         "totalBackupsUsed": "backups", "totalBackupGigabytesUsed": "backup_gigabytes"}


#: (resource, type id or ""): the target of a limit.
Target = tuple[str, str]


def _targets(tx: db.Transaction) -> dict[str, Target]:
    """key of the API -> the target of its limit"""
    keys = {resource: (resource, "") for resource in quotas.DEFAULTS}
    for type_ in types.all(tx):
        keys |= {f"{resource}_{type_.name}": (resource, type_.id) for resource in quotas.PER_TYPE}
    return keys


def show(req: Request) -> dict[str, Any]:
    """GET /os-quota-sets/{target_project_id}?usage=: show a project's limits and usage."""
    req.enforce("volume_extension:quotas:show", req.target_project_id)
    with req.db.read() as tx:
        found = quotas.allowance(tx, req.conf, req.target_project_id)
        keys = _targets(tx)
    shown: dict[str, Any]
    if req.flag("usage"):
        shown = {key: {"limit": found.limit(at), "in_use": found.used.get(at, 0), "reserved": 0}
                 for key, at in keys.items()}
    else:
        shown = {key: found.limit(at) for key, at in keys.items()}
    return {"quota_set": {"id": req.target_project_id, **shown}}


def defaults(req: Request) -> dict[str, Any]:
    """GET /os-quota-sets/{target_project_id}/defaults: show the default limits."""
    req.enforce("volume_extension:quotas:show", req.target_project_id)
    with req.db.read() as tx:
        limits, keys = quota_limits.defaults(tx, req.conf), _targets(tx)
    return {"quota_set": {"id": req.target_project_id, **{key: limits.get(at, -1) for key, at in keys.items()}}}


def _limits(keys: Mapping[str, Target], body: Mapping[str, Any], ignored: Collection[str]) -> dict[Target, int]:
    unknown = sorted(key for key in body if key not in keys and key not in ignored)
    if unknown:
        raise errors.InvalidInput(reason=f"Bad key(s) in quota set: {', '.join(unknown)[:200]}. Valid keys: "
                                         f"{', '.join(sorted(keys))}.")
    return {keys[key]: int(value) for key, value in body.items() if key not in ignored and value is not None}


@db.retried
def update(req: Request) -> dict[str, Any]:
    """PUT /os-quota-sets/{target_project_id}: set a project's limits."""
    lengths.check_length("The project's id", req.target_project_id)
    ignored = ("tenant_id", "id")
    with req.db.write() as tx:
        keys = _targets(tx)
        limits = _limits(keys, req.body, ignored)
        used = quota_usage.usages(tx, req.target_project_id)
        low = sorted(key for key, at in keys.items() if 0 <= limits.get(at, -1) < used.get(at, 0))
        if low:
            raise errors.InvalidInput(reason="Limits below what is in use: " + ", ".join(
                f"{key} {limits[keys[key]]} (in use: {used[keys[key]]})" for key in low) + ".")
        quota_limits.set_limits(tx, req.target_project_id, limits)
        found = quotas.allowance(tx, req.conf, req.target_project_id)
    return {"quota_set": {key: found.limit(at) for key, at in keys.items()}}


@db.retried
def delete(req: Request) -> None:
    """DELETE /os-quota-sets/{target_project_id}: reset the quota to the defaults."""
    with req.db.write() as tx:
        quota_limits.reset(tx, req.target_project_id)


def _class(tx: db.Transaction, req: Request) -> dict[str, Any]:
    if req.class_name == quotas.DEFAULT_CLASS:
        limits = quota_limits.defaults(tx, req.conf)
    else:
        limits = quota_limits.defaults(tx, req.conf) | quota_limits.class_limits(tx, req.class_name)
    return {key: limits.get(at, -1) for key, at in _targets(tx).items()}


def show_class(req: Request) -> dict[str, Any]:
    """GET /os-quota-class-sets/{class_name}; `default` applies to projects without limits of their own."""
    with req.db.read() as tx:
        return {"quota_class_set": {"id": req.class_name, **_class(tx, req)}}


@db.retried
def update_class(req: Request) -> dict[str, Any]:
    """PUT /os-quota-class-sets/{class_name}: set the limits of a class."""
    lengths.check_length("The class's name", req.class_name)
    with req.db.write() as tx:
        quota_limits.set_class(tx, req.class_name, _limits(_targets(tx), req.body, ()))
        return {"quota_class_set": _class(tx, req)}


def limits(req: Request) -> dict[str, Any]:
    """GET /limits: show the project's limits and usage."""
    project_id = req.ctx.project_id
    if req.at("3.39") and req.ctx.is_admin:
        project_id = req.query.get("project_id") or req.query.get("tenant_id") or project_id
    with req.db.read() as tx:
        found = quotas.allowance(tx, req.conf, project_id)
    absolute = {key: found.limit((resource, "")) for key, resource in _ABSOLUTE.items()}
    if req.allows("limits_extension:used_limits", req.ctx.project_id):
        absolute |= {key: found.used.get((resource, ""), 0) for key, resource in _USED.items()}
    return {"limits": {"rate": [], "absolute": absolute}}
