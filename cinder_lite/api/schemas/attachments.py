"""Schemas of attachment requests."""

from cinder_lite.api.body_schema import EMPTY, UUID, closed, wrapped
from cinder_lite.api.schemas.volumes import CONNECTOR, MODE

_CONNECTOR = {**CONNECTOR, "properties": {
    **CONNECTOR["properties"], "mode": {**MODE, "type": ["string", "null"], "enum": [*MODE["enum"], None]}}}

CREATE = wrapped("attachment", closed({
    "volume_uuid": UUID, "instance_uuid": UUID, "connector": {**_CONNECTOR, "type": ["object", "null"]},
    "mode": {**MODE, "since": "3.54"}}, ["volume_uuid"]))
UPDATE = wrapped("attachment", closed({"connector": {**_CONNECTOR, "minProperties": 1}}, ["connector"]))
COMPLETE = wrapped("os-complete", EMPTY)
