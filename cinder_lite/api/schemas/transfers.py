"""Bodies of requests for transfers."""

from cinder_lite.api.body import NAME, OPTIONAL_BOOL, UUID, closed, wrapped

CREATE_FORMERLY = wrapped("transfer", closed({"volume_id": UUID, "name": NAME}, ["volume_id"]))
CREATE = wrapped("transfer", closed({"volume_id": UUID, "name": NAME, "no_snapshots": {
    **OPTIONAL_BOOL, "since": "3.55"}}, ["volume_id"]))
ACCEPT = wrapped("accept", closed({"auth_key": {
    "type": "string", "minLength": 1, "maxLength": 255}}, ["auth_key"]))
