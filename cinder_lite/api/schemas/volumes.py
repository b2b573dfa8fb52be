"""Bodies of volume requests."""

from cinder_lite import states
from cinder_lite.api.body import BOOL, EMPTY, METADATA, NAME, OPTIONAL_BOOL, SIZE, UUID, closed, wrapped

_OPTIONAL_UUID = {"type": ["string", "null"], "format": "uuid"}
_OPTIONAL_METADATA = {**METADATA, "type": ["object", "null"]}
#: One volume, or several.
_VOLUMES = {"anyOf": [UUID, {"type": "array", "items": UUID, "uniqueItems": True}]}
#: Hints that no filter reads may be of any form.
_HINTS = {"type": ["object", "null"], "properties": {
    "same_host": _VOLUMES, "different_host": _VOLUMES, "local_to_instance": _OPTIONAL_UUID,
    "query": {"type": ["string", "object"]}}}

CREATE = {
    "type": "object",
    "properties": {
        "volume": {
            "type": "object",
            "properties": {
                "name": NAME, "description": NAME, "display_name": NAME, "display_description": NAME,
                "size": {**SIZE, "type": ["integer", "string", "null"]},
                "volume_type": {"type": ["string", "null"], "maxLength": 255},
                "metadata": _OPTIONAL_METADATA,
                "snapshot_id": _OPTIONAL_UUID,
                "source_volid": _OPTIONAL_UUID,
                "consistencygroup_id": _OPTIONAL_UUID,
                "multiattach": OPTIONAL_BOOL,
                "availability_zone": NAME,
                "image_id": {"type": ["string", "null"]},
                "imageRef": {"type": ["string", "null"]},
                "group_id": {**_OPTIONAL_UUID, "since": "3.13"},
                "backup_id": {**_OPTIONAL_UUID, "since": "3.47"},
            },
            "additionalProperties": "3.53",
        },
        "OS-SCH-HNT:scheduler_hints": _HINTS,
        "scheduler_hints": _HINTS,
    },
    "required": ["volume"],
    "additionalProperties": "3.53",
}

_CHANGES = {"name": NAME, "description": NAME, "display_name": NAME, "display_description": NAME,
            "metadata": _OPTIONAL_METADATA}
UPDATE = {
    "type": "object",
    "properties": {"volume": {"type": "object", "properties": _CHANGES, "additionalProperties": "3.53"}},
    "required": ["volume"], "additionalProperties": False,
}

SET_METADATA = wrapped("metadata", METADATA)
SET_META = wrapped("meta", {**METADATA, "minProperties": 1, "maxProperties": 1})

# -- actions

_CONNECTOR = {"type": "object"}
MODE = {"type": "string", "enum": ["rw", "ro"]}


def _word(words):
    """One of the words in any case, or null."""
    return {"type": ["string", "null"], "pattern": f"(?i)^({'|'.join(words)})$"}


def _nothing(action):
    return wrapped(action, EMPTY)


RESERVE, UNRESERVE, BEGIN_DETACHING, ROLL_DETACHING, FORCE_DELETE = (
    _nothing(action) for action in ("os-reserve", "os-unreserve", "os-begin_detaching", "os-roll_detaching",
                                    "os-force_delete"))
ATTACH = wrapped("os-attach", closed({
    "instance_uuid": _OPTIONAL_UUID, "host_name": {"type": ["string", "null"], "maxLength": 255},
    "mountpoint": {"type": "string", "minLength": 1, "maxLength": 255}, "mode": MODE}, ["mountpoint"]))
DETACH = wrapped("os-detach", {"type": ["object", "null"], "properties": {"attachment_id": _OPTIONAL_UUID},
                               "additionalProperties": False})
INITIALIZE = wrapped("os-initialize_connection", closed({"connector": _CONNECTOR}, ["connector"]))
TERMINATE = wrapped("os-terminate_connection", closed(
    {"connector": {"type": ["object", "string", "null"]}}, ["connector"]))
EXTEND = wrapped("os-extend", closed({"new_size": SIZE}, ["new_size"]))
READONLY = wrapped("os-update_readonly_flag", closed({"readonly": BOOL}, ["readonly"]))
BOOTABLE = wrapped("os-set_bootable", closed({"bootable": BOOL}, ["bootable"]))
RETYPE = wrapped("os-retype", closed({
    "new_type": {"type": "string", "minLength": 1, "maxLength": 255},
    "migration_policy": {"type": "string", "enum": ["never", "on-demand"]}}, ["new_type"]))
_HOST = {"type": ["string", "null"], "maxLength": 255}
MIGRATE = wrapped("os-migrate_volume", closed({
    "host": _HOST, "force_host_copy": OPTIONAL_BOOL, "lock_volume": OPTIONAL_BOOL,
    "cluster": {**_HOST, "since": "3.16"}}))
MIGRATION_COMPLETION = wrapped("os-migrate_volume_completion", closed({
    "new_volume": UUID, "error": OPTIONAL_BOOL}, ["new_volume"]))
EXTEND_COMPLETION = wrapped("os-extend_volume_completion", closed({"error": BOOL}, ["error"]))
REVERT = wrapped("revert", closed({"snapshot_id": UUID}, ["snapshot_id"]))
_FORMAT = {"type": "string", "pattern": "^[a-zA-Z0-9-]*$", "maxLength": 255}
UPLOAD_IMAGE = wrapped("os-volume_upload_image", closed({
    "image_name": {"type": "string", "minLength": 1, "maxLength": 255}, "force": BOOL, "disk_format": _FORMAT,
    "container_format": _FORMAT,
    "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"], "since": "3.1"},
    "protected": {**BOOL, "since": "3.1"}}, ["image_name"]))
REIMAGE = wrapped("os-reimage", closed({"image_id": UUID, "reimage_reserved": BOOL}, ["image_id"]))
RESET_STATUS = wrapped("os-reset_status", {
    "type": "object", "minProperties": 1, "additionalProperties": False, "properties": {
        "status": _word(states.VOLUME_RESETS), "attach_status": _word(states.ATTACH_STATUSES),
        "migration_status": _word(states.MIGRATION_STATUSES)}})
FORCE_DETACH = wrapped("os-force_detach", closed({
    "attachment_id": _OPTIONAL_UUID, "connector": {"type": ["object", "string", "null"]}}))

_IMAGE_METADATA = {"type": "object", "additionalProperties": False, "patternProperties": {
    r"^[\s\S]{1,255}$": {"type": "string", "maxLength": 65535}}}
SET_IMAGE_METADATA = wrapped("os-set_image_metadata", closed({"metadata": _IMAGE_METADATA}, ["metadata"]))
SHOW_IMAGE_METADATA = _nothing("os-show_image_metadata")
UNSET_IMAGE_METADATA = wrapped("os-unset_image_metadata", closed({
    "key": {"type": "string", "minLength": 1, "maxLength": 255}}, ["key"]))
