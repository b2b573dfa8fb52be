"""How the API has connections made and undone: recorded in the database first, then asked of the volume service."""

import logging

from cinder_lite import db, errors, states
from cinder_lite.db import connections, services, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.rpc import messaging
from cinder_lite.volume import connections as domain
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)



class Connecting:
    """Asks the volume service of a volume to do what is recorded."""

    def __init__(self, database, conf, volume):
        self.db, self.conf, self.volume = database, conf, volume

    def check_up(self, tx, row):
        """Raise BackendDown when the volume's service is known to be down."""
        found = row.host and services.find(tx, "cinder-volume", service_of(row.host))
        if found and not services.is_up(found, self.conf.service_down_time):
            raise errors.BackendDown(id=row.id)

    def make(self, ctx, row, one, connector):
        """Have a recorded connection made; it is ended when that fails. Returns the connection information."""
        asked = {"volume_id": row.id, "attachment_id": one.attachment_id, "connector": connector}
        try:
            host = self.volume.on(service_of(row.host))
            try:
                return host.connect(ctx, connection_id=one.id, generation=one.generation, **asked)
            except messaging.TooOld:
                return host.connect(ctx, **asked)
        except Exception:
            self._give_up(one)
            raise

    @db.retried
    def _give_up(self, one):
        with self.db.write() as tx:
            VOLUME.lock(tx, one.volume_id)
            present = connections.find(tx, one.id)
            mine = (one.generation, states.CONNECTING, False)
            if present is not None and (present.generation, present.state, present.joined) == mine:
                connections.end_one(tx, one)

    @staticmethod
    def confirm(tx, one, info):
        """Raise ConnectionEnded unless the connection that was made is still wanted. The volume is locked."""
        present = connections.find(tx, one.id)
        if present is None or present.generation != one.generation or present.state == states.ENDING:
            raise errors.ConnectionEnded(id=one.volume_id)
        if present.state == states.CONNECTING:
            # A volume service of the release before knows no connections; the next one exports it again.
            data, row = info["data"], volumes.find(tx, one.volume_id)
            auth = data.get("auth_username") and f"CHAP {data['auth_username']} {data['auth_password']}"
            exported = info["driver_volume_type"] in targets.FORMER_KINDS
            connections.write(tx, present, state=states.RENEWING, auth=auth,
                              export_name=f"volume-{row.name_id or row.id}" if exported else None)

    def undo(self, ctx, row, attachment_id=None, connector=None):
        """Have undone what is recorded to be ended. Raises when it may not be undone yet."""
        asked = {"volume_id": row.id, "attachment_id": attachment_id, "connector": connector or {}}
        host = self.volume.on(service_of(row.host))
        try:
            host.disconnect(ctx, marked=True, **asked)
        except messaging.TooOld:
            host.disconnect(ctx, **asked)
            with self.db.write() as tx:
                connections.delete_ended(tx, row.id)

    def undo_soon(self, ctx, row, attachment_id=None, connector=None):
        """The same where it does not have to be undone yet: the volume service sees to it, if not now then later."""
        try:
            with self.db.read() as tx:
                self.check_up(tx, row)
            self.undo(ctx, row, attachment_id, connector)
        except (messaging.NoAnswer, errors.Unavailable, errors.BackendFailed) as error:
            LOG.warning("connections of volume %s are not undone yet: %s", row.id, error)

    def end_all(self, ctx, volume_id):
        """End every connection of a volume, and see that all are undone. Raises Unavailable when they may not be."""
        row = self._end_all(volume_id)
        if row is None:
            return
        with self.db.read() as tx:
            self.check_up(tx, row)
        try:
            self.undo(ctx, row)
        except errors.BackendFailed as error:
            raise errors.Unavailable(f"Hosts that are connected to volume {volume_id} could not be put out: {error}") from error

    @db.retried
    def _end_all(self, volume_id):
        """The volume's row, None when there is nothing to undo."""
        with self.db.write() as tx:
            VOLUME.lock(tx, volume_id)
            row = volumes.find(tx, volume_id)
            return row if row is not None and row.host is not None and domain.end_all(tx, row) else None
