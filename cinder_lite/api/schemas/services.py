"""Bodies of service requests, which have no wrapping key."""

from cinder_lite.api.body import MOST, OPTIONAL_BOOL, UUID, closed

_WORD = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}

SWITCH = {"type": "object", "required": ["host"], "properties": {
    "host": {"type": "string", "minLength": 1, "maxLength": 255}, "binary": _WORD, "service": _WORD},
    "additionalProperties": True}
DISABLE_WITH_REASON = {**SWITCH, "required": ["host", "disabled_reason"], "properties": {
    **SWITCH["properties"], "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}}}
FREEZE = {"type": "object", "properties": {"host": _WORD, "cluster": {**_WORD, "since": "3.26"}},
          "additionalProperties": True}
FAILOVER = {"type": "object", "additionalProperties": True, "properties": {
    "host": _WORD, "backend_id": _WORD, "cluster": {**_WORD, "since": "3.26"}}}
_ANY_WORD = {"type": ["string", "null"], "maxLength": 255}
LOG_LEVELS = closed({"binary": _ANY_WORD, "server": _ANY_WORD, "prefix": _ANY_WORD, "level": _ANY_WORD})
HOST = closed({"status": {"type": "string", "enum": ["enable", "disable"]}}, ["status"])
CLUSTER = {"type": "object", "required": ["name"], "additionalProperties": True, "properties": {
    "name": {"type": "string", "minLength": 1, "maxLength": 255}, "binary": _WORD, "disabled_reason": _ANY_WORD}}
CLEAN_UP = closed({
    "cluster_name": _ANY_WORD, "host": _WORD, "binary": {"type": ["string", "null"], "enum": [
        "cinder-volume", "cinder-scheduler", None]},
    "service_id": {"type": ["integer", "null"], "minimum": 1, "maximum": MOST}, "is_up": OPTIONAL_BOOL,
    "disabled": OPTIONAL_BOOL, "resource_id": {**UUID, "type": ["string", "null"]},
    "resource_type": {"type": ["string", "null"], "enum": ["Volume", "volume", "Snapshot", "snapshot", None]}})
