"""Bodies of snapshot requests."""

from cinder_lite import states
from cinder_lite.api.body import EMPTY, METADATA, NAME, OPTIONAL_BOOL, UUID, closed, wrapped

CREATE = wrapped("snapshot", {
    "type": "object", "required": ["volume_id"], "additionalProperties": True,
    "properties": {
        "volume_id": {**UUID, "type": ["string", "null"]}, "name": NAME, "description": NAME, "display_name": NAME, "display_description": NAME,
        "force": OPTIONAL_BOOL,
        "metadata": {**METADATA, "type": ["object", "null"]}}})
UPDATE = wrapped("snapshot", {
    "type": "object", "minProperties": 1, "additionalProperties": False,
    "properties": {"name": NAME, "description": NAME, "display_name": NAME, "display_description": NAME}})
RESET_STATUS = wrapped("os-reset_status", closed({"status": {
    "type": "string", "enum": list(states.SNAPSHOT_STATUSES)}}, ["status"]))
FORCE_DELETE = wrapped("os-force_delete", EMPTY)
UPDATE_STATUS = wrapped("os-update_snapshot_status", closed({
    "status": {"type": "string"},
    "progress": {"type": ["string", "null"], "pattern": r"^(100|[0-9]{1,2})%$"}}, ["status"]))
