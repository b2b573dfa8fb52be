"""Bodies of service requests, which have no wrapping key."""

_WORD = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}

SWITCH = {"type": "object", "required": ["host"], "properties": {
    "host": {"type": "string", "minLength": 1, "maxLength": 255}, "binary": _WORD, "service": _WORD},
    "additionalProperties": True}
DISABLE_WITH_REASON = {**SWITCH, "required": ["host", "disabled_reason"], "properties": {
    **SWITCH["properties"], "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}}}
FREEZE = {"type": "object", "properties": {"host": _WORD, "cluster": {**_WORD, "since": "3.26"}},
          "additionalProperties": True}
