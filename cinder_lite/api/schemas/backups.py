"""Schemas of backup requests."""

from cinder_lite import states
from cinder_lite.api.body_schema import (
    BOOL,
    DESCRIPTION,
    EMPTY,
    METADATA,
    NAME,
    NULLABLE_TEXT,
    OPTIONAL_METADATA,
    OPTIONAL_UUID,
    UUID,
    closed,
    one_of,
    wrapped,
)

CREATE = wrapped("backup", closed({
    "volume_id": UUID, "name": NAME, "description": DESCRIPTION,
    "container": {**NULLABLE_TEXT, "pattern": r"^(?!\.{1,2}($|/))[A-Za-z0-9_.-]*$"},
    "incremental": BOOL, "force": BOOL, "snapshot_id": OPTIONAL_UUID,
    "metadata": {**OPTIONAL_METADATA, "since": "3.43"}, "availability_zone": {**NULLABLE_TEXT, "since": "3.51"}},
    ["volume_id"]))
UPDATE = wrapped("backup", closed({
    "name": NAME, "description": DESCRIPTION, "metadata": {**METADATA, "since": "3.43"}}, type=["object", "null"]))
RESTORE = wrapped("restore", closed({"volume_id": OPTIONAL_UUID, "name": NAME}, type=["object", "null"]))
IMPORT = wrapped("backup-record", closed({
    "backup_service": {"type": "string", "maxLength": 255},
    "backup_url": {"type": "string", "minLength": 1, "format": "base64"}}, ["backup_service", "backup_url"]))
RESET_STATUS = wrapped("os-reset_status", closed({"status": one_of(states.BACKUP_RESETS)}, ["status"]))
FORCE_DELETE = wrapped("os-force_delete", EMPTY)
