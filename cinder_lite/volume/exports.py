"""Makes a backend's exports match the recorded connections, also after interruptions."""

import contextlib
import logging
import typing

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, connections, job_queries, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume import connections as domain
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)


class Exports:
    """The exports of one backend. Calls of the target for one volume are serialized."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend) -> None:
        self.db, self.conf, self.backend = database, conf, backend
        self.driver: typing.Any = backend.driver
        self.target: typing.Any = backend.target
        self._connects = isinstance(self.driver, drivers.Connects)

    @property
    def connect_timeout(self) -> float:
        """Seconds after which no caller waits any more for a connection that is being established."""
        return 2 * self.conf.rpc_reply_timeout + 10

    # -- connect

    def connect(self, volume_id: str, attachment_id: str | None, connector: dict | None,
                connection_id: str | None = None, generation: int | None = None) -> dict:
        """Establish a recorded connection; without `connection_id` (previous release) it is recorded first.

        Returns its connection information. Raises errors.ConnectionEnded if it was ended meanwhile.
        """
        with self.backend.locks[volume_id], _as_backend_failed():
            if connection_id is None:
                connection_id, generation = self._record(volume_id, attachment_id, connector)
            row, one, rows = self._intended(volume_id, connection_id, generation, connector)
            volume = driver_views.as_volume(row)
            if isinstance(self.driver, drivers.Connects):
                found, location = self.backend.call(self.driver.connection, volume, connector), None
            else:
                export = self._export(row, one.export_name, rows)
                location = export.location
                found = self.backend.call(self.target.connection, one.export_name, export, connector)
            self._confirm(row, one, location)
        found["data"].setdefault("volume_id", row.id)
        return found

    @db.retried
    def _record(self, volume_id, attachment_id, connector):
        with self.db.write() as tx:
            row = VOLUME.locked(tx, volume_id)
            if row is None:
                raise errors.VolumeNotFound(id=volume_id)
            attachment = attachment_id and attachments.find(tx, attachment_id)
            if attachment is not None or attachment_id is None:
                domain.check_connectable(row)
            elif not job_queries.is_live(tx, attachment_id):
                raise errors.AttachmentNotFound(id=attachment_id)
            mode = domain.access_mode(row, attachment and attachment.attach_mode, (connector or {}).get("mode"))
            one = domain.begin(tx, row, connector or {}, mode, attachment_id, initialized=attachment_id is None)
            return one.id, one.generation

    def _intended(self, volume_id, connection_id, generation, connector):
        """(the volume, its connection, all its connections), after those that ended were removed."""
        found = self._assigned(volume_id, connection_id, generation, connector, settled=False)
        if found is None:
            self._reconcile(volume_id)
            found = self._assigned(volume_id, connection_id, generation, connector, settled=True)
        return found

    @db.retried
    def _assigned(self, volume_id, connection_id, generation, connector, settled):
        """The same; None if some have to be removed or renewed first and may not be yet (`settled`)."""
        # For a driver that connects hosts itself nothing is written here, so that no lock is needed: `_confirmed`
        # compares the generation.
        with self.db.read() if self._connects else self.db.write() as tx:
            if not self._connects:
                VOLUME.lock(tx, volume_id)
            row, rows = connections.with_volume(tx, volume_id)
            if row is None:
                raise errors.VolumeNotFound(id=volume_id)
            if not settled and any(self._needs_change(one) for one in rows if one.backend == self.backend.name):
                return None
            one = domain.current(rows, row, connection_id, generation, self.backend.name)
            if self._connects:
                return row, one, rows
            self.target.check_connector(connector or {})
            named = domain.assign_export(tx, rows, one, driver_views.as_volume(row).name, self.target)
            return row, named, [named if other is one else other for other in rows]

    def _export(self, row, name, rows):
        """Export as the active connections of that export, among `rows`, require. Returns the Export."""
        volume, users = driver_views.as_volume(row), domain.active(rows, name)
        if not users:
            raise errors.ConnectionEnded(id=row.id)
        export, read_only = domain.export_of(users, self.target)
        self.backend.call(self.driver.activate, volume)
        return self.backend.call(self.target.export, name, self.driver.path(volume), export, read_only)

    def _confirm(self, row, one, location):
        """Record that it is established; remove it if it was ended meanwhile."""
        if self._confirmed(row, one, location):
            return
        LOG.warning("a connection to volume %s was ended while it was being established; removing it", row.id)
        self._remove_unused(row, one.export_name)
        self._reconcile(row.id)
        raise errors.ConnectionEnded(id=row.id)

    @db.retried
    def _confirmed(self, row, one, location):
        with self.db.write() as tx:
            present = VOLUME.locked(tx, row.id)
            if present is None or present.name_id != row.name_id or present.status == states.DELETING or (
                    not connections.establish(tx, one, location)):
                return False
            if self.target is not None:
                domain.save_export(tx, present, driver_views.as_volume(row).name, self.target)
            return True

    def _remove_unused(self, row, name):
        """Remove an export that no connection uses."""
        with self.db.read() as tx:
            used = domain.active(connections.of_volume(tx, row.id), name)
        if self.target is not None and not used:
            self.backend.call(self.target.remove, name)

    # -- disconnect

    def disconnect(self, volume_id: str, attachment_id: str | None, connector: dict | None,
                   marked: bool = False) -> None:
        """Remove ended connections; without `marked` (previous release) their end is recorded first."""
        with self.backend.locks[volume_id], _as_backend_failed():
            if not marked:
                self._record_end(volume_id, attachment_id, connector)
            self._reconcile(volume_id)

    @db.retried
    def _record_end(self, volume_id, attachment_id, connector):
        with self.db.write() as tx:
            row = VOLUME.locked(tx, volume_id)
            if row is None:
                return
            domain.import_legacy_export(tx, row)
            if attachment_id is not None:
                connections.end_of_attachment(tx, attachment_id)
                present = [one for one in attachments.of_volume(tx, volume_id) if one.attach_status != states.RESERVED]
                # Everything ends with the last attachment, unless the message is late.
                if [one.id for one in present] == [attachment_id]:
                    connections.end_of_volume(tx, volume_id)
            else:
                domain.end_matching(tx, row, connector or {})

    def reconcile(self, volume_id: str) -> None:
        """Remove ended connections of a volume, and renew changed exports."""
        with self.backend.locks[volume_id], _as_backend_failed():
            self._reconcile(volume_id)

    @staticmethod
    def _needs_change(one):
        """Whether the connection has to be removed or its export changed."""
        return one.state in (states.ENDING, states.RENEWING)

    def _reconcile(self, volume_id):
        with self.db.read() as tx:
            row, found = connections.with_volume(tx, volume_id)
        rows = [one for one in found if one.backend == self.backend.name]
        if not any(self._needs_change(one) for one in rows):
            return
        for name in {one.export_name for one in rows if self._needs_change(one)} - {None}:
            kept = domain.active(rows, name)
            if kept and self.target is not None:
                self._renew(row, name)
            elif self.target is not None:
                self.backend.call(self.target.remove, name)
        ended = [one for one in rows if one.state == states.ENDING]
        if self._connects:
            self.backend.call(self.driver.disconnect, driver_views.as_volume(row), {})
            self._record_connected(domain.active(rows), None)
        elif ended and len(ended) == len(rows):
            self.backend.call(self.driver.deactivate, driver_views.as_volume(row))
        self._delete_ended(row, ended)

    @db.retried
    def _delete_ended(self, row, ended):
        # Only what is recorded of an export needs a transaction: an ended connection is changed no more.
        with self.db.each() if self.target is None else self.db.write() as tx:
            present = VOLUME.locked(tx, row.id) if self.target is not None else None
            for one in ended:
                connections.delete(tx, one)
            if present is not None:
                domain.save_export(tx, present, f"volume-{present.name_id or present.id}", self.target)

    def _renew(self, row, name):
        """Export again for the remaining connections. Those of a volume that is being deleted end with it."""
        if row.status == states.DELETING:
            return
        with self.db.read() as tx:
            rows = domain.active(connections.of_volume(tx, row.id), name)
        self._record_connected(rows, self._export(row, name, rows).location)

    @db.retried
    def _record_connected(self, rows, location):
        with self.db.write() if rows else contextlib.nullcontext() as tx:
            for one in rows:
                if one.state != states.CONNECTING:
                    connections.write(tx, one, state=states.CONNECTED, location=location)

    # -- after interruptions

    def sweep(self) -> None:
        """Remove ended connections, and connections that were abandoned while being established."""
        if not self.backend.up:
            return
        with self.db.read() as tx:
            found = connections.unsettled(tx, self.backend.name, self.connect_timeout)
        for volume_id in found:
            with outcomes.quiet(f"removing ended connections of volume {volume_id}"):
                with self.db.write() as tx:
                    VOLUME.lock(tx, volume_id)
                    connections.end_lost(tx, volume_id, self.connect_timeout)
                self.reconcile(volume_id)

    def restore(self) -> None:
        """Export again what the connections require, under the same names and secrets, and remove other exports.

        After a reboot of the host nothing is exported, or only what other programs restored.
        """
        self._import_legacy()
        if self.target is None or not self.backend.up:
            return
        exported = self.backend.call(self.target.exported)
        with self.db.read() as tx:
            rows = volumes.on_host(tx, self.backend.name)
            held: dict[str, set[str]] = {}
            for one in connections.of_backend(tx, self.backend.name):
                if one.state == states.CONNECTED:
                    held.setdefault(one.volume_id, set()).add(one.export_name)
        of_volume: dict[str, set[str]] = {}
        for name in exported:
            of_volume.setdefault(targets.volume_of(name), set()).add(name)
        for row in rows:
            here, wanted = of_volume.get(driver_views.as_volume(row).name, set()), held.get(row.id, set())
            if here != wanted or not all(exported[name] for name in here):
                with outcomes.quiet(f"restoring the exports of volume {row.id}"), self.backend.locks[row.id]:
                    self._restore(row.id, here)

    def are_lost(self) -> bool:
        """Whether the export of an established connection is missing: the target's daemon was restarted, or has ended.

        False also if the target does not answer, which its `check` reports.
        """
        if self.target is None:
            return False
        with self.db.read() as tx:
            wanted = connections.established(tx, self.backend.name)
        try:
            exported = self.backend.call(self.target.exported) if wanted else {}
        except targets.TargetError:
            return False
        return not all(exported.get(name) for name in wanted)

    def _import_legacy(self):
        with self.db.read() as tx:
            found = connections.unconverted(tx, self.backend.name)
        for volume_id in found:
            with self.db.write() as tx:
                row = VOLUME.locked(tx, volume_id)
                if row is not None:
                    domain.import_legacy_export(tx, row)

    def _restore(self, volume_id, exported):
        self._reconcile(volume_id)
        with self.db.read() as tx:
            row = volumes.find(tx, volume_id)
            rows = domain.active(connections.of_volume(tx, volume_id))
        if row is None:
            return
        for name in exported - {one.export_name for one in rows}:
            self.backend.call(self.target.remove, name)
        for name in {one.export_name for one in rows if one.state != states.CONNECTING} - {None}:
            self._renew(row, name)

    def resize(self, row: db.Row) -> None:
        """Make a volume's exports show its new size."""
        if self.target is None:
            return
        with self.backend.locks[row.id]:
            with self.db.read() as tx:
                names = {one.export_name for one in domain.active(connections.of_volume(tx, row.id))} - {None}
            for name in sorted(names):
                self.backend.call(self.target.resize, name, self.driver.path(driver_views.as_volume(row)))


@contextlib.contextmanager
def _as_backend_failed():
    """Turn errors of the driver and the target into BackendFailed."""
    try:
        yield
    except (drivers.DriverError, targets.TargetError) as error:
        raise errors.BackendFailed(reason=str(error), public=error.public) from error
