"""Schemas of snapshot requests."""

from cinder_lite import states
from cinder_lite.api.body_schema import (
    BOOL,
    DESCRIPTION,
    EMPTY,
    NAME,
    OPTIONAL_METADATA,
    OPTIONAL_UUID,
    SPACED_KEYS,
    closed,
    one_of,
    pairs,
    wrapped,
)

CREATE = wrapped("snapshot", closed({
    "volume_id": OPTIONAL_UUID, "name": NAME, "description": DESCRIPTION, "display_name": NAME, "force": BOOL,
    "metadata": OPTIONAL_METADATA}, ["volume_id"]))
UPDATE = wrapped("snapshot", closed(
    {"name": NAME, "description": DESCRIPTION, "display_name": NAME, "display_description": DESCRIPTION},
    minProperties=1))
_METADATA = pairs(SPACED_KEYS)
SET_METADATA = {**wrapped("metadata", _METADATA), "additionalProperties": True}
SET_META = {**wrapped("meta", {**_METADATA, "minProperties": 1, "maxProperties": 1}), "additionalProperties": True}
RESET_STATUS = wrapped("os-reset_status", closed({"status": one_of(states.SNAPSHOT_STATUSES)}, ["status"]))
FORCE_DELETE = wrapped("os-force_delete", EMPTY)
UPDATE_STATUS = wrapped("os-update_snapshot_status", closed({
    "status": {"type": "string"},
    "progress": {"type": ["string", "null"], "pattern": r"^(|(100|[0-9]{1,2})%)$"}}, ["status"]))
