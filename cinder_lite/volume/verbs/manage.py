"""Manages and unmanages existing volumes and snapshots of a backend."""

import contextlib
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import guards, metadata_index, new_volumes, ownership, quotas, snapshots, types, volumes
from cinder_lite.db.host_strings import find_up, service_of
from cinder_lite.jobs import holds
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.rpc import calls


class Management:
    """The operations on volumes and snapshots that the service did not create."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, scheduler: Any, volume: Any) -> None:
        self.db, self.conf, self.scheduler, self.volume = database, conf, scheduler, volume

    def manage(self, ctx: context.Context, host: str, reference: dict, type_name_or_id: str | None,
               **described: Any) -> db.Row:
        """Manage the volume on `host` that `reference` names to its driver. Returns the row.

        `described` are columns: name, description, metadata, bootable, availability_zone.
        """
        with self.db.read() as tx:
            service = find_up(tx, host, self.conf.service_down_time)
        self._check_reference(ctx, service, reference)
        return self._record(ctx, host, reference, type_name_or_id, described)

    def _check_reference(self, ctx, service, reference):
        """Have the driver check the reference now; a starting backend or an older release checks it in the job."""
        if service.backend_up:
            with contextlib.suppress(calls.TooOld, calls.NoAnswer):
                self.volume.on(service.host).check_reference(ctx, reference=reference)

    @accepts
    def _record(self, ctx, host, reference, type_name_or_id, described):
        with self.db.read() as tx:
            found = find_up(tx, host, self.conf.service_down_time)
            type_ = (types.get_by_name_or_id(tx, ctx, type_name_or_id) if type_name_or_id
                     else new_volumes.default_type(tx, self.conf, ctx.project_id))
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
        row = {"id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "size": 0,
               "volume_type_id": type_.id, "multiattach": new_volumes.is_multiattach(type_), "admin_metadata": {},
               "image_metadata": {}, "facts": {}, "export": {}, "created_at": db.now(), **described}
        row["availability_zone"] = row["availability_zone"] or found.availability_zone
        with self.db.write() as tx:
            types.lock_shared(tx, type_.id)
            job_id = holds.insert(tx, self.conf, ctx, "volume", "manage", row, allowance=allowance,
                                  args={"to_host": host, "reference": reference})
            metadata_index.change(tx, "volume", row["id"], {}, row["metadata"])
        return Accepted(new_volumes.inserted({**row, "status": VOLUME.actions["manage"].doing}, type_), job_id,
                        self.scheduler)

    def manage_snapshot(self, ctx: context.Context, volume_id: str, reference: dict, **described: Any) -> db.Row:
        """Manage the snapshot of the volume that `reference` names to its driver. Returns the row.

        `described` are columns: name, description, metadata.
        """
        with self.db.read() as tx:
            host = service_of(volumes.get(tx, ctx, volume_id).host)
            service = find_up(tx, host, self.conf.service_down_time) if host is not None else None
        if service is not None:  # otherwise _record_snapshot refuses it
            self._check_reference(ctx, service, reference)
        return self._record_snapshot(ctx, volume_id, reference, described)

    @accepts
    def _record_snapshot(self, ctx, volume_id, reference, described):
        with self.db.read() as tx:
            allowance = quotas.allowance(tx, self.conf, volumes.get(tx, ctx, volume_id).project_id)
        with self.db.write() as tx:
            volume = VOLUME.hold(tx, volume_id, (states.AVAILABLE, states.IN_USE), (
                guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING))
            host = service_of(volume.host)
            find_up(tx, host, self.conf.service_down_time)
            row = {"id": randomness.new_id(), "project_id": volume.project_id, "user_id": ctx.user_id, "size": 0,
                   "volume_id": volume_id, "volume_type_id": volume.volume_type_id, "facts": {}, "progress": "0%",
                   "encryption_key_id": volume.encryption_key_id, **described}
            job_id = holds.insert(tx, self.conf, ctx, "snapshot", "manage", row, allowance=allowance, host=host,
                                  args={"reference": reference})
            metadata_index.change(tx, "snapshot", row["id"], {}, row["metadata"])
            return Accepted(snapshots.find(tx, row["id"]), job_id, self.volume.on(host))

    # -- unmanage

    @accepts
    def unmanage(self, ctx: context.Context, id: str) -> Accepted[None]:
        """Remove the volume's record and keep its data."""
        with self.db.write() as tx:
            host = service_of(volumes.get(tx, ctx, id).host)
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, "unmanage", guards.UNMANAGEABLE, job={"host": host})
            return Accepted(None, job_id, self.volume.on(host))

    @accepts
    def unmanage_snapshot(self, ctx: context.Context, id: str) -> Accepted[None]:
        """Remove the snapshot's record and keep its data."""
        with self.db.write() as tx:
            host = service_of(volumes.host_of(tx, snapshots.get(tx, ctx, id).volume_id))
            job_id = holds.begin(tx, self.conf, ctx, "snapshot", id, "unmanage", guards.SNAPSHOT_DELETABLE,
                                 job={"host": host})
            return Accepted(None, job_id, self.volume.on(host))

    # -- lists

    def manageable(self, ctx: context.Context, kind: str, host: str) -> list[dict]:
        """The objects of a kind, "volume" or "snapshot", on a backend: a list of dicts, as the views show them."""
        with self.db.read() as tx:
            name = find_up(tx, host, self.conf.service_down_time).host
        found = self.volume.on(name).manageable(ctx, kind=kind)
        with self.db.read() as tx:
            known = ownership.owners(tx, [ownership.name_of(one["reference"]) for one in found])
        return [_described(one, known) for one in found]


def _described(one, known):
    """A drivers.Manageable, as a dict, with the id of the resource to which it belongs."""
    owner = known.get(ownership.name_of(one["reference"]))
    reason = "already managed" if owner is not None else one["reason"]
    return {**one, "safe_to_manage": reason is None, "reason_not_safe": reason, "cinder_id": owner and owner.id,
            "extra_info": one["extra"], "source_reference": one["source"]}
