"""Renders volume types."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Row

#: Extra specs that every user may see, because they describe how the volumes can be used.
FOR_USERS = ("multiattach", "RESKEY:availability_zones", "replication_enabled")


def visible_specs(row: Row, req: Request) -> dict[str, str]:
    """The extra specs that the requester may see."""
    if req.allows("volume_extension:types_extra_specs:read_sensitive", req.ctx.project_id):
        return row.extra_specs
    return {key: value for key, value in row.extra_specs.items() if key in FOR_USERS}


def UPDATED(row: Row, req: Request) -> dict[str, Any]:
    """The response of update."""
    shown = {"id": row.id, "name": row.name, "is_public": row.is_public, "description": row.description}
    if req.allows("volume_extension:access_types_extra_specs", req.ctx.project_id):
        shown["extra_specs"] = visible_specs(row, req)
    return shown


def CREATED(row: Row, req: Request) -> dict[str, Any]:
    """The response of create, without a QoS spec."""
    shown = UPDATED(row, req)
    if req.allows("volume_extension:volume_type_access", req.ctx.project_id):
        shown["os-volume-type-access:is_public"] = row.is_public
    return shown


def DETAIL(row: Row, req: Request) -> dict[str, Any]:
    shown = CREATED(row, req)
    if req.allows("volume_extension:access_types_qos_specs_id", req.ctx.project_id):
        shown["qos_specs_id"] = row.qos_specs_id
    return shown
