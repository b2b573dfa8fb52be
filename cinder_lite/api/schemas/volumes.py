"""Schemas of volume requests."""

from cinder_lite import states
from cinder_lite.api.body_schema import (
    BOOL,
    EMPTY,
    METADATA,
    NULLABLE_TEXT,
    OPTIONAL_METADATA,
    OPTIONAL_UUID,
    PADDED,
    PATH_KEYS,
    SIZE,
    SMALL,
    UUID,
    Schema,
    closed,
    one_of,
    pairs,
    wrapped,
)

_NAMES = {"name": PADDED, "description": PADDED, "display_name": PADDED, "display_description": PADDED}
_ZONE = {"type": ["string", "null"], "minLength": 1, "maxLength": 255}
#: One volume, or several.
_VOLUMES = {"anyOf": [UUID, {"type": "array", "items": UUID, "uniqueItems": True}]}
#: Hints that no filter uses may have any form.
_HINTS = {"type": ["object", "null"], **SMALL, "properties": {
    "same_host": _VOLUMES, "different_host": _VOLUMES, "local_to_instance": OPTIONAL_UUID,
    "query": {"type": ["string", "object"]}}}

CREATE = {"type": "object", "required": ["volume"], "additionalProperties": False, "properties": {
    "volume": {"type": "object", "additionalProperties": "3.53", "properties": {
        **_NAMES, "size": {**SIZE, "type": ["integer", "string", "null"]}, "volume_type": NULLABLE_TEXT,
        "metadata": OPTIONAL_METADATA, "snapshot_id": OPTIONAL_UUID, "source_volid": OPTIONAL_UUID,
        "consistencygroup_id": OPTIONAL_UUID, "multiattach": BOOL, "availability_zone": _ZONE,
        "image_id": NULLABLE_TEXT, "imageRef": NULLABLE_TEXT, "group_id": {**NULLABLE_TEXT, "since": "3.13"},
        "backup_id": {**OPTIONAL_UUID, "since": "3.47"}}},
    "OS-SCH-HNT:scheduler_hints": _HINTS}}

UPDATE = wrapped("volume", closed({**_NAMES, "metadata": METADATA}))

SET_METADATA = wrapped("metadata", METADATA)
SET_META = wrapped("meta", {**METADATA, "minProperties": 1, "maxProperties": 1})

# -- actions

#: The properties of a host that connects. Drivers and targets use other keys.
CONNECTOR: Schema = {"type": "object", **SMALL, "properties": {
    "host": NULLABLE_TEXT, "mountpoint": NULLABLE_TEXT, "initiator": NULLABLE_TEXT, "ip": NULLABLE_TEXT,
    "mode": {"type": ["string", "null"]}}}
MODE: Schema = {"type": "string", "enum": ["rw", "ro"]}


def _without_arguments(action):
    return wrapped(action, EMPTY)


RESERVE, UNRESERVE, BEGIN_DETACHING, ROLL_DETACHING, FORCE_DELETE = (
    _without_arguments(action) for action in ("os-reserve", "os-unreserve", "os-begin_detaching", "os-roll_detaching",
                                              "os-force_delete"))
ATTACH = wrapped("os-attach", closed({
    "instance_uuid": UUID, "host_name": {"type": "string", "maxLength": 255},
    "mountpoint": {"type": "string", "minLength": 1, "maxLength": 255}, "mode": MODE}, ["mountpoint"]))
DETACH = wrapped("os-detach", {"type": ["object", "null"], "properties": {"attachment_id": OPTIONAL_UUID},
                               "additionalProperties": False})
INITIALIZE = wrapped("os-initialize_connection", closed({"connector": CONNECTOR}, ["connector"]))
TERMINATE = wrapped("os-terminate_connection", closed(
    {"connector": {**CONNECTOR, "type": ["object", "null"]}}, ["connector"]))
EXTEND = wrapped("os-extend", closed({"new_size": SIZE}, ["new_size"]))
READONLY = wrapped("os-update_readonly_flag", closed({"readonly": BOOL}, ["readonly"]))
BOOTABLE = wrapped("os-set_bootable", closed({"bootable": BOOL}, ["bootable"]))
RETYPE = wrapped("os-retype", closed({
    "new_type": {"type": "string", "maxLength": 255},
    "migration_policy": {"type": "string", "enum": ["never", "on-demand"]}}, ["new_type"]))
MIGRATE = wrapped("os-migrate_volume", closed({
    "host": NULLABLE_TEXT, "force_host_copy": BOOL, "lock_volume": BOOL,
    "cluster": {**NULLABLE_TEXT, "since": "3.16"}}))
_ERROR = {"type": ["string", "null", "boolean"]}
MIGRATION_COMPLETION = wrapped("os-migrate_volume_completion", closed({
    "new_volume": UUID, "error": _ERROR}, ["new_volume"]))
EXTEND_COMPLETION = wrapped("os-extend_volume_completion", closed({"error": _ERROR}))
REVERT = wrapped("revert", {
    "type": "object", "properties": {"snapshot_id": {"type": ["string", "null"]}}, "additionalProperties": True})
UPLOAD_IMAGE = wrapped("os-volume_upload_image", closed({
    "image_name": {"type": "string", "minLength": 1, "maxLength": 255}, "force": BOOL,
    "disk_format": {"type": "string", "enum": ["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"]},
    "container_format": {"type": ["string", "null"], "pattern": "^[a-zA-Z0-9-]*$", "maxLength": 255},
    "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"], "since": "3.1"},
    "protected": {**BOOL, "since": "3.1"}}, ["image_name"]))
REIMAGE = wrapped("os-reimage", closed({"image_id": UUID, "reimage_reserved": BOOL}, ["image_id"]))
RESET_STATUS = wrapped("os-reset_status", {
    "type": "object", "minProperties": 1, "additionalProperties": False, "properties": {
        "status": one_of(("", *states.VOLUME_RESETS), null=True),
        "attach_status": one_of(("", *states.ATTACH_RESETS), null=True),
        "migration_status": one_of(("", *states.MIGRATION_STATUSES), null=True)}})
FORCE_DETACH = wrapped("os-force_detach", closed({
    "attachment_id": {"type": ["string", "null"]}, "connector": {**CONNECTOR, "type": ["object", "null"]}}))

_IMAGE_METADATA = pairs(PATH_KEYS, {"type": "string", "format": "text"})
SET_IMAGE_METADATA = wrapped("os-set_image_metadata", closed({"metadata": _IMAGE_METADATA}, ["metadata"]))
SHOW_IMAGE_METADATA = _without_arguments("os-show_image_metadata")
UNSET_IMAGE_METADATA = wrapped("os-unset_image_metadata", closed({
    "key": {"type": "string", "minLength": 1, "maxLength": 255}}, ["key"]))
