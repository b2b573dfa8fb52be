"""Stores what backends report about their pools."""

import datetime
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import volumes
from cinder_lite.db.pools import P, V


def capabilities(tx: db.Transaction, name: str) -> dict[str, Any]:
    """What a pool has reported that it can do; {} of an unknown pool."""
    return tx.execute(sa.select(P.c.capabilities).where(P.c.name == name)).scalar() or {}


def update_stats(tx: db.Transaction, name: str, service_host: str, since: datetime.datetime,
                 values: dict[str, Any]) -> None:
    """Store statistics that were collected from `since` on, plus the volumes that were being created or launched then.

    Also those that are being deleted: the object may be gone already, but its job gives the capacity back at its end.
    allocated_gb and volume_count are not the backend's: they are kept, or calculated for a new row.
    """
    pending = tx.execute(sa.select(volumes.TOTAL_SIZE).where(
        V.c.host == name, V.c.counted.is_(True),
        sa.or_(V.c.status.in_((states.CREATING, states.DELETING)), V.c.launched_at >= since))).scalar()
    values = dict(values, provisioned_gb=values["provisioned_gb"] + pending, measured_at=since)
    if not values["thin"] and values["free_gb"] is not None:
        values["free_gb"] -= pending
    if tx.execute(sa.update(P).where(P.c.name == name).values(**values)).rowcount == 0:
        held = tx.execute(sa.select(volumes.TOTAL_SIZE, sa.func.count()).where(
            V.c.host == name, V.c.counted.is_(True))).one()
        tx.execute(sa.insert(P).values(name=name, service_host=service_host, allocated_gb=held[0],
                                       volume_count=held[1], **values))


def delete_others(tx: db.Transaction, service_host: str, names: Collection[str]) -> None:
    """Delete the pools that the backend no longer has."""
    tx.execute(sa.delete(P).where(P.c.service_host == service_host, P.c.name.not_in(names)))
