"""The API's flow of creating a volume: check the request, record volume and job, notify a scheduler."""

import dataclasses
import logging
import typing

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import metadata_index, new_volumes, quotas, types
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import GROUP, VOLUME
from cinder_lite.volume import zones
from cinder_lite.volume.flows import engine, origins
from cinder_lite.volume.flows.wanted import Wanted

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The values of the volume's row, its type, source and quota."""

    row: dict
    type: db.Row
    source: origins.Source | None = None
    allowance: quotas.Allowance | None = None


class Check(engine.Step):
    """Checks size, type, zone and source of the request against limits and each other."""

    default_provides = "plan"

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self.db, self.conf = database, conf

    def execute(self, ctx: context.Context, wanted: Wanted) -> Plan:
        with self.db.read() as tx:
            source = origins.find(tx, ctx, wanted) if self._has_source(wanted) else None
            type_ = self._type(tx, ctx, wanted, source)
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
            if wanted.group_id:
                wanted = origins.in_group(tx, ctx, wanted, type_, source)
            zone = self._zone(tx, wanted, source)
        size = origins.size_of(wanted.size, source) if source is not None else wanted.size
        if size is None:
            raise errors.InvalidInput(reason="A size in GiB is needed for a volume that is not made from another.")
        new_volumes.check_size(type_, size)
        quotas.check_volume_size(size, allowance)
        row = {
            "id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "name": wanted.name,
            "description": wanted.description, "size": size, "volume_type_id": type_.id, "availability_zone": zone,
            "snapshot_id": wanted.snapshot_id, "source_volid": wanted.source_volid, "backup_id": wanted.backup_id,
            "multiattach": new_volumes.is_multiattach(type_), "metadata": wanted.metadata,
            "admin_metadata": {}, "image_metadata": {}, "facts": {}, "export": {},
            **(origins.inherited(source) if source is not None else {})}
        if wanted.group_id:
            row["group_id"] = wanted.group_id
        if type_.encryption is not None or (source is not None and source.encrypted):
            row["encryption_key_id"] = origins.key_of(self.conf, type_, source)
        return Plan(row, type_, source, allowance)

    @staticmethod
    def _has_source(wanted):
        return wanted.snapshot_id or wanted.source_volid or wanted.backup_id or wanted.image is not None

    def _type(self, tx, ctx, wanted, source):
        if wanted.type:
            return types.get_by_name_or_id(tx, ctx, wanted.type)
        own = origins.type_of(tx, ctx, source) if source is not None else None
        return new_volumes.default_type(tx, self.conf, ctx.project_id) if own is None else own

    def _zone(self, tx, wanted, source):
        prescribed = origins.zone_of(self.conf, wanted, source) if source is not None else None
        if prescribed is not None:
            return prescribed
        fallback = self.conf.default_availability_zone or self.conf.storage_availability_zone
        if not wanted.zone:
            return fallback
        known = zones.known(tx, self.conf)
        if wanted.zone in known:
            return wanted.zone
        if self.conf.allow_availability_zone_fallback:
            LOG.warning("zone %s does not exist, using %s", wanted.zone, fallback)
            return fallback
        raise errors.InvalidInput(reason=f"Availability zone '{wanted.zone}' is invalid. There "
                                         f"{'is' if len(known) == 1 else 'are'}: {', '.join(sorted(known))}.")


class Record(engine.Step):
    """In one transaction, holds the source, inserts volume and job, and claims the quota."""

    default_provides = "recorded"

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self.db, self.conf = database, conf

    def execute(self, ctx: context.Context, plan: Plan, wanted: Wanted) -> tuple[str, db.Row]:
        return self._transact(ctx, plan, wanted)

    @db.retried
    def _transact(self, ctx, plan, wanted):
        row = plan.row | {"created_at": db.now()}
        with self.db.write() as tx:
            if plan.source is not None:
                origins.hold(tx, plan.source)
            if wanted.group_id:
                GROUP.hold(tx, wanted.group_id, (states.AVAILABLE,))
            args = {"hints": wanted.hints, "image_id": wanted.image and wanted.image.id, "backup_id": wanted.backup_id}
            args = {name: value for name, value in args.items() if value}
            job_id = holds.insert(tx, self.conf, ctx, "volume", "create", row, allowance=plan.allowance, args=args)
            if row["metadata"]:
                metadata_index.add(tx, "volume", row)
            quotas.check_max_size(row["size"], self.conf)
        return job_id, new_volumes.inserted({**row, "status": VOLUME.actions["create"].doing}, plan.type)

class NotifyScheduler(engine.Step):
    """Sends the job to a scheduler."""

    def __init__(self, scheduler: typing.Any) -> None:
        super().__init__()
        self.scheduler = scheduler

    def execute(self, ctx: context.Context, recorded: tuple[str, db.Row]) -> None:
        self.scheduler.run_job(ctx, job_id=recorded[0])


def build_flow(database: db.Database, conf: cfg.ConfigOpts, scheduler: typing.Any) -> engine.Flow:
    """The flow, to be passed to `run`."""
    return engine.Flow("volume_create_api", Check(database, conf), Record(database, conf), NotifyScheduler(scheduler))


def run(flow: engine.Flow, ctx: context.Context, wanted: Wanted) -> db.Row:
    """Accept a volume. Returns its row. Raises the error in the request."""
    return engine.run(flow, LOG, ctx=ctx, wanted=wanted)["recorded"][1]
