"""Schemas of requests for QoS specs."""

from cinder_lite.api.body_schema import NULLABLE_TEXT, PADDED_NAME, PATH_KEYS, closed, wrapped

#: The side that applies a spec; the first is the default.
CONSUMERS = ("back-end", "front-end", "both")
_SPECS = {f"^(?!name$)[{PATH_KEYS}]{{1,255}}$": NULLABLE_TEXT}


def _specs(properties, required=()):
    return {**closed(properties, required), "patternProperties": _SPECS, "propertyNames": {"maxLength": 255}}


CREATE = wrapped("qos_specs", _specs({
    "name": PADDED_NAME, "consumer": {"type": ["string", "null"], "enum": [*CONSUMERS, None]}}, ["name"]))
UPDATE = wrapped("qos_specs", _specs({"name": NULLABLE_TEXT, "consumer": {"type": "string", "enum": list(CONSUMERS)}}))
DELETE_KEYS = closed({"keys": {"type": "array", "uniqueItems": True, "items": {
    "type": "string", "minLength": 1, "maxLength": 255}}}, ["keys"])
