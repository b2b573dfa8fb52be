"""Bodies of requests for groups, group snapshots, group types and the legacy consistency groups."""

from cinder_lite import states
from cinder_lite.api.body import BOOL, NAME, OPTIONAL_BOOL, UUID, closed, wrapped
from cinder_lite.api.schemas.types import SPECS

_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
_WORD = {"type": "string", "minLength": 1, "maxLength": 255}
_OPTIONAL_UUID = {"type": ["string", "null"], "format": "uuid"}
_NAMES = {"name": NAME, "description": NAME}
_IDS = {"type": ["string", "null"], "maxLength": 40000}
_RESET = {"type": "string", "enum": list(states.GROUP_STATUSES)}

CREATE_TYPE = wrapped("group_type", closed({
    "name": _NAME, "description": NAME, "is_public": BOOL, "group_specs": {**SPECS, "type": ["object", "null"]}}, ["name"]))
UPDATE_TYPE = wrapped("group_type", closed({
    "name": {"type": ["string", "null"], "maxLength": 255}, "description": NAME, "is_public": OPTIONAL_BOOL}))
SET_SPECS = wrapped("group_specs", {**SPECS, "minProperties": 1})
SET_SPEC = {**SPECS, "minProperties": 1, "maxProperties": 1}

CREATE = wrapped("group", closed({
    **_NAMES, "group_type": _WORD, "availability_zone": NAME,
    "volume_types": {"type": "array", "minItems": 1, "uniqueItems": True, "items": _WORD}}, ["group_type", "volume_types"]))
UPDATE = wrapped("group", closed({**_NAMES, "add_volumes": _IDS, "remove_volumes": _IDS}))
DELETE = wrapped("delete", closed({"delete-volumes": BOOL}))
CREATE_FROM = wrapped("create-from-src", closed({
    **_NAMES, "group_snapshot_id": _OPTIONAL_UUID, "source_group_id": _OPTIONAL_UUID}))
RESET = wrapped("reset_status", closed({"status": _RESET}, ["status"]))
ENABLE_REPLICATION, DISABLE_REPLICATION, LIST_TARGETS = (
    wrapped(action, {"type": ["object", "null"]})
    for action in ("enable_replication", "disable_replication", "list_replication_targets"))
FAILOVER = wrapped("failover_replication", closed({"allow_attached_volume": BOOL, "secondary_backend_id": NAME}))
SNAPSHOT = wrapped("group_snapshot", closed({**_NAMES, "group_id": UUID}, ["group_id"]))

CREATE_LEGACY = wrapped("consistencygroup", closed({
    **_NAMES, "volume_types": {"type": "string", "minLength": 1, "maxLength": 40000}, "availability_zone": NAME,
    "user_id": NAME, "project_id": NAME, "status": NAME}, ["volume_types"]))
UPDATE_LEGACY = wrapped("consistencygroup", closed({**_NAMES, "add_volumes": _IDS, "remove_volumes": _IDS}))
CREATE_LEGACY_FROM = wrapped("consistencygroup-from-src", closed({
    **_NAMES, "cgsnapshot_id": _OPTIONAL_UUID, "source_cgid": _OPTIONAL_UUID, "user_id": NAME, "project_id": NAME,
    "status": NAME}))
CGSNAPSHOT = wrapped("cgsnapshot", closed({**_NAMES, "consistencygroup_id": UUID, "user_id": NAME, "project_id": NAME,
                                           "status": NAME}, ["consistencygroup_id"]))
