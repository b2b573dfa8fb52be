"""Schemas of requests that manage existing volumes and snapshots."""

from cinder_lite.api.body_schema import (
    DESCRIPTION,
    EMPTY,
    NAME,
    NULLABLE_TEXT,
    OPTIONAL_BOOL,
    OPTIONAL_METADATA,
    SMALL,
    UUID,
    closed,
    wrapped,
)

_HOST = {"type": ["string", "null"], "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-._#@:/+\[\]]*$"}
#: Drivers define the keys of a reference.
REFERENCE = {"type": ["object", "string"], **SMALL}
SNAPSHOT_REFERENCE = {"type": ["object", "string", "null"], **SMALL}

VOLUME = wrapped("volume", closed({
    "name": NAME, "description": DESCRIPTION, "volume_type": NULLABLE_TEXT, "metadata": OPTIONAL_METADATA,
    "bootable": OPTIONAL_BOOL, "availability_zone": NAME, "host": _HOST, "cluster": {**NULLABLE_TEXT, "since": "3.16"},
    "ref": REFERENCE}, ["ref"]))
SNAPSHOT = wrapped("snapshot", closed({
    "name": NAME, "description": DESCRIPTION, "metadata": OPTIONAL_METADATA, "volume_id": UUID,
    "ref": SNAPSHOT_REFERENCE},
    ["volume_id", "ref"]))
UNMANAGE = wrapped("os-unmanage", EMPTY)
