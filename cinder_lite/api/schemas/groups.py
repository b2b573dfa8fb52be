"""Schemas of requests for groups, group snapshots, group types and the legacy consistency groups."""

from cinder_lite import states
from cinder_lite.api.body_schema import (
    BOOL,
    DESCRIPTION,
    NAME,
    NULLABLE_TEXT,
    OPTIONAL_METADATA,
    OPTIONAL_UUID,
    PADDED_NAME,
    REQUIRED_NAME,
    UUID,
    closed,
    one_of,
    wrapped,
)
from cinder_lite.api.schemas.types import SPECS

_NAMES = {"name": NAME, "description": DESCRIPTION}
_IDS = {"type": ["string", "null"], "maxLength": 40000}

CREATE_TYPE = wrapped("group_type", closed({
    "name": REQUIRED_NAME, "description": DESCRIPTION, "is_public": BOOL, "group_specs": OPTIONAL_METADATA}, ["name"]))
UPDATE_TYPE = wrapped("group_type", closed({"name": NAME, "description": DESCRIPTION, "is_public": BOOL}))
SET_SPECS = wrapped("group_specs", SPECS)
SET_SPEC = {**SPECS, "minProperties": 1, "maxProperties": 1}

CREATE = wrapped("group", closed({
    **_NAMES, "group_type": PADDED_NAME, "availability_zone": {**PADDED_NAME, "type": ["string", "null"]},
    "volume_types": {"type": "array", "minItems": 1, "uniqueItems": True,
                     "items": {"type": "string", "maxLength": 255}}},
    ["group_type", "volume_types"]))
UPDATE = wrapped("group", closed({**_NAMES, "add_volumes": _IDS, "remove_volumes": _IDS}, minProperties=1))
DELETE = wrapped("delete", closed({"delete-volumes": BOOL}))
#: The domain checks that exactly one source is given: a client sends null for the other.
CREATE_FROM = wrapped("create-from-src", closed({
    **_NAMES, "group_snapshot_id": OPTIONAL_UUID, "source_group_id": OPTIONAL_UUID}))
RESET = wrapped("reset_status", closed({"status": one_of(states.GROUP_STATUSES)}, ["status"]))
ENABLE_REPLICATION, DISABLE_REPLICATION, LIST_TARGETS = (
    wrapped(action, {"type": ["object", "null"]})
    for action in ("enable_replication", "disable_replication", "list_replication_targets"))
FAILOVER = wrapped("failover_replication", closed({
    "allow_attached_volume": BOOL, "secondary_backend_id": NULLABLE_TEXT}))
SNAPSHOT = wrapped("group_snapshot", closed({**_NAMES, "group_id": UUID}, ["group_id"]))


def _open(key, properties, required=()):
    """The bodies of the legacy API, which ignore the keys that they do not know."""
    inner = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": True}
    return {**wrapped(key, inner), "additionalProperties": True}


_TEXT = {"type": "string"}
CREATE_LEGACY = _open("consistencygroup", {
    **_NAMES, "volume_types": {"type": "string", "minLength": 1, "maxLength": 40000}, "availability_zone": NAME},
    ["volume_types"])
UPDATE_LEGACY = _open("consistencygroup", {**_NAMES, "add_volumes": _IDS, "remove_volumes": _IDS})
CREATE_LEGACY_FROM = _open("consistencygroup-from-src", {
    **_NAMES, "cgsnapshot_id": {"type": ["string", "null"]}, "source_cgid": {"type": ["string", "null"]}})
CGSNAPSHOT = _open("cgsnapshot", {
    "name": {**NAME, "maxLength": 255}, "description": {"type": ["string", "null"], "maxLength": 255},
    "consistencygroup_id": _TEXT}, ["consistencygroup_id"])
