"""Bodies of requests for volume types, their access lists and defaults."""

from cinder_lite.api.body import BOOL, NAME, closed, wrapped

_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "format": "name"}
SPECS = {"type": "object", "additionalProperties": False, "patternProperties": {
    r"^[a-zA-Z0-9-_:.]{1,255}$": {"type": ["string", "null"], "maxLength": 255}}}

CREATE = wrapped("volume_type", {
    "type": "object", "required": ["name"], "additionalProperties": False, "properties": {
        "name": _NAME, "description": NAME, "extra_specs": {**SPECS, "type": ["object", "null"]},
        "os-volume-type-access:is_public": BOOL}})
UPDATE = wrapped("volume_type", {
    "type": "object", "additionalProperties": False, "properties": {
        "name": {"type": ["string", "null"], "maxLength": 255}, "description": NAME, "is_public": BOOL}})
SET_SPECS = wrapped("extra_specs", {**SPECS, "minProperties": 1})
SET_SPEC = {**SPECS, "minProperties": 1, "maxProperties": 1}
ADD_ACCESS, REMOVE_ACCESS = (
    wrapped(action, closed({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ["project"]))
    for action in ("addProjectAccess", "removeProjectAccess"))
SET_DEFAULT = wrapped("default_type", closed({"volume_type": _NAME}, ["volume_type"]))
