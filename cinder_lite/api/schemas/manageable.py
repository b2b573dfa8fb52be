"""Bodies that take over what lies on a backend."""

from cinder_lite.api.body import METADATA, NAME, OPTIONAL_BOOL, UUID, closed, wrapped

_METADATA = {**METADATA, "type": ["object", "null"]}
_HOST = {"type": ["string", "null"], "maxLength": 255}
#: What names it is the driver's to say.
REFERENCE = {"type": ["object", "string"]}
SNAPSHOT_REFERENCE = {"type": ["object", "string", "null"]}

VOLUME = wrapped("volume", closed({
    "name": NAME, "description": NAME, "volume_type": {"type": ["string", "null"], "maxLength": 255},
    "metadata": _METADATA, "bootable": OPTIONAL_BOOL, "availability_zone": NAME, "host": _HOST,
    "cluster": {**_HOST, "since": "3.16"}, "ref": REFERENCE}, ["ref"]))
SNAPSHOT = wrapped("snapshot", closed({
    "name": NAME, "description": NAME, "metadata": _METADATA, "volume_id": UUID, "ref": SNAPSHOT_REFERENCE},
    ["volume_id", "ref"]))
UNMANAGE = wrapped("os-unmanage", {"type": ["object", "null"], "maxProperties": 0})
