"""Requests connections and disconnections from volume services, after they were recorded in the database."""

import logging
import typing
from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import connections, schema, services
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.rpc import calls
from cinder_lite.volume import connections as domain
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)


class ConnectionClient:
    """Calls the volume service of a volume to connect and disconnect hosts as recorded."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: typing.Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume

    @property
    def service_down(self) -> typing.Any:
        """The column of a volume by which `check_up` decides."""
        return services.down(schema.volumes.c.host, self.conf.service_down_time)

    @staticmethod
    def check_up(row: db.Row, tx: db.Transaction | None = None) -> None:
        """Raise BackendDown if the service of a volume, read with `service_down`, is down; with `tx`, unless it may be
        being restarted."""
        if row.service_down and not (tx is not None and services.restarts(tx, "cinder-volume", service_of(row.host))):
            raise errors.BackendDown(id=row.id)

    def connect(self, ctx: context.Context, row: db.Row, one: db.Row, connector: dict) -> dict:
        """Establish a recorded connection; end it if that fails. Returns the connection information."""
        asked = {"volume_id": row.id, "attachment_id": one.attachment_id, "connector": connector}
        try:
            host = self.volume.on(service_of(row.host))
            try:
                return self._ask(row, lambda: host.connect(
                    ctx, connection_id=one.id, generation=one.generation, **asked))
            except calls.TooOld:
                return host.connect(ctx, **asked)
        except Exception:
            self._end_failed(one)
            raise

    @staticmethod
    def _ask(row, call):
        """The answer to a call; in a cluster it is repeated once: if a member hangs, another gets the next message."""
        try:
            return call()
        except calls.NoAnswer as error:
            if type(error) is not calls.NoAnswer or row.cluster_name is None:
                raise
            LOG.warning("a member of %s does not answer, the next one is asked: %s", row.cluster_name, error)
            return call()

    @db.retried
    def _end_failed(self, one):
        with self.db.write() as tx:
            VOLUME.lock(tx, one.volume_id)
            present = connections.find(tx, one.id)
            mine = (one.generation, states.CONNECTING, False)
            if present is not None and (present.generation, present.state, present.joined) == mine:
                connections.end_one(tx, one)

    @staticmethod
    def check_current(tx: db.Transaction, row: db.Row, one: db.Row, present: db.Row | None, info: Mapping) -> None:
        """Raise ConnectionEnded if the connection, which is now `present`, was ended meanwhile.

        The caller has locked the volume `row`.
        """
        if present is None or present.generation != one.generation or present.state == states.ENDING:
            raise errors.ConnectionEnded(id=one.volume_id)
        if present.state == states.CONNECTING:
            # A volume service of the previous release records no connections; the next release exports it again.
            data = info["data"]
            auth = data.get("auth_username") and f"CHAP {data['auth_username']} {data['auth_password']}"
            exported = info["driver_volume_type"] in targets.FORMER_KINDS
            connections.write(tx, present, state=states.RENEWING, auth=auth,
                              export_name=f"volume-{row.name_id or row.id}" if exported else None)

    def disconnect(self, ctx: context.Context, row: db.Row, attachment_id: str | None = None,
                   connector: dict | None = None) -> None:
        """Remove the connections recorded as ended. Raises if they may still exist."""
        asked = {"volume_id": row.id, "attachment_id": attachment_id, "connector": connector or {}}
        host = self.volume.on(service_of(row.host))
        try:
            self._ask(row, lambda: host.disconnect(ctx, marked=True, **asked))
        except calls.TooOld:
            host.disconnect(ctx, **asked)
            with self.db.write() as tx:
                connections.delete_ended(tx, row.id)

    def disconnect_soon(self, ctx: context.Context, row: db.Row, attachment_id: str | None = None,
                        connector: dict | None = None) -> None:
        """Try to remove the connections recorded as ended; otherwise the volume service removes them later."""
        try:
            self._check_reachable(row)
            self.disconnect(ctx, row, attachment_id, connector)
        except (calls.NoAnswer, errors.Unavailable, errors.BackendFailed) as error:
            LOG.warning("connections of volume %s are not removed yet: %s", row.id, error)

    def _check_reachable(self, row):
        """Raise BackendDown if the volume's service is down, which may have been read with the row."""
        if hasattr(row, "service_down"):
            self.check_up(row)
            return
        with self.db.read() as tx:
            if services.is_down(tx, "cinder-volume", service_of(row.host), self.conf.service_down_time):
                raise errors.BackendDown(id=row.id)

    def end_all(self, ctx: context.Context, volume_id: str) -> None:
        """End and remove all connections of a volume. Raises Unavailable if one may still exist."""
        row = self._end_all(volume_id)
        if row is None:
            return
        self.check_up(row)
        try:
            self.disconnect(ctx, row)
        except errors.BackendFailed as error:
            raise errors.Unavailable(
                f"Hosts that are connected to volume {volume_id} could not be disconnected: {error}") from error

    @db.retried
    def _end_all(self, volume_id):
        """The volume's row, None if there is nothing to remove."""
        with self.db.write() as tx:
            row = VOLUME.locked(tx, volume_id, self.service_down)
            return row if row is not None and row.host is not None and domain.end_all(tx, row) else None
