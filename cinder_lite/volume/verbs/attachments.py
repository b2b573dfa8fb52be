"""Attaches and detaches volumes, by the attachments API and by the older volume actions.

A volume's status is derived from its attachments in the transaction that changes one of them. While an action runs on
the volume (an extension, say), the status to which it returns is changed instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import attachments, connections, guards, metadata_index, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.lifecycle import VOLUME, labels
from cinder_lite.nova.detach_guard import DetachGuard
from cinder_lite.volume import connections as domain
from cinder_lite.volume import qos
from cinder_lite.volume.connecting import ConnectionClient

#: The statuses in which a volume can be reserved.
_RESERVABLE = (states.AVAILABLE, states.IN_USE, states.RESERVED, states.ATTACHING, states.DOWNLOADING)
_RESERVED_IF = (guards.HAS_PLACE, guards.NOT_MOVING)
_ANY = states.VOLUME_STATUSES + states.UNLISTED


class Attachments:
    """The operations on attachments."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf = database, conf
        self._detach_guard, self._connecting = DetachGuard(conf), ConnectionClient(database, conf, volume)

    # -- the attachments API

    def get(self, ctx: context.Context, id: str) -> db.Row:
        with self.db.read() as tx:
            return attachments.get(tx, ctx, id)

    def create(self, ctx: context.Context, volume_id: str, instance_uuid: str | None, connector: dict | None,
               mode: str | None) -> db.Row:
        """Reserve the volume for a server; with a connector, connect it at once. Returns the row."""
        row, volume, one, mode = self._reserve(ctx, volume_id, instance_uuid, mode, connector)
        if not connector:
            return row
        try:
            info = self._connecting.connect(ctx, volume, one, connector)
            return self._record_connection(ctx, row.id, one, connector, mode, info)
        except Exception:
            with outcomes.quiet(f"removing the reservation {row.id}"):
                self._remove(row.id)
            raise

    @db.retried
    def _reserve(self, ctx, volume_id, instance_uuid, mode, connector):
        """(the attachment, its volume); with a connector also the recorded connection, None without, and its mode."""
        with self.db.write() as tx:
            volume = volumes.visible(ctx, volume_id, VOLUME.locked(
                tx, volume_id, *labels(_RESERVED_IF), self._connecting.service_down))
            if connector:
                self._connecting.check_up(volume, tx)
            VOLUME.check(volume, volume_id, _RESERVABLE, _RESERVED_IF)
            present = attachments.of_volume(tx, volume_id)
            self._check_reservable(volume, present, instance_uuid)
            row = attachments.insert(
                tx, id=randomness.new_id(), volume_id=volume_id, project_id=volume.project_id,
                instance_uuid=instance_uuid, attach_status=states.RESERVED, connector={}, connection_info={},
                attach_mode=domain.READ_ONLY if domain.is_read_only(volume) else mode)
            status = mirror(tx, volume, [*present, row])
            if not connector:
                return row, volume, None, row.attach_mode
            self._check_connectable(row, volume, status, present)
            mode = domain.access_mode(volume, row.attach_mode, connector.get("mode"))
            return row, volume, domain.begin_first(tx, volume, connector, mode, row.id), mode

    @staticmethod
    def _check_reservable(volume, present, instance_uuid):
        same_server = bool(instance_uuid) and all(one.instance_uuid == instance_uuid for one in present)
        if not volume.multiattach and (
                (present and not same_server) or (not present and volume.status != states.AVAILABLE
                                                  and volume.status != states.DOWNLOADING)):
            raise errors.InvalidState(kind="volume", reason=(
                f"its status must be available or downloading to reserve, but it is {volume.status}; only volumes "
                "of a type with multiattach can be attached more than once"))

    def update(self, ctx: context.Context, id: str, connector: dict | None) -> db.Row:
        """Connect the attachment's host: export the volume and record the connection information. Returns the row."""
        if not connector:
            raise errors.InvalidInput(reason="A connector is needed: an object that describes the attaching host.")
        volume, one, mode = self._begin_connection(ctx, id, connector)
        info = self._connecting.connect(ctx, volume, one, connector)
        return self._record_connection(ctx, id, one, connector, mode, info)

    @db.retried
    def _begin_connection(self, ctx, id, connector):
        with self.db.write() as tx:
            volume, row, others = self._of_attachment(tx, ctx, id, self._connecting.service_down)
            self._check_connectable(row, volume, volume.status, others)
            self._connecting.check_up(volume, tx)
            mode = domain.access_mode(volume, row.attach_mode, connector.get("mode"))
            return volume, domain.begin(tx, volume, connector, mode, id), mode

    @staticmethod
    def _check_connectable(row, volume, status, others):
        if row.attach_status == states.ATTACHED:
            raise errors.InvalidState(kind="attachment", reason="it is attached already")
        if states.ERROR in status:
            raise errors.Conflict(f"Volume {volume.id} is in status {status}: no host can be connected to it.")
        if status not in (states.RESERVED, states.ATTACHING, states.IN_USE):
            raise errors.InvalidState(kind="volume", reason=(
                f"its status must be reserved, attaching or in-use to connect it, but it is {status}"))
        if volume.multiattach:
            return
        for other in others:
            if other.connector and other.instance_uuid != row.instance_uuid:
                raise errors.Conflict(f"Volume {volume.id} is connected to another host by attachment {other.id}, and "
                                      "its type does not allow multiattach.")

    @db.retried
    def _record_connection(self, ctx, id, one, connector, mode, info):
        with self.db.write() as tx:
            volume = self._held(tx, one.volume_id, *volumes.QOS)
            current, present = connections.with_attachments(tx, one.id)
            self._connecting.check_current(tx, volume, one, current, info)
            row = next((found for found in present if found.id == id), None)
            if row is None:
                raise errors.AttachmentNotFound(id=id)
            specs = qos.of_front_end(volume)
            flat = {**info["data"], "driver_volume_type": info["driver_volume_type"], "attachment_id": id,
                    "encrypted": volume.encryption_key_id is not None, "access_mode": mode,
                    "qos_specs": specs, "cacheable": False,
                    "enforce_multipath": bool(connector.get("enforce_multipath", False))}
            changed = attachments.write(tx, row, connector=connector, connection_info=flat, attach_mode=mode,
                                        attach_status=states.ATTACHING, attached_host=connector.get("host"),
                                        mountpoint=connector.get("mountpoint"))
            mirror(tx, volume, [changed if found is row else found for found in present])
            return changed

    @db.retried
    def complete(self, ctx: context.Context, id: str) -> None:
        """Record that the host has attached the volume: attached, in-use."""
        with self.db.write() as tx:
            volume, row, others = self._of_attachment(tx, ctx, id)
            if row.attach_status not in (states.ATTACHING, states.RESERVED) or volume.status not in (
                    states.ATTACHING, states.RESERVED, states.IN_USE):
                raise errors.InvalidState(kind="volume", reason=(
                    f"its status must be attaching to complete attachment {id}, but it is {volume.status}"))
            changed = attachments.write(tx, row, attach_status=states.ATTACHED, attached_at=db.now())
            mirror(tx, volume, [*others, changed])

    def delete(self, ctx: context.Context, id: str) -> Sequence[db.Row]:
        """Disconnect and remove the attachment. Returns the volume's other attachments."""
        with self.db.read() as tx:
            row = attachments.get(tx, ctx, id)
        self._detach_guard.check(ctx, (row,))
        volume, others, ended = self._remove(id)
        if ended:
            self._connecting.disconnect_soon(ctx, volume, id, row.connector)
        return others

    @db.retried
    def _remove(self, id):
        """Delete the attachment, and end its connections.

        Returns the volume, its other attachments, and whether there are connections to remove.
        """
        with self.db.write() as tx:
            volume, _, others = self._of_attachment(tx, context.system(), id, self._connecting.service_down)
            domain.import_legacy_export(tx, volume)
            attachments.delete(tx, id)
            # Connections that were initialized without an attachment end with the last attachment.
            ended = connections.end_of_attachment(tx, id) if others else connections.end_of_volume(tx, volume.id)
            mirror(tx, volume, others)
            return volume, others, ended

    @staticmethod
    def _of_attachment(tx, ctx, id, *columns):
        """(the volume, locked, with further columns; the attachment; the volume's other attachments, oldest first)."""
        while True:
            volume = VOLUME.locked(tx, id, *columns, by=attachments.VOLUME_ID) or Attachments._held(
                tx, attachments.get(tx, ctx, id).volume_id, *columns)
            present = {one.id: one for one in attachments.of_volume(tx, volume.id)}
            row = present.pop(id, None)
            if row is not None:
                return volume, attachments.visible(ctx, id, row), list(present.values())
            # It was removed, or assigned to another volume, while this transaction waited for the lock.

    @staticmethod
    def _held(tx, volume_id, *columns):
        """The volume's row, locked, whatever its status; with further columns."""
        return VOLUME.check(VOLUME.locked(tx, volume_id, *columns), volume_id, _ANY)

    # -- volume actions

    @db.retried
    def reserve(self, ctx: context.Context, volume_id: str) -> None:
        """available (with multiattach also in-use) -> attaching."""
        with self.db.write() as tx:
            row = volumes.get(tx, ctx, volume_id)
            statuses = (states.AVAILABLE, states.IN_USE) if row.multiattach else (states.AVAILABLE,)
            VOLUME.write(tx, volume_id, statuses, (guards.HAS_PLACE, guards.NOT_MOVING), status=states.ATTACHING)

    def unreserve(self, ctx: context.Context, volume_id: str) -> None:
        """From attaching back to the status that the attachments give; no change from other statuses."""
        self._leave(ctx, volume_id, states.ATTACHING)

    @db.retried
    def begin_detaching(self, ctx: context.Context, volume_id: str) -> None:
        """From in-use to detaching."""
        with self.db.write() as tx:
            row = volumes.get(tx, ctx, volume_id)
            # Nova is replacing the volume by its copy, which users must not notice.
            if row.migration_status != states.MIGRATING:
                VOLUME.write(tx, volume_id, (states.IN_USE,), status=states.DETACHING)

    def roll_detaching(self, ctx: context.Context, volume_id: str) -> None:
        """From detaching back to the status that the attachments give."""
        self._leave(ctx, volume_id, states.DETACHING)

    @db.retried
    def _leave(self, ctx, volume_id, status):
        with self.db.write() as tx:
            row = volumes.visible(ctx, volume_id, VOLUME.locked(tx, volume_id))
            if row.status == status:
                mirror(tx, row)

    def initialize(self, ctx: context.Context, volume_id: str, connector: dict) -> dict:
        """Export the volume to the connector's host. Returns the connection information."""
        row, one = self._begin_initialized(ctx, volume_id, connector)
        info = self._connecting.connect(ctx, row, one, connector)
        self._confirm_initialized(row, one, info)
        data = {"encrypted": row.encryption_key_id is not None, "qos_specs": qos.of_front_end(row), "cacheable": False,
                "access_mode": domain.READ_ONLY if one.read_only else domain.READ_WRITE, **info["data"]}
        return {"driver_volume_type": info["driver_volume_type"], "data": data,
                "enforce_multipath": bool(connector.get("enforce_multipath", False))}

    @db.retried
    def _begin_initialized(self, ctx, volume_id, connector):
        with self.db.write() as tx:
            row = volumes.visible(ctx, volume_id, VOLUME.locked(
                tx, volume_id, *volumes.QOS, self._connecting.service_down))
            domain.check_connectable(row)
            self._connecting.check_up(row, tx)
            mode = domain.access_mode(row, connector.get("mode"))
            return row, domain.begin(tx, row, connector, mode, initialized=True)

    @db.retried
    def _confirm_initialized(self, row, one, info):
        with self.db.write() as tx:
            volume = self._held(tx, row.id)
            self._connecting.check_current(tx, volume, one, connections.find(tx, one.id), info)

    def terminate(self, ctx: context.Context, volume_id: str, connector: dict) -> None:
        """Remove the export and release a reservation."""
        self._check_not_used(ctx, volume_id)
        row = self._end_initialized(ctx, volume_id, connector)
        self._connecting.disconnect_soon(ctx, row, connector=connector)
        self.unreserve(ctx, volume_id)

    @db.retried
    def _end_initialized(self, ctx, volume_id, connector):
        with self.db.write() as tx:
            row = volumes.visible(ctx, volume_id, VOLUME.locked(tx, volume_id, self._connecting.service_down))
            if row.host is None:
                raise errors.InvalidState(kind="volume", reason="it has not been placed on a backend")
            domain.end_matching(tx, row, connector)
            return row

    @db.retried
    def attach(self, ctx: context.Context, volume_id: str, instance_uuid: str | None, host_name: str | None,
               mountpoint: str | None, mode: str) -> None:
        """Record that a server or a host has attached the volume: in-use."""
        with self.db.write() as tx:
            row = VOLUME.hold(tx, volumes.get(tx, ctx, volume_id).id, (states.ATTACHING, states.AVAILABLE),)
            if domain.is_read_only(row) and mode == domain.READ_WRITE:
                raise errors.InvalidState(kind="volume", reason="it is read-only; attach it with mode ro")
            id = randomness.new_id()
            domain.attach_initialized(tx, row, id, host_name)
            attachments.insert(tx, id=id, volume_id=volume_id, project_id=row.project_id,
                               instance_uuid=instance_uuid, attached_host=host_name, mountpoint=mountpoint,
                               attach_mode=mode, attach_status=states.ATTACHED, attached_at=db.now(), connector={},
                               connection_info={})
            new = {"readonly": "False", **row.admin_metadata, "attached_mode": mode}
            metadata_index.update(tx, row, admin_metadata=new)
            VOLUME.write(tx, volume_id, admin_metadata=new)
            mirror(tx, self._held(tx, volume_id))

    def detach(self, ctx: context.Context, volume_id: str, attachment_id: str | None) -> None:
        """Record that the volume is detached; the export is removed with the last attachment."""
        with self.db.read() as tx:
            volumes.get(tx, ctx, volume_id)
            present = attachments.of_volume(tx, volume_id)
        if attachment_id is None and len(present) > 1:
            raise errors.InvalidState(kind="volume", reason=(
                f"it has {len(present)} attachments; name the one to detach by attachment_id"))
        chosen = [one for one in present if attachment_id in (None, one.id)]
        if attachment_id is not None and not chosen:
            raise errors.AttachmentNotFound(id=attachment_id)
        if chosen:
            self.delete(ctx, chosen[0].id)
        else:
            self.reset_unattached(ctx, volume_id)

    def reset_unattached(self, ctx: context.Context, volume_id: str) -> None:
        """Make a volume without attachments available again, and revoke the access of all hosts to it."""
        row, ended = self._reset_unattached(ctx, volume_id)
        if ended:
            self._connecting.disconnect_soon(ctx, row)

    @db.retried
    def _reset_unattached(self, ctx, volume_id):
        with self.db.write() as tx:
            row = self._held(tx, volumes.get(tx, ctx, volume_id).id)
            mirror(tx, row)
            return row, row.host is not None and domain.end_all(tx, row)

    def _check_not_used(self, ctx, volume_id, attachment_id=None):
        """Raise an error if a server uses the volume by that attachment, or by any if None."""
        with self.db.read() as tx:
            present = attachments.of_volume(tx, volume_id)
        self._detach_guard.check(ctx, [one for one in present if attachment_id in (None, one.id)])

    def force_detach(self, ctx: context.Context, volume_id: str, attachment_id: str | None,
                     connector: dict | None) -> None:
        """Disconnect and detach the volume whatever its status."""
        self._check_not_used(ctx, volume_id, attachment_id)
        row = self._end_initialized(ctx, volume_id, connector) if connector or attachment_id is None else None
        self.detach(ctx, volume_id, attachment_id)
        if row is not None:
            self._connecting.disconnect_soon(ctx, row, attachment_id, connector)


def mirror(tx: db.Transaction, volume: db.Row, present: Iterable[db.Row] | None = None) -> str:
    """Set the status that the attachments give to the volume. Returns the volume's status.

    `volume` is its locked row; `present` are its attachments if the caller has read them since it was locked.
    """
    status, attach_status = attachments.strongest(attachments.of_volume(tx, volume.id) if present is None else present)
    values: dict[str, Any] = {"attach_status": attach_status}
    if attach_status == states.DETACHED and "attached_mode" in volume.admin_metadata:
        values["admin_metadata"] = {key: value for key, value in volume.admin_metadata.items()
                                    if key != "attached_mode"}
        metadata_index.update(tx, volume, admin_metadata=values["admin_metadata"])
    driven = volume.status in states.ATTACHMENT_DRIVEN
    values["status" if driven else "previous_status"] = status
    VOLUME.write(tx, volume.id, **values)
    return status if driven else volume.status
