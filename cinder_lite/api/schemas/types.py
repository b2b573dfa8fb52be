"""Schemas of requests for volume types, their access lists and defaults."""

from cinder_lite.api.body_schema import (
    BOOL,
    DESCRIPTION,
    NULLABLE_TEXT,
    PATH_KEYS,
    PLAIN_KEYS,
    REQUIRED_NAME,
    closed,
    pairs,
    wrapped,
)

SPECS = pairs(PLAIN_KEYS, NULLABLE_TEXT)

CREATE = wrapped("volume_type", closed({
    "name": REQUIRED_NAME, "description": DESCRIPTION, "extra_specs": pairs(PATH_KEYS, NULLABLE_TEXT),
    "os-volume-type-access:is_public": BOOL}, ["name"]))
UPDATE = wrapped("volume_type", closed({
    "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 255}, "description": DESCRIPTION,
    "is_public": BOOL, "os-volume-type-access:is_public": BOOL}))
_ENCRYPTION = {
    "provider": {"type": "string", "maxLength": 255},
    "control_location": {"type": "string", "enum": ["front-end", "back-end"]},
    "cipher": NULLABLE_TEXT, "key_size": {"type": ["integer", "string", "null"], "format": "natural"}}
CREATE_ENCRYPTION = wrapped("encryption", {
    **closed(_ENCRYPTION, ["provider", "control_location"]), "additionalProperties": True})
UPDATE_ENCRYPTION = wrapped("encryption", {**closed(_ENCRYPTION), "additionalProperties": True})
SET_SPECS = wrapped("extra_specs", SPECS)
SET_SPEC = {**SPECS, "minProperties": 1, "maxProperties": 1}
ADD_ACCESS, REMOVE_ACCESS = (
    wrapped(action, closed({"project": {"type": "string", "minLength": 1, "maxLength": 255}}, ["project"]))
    for action in ("addProjectAccess", "removeProjectAccess"))
SET_DEFAULT = wrapped("default_type", closed({"volume_type": REQUIRED_NAME}, ["volume_type"]))
