"""The API's operations on backups."""

import base64
import typing

import orjson
from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.backup import cinder, imported, record, stores
from cinder_lite.concurrency import randomness
from cinder_lite.db import backups, guards, quotas, services, snapshots, volumes
from cinder_lite.jobs import cancellation, holds
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import BACKUP
from cinder_lite.volume.flows.wanted import Wanted

BINARY = "cinder-backup"


class Backups:
    """Accepts operations on backups, and passes them to the backup services."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backup: typing.Any, creation: typing.Any) -> None:
        self.db, self.conf, self.backup, self.creation = database, conf, backup, creation

    def get(self, ctx: context.Context, id: str) -> db.Row:
        with self.db.read() as tx:
            return backups.get(tx, ctx, id)

    # -- create

    def create(self, ctx: context.Context, volume_id: str, snapshot_id: str | None, name: str | None,
               description: str | None, container: str | None, incremental: bool, force: bool, metadata: dict,
               zone: str | None) -> db.Row:
        """Accept a backup of a volume, or of one of its snapshots. Returns the row."""
        with self.db.read() as tx:
            volume = volumes.get(tx, ctx, volume_id)
            snapshot = snapshots.get(tx, ctx, snapshot_id) if snapshot_id else None
            if snapshot is not None and snapshot.volume_id != volume_id:
                raise errors.InvalidInput(reason=f"Snapshot {snapshot_id} is not of volume {volume_id}.")
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
            host = self._host(tx, zone)
            parent = self._parent(tx, ctx, volume, snapshot) if incremental else None
        if parent is not None:
            host = parent.host
        stamp = snapshot.created_at if snapshot is not None else db.now()
        row = {"id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "created_at": db.now(),
               "status": BACKUP.actions["create"].doing, "volume_id": volume_id, "snapshot_id": snapshot_id,
               "parent_id": parent.id if parent else None, "name": name, "description": description, "counted": True,
               "size": snapshot.size if snapshot else volume.size, "host": host, "object_count": 0,
               "availability_zone": zone or self.conf.storage_availability_zone, "container": container,
               "service": self.conf.backup_driver, "data_timestamp": stamp, "metadata": metadata, "facts": {},
               "encryption_key_id": volume.encryption_key_id,
               "volume_record": {"name": volume.name, "description": volume.description, "metadata": volume.metadata,
                                 "image_metadata": volume.image_metadata, "bootable": volume.bootable}}
        return self._record(ctx, row, volume, force, allowance)

    @accepts
    def _record(self, ctx, row, volume, force, allowance):
        with self.db.write() as tx:
            if row["parent_id"]:
                BACKUP.hold(tx, row["parent_id"], (states.AVAILABLE,))
            source = holds.Further() if row["snapshot_id"] else holds.Further(
                (guards.HAS_PLACE, guards.NOT_MIGRATING, guards.still_of_size(volume.size)),
                action="backup" if force else "backup_available")
            job_id = holds.insert(
                tx, self.conf, ctx, "backup", "create", row, allowance=allowance, further=source, host=row["host"],
                args={"volume_id": row["volume_id"], "snapshot_id": row["snapshot_id"]})
            made = backups.inserted({**row, "has_dependent_backups": False})
            return Accepted(made, job_id, self.backup.on(row["host"]))

    def _host(self, tx, zone):
        up = [row for row in services.up(tx, BINARY, self.conf.service_down_time, zone) if row.backend_up]
        if not up:
            where = f" in zone {zone}" if zone else ""
            raise errors.Unavailable(f"Service cinder-backup could not be found: none{where} is up, enabled "
                                     "and able to use its store.")
        return up[0].host

    def _parent(self, tx, ctx, volume, snapshot):
        parent = backups.latest(tx, volume.id, ctx.project_id, snapshot.created_at if snapshot else None)
        if parent is None:
            raise errors.InvalidState(kind="backup", reason=(
                "No backups available to do an incremental backup: make a full backup of the volume first"))
        if cinder.made_by_cinder(parent):
            raise errors.InvalidState(kind="backup", reason=(
                f"the volume's last backup, {parent.id}, was made by Cinder; make a full one first"))
        if parent.size < volume.size:
            raise errors.InvalidState(kind="backup", reason=(
                f"the volume has grown from {parent.size} to {volume.size} GiB since its last backup; make a full one"))
        return parent

    # -- restore

    def restore(self, ctx: context.Context, id: str, volume_id: str | None, name: str | None) -> tuple[db.Row, db.Row]:
        """Accept a restore, to the volume or to a new one. Returns (backup row, volume row)."""
        if volume_id is None:
            with self.db.read() as tx:
                row = backups.get(tx, ctx, id)
            if row.size < 1:  # imported before records were validated
                raise errors.InvalidState(kind="backup", reason=f"its size cannot be {row.size} GiB")
            wanted = Wanted(name=name or f"{record.UNNAMED}{id}", description=record.DESCRIPTION, backup_id=id,
                            size=row.size)
            return row, self.creation.create(ctx, wanted)
        return self._restore(ctx, id, volume_id)

    @accepts
    def _restore(self, ctx, id, volume_id):
        with self.db.write() as tx:
            row, volume = backups.get(tx, ctx, id), volumes.get(tx, ctx, volume_id)
            if volume.size < row.size:
                raise errors.InvalidState(kind="volume", reason=(
                    f"volume size {volume.size} GiB is too small to restore backup of size {row.size} GiB"))
            job_id = holds.begin(
                tx, self.conf, ctx, "backup", id, "restore", further=holds.Further(guards.OVERWRITABLE),
                job={"host": row.host, "args": {"volume_id": volume_id}}, restore_volume_id=volume_id)
            return Accepted((row, volume), job_id, self.backup.on(row.host))

    # -- other operations

    @db.retried
    def update(self, ctx: context.Context, id: str, **values: typing.Any) -> db.Row | None:
        with self.db.write() as tx:
            backups.get(tx, ctx, id)
            BACKUP.write(tx, id, **values)
            return backups.find(tx, id)

    @accepts
    def delete(self, ctx: context.Context, id: str, force: bool = False) -> Accepted[None]:
        """Delete the backup; with `force`, in any status."""
        with self.db.write() as tx:
            host = backups.visible(ctx, id, BACKUP.locked(tx, id)).host
            args = cancellation.for_deletion(tx, self.conf, "backup", id) if force else {}
            job_id = holds.begin(tx, self.conf, ctx, "backup", id, "force_delete" if force else "delete",
                                 (guards.NO_CHILDREN, guards.NOT_RESTORING), job={"host": host, "args": args},
                                 is_locked=True)
            return Accepted(None, job_id, self.backup.on(host))

    def reset_status(self, ctx: context.Context, id: str, status: str) -> None:
        """Set the status, after cancelling the backup's jobs."""
        cancellation.reset(self.db, self.conf, "backup", id, status, lambda tx: backups.get(tx, ctx, id))

    def export_record(self, ctx: context.Context, id: str) -> tuple[str, str]:
        """The record for importing the backup elsewhere: (service name, base64 of JSON)."""
        row = self.get(ctx, id)
        if row.status != states.AVAILABLE:
            raise errors.InvalidState(kind="backup", reason=(
                f"its status must be {states.AVAILABLE} to export it, but it is {row.status}"))
        kept = {key: getattr(row, key) for key in EXPORTED}
        stamp = row.data_timestamp or row.created_at
        kept |= {"version": imported.RECORD_VERSION, "data_timestamp": stamp.isoformat()}
        return stores.known_as(row.service or self.conf.backup_driver), base64.b64encode(orjson.dumps(kept)).decode()

    def import_record(self, ctx: context.Context, service: str, url: str) -> db.Row:
        """Import a backup from the store. Returns the row, which becomes available after the store was checked."""
        kept = imported.columns(url)
        with self.db.read() as tx:
            host = self._host(tx, None)
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
        row = {"service": service, **kept, "project_id": ctx.project_id, "user_id": ctx.user_id, "host": host,
               "availability_zone": self.conf.storage_availability_zone}
        try:
            return self._record_import(ctx, row, allowance)
        except db.Duplicate as error:
            raise errors.InvalidState(
                kind="backup", reason=f"Backup already exists in database: {row['id']}") from error

    @accepts
    def _record_import(self, ctx, row, allowance):
        with self.db.write() as tx:
            row = self._with_parent(tx, dict(row))
            job_id = holds.insert(tx, self.conf, ctx, "backup", "import", row, allowance=allowance, host=row["host"])
            return Accepted(backups.find(tx, row["id"]), job_id, self.backup.on(row["host"]))

    @staticmethod
    def _with_parent(tx, row):
        """The row with facts completed from its parent (Cinder's). Raises InvalidInput for a cycle of parents."""
        parent = backups.find(tx, row["parent_id"]) if row["parent_id"] else None
        known, one = {row["id"]}, parent
        while one is not None and one.parent_id not in known:
            known.add(one.id)
            one = backups.find(tx, one.parent_id) if one.parent_id else None
        if one is not None:
            raise errors.InvalidInput(reason=f"Backup {row['id']} would be among its own parents.")
        if "service_metadata" in row:
            if row["parent_id"] and parent is None:
                raise errors.InvalidInput(
                    reason=f"Its parent, backup {row['parent_id']}, is not here; import that first.")
            row["facts"] = imported.facts_of(row, row.pop("service_metadata"), parent)
        return row


#: Columns of an exported record.
EXPORTED = ("id", "volume_id", "snapshot_id", "parent_id", "name", "description", "size", "object_count", "container",
            "metadata", "volume_record", "facts", "encryption_key_id")
