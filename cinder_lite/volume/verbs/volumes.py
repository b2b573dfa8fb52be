"""Changes and deletes volumes: each operation is one transaction and at most one message after it."""

import functools
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import attachments, guards, metadata_index, metadata_limits, quotas, snapshots, transfers, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import cancellation, holds, notifications
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume import connections, foreign
from cinder_lite.volume.connecting import ConnectionClient


class Volumes:
    """The operations on volumes that exist."""

    #: Sends notifications (see cinder_lite.jobs.notifications), None if they are switched off.
    events: Any = None

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume
        self._connecting = ConnectionClient(database, conf, volume)

    def get(self, ctx: context.Context, id: str) -> db.Row:
        with self.db.read() as tx:
            return volumes.get(tx, ctx, id)

    @db.retried
    def update(self, ctx: context.Context, id: str, **values: Any) -> db.Row:
        """Change the name, the description or the metadata. Returns the row."""
        with self.db.write() as tx:
            row = volumes.visible(ctx, id, VOLUME.locked(tx, id))
            _check_not_locked(row)
            if "metadata" in values:
                metadata_limits.check_items(self.conf, values["metadata"], row.metadata)
                metadata_index.update(tx, row, metadata=values["metadata"])
            if values:
                VOLUME.write(tx, id, **values)
            return volumes.get(tx, ctx, id)

    @db.retried
    def change_metadata(self, ctx: context.Context, id: str, change: Callable[[dict], dict],
                        column: str = "metadata") -> dict:
        """Replace a metadata column by change(present metadata). Returns the new metadata."""
        with self.db.write() as tx:
            row = VOLUME.hold(tx, volumes.get(tx, ctx, id).id, states.VOLUME_STATUSES)
            _check_not_locked(row, (*states.LOCKED, states.UPLOADING))
            present = getattr(row, column)
            new = change(dict(present))
            metadata_limits.check_items(self.conf, new, present)
            if column == "metadata":
                metadata_index.update(tx, row, metadata=new)
            values: dict[str, Any] = {column: new}
            VOLUME.write(tx, id, **values)
            return new

    def set_readonly(self, ctx: context.Context, id: str, readonly: bool) -> None:
        """Make the volume read-only or writable, also for hosts that are connected already."""
        row, changed = self._set_readonly(ctx, id, readonly)
        if changed:
            self._connecting.disconnect_soon(ctx, row)

    @db.retried
    def _set_readonly(self, ctx, id, readonly):
        with self.db.write() as tx:
            row = VOLUME.hold(tx, volumes.get(tx, ctx, id).id, (states.AVAILABLE,))
            new = {**row.admin_metadata, "readonly": str(readonly)}
            metadata_index.update(tx, row, admin_metadata=new)
            VOLUME.write(tx, id, admin_metadata=new)
            return row, row.host is not None and connections.set_read_only(tx, row, readonly)

    # -- delete

    @accepts
    def delete(self, ctx: context.Context, id: str, cascade: bool = False, force: bool = False) -> Accepted[None]:
        """Delete the volume, with its snapshots when cascading, whatever its status with force."""
        needed = guards.DELETABLE if cascade else (*guards.DELETABLE, guards.NO_SNAPSHOTS)
        action = "force_delete" if force else "delete"
        with self.db.write() as tx:
            row = volumes.visible(ctx, id, VOLUME.locked(tx, id))
            host = service_of(row.host)
            args: dict[str, Any] = {"cascade": cascade}
            if force:
                args["after"] = [job.id for job in cancellation.all_jobs(tx, self.conf, "volume", id)]
                row = volumes.get(tx, ctx, id)
            if host is None or row.status in (states.MANAGING, states.NOT_MANAGED):
                self._delete_unplaced(tx, ctx, row, action, needed)
                return Accepted(None, None, None)
            deleted = holds.Further(guards.SNAPSHOT_DELETABLE,
                                    check=functools.partial(foreign.check, ctx, "volume", "snapshot"))
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, action, needed, further=deleted,
                                 job={"host": host, "args": args}, is_locked=True)
            return Accepted(None, job_id, self.volume.on(host))

    def _delete_unplaced(self, tx, ctx, row, action, needed):
        """Delete at once a volume that has not been placed on a backend, or whose data is not managed."""
        holds.begin(tx, self.conf, None, "volume", row.id, "forget_forced" if action == "force_delete" else "forget",
                    needed)
        done = notifications.not_sent if self.events is None else self.events.record_start(
            tx, ctx, "volume", row.id, states.ACTIONS["volume"]["forget"].event)
        holds.succeed_without_job(tx, self.conf, "volume", row, "forget")
        done()

    # -- extend, revert

    @accepts
    def extend(self, ctx: context.Context, id: str, new_size: int, attached_too: bool) -> Accepted[None]:
        """Extend the volume to `new_size` GiB; an attached one only with `attached_too`."""
        needed = [guards.NOT_FROZEN, guards.bigger_than_present(new_size), guards.NOT_MIGRATING]
        if not attached_too:
            needed.append(guards.NOT_ATTACHED)
        with self.db.read() as tx:
            row = volumes.get(tx, ctx, id)
            allowance = quotas.allowance(tx, self.conf, row.project_id)
        needed.append(guards.still_of_size(row.size))
        quotas.check_volume_size(new_size, allowance)
        with self.db.write() as tx:
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, "extend", needed, row=row, allowance=allowance, job={
                "host": service_of(row.host), "args": {"new_size": new_size, "old_size": row.size}})
        return Accepted(None, job_id, self.volume.on(service_of(row.host)))

    @accepts
    def revert(self, ctx: context.Context, id: str, snapshot_id: str) -> Accepted[None]:
        """Revert the volume to its newest snapshot."""
        with self.db.write() as tx:
            VOLUME.lock(tx, id)
            row, snapshot = volumes.get(tx, ctx, id), snapshots.get(tx, ctx, snapshot_id)
            of_volume = snapshots.of_volume(tx, id)
            if snapshot.volume_id != id:
                raise errors.BadRequest(f"Snapshot {snapshot_id} is not of volume {id}.")
            if of_volume[0].id != snapshot_id:
                foreign.check(ctx, "volume", "newer snapshot", of_volume[:1])
                raise errors.BadRequest(f"Volume {id} can only be reverted to its newest snapshot, {of_volume[0].id}.")
            if row.size != snapshot.size:
                raise errors.BadRequest(f"Volume {id} has {row.size} GiB but had {snapshot.size} GiB when the snapshot "
                                        "was taken; it cannot be reverted after it was extended.")
            job_id = holds.begin(
                tx, self.conf, ctx, "volume", id, "revert", (guards.NOT_ATTACHED, *guards.OVERWRITABLE),
                errors.StateConflict, further=holds.Further(refusal=errors.StateConflict),
                job={"host": service_of(row.host), "args": {"snapshot_id": snapshot_id}})
        return Accepted(None, job_id, self.volume.on(service_of(row.host)))

    # -- administration

    def reset_status(self, ctx: context.Context, id: str, status: str | None = None, attach_status: str | None = None,
                     migration_status: str | None = None) -> None:
        """Set statuses; running jobs are ended first.

        The attach status "detached" deletes the attachments and revokes the access of all hosts.
        """
        if status is not None:
            cancellation.stop(self.db, self.conf, "volume", id, lambda tx: self._resettable(tx, ctx, id, status))
        row, ended = self._write_status(ctx, id, status, attach_status, migration_status)
        if ended:
            self._connecting.disconnect_soon(ctx, row)

    @staticmethod
    def _resettable(tx, ctx, id, status):
        row = volumes.get(tx, ctx, id)
        if status == states.IN_USE and not attachments.of_volume(tx, id):
            raise errors.InvalidState(kind="volume", reason="it has no attachment, so it cannot be in-use")
        return row

    @db.retried
    def _write_status(self, ctx, id, status, attach_status, migration_status):
        values = {}
        if status is not None:
            values["status"] = status
        if attach_status is not None:
            values["attach_status"] = attach_status
        if migration_status is not None:
            values["migration_status"] = None if migration_status == states.NO_MIGRATION else migration_status
        with self.db.write() as tx:
            VOLUME.lock(tx, id)
            row = self._resettable(tx, ctx, id, status)
            if status is not None:
                cancellation.all_jobs(tx, self.conf, "volume", id)
                if row.status == states.AWAITING:
                    transfers.delete_of_volume(tx, id)
            ended = False
            if row.status == states.DELETING:
                connections.end_all(tx, row)
            if attach_status == states.DETACHED:
                ended = row.host is not None and connections.end_all(tx, row)
                attachments.delete_all(tx, id)
                values["admin_metadata"] = {key: value for key, value in row.admin_metadata.items()
                                            if key != "attached_mode"}
                metadata_index.update(tx, row, admin_metadata=values["admin_metadata"])
            VOLUME.write(tx, id, **values)
            return row, ended


def _check_not_locked(row, statuses=states.LOCKED):
    if row.status in statuses:
        raise errors.InvalidState(kind="volume", reason=f"it cannot be changed while its status is {row.status}")
