"""Who may take a volume away from a server: Nova, else nobody as long as the server may have it (CVE-2023-2088).

Were an attachment removed behind the back of a server that still has the device, the device could later show the data
of somebody else.
"""

from cinder_lite import errors
from cinder_lite.nova import client


class Detaching:
    """Refuses what users should leave to Nova."""

    def __init__(self, conf):
        self._nova = client.Nova(conf)

    def check(self, ctx, attachments):
        """Raise ServerUsesVolume unless each of the attachments may be removed by the asker."""
        if ctx.is_service:
            return
        for row in attachments:
            connected = row.connection_info or row.attached_host
            if row.instance_uuid and connected and self._nova.may_use(row.instance_uuid, row.volume_id, row.id):
                raise errors.ServerUsesVolume(server_id=row.instance_uuid)
