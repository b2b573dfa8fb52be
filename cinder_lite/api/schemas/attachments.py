"""Bodies of attachment requests."""

from cinder_lite.api.body import EMPTY, UUID, closed, wrapped
from cinder_lite.api.schemas.volumes import MODE

_CONNECTOR = {"type": ["object", "null"]}

CREATE = wrapped("attachment", {
    "type": "object", "required": ["volume_uuid"], "additionalProperties": True, "properties": {
        "volume_uuid": UUID, "instance_uuid": {"type": ["string", "null"], "format": "uuid"},
        "connector": _CONNECTOR, "mode": {**MODE, "since": "3.54"}}})
UPDATE = wrapped("attachment", closed({"connector": {"type": "object", "minProperties": 1}}, ["connector"]))
COMPLETE = wrapped("os-complete", EMPTY)
