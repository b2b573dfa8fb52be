"""The verbs of attachments, the new ones (/attachments) and the old ones (volume actions).

A volume's status mirrors its attachments: it is computed anew in the transaction that changes one of them. While an
action runs on the volume (it is being extended, say), the status it returns to is changed instead.
"""

import uuid

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, guards, labels, volumes
from cinder_lite.lifecycle import VOLUME
from cinder_lite.volume import qos
from cinder_lite.volume.detaching import Detaching
from cinder_lite.volume.hosts import service_of


class Attachments:
    """What can be done to attachments."""

    def __init__(self, database, conf, volume):
        self.db, self.conf, self.volume = database, conf, volume
        self._detaching = Detaching(conf)

    # -- the attachments API

    def get(self, ctx, id):
        with self.db.read() as tx:
            return attachments.get(tx, ctx, id)

    def create(self, ctx, volume_id, instance_uuid, connector, mode):
        """Reserve the volume for a server; with a connector, connect it at once. Returns the row."""
        id = self._reserve(ctx, volume_id, instance_uuid, mode)
        if connector:
            return self.update(ctx, id, connector)
        return self.get(ctx, id)

    @db.retried
    def _reserve(self, ctx, volume_id, instance_uuid, mode):
        with self.db.write() as tx:
            volumes.get(tx, ctx, volume_id)
            volume = VOLUME.hold(tx, volume_id, (states.AVAILABLE, states.IN_USE, states.RESERVED, states.ATTACHING,
                                                 states.DOWNLOADING), (guards.HAS_PLACE, guards.NOT_MOVING))
            present = attachments.of_volume(tx, volume_id)
            same_server = bool(instance_uuid) and all(one.instance_uuid == instance_uuid for one in present)
            if not volume.multiattach and (
                    (present and not same_server) or (not present and volume.status != states.AVAILABLE
                                                      and volume.status != states.DOWNLOADING)):
                raise errors.InvalidState(kind="volume", reason=(
                    f"its status must be available or downloading to reserve, but it is {volume.status}; only volumes "
                    "of a type with multiattach can be attached more than once"))
            id = str(uuid.uuid4())
            attachments.insert(tx, id=id, volume_id=volume_id, project_id=volume.project_id,
                               instance_uuid=instance_uuid, attach_mode=mode, attach_status=states.RESERVED,
                               connector={}, connection_info={})
            mirror(tx, volume)
            return id

    def update(self, ctx, id, connector):
        """Connect the attachment's host: exports the volume and keeps the connection's data. Returns the row."""
        with self.db.read() as tx:
            row = attachments.get(tx, ctx, id)
            volume = volumes.find(tx, row.volume_id)
            others = [one for one in attachments.of_volume(tx, row.volume_id) if one.id != id]
        if not connector:
            raise errors.InvalidInput(reason="A connector is needed: an object that describes the attaching host.")
        self._check_connectable(row, volume, others, connector)
        info = self.volume.on(service_of(volume.host)).connect(ctx, volume_id=volume.id, attachment_id=id,
                                                               connector=connector)
        return self._record_connection(ctx, row, volume, connector, info)

    def _check_connectable(self, row, volume, others, connector):
        if row.attach_status == states.ATTACHED:
            raise errors.InvalidState(kind="attachment", reason="it is attached already")
        if volume.status not in (states.RESERVED, states.ATTACHING, states.IN_USE):
            raise errors.InvalidState(kind="volume", reason=(
                f"its status must be reserved, attaching or in-use to connect it, but it is {volume.status}"))
        if volume.multiattach:
            return
        for other in others:
            if other.connector and other.instance_uuid != row.instance_uuid:
                raise errors.Conflict(f"Volume {volume.id} is connected to another host by attachment {other.id}, and "
                                      "its type does not allow multiattach.")

    @db.retried
    def _record_connection(self, ctx, row, volume, connector, info):
        specs = qos.of_front_end(volume)
        with self.db.write() as tx:
            volume = self._held(tx, volume.id)
            mode = row.attach_mode or connector.get("mode") or "rw"
            flat = {**info["data"], "driver_volume_type": info["driver_volume_type"], "attachment_id": row.id,
                    "encrypted": volume.encryption_key_id is not None, "access_mode": mode,
                    "qos_specs": specs, "cacheable": False,
                    "enforce_multipath": bool(connector.get("enforce_multipath", False))}
            if not attachments.update(tx, row.id, connector=connector, connection_info=flat, attach_mode=mode,
                                      attach_status=states.ATTACHING, attached_host=connector.get("host"),
                                      mountpoint=connector.get("mountpoint")):
                raise errors.AttachmentNotFound(id=row.id)
            mirror(tx, volume)
            return attachments.find(tx, row.id)

    @db.retried
    def complete(self, ctx, id):
        """The host has the volume: attached, in-use."""
        with self.db.write() as tx:
            row = attachments.get(tx, ctx, id)
            volume = self._held(tx, row.volume_id)
            if row.attach_status not in (states.ATTACHING, states.RESERVED) or volume.status not in (
                    states.ATTACHING, states.RESERVED, states.IN_USE):
                raise errors.InvalidState(kind="volume", reason=(
                    f"its status must be attaching to complete attachment {id}, but it is {volume.status}"))
            attachments.update(tx, id, attach_status=states.ATTACHED, attached_at=db.now())
            mirror(tx, volume)

    def delete(self, ctx, id):
        """Disconnect and remove the attachment. Returns the volume's other attachments."""
        with self.db.read() as tx:
            row = attachments.get(tx, ctx, id)
            volume = volumes.find(tx, row.volume_id)
        self._detaching.check(ctx, (row,))
        # Attached the old way, the connector is not known; the export is there all the same.
        if row.connector or volume.export:
            self.volume.on(service_of(volume.host)).disconnect(ctx, volume_id=volume.id, attachment_id=id,
                                                               connector=row.connector)
        return self._remove(row)

    @db.retried
    def _remove(self, row):
        with self.db.write() as tx:
            volume = self._held(tx, row.volume_id)
            attachments.delete(tx, row.id)
            mirror(tx, volume)
            return attachments.of_volume(tx, row.volume_id)

    @staticmethod
    def _held(tx, volume_id):
        """The volume's row, locked, whatever its status."""
        return VOLUME.hold(tx, volume_id, states.VOLUME_STATUSES + states.UNLISTED)

    # -- the old way: volume actions

    @db.retried
    def reserve(self, ctx, volume_id):
        """available (with multiattach also in-use) -> attaching."""
        with self.db.write() as tx:
            row = volumes.get(tx, ctx, volume_id)
            statuses = (states.AVAILABLE, states.IN_USE) if row.multiattach else (states.AVAILABLE,)
            VOLUME.write(tx, volume_id, statuses, (guards.HAS_PLACE, guards.NOT_MOVING), status=states.ATTACHING)

    @db.retried
    def unreserve(self, ctx, volume_id):
        """attaching -> what the attachments say; otherwise nothing."""
        with self.db.write() as tx:
            row = self._held(tx, volumes.get(tx, ctx, volume_id).id)
            if row.status == states.ATTACHING:
                mirror(tx, row)

    @db.retried
    def begin_detaching(self, ctx, volume_id):
        with self.db.write() as tx:
            row = volumes.get(tx, ctx, volume_id)
            # Nova puts a copy in its place, of which its user is to see nothing.
            if row.migration_status != states.MIGRATING:
                VOLUME.write(tx, volume_id, (states.IN_USE,), status=states.DETACHING)

    @db.retried
    def roll_detaching(self, ctx, volume_id):
        with self.db.write() as tx:
            row = self._held(tx, volumes.get(tx, ctx, volume_id).id)
            if row.status == states.DETACHING:
                mirror(tx, row)

    def initialize(self, ctx, volume_id, connector):
        """Export the volume to the connector's host. Returns the connection information."""
        row, host = self._placed(ctx, volume_id)
        info = self.volume.on(host).connect(ctx, volume_id=row.id, attachment_id=None, connector=connector)
        data = {"encrypted": row.encryption_key_id is not None, "qos_specs": qos.of_front_end(row), "cacheable": False,
                "access_mode": "ro" if row.admin_metadata.get("readonly") == "True" else "rw", **info["data"]}
        return {"driver_volume_type": info["driver_volume_type"], "data": data,
                "enforce_multipath": bool(connector.get("enforce_multipath", False))}

    def terminate(self, ctx, volume_id, connector):
        """Take the export back and release a reservation."""
        row, host = self._placed(ctx, volume_id)
        self._check_all(ctx, volume_id)
        self.volume.on(host).disconnect(ctx, volume_id=row.id, attachment_id=None, connector=connector)
        self.unreserve(ctx, volume_id)

    def _placed(self, ctx, volume_id):
        with self.db.read() as tx:
            row = volumes.get(tx, ctx, volume_id)
        if row.host is None:
            raise errors.InvalidState(kind="volume", reason="it has not been placed on a backend")
        return row, service_of(row.host)

    @db.retried
    def attach(self, ctx, volume_id, instance_uuid, host_name, mountpoint, mode):
        """Record that a server or a host has the volume: in-use."""
        with self.db.write() as tx:
            row = VOLUME.hold(tx, volumes.get(tx, ctx, volume_id).id, (states.ATTACHING, states.AVAILABLE),)
            if row.admin_metadata.get("readonly") == "True" and mode == "rw":
                raise errors.InvalidState(kind="volume", reason="it is read-only; attach it with mode ro")
            attachments.insert(tx, id=str(uuid.uuid4()), volume_id=volume_id, project_id=row.project_id,
                               instance_uuid=instance_uuid, attached_host=host_name, mountpoint=mountpoint,
                               attach_mode=mode, attach_status=states.ATTACHED, attached_at=db.now(), connector={},
                               connection_info={})
            new = {**row.admin_metadata, "attached_mode": mode}
            labels.follow(tx, row, admin_metadata=new)
            VOLUME.write(tx, volume_id, admin_metadata=new)
            mirror(tx, self._held(tx, volume_id))

    def detach(self, ctx, volume_id, attachment_id):
        """Record that the volume is not attached any more; the export is taken back with the last attachment."""
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
            self.settle(ctx, volume_id)

    @db.retried
    def settle(self, ctx, volume_id):
        """A volume without attachments that says it has some is available again."""
        with self.db.write() as tx:
            mirror(tx, self._held(tx, volumes.get(tx, ctx, volume_id).id))

    def _check_all(self, ctx, volume_id, attachment_id=None):
        """Refuse when a server uses the volume by that attachment, or by any."""
        with self.db.read() as tx:
            present = attachments.of_volume(tx, volume_id)
        self._detaching.check(ctx, [one for one in present if attachment_id in (None, one.id)])

    def force_detach(self, ctx, volume_id, attachment_id, connector):
        """Disconnect and detach whatever the statuses say."""
        row, host = self._placed(ctx, volume_id)
        self._check_all(ctx, volume_id, attachment_id)
        self.volume.on(host).disconnect(ctx, volume_id=row.id, attachment_id=attachment_id, connector=connector)
        self.detach(ctx, volume_id, attachment_id)


def mirror(tx, volume):
    """Give the volume the status that its attachments make. `volume` is its locked row."""
    status, attach_status = attachments.strongest(attachments.of_volume(tx, volume.id))
    values = {"attach_status": attach_status}
    if attach_status == states.DETACHED and "attached_mode" in volume.admin_metadata:
        values["admin_metadata"] = {key: value for key, value in volume.admin_metadata.items()
                                    if key != "attached_mode"}
        labels.follow(tx, volume, admin_metadata=values["admin_metadata"])
    column = "status" if volume.status in states.ATTACHMENT_DRIVEN else "previous_status"
    VOLUME.write(tx, volume.id, **{column: status}, **values)
