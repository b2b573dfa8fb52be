"""Reads and sets the limits of quotas: the defaults, those of quota classes and of projects."""

from collections.abc import Mapping

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db.quota_usage import Key, U
from cinder_lite.db.quotas import DEFAULT_CLASS, DEFAULTS, C, Q


def defaults(tx: db.Transaction, conf: cfg.ConfigOpts) -> dict[Key, int]:
    """The limits of a project without limits of its own: {(resource, type_id): limit}."""
    limits = {(resource, ""): conf[option] for resource, option in DEFAULTS.items()}
    rows = tx.execute(sa.select(C.c.resource, C.c.type_id, C.c.hard_limit).where(C.c.class_name == DEFAULT_CLASS))
    return limits | {(resource, type_id): limit for resource, type_id, limit in rows}


def set_limits(tx: db.Transaction, project_id: str, limits: Mapping[Key, int]) -> None:
    """Set a project's own limits: {(resource, type_id): limit}."""
    _set(tx, Q, {"project_id": project_id}, limits)


def set_class(tx: db.Transaction, class_name: str, limits: Mapping[Key, int]) -> None:
    """Set the limits of a quota class; those of `default` apply to projects without limits of their own."""
    _set(tx, C, {"class_name": class_name}, limits)


def class_limits(tx: db.Transaction, class_name: str) -> dict[Key, int]:
    rows = tx.execute(sa.select(C.c.resource, C.c.type_id, C.c.hard_limit).where(C.c.class_name == class_name))
    return {(resource, type_id): limit for resource, type_id, limit in rows}


def _set(tx, table, owner, limits):
    for (resource, type_id), limit in sorted(limits.items()):
        key = {**owner, "resource": resource, "type_id": type_id}
        where = [table.c[name] == value for name, value in key.items()]
        if tx.execute(sa.update(table).where(*where).values(hard_limit=limit)).rowcount == 0:
            tx.execute(sa.insert(table).values(**key, hard_limit=limit))


def reset(tx: db.Transaction, project_id: str) -> None:
    """Delete the project's own limits."""
    tx.execute(sa.delete(Q).where(Q.c.project_id == project_id))


def delete_type(tx: db.Transaction, type_id: str) -> None:
    """Delete the limits and the usage of a type that is being deleted."""
    for table in (Q, C, U):
        tx.execute(sa.delete(table).where(table.c.type_id == type_id))
