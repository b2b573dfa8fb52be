"""Refuses to detach a volume that a server still uses, unless Nova itself asks (CVE-2023-2088).

If an attachment were removed while the server still has the device, the device could later show another tenant's data.
"""

from collections.abc import Iterable

from oslo_config import cfg

from cinder_lite import context, db, errors
from cinder_lite.nova import client


class DetachGuard:
    """Refuses detachments that users have to request from Nova."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._nova = client.Nova(conf, conf.rpc_max_waiting)

    def check(self, ctx: context.Context, attachments: Iterable[db.Row]) -> None:
        """Raise ServerUsesVolume unless the requester may remove each of the attachments."""
        if ctx.is_service:
            return
        for row in attachments:
            connected = row.connection_info or row.attached_host
            if row.instance_uuid and connected and self._nova.may_use(row.instance_uuid, row.volume_id, row.id):
                raise errors.ServerUsesVolume(server_id=row.instance_uuid)
