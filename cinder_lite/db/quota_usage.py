"""Reads the rows of usage and inserts missing ones, and explains claims that they do not allow."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from cinder_lite import db, errors
from cinder_lite.db import schema

U = schema.quota_usages
#: (resource, type id or "").
Key = tuple[str, str]


def usages(tx: db.Transaction, project_id: str) -> dict[Key, int]:
    """The usage of the project: {(resource, type_id): n}."""
    rows = tx.execute(sa.select(U.c.resource, U.c.type_id, U.c.in_use).where(U.c.project_id == project_id))
    return {(resource, type_id): n for resource, type_id, n in rows}


def insert_if_missing(tx: db.Transaction, project_id: str, resource: str, type_id: str) -> None:
    """Insert a row of no usage, unless there is one."""
    row = {"project_id": project_id, "resource": resource, "type_id": type_id, "in_use": 0}
    insert = {"mysql": _mysql_insert, "mariadb": _mysql_insert}.get(tx.dialect.name, _plain_insert)
    tx.execute(insert(tx, row))


def _mysql_insert(_tx, row):
    # Unlike INSERT IGNORE this takes the lock of the following UPDATE on an existing row; upgrading a lock could
    # deadlock.
    return mysql.insert(U).values(**row).on_duplicate_key_update(in_use=U.c.in_use)


def _plain_insert(tx, row):
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    return dialect.insert(U).values(**row).on_conflict_do_nothing()


CODES = {"volumes": "VolumeLimitExceeded", "snapshots": "SnapshotLimitExceeded", "backups": "BackupLimitExceeded",
         "groups": "GroupLimitExceeded", "gigabytes": "VolumeSizeExceedsAvailableQuota",
         "backup_gigabytes": "VolumeBackupSizeExceedsAvailableQuota"}


def over_quota(resource: str, type_id: str, asked: int, limit: int, in_use: int) -> errors.OverQuota:
    """The error of a claim that does not fit."""
    of = f"quota '{resource}'" + (f" of volume type {type_id}" if type_id else "")
    unit = "G" if resource.endswith("gigabytes") else ""
    return errors.OverQuota(code=CODES[resource], reason=(
        f"Requested {asked}{unit} exceeds the allowed {of}: its limit is {limit}{unit} and {in_use}{unit} "
        f"{'has' if in_use == 1 else 'have'} been consumed."))
