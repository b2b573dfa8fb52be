"""Schemas of service requests, which have no wrapping key."""

from cinder_lite.api.body_formats import MAX_INTEGER
from cinder_lite.api.body_schema import BOOL, NULLABLE_TEXT, OPTIONAL_UUID, REQUIRED_NAME, Schema, closed, one_of

_WORD = {"type": "string", "minLength": 1, "maxLength": 255}
_HOST = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-._#@:/+\[\]]*$"}
_PLAIN_HOST = {**_HOST, "pattern": "^[a-zA-Z0-9-._#@:/+]*$"}
_REASON = {"type": "string", "format": "padded_name"}

_SERVICE = {"host": _HOST, "cluster": NULLABLE_TEXT, "binary": _WORD, "service": _WORD}
_NAMED: Schema = {"anyOf": [{"required": ["binary"]}, {"required": ["service"]}]}
SWITCH = closed(_SERVICE, **_NAMED)
DISABLE_WITH_REASON = closed({**_SERVICE, "disabled_reason": {**_REASON, "minLength": 1, "maxLength": 255}}, **_NAMED)
FREEZE = closed({"host": _HOST, "cluster": NULLABLE_TEXT})
FAILOVER = closed({"host": _HOST, "backend_id": NULLABLE_TEXT, "cluster": NULLABLE_TEXT})
_LOGS = {
    "binary": {"type": "string", "enum": ["cinder-scheduler", "cinder-volume", "cinder-backup", "cinder-api", "", "*"]},
    "server": NULLABLE_TEXT, "prefix": NULLABLE_TEXT}
GET_LEVELS = closed(_LOGS)
SET_LEVELS = closed({**_LOGS, "level": NULLABLE_TEXT})
HOST = closed({"status": {"type": "string", "enum": ["enable", "disable"]}}, ["status"])
ENABLE_CLUSTER = closed({"name": REQUIRED_NAME, "binary": NULLABLE_TEXT}, ["name"])
DISABLE_CLUSTER = closed({"name": REQUIRED_NAME, "binary": NULLABLE_TEXT, "disabled_reason": {
    "type": ["string", "null"], "format": "padded"}}, ["name"])
CLEAN_UP = closed({
    "cluster_name": _PLAIN_HOST, "host": _PLAIN_HOST,
    "binary": {"type": "string", "enum": ["cinder-volume", "cinder-scheduler"]},
    "service_id": {"type": ["integer", "string", "null"], "pattern": "^[0-9]{0,11}$", "maximum": MAX_INTEGER},
    "is_up": BOOL, "disabled": BOOL, "resource_id": OPTIONAL_UUID,
    "resource_type": one_of(("", "volume", "snapshot"), null=True)})
