"""Bodies of requests for QoS specs."""

from cinder_lite.api.body import closed, wrapped

#: Who keeps to a spec; the first is meant when nothing is said.
CONSUMERS = ("back-end", "front-end", "both")
_CONSUMER = {"type": "string", "enum": list(CONSUMERS)}
_SPECS = {"patternProperties": {r"^[\s\S]{1,255}$": {"type": "string", "maxLength": 255}}, "additionalProperties": False}

CREATE = wrapped("qos_specs", {
    "type": "object", "required": ["name"], **_SPECS, "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}, "consumer": _CONSUMER}})
UPDATE = wrapped("qos_specs", {"type": "object", "minProperties": 1, **_SPECS, "properties": {"consumer": _CONSUMER}})
DELETE_KEYS = closed({"keys": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {
    "type": "string", "minLength": 1, "maxLength": 255}}}, ["keys"])
