"""What a backend exports follows the connections that are recorded: made, undone, and set right after interruptions."""

import contextlib
import logging

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, connections, jobs, volumes
from cinder_lite.jobs import worker
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume import connections as domain
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.jobs.volumes import as_volume
from cinder_lite.volume.targets import base as targets

LOG = logging.getLogger(__name__)


class Exports:
    """The exports of one backend. Calls of a target for one volume come one after the other."""

    def __init__(self, database, conf, backend):
        self.db, self.conf, self.backend = database, conf, backend
        self.driver, self.target = backend.driver, backend.target
        self._connects = isinstance(self.driver, drivers.Connects)

    @property
    def patience(self):
        """Seconds after which nobody waits any more for a connection that is being made."""
        return 2 * self.conf.rpc_reply_timeout + 10

    # -- make

    def connect(self, volume_id, attachment_id, connector, connection_id=None, generation=None):
        """Make the connection that was recorded; one that a release before asks for is recorded first.

        Returns its connection information. Raises errors.ConnectionEnded when it has been ended meanwhile.
        """
        with self.backend.locks[volume_id], _explained():
            if connection_id is None:
                connection_id, generation = self._record(volume_id, attachment_id, connector)
            self._settle(volume_id)
            row, one = self._admitted(volume_id, connection_id, generation, connector)
            volume = as_volume(row)
            if self._connects:
                found, location = self.backend.call(self.driver.connection, volume, connector), None
            else:
                export = self._export(row, one.export_name)
                location = export.location
                found = self.backend.call(self.target.connection, one.export_name, export, connector)
            self._confirm(row, one, location)
        found["data"].setdefault("volume_id", row.id)
        return found

    @db.retried
    def _record(self, volume_id, attachment_id, connector):
        with self.db.write() as tx:
            row = self._locked(tx, volume_id)
            attachment = attachment_id and attachments.find(tx, attachment_id)
            if attachment is not None or attachment_id is None:
                domain.check_connectable(row)
            elif not jobs.is_live(tx, attachment_id):
                raise errors.AttachmentNotFound(id=attachment_id)
            mode = domain.mode_of(row, attachment and attachment.attach_mode, (connector or {}).get("mode"))
            one = domain.begin(tx, row, connector or {}, mode, attachment_id, initialized=attachment_id is None)
            return one.id, one.generation

    @db.retried
    def _admitted(self, volume_id, connection_id, generation, connector):
        with self.db.write() as tx:
            row = self._locked(tx, volume_id)
            one = domain.admit(tx, row, connection_id, generation, self.backend.name)
            if not self._connects:
                self.target.check_connector(connector or {})
                one = domain.place(tx, one, as_volume(row).name, self.target)
            return row, one

    @staticmethod
    def _locked(tx, volume_id):
        VOLUME.lock(tx, volume_id)
        row = volumes.find(tx, volume_id)
        if row is None:
            raise errors.VolumeNotFound(id=volume_id)
        return row

    def _export(self, row, name):
        """Export as the living connections of that export say. Returns the Export."""
        volume = as_volume(row)
        with self.db.read() as tx:
            rows = domain.living(connections.of_volume(tx, row.id), name)
        if not rows:
            raise errors.ConnectionEnded(id=row.id)
        export, read_only = domain.export_of(rows, self.target)
        self.backend.call(self.driver.activate, volume)
        return self.backend.call(self.target.export, name, self.driver.path(volume), export, read_only)

    def _confirm(self, row, one, location):
        """Record that it was made; undo it when it was ended meanwhile."""
        if self._confirmed(row, one, location):
            return
        LOG.warning("a connection to volume %s was ended while it was being made; it is undone", row.id)
        self._withdraw(row, one.export_name)
        self._settle(row.id)
        raise errors.ConnectionEnded(id=row.id)

    @db.retried
    def _confirmed(self, row, one, location):
        with self.db.write() as tx:
            VOLUME.lock(tx, row.id)
            present = volumes.find(tx, row.id)
            with contextlib.suppress(errors.ConnectionEnded):
                if present is not None and present.name_id == row.name_id:
                    domain.admit(tx, present, one.id, one.generation, self.backend.name)
                    connections.write(tx, one, state=states.CONNECTED, location=location)
                    self._remember(tx, present)
                    return True
            return False

    def _remember(self, tx, row):
        if self.target is not None:
            domain.remember(tx, row, as_volume(row).name, self.target)

    def _withdraw(self, row, name):
        """Take an export back that no connection holds."""
        with self.db.read() as tx:
            held = domain.living(connections.of_volume(tx, row.id), name)
        if self.target is not None and not held:
            self.backend.call(self.target.remove, name)

    # -- undo

    def disconnect(self, volume_id, attachment_id, connector, marked=False):
        """Undo what is recorded to be ended; what a release before asks for is recorded first."""
        with self.backend.locks[volume_id], _explained():
            if not marked:
                self._mark(volume_id, attachment_id, connector)
            self._settle(volume_id)

    @db.retried
    def _mark(self, volume_id, attachment_id, connector):
        with self.db.write() as tx:
            VOLUME.lock(tx, volume_id)
            row = volumes.find(tx, volume_id)
            if row is None:
                return
            domain.take_over(tx, row)
            if attachment_id is not None:
                connections.end_of_attachment(tx, attachment_id)
                present = [one for one in attachments.of_volume(tx, volume_id) if one.attach_status != states.RESERVED]
                # With the last attachment everything ends; but not by a message that comes late.
                if [one.id for one in present] == [attachment_id]:
                    connections.end_of_volume(tx, volume_id)
            else:
                domain.end_matching(tx, row, connector or {})

    def settle(self, volume_id):
        """Undo what is recorded to be ended."""
        with self.backend.locks[volume_id], _explained():
            self._settle(volume_id)

    @staticmethod
    def _waits(one):
        """Whether it is to be undone, or to be exported otherwise."""
        return one.state in (states.ENDING, states.RENEWING)

    def _settle(self, volume_id):
        with self.db.read() as tx:
            rows = [one for one in connections.of_volume(tx, volume_id) if one.backend == self.backend.name]
            if not any(self._waits(one) for one in rows):
                return
            row = volumes.find(tx, volume_id)
        if row is None:
            return
        for name in {one.export_name for one in rows if self._waits(one)} - {None}:
            kept = domain.living(rows, name)
            if kept and self.target is not None:
                self._renew(row, name)
            elif self.target is not None:
                self.backend.call(self.target.remove, name)
        ended = [one for one in rows if one.state == states.ENDING]
        if self._connects:
            self.backend.call(self.driver.disconnect, as_volume(row), {})
            self._note(domain.living(rows), None)
        elif ended and len(ended) == len(rows):
            self.backend.call(self.driver.deactivate, as_volume(row))
        self._forget(row, ended)

    @db.retried
    def _forget(self, row, ended):
        with self.db.write() as tx:
            VOLUME.lock(tx, row.id)
            for one in ended:
                connections.delete(tx, one)
            present = volumes.find(tx, row.id)
            if present is not None:
                self._remember(tx, present)

    def _renew(self, row, name):
        """Export again for the connections that stay."""
        with self.db.read() as tx:
            rows = domain.living(connections.of_volume(tx, row.id), name)
        self._note(rows, self._export(row, name).location)

    @db.retried
    def _note(self, rows, location):
        with self.db.write() as tx:
            for one in rows:
                if one.state != states.CONNECTING:
                    connections.write(tx, one, state=states.CONNECTED, location=location)

    # -- after interruptions

    def sweep(self):
        """Undo what is recorded to be ended, and what nobody holds any more."""
        if not self.backend.up:
            return
        with self.db.read() as tx:
            found = connections.unsettled(tx, self.backend.name, self.patience)
        for volume_id in found:
            with worker.quiet(f"settling the connections of volume {volume_id}"):
                with self.db.write() as tx:
                    VOLUME.lock(tx, volume_id)
                    connections.end_lost(tx, volume_id, self.patience)
                self.settle(volume_id)

    def restore(self):
        """What is to be exported is exported again, under the same names and secrets; what is not any more, is not.

        After a restart of the host nothing is exported, or what other programs kept of it.
        """
        self._convert()
        if self.target is None or not self.backend.up:
            return
        exported = self.backend.call(self.target.exported)
        with self.db.read() as tx:
            rows = volumes.on_host(tx, self.backend.name)
            held = {}
            for one in connections.of_backend(tx, self.backend.name):
                if one.state == states.CONNECTED:
                    held.setdefault(one.volume_id, set()).add(one.export_name)
        of_volume = {}
        for name in exported:
            of_volume.setdefault(targets.volume_of(name), set()).add(name)
        for row in rows:
            here, wanted = of_volume.get(as_volume(row).name, set()), held.get(row.id, set())
            if here != wanted or not all(exported[name] for name in here):
                with worker.quiet(f"restoring the exports of volume {row.id}"), self.backend.locks[row.id]:
                    self._restore(row.id, here)

    def _convert(self):
        with self.db.read() as tx:
            found = connections.unconverted(tx, self.backend.name)
        for volume_id in found:
            with self.db.write() as tx:
                VOLUME.lock(tx, volume_id)
                row = volumes.find(tx, volume_id)
                if row is not None:
                    domain.take_over(tx, row)

    def _restore(self, volume_id, exported):
        self._settle(volume_id)
        with self.db.read() as tx:
            row = volumes.find(tx, volume_id)
            rows = domain.living(connections.of_volume(tx, volume_id))
        if row is None:
            return
        for name in exported - {one.export_name for one in rows}:
            self.backend.call(self.target.remove, name)
        for name in {one.export_name for one in rows if one.state != states.CONNECTING} - {None}:
            self._renew(row, name)

    def resize(self, row):
        """Show a volume's new size where it is exported."""
        if self.target is None:
            return
        with self.backend.locks[row.id]:
            with self.db.read() as tx:
                names = {one.export_name for one in domain.living(connections.of_volume(tx, row.id))} - {None}
            for name in sorted(names):
                self.backend.call(self.target.resize, name, self.driver.path(as_volume(row)))


@contextlib.contextmanager
def _explained():
    """What a driver or a target refuses, as an answer."""
    try:
        yield
    except (drivers.DriverError, targets.TargetError) as error:
        raise errors.BackendFailed(reason=str(error), public=error.public) from error
