"""Bodies of requests for volume types, their access lists and defaults."""

from cinder_lite.api.body import BOOL, MOST, NAME, closed, wrapped

_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
SPECS = {"type": "object", "additionalProperties": False, "patternProperties": {
    r"^[a-zA-Z0-9-_:.]{1,255}$": {"type": ["string", "null"], "maxLength": 255}}}

CREATE = wrapped("volume_type", {
    "type": "object", "required": ["name"], "additionalProperties": False, "properties": {
        "name": _NAME, "description": NAME, "extra_specs": {**SPECS, "type": ["object", "null"]},
        "os-volume-type-access:is_public": BOOL}})
UPDATE = wrapped("volume_type", {
    "type": "object", "additionalProperties": False, "properties": {
        "name": {"type": ["string", "null"], "maxLength": 255}, "description": NAME, "is_public": BOOL,
        "os-volume-type-access:is_public": BOOL}})
_ENCRYPTION = {
    "provider": {"type": "string", "minLength": 1, "maxLength": 255},
    "control_location": {"type": "string", "enum": ["front-end", "back-end"]},
    "cipher": {"type": ["string", "null"], "maxLength": 255},
    "key_size": {"type": ["integer", "string", "null"], "minimum": 0, "maximum": MOST, "pattern": "^[0-9]{1,9}$"}}
CREATE_ENCRYPTION = wrapped("encryption", closed(_ENCRYPTION, ["provider", "control_location"]))
UPDATE_ENCRYPTION = wrapped("encryption", closed(_ENCRYPTION, minProperties=1))
SET_SPECS = wrapped("extra_specs", {**SPECS, "minProperties": 1})
SET_SPEC = {**SPECS, "minProperties": 1, "maxProperties": 1}
ADD_ACCESS, REMOVE_ACCESS = (
    wrapped(action, closed({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ["project"]))
    for action in ("addProjectAccess", "removeProjectAccess"))
SET_DEFAULT = wrapped("default_type", closed({"volume_type": _NAME}, ["volume_type"]))
