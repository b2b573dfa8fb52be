"""Schemas of transfer requests."""

from cinder_lite.api.body_schema import BOOL, PADDED_NAME, UUID, closed, wrapped

_NAME = {**PADDED_NAME, "type": ["string", "null"]}

CREATE_FORMERLY = wrapped("transfer", closed({"volume_id": UUID, "name": _NAME}, ["volume_id"]))
CREATE = wrapped("transfer", closed({
    "volume_id": UUID, "name": _NAME, "no_snapshots": {**BOOL, "since": "3.55"}}, ["volume_id"]))
ACCEPT = wrapped("accept", closed({"auth_key": {"type": ["string", "integer"]}}, ["auth_key"]))
