"""Renders volume types."""

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View

#: Extra specs that every user may see, because they describe how the volumes can be used.
FOR_USERS = ("multiattach", "RESKEY:availability_zones", "replication_enabled")


def visible_specs(row: Row, req: Request) -> dict[str, str]:
    """The extra specs that the requester may see."""
    if req.allows("volume_extension:types_extra_specs:read_sensitive", req.ctx.project_id):
        return row.extra_specs
    return {key: value for key, value in row.extra_specs.items() if key in FOR_USERS}


#: The response of update, of create (without a QoS spec), and of show and list.
UPDATED = View("id", "name", "is_public", "description",
               Field("extra_specs", visible_specs, policy="volume_extension:access_types_extra_specs"))
CREATED = View(*UPDATED.fields, Field("os-volume-type-access:is_public", "is_public",
                                      policy="volume_extension:volume_type_access"))
DETAIL = View(*CREATED.fields, Field("qos_specs_id", policy="volume_extension:access_types_qos_specs_id"))
