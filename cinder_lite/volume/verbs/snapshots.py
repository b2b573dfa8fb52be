"""Creates, changes and deletes snapshots."""

from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import guards, metadata_index, metadata_limits, quotas, snapshots, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import cancellation, holds
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME, labels


class Snapshots:
    """The operations on snapshots."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume

    @accepts
    def create(self, ctx: context.Context, volume_id: str, name: str | None, description: str | None,
               metadata: dict[str, str], in_use_too: bool) -> Accepted[db.Row | None]:
        """Take a snapshot of the volume; of one in use only with `in_use_too`. Returns the row."""
        statuses = (states.AVAILABLE, states.IN_USE) if in_use_too else (states.AVAILABLE,)
        needed = (guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING)
        with self.db.write() as tx:
            volume = volumes.visible(ctx, volume_id, VOLUME.locked(tx, volume_id, *labels(needed)))
            VOLUME.check(volume, volume_id, statuses, needed)
            allowance = quotas.allowance(tx, self.conf, volume.project_id)
            host = service_of(volume.host)
            row = {"id": randomness.new_id(), "project_id": volume.project_id, "user_id": ctx.user_id,
                   "created_at": db.now(), "status": SNAPSHOT.actions["create"].doing, "volume_id": volume_id,
                   "name": name, "description": description, "size": volume.size, "progress": "0%",
                   "volume_type_id": volume.volume_type_id, "metadata": metadata, "facts": {},
                   "encryption_key_id": volume.encryption_key_id, "counted": True, "consumes_quota": True}
            job_id = holds.insert(tx, self.conf, ctx, "snapshot", "create", row, allowance=allowance, host=host)
            metadata_index.add(tx, "snapshot", row)
            return Accepted(snapshots.inserted(row), job_id, self.volume.on(host))

    def get(self, ctx: context.Context, id: str) -> db.Row:
        with self.db.read() as tx:
            return snapshots.get(tx, ctx, id)

    @db.retried
    def update(self, ctx: context.Context, id: str, **values: Any) -> db.Row | None:
        with self.db.write() as tx:
            snapshots.get(tx, ctx, id)
            if values:
                SNAPSHOT.write(tx, id, **values)
            return snapshots.find(tx, id)

    @db.retried
    def change_metadata(self, ctx: context.Context, id: str, change: Callable[[dict], dict]) -> dict:
        """Replace the metadata by change(present metadata). Returns the new metadata."""
        with self.db.write() as tx:
            row = SNAPSHOT.hold(tx, snapshots.get(tx, ctx, id).id, states.SNAPSHOT_STATUSES)
            new = change(dict(row.metadata))
            metadata_limits.check_items(self.conf, new, row.metadata)
            metadata_index.change(tx, "snapshot", id, row.metadata, new)
            SNAPSHOT.write(tx, id, metadata=new)
            return new

    @accepts
    def delete(self, ctx: context.Context, id: str, force: bool = False) -> Accepted[None]:
        """Delete the snapshot, whatever its status with force."""
        with self.db.write() as tx:
            row = snapshots.visible(ctx, id, SNAPSHOT.locked(tx, id, snapshots.HOST))
            host = service_of(row.volume_host)
            args = cancellation.for_deletion(tx, self.conf, "snapshot", id) if force else {}
            job_id = holds.begin(tx, self.conf, ctx, "snapshot", id, "force_delete" if force else "delete",
                                 guards.SNAPSHOT_DELETABLE, job={"host": host, "args": args}, is_locked=True)
            return Accepted(None, job_id, self.volume.on(host))

    def reset_status(self, ctx: context.Context, id: str, status: str) -> None:
        """Set the status; running jobs are ended first."""
        cancellation.reset(self.db, self.conf, "snapshot", id, status, lambda tx: snapshots.get(tx, ctx, id))

    @db.retried
    def record_status(self, ctx: context.Context, id: str, status: str, progress: str | None) -> None:
        """Record the status that Nova reports of a snapshot that it takes itself (see states.SNAPSHOT_UPDATES)."""
        with self.db.write() as tx:
            row = snapshots.get(tx, ctx, id)
            allowed = states.SNAPSHOT_UPDATES.get(row.status, ())
            if status not in allowed:
                others = " or ".join(allowed) or "nothing else"
                raise errors.InvalidState(kind="snapshot", reason=(
                    f"its status, {row.status}, can be set to {others}, not to {status}"))
            values: dict[str, Any] = {"progress": progress} if progress else {}
            SNAPSHOT.write(tx, id, (row.status,), status=status, **values)
