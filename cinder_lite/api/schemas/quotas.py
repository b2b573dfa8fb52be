"""Bodies of quota requests. Keys per type (volumes_NAME) are checked by the handler, which knows the types."""

from cinder_lite.api.body import wrapped

_LIMIT = {"type": ["integer", "string", "null"], "format": "limit"}

SET = wrapped("quota_set", {"type": "object", "additionalProperties": _LIMIT, "properties": {
    "tenant_id": {"type": "string"}, "id": {"type": "string"}, "force": {"type": ["boolean", "string"]}}})
SET_CLASS = wrapped("quota_class_set", {"type": "object", "additionalProperties": _LIMIT, "properties": {
    "class_name": {"type": "string"}, "id": {"type": "string"}}})
