"""Bodies of backup requests."""

from cinder_lite import states
from cinder_lite.api.body import EMPTY, METADATA, NAME, OPTIONAL_BOOL, UUID, closed, wrapped

_METADATA = {**METADATA, "type": ["object", "null"], "since": "3.43"}

CREATE = wrapped("backup", {
    "type": "object", "required": ["volume_id"], "additionalProperties": False, "properties": {
        "volume_id": UUID, "name": NAME, "description": NAME,
        "container": {"type": ["string", "null"], "maxLength": 255,
                      "pattern": r"^(?!\.{1,2}($|/))[A-Za-z0-9_.-]*$"},
        "incremental": OPTIONAL_BOOL, "force": OPTIONAL_BOOL,
        "snapshot_id": {"type": ["string", "null"], "format": "uuid"}, "metadata": _METADATA,
        "availability_zone": {**NAME, "since": "3.51"}}})
UPDATE = wrapped("backup", {
    "type": "object", "minProperties": 1, "additionalProperties": False,
    "properties": {"name": NAME, "description": NAME, "metadata": _METADATA}})
RESTORE = wrapped("restore", {
    "type": ["object", "null"], "additionalProperties": False,
    "properties": {"volume_id": {"type": ["string", "null"], "format": "uuid"}, "name": NAME}})
IMPORT = wrapped("backup-record", closed({
    "backup_service": {"type": "string", "minLength": 1, "maxLength": 255},
    "backup_url": {"type": "string", "minLength": 1}}, ["backup_service", "backup_url"]))
RESET_STATUS = wrapped("os-reset_status", closed({"status": {
    "type": "string", "enum": list(states.BACKUP_RESETS)}}, ["status"]))
FORCE_DELETE = wrapped("os-force_delete", EMPTY)
