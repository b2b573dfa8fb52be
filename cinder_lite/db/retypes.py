"""Claims and releases the quota of a retype: the usage of a volume and its snapshots of the new and the former type.

The usage of the new type is claimed when the retype begins and stored in its job: {project: {resource: n}}, since
snapshots may belong to other projects. Snapshots can be deleted meanwhile, so that the end of a retype recalculates
the usage.
"""

from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import quotas, schema

#: {project: {resource: n}}.
Shares = dict[str, dict[str, int]]

S = schema.snapshots
_SNAPSHOTS = sa.select(S.c.project_id, S.c.volume_type_id, S.c.size).where(
    S.c.volume_id == sa.bindparam("id"), S.c.counted.is_(True)).order_by(S.c.id)
_UNLIMITED = quotas.Allowance({}, {})


def shares(tx: db.Transaction, conf: cfg.ConfigOpts, volume: db.Row) -> Shares:
    """The present usage of the volume and its snapshots: {project: {resource: n}}."""
    return _summed((project, amounts) for project, _, amounts in _parts(
        conf, volume, tx.execute(_SNAPSHOTS, {"id": volume.id})))


def claim(tx: db.Transaction, volume: db.Row, shares: Shares, type_id: str, allowance: quotas.Allowance) -> None:
    """Claim the usage of the new type. Only the limits of the volume's project apply: other projects have requested
    nothing."""
    for change in _changes(shares, type_id):
        quotas.claim(tx, change, allowance if change.project_id == volume.project_id else _UNLIMITED)


def release(tx: db.Transaction, volume: db.Row, args: dict[str, Any]) -> None:
    """Release the claim of a failed retype; `args` are those of its job."""
    # A job of the previous release has claimed only the usage of the volume.
    for change in _changes(args.get("shares", {volume.project_id: _of_volume(volume)}), args["new_type_id"]):
        quotas.release(tx, change)


def settle(tx: db.Transaction, conf: cfg.ConfigOpts, volume: db.Row, args: dict[str, Any]) -> None:
    """Change the type of the snapshots to the volume's new type, and settle the usage; `volume` is its former row."""
    parts = list(_parts(conf, volume, tx.execute(_SNAPSHOTS.with_for_update(), {"id": volume.id})))
    release(tx, volume, args)
    # The snapshots may have other types than the volume: former releases did not change them.
    for of in sorted({type_id for _, type_id, _ in parts}):
        for change in _changes(_summed((project, amounts) for project, type_id, amounts in parts if type_id == of), of):
            quotas.release(tx, change)
    for change in _changes(_summed((project, amounts) for project, _, amounts in parts), args["new_type_id"]):
        quotas.claim(tx, change, _UNLIMITED)
    tx.execute(sa.update(S).where(S.c.volume_id == volume.id).values(volume_type_id=args["new_type_id"]))


def _parts(conf, volume, snapshots):
    """(project, type, {resource: n}) of the volume, unless it was never made, and of each snapshot."""
    if volume.counted:
        yield volume.project_id, volume.volume_type_id, _of_volume(volume)
    for row in snapshots:
        yield row.project_id, row.volume_type_id, quotas.snapshot_share(conf, row).amounts


def _of_volume(volume):
    return {"volumes": 1, "gigabytes": volume.size}


def _summed(parts):
    found = {}
    for project, amounts in parts:
        share = found.setdefault(project, {})
        for resource, n in amounts.items():
            share[resource] = share.get(resource, 0) + n
    return found


def _changes(found, type_id):
    return [quotas.Change(project, amounts, type_id, of_type_only=True) for project, amounts in sorted(found.items())]
