"""Schemas of quota requests. Keys per type (volumes_NAME) are validated by the handler, which reads the types."""

from cinder_lite.api.body_formats import MAX_INTEGER
from cinder_lite.api.body_schema import Schema, wrapped

_LIMIT = {"type": ["integer", "string"], "format": "limit"}
_IGNORED: Schema = {"tenant_id": {}, "id": {}}

SET = wrapped("quota_set", {
    "type": "object", "minProperties": 1, "additionalProperties": _LIMIT, "properties": _IGNORED})
SET_CLASS = wrapped("quota_class_set", {"type": "object", "additionalProperties": False, "patternProperties": {
    "^[a-zA-Z0-9-_:. ]{1,300}$": {**_LIMIT, "pattern": "^[0-9]+$", "maximum": MAX_INTEGER}}})
