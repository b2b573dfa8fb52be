"""The API's flow of creating a volume: check the request, record volume and job, notify a scheduler."""

import dataclasses
import logging
import typing

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import backups, groups, guards, metadata_index, new_volumes, quotas, snapshots, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import GROUP, SNAPSHOT, VOLUME
from cinder_lite.volume import zones
from cinder_lite.volume.flows import engine
from cinder_lite.volume.flows.wanted import Wanted

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The values of the volume's row, its type, source and quota."""

    row: dict
    type: db.Row
    source: "Source | None" = None
    allowance: quotas.Allowance | None = None


class Check(engine.Step):
    """Checks size, type, zone and source of the request against limits and each other."""

    default_provides = "plan"

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self.db, self.conf = database, conf

    def execute(self, ctx: context.Context, wanted: Wanted) -> Plan:
        with self.db.read() as tx:
            source = self._source(tx, ctx, wanted)
            type_ = self._type(tx, ctx, wanted, source)
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
            if wanted.group_id:
                wanted = self._in_group(tx, ctx, wanted, type_, source)
            zone = self._zone(tx, wanted, source)
        size = self._size(wanted, source, type_)
        quotas.check_volume_size(size, allowance)
        row = {
            "id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "name": wanted.name,
            "description": wanted.description, "size": size, "volume_type_id": type_.id, "availability_zone": zone,
            "snapshot_id": wanted.snapshot_id, "source_volid": wanted.source_volid, "backup_id": wanted.backup_id,
            "multiattach": new_volumes.is_multiattach(type_), "metadata": wanted.metadata,
            "admin_metadata": {}, "image_metadata": {}, "facts": {}, "export": {}, **_inherited(source)}
        if wanted.group_id:
            row["group_id"] = wanted.group_id
        if type_.encryption is not None or (source is not None and source.encrypted):
            row["encryption_key_id"] = self._key(type_, source)
        return Plan(row, type_, source, allowance)

    def _source(self, tx, ctx, wanted):
        """The volume, snapshot (with its volume), backup or image that the volume is created from, or None."""
        given = [name for name in ("snapshot_id", "source_volid", "backup_id", "image") if getattr(wanted, name)]
        if len(given) > 1:
            raise errors.InvalidInput(reason=f"A volume is made from one source, but {' and '.join(given)} are given.")
        if wanted.source_volid:
            return Source("volume", volumes.get(tx, ctx, wanted.source_volid))
        if wanted.snapshot_id:
            snapshot = snapshots.get(tx, ctx, wanted.snapshot_id)
            return Source("snapshot", snapshot, volumes.find(tx, snapshot.volume_id))
        if wanted.backup_id:
            return Source("backup", backups.get(tx, ctx, wanted.backup_id))
        if wanted.image is not None:
            return Source("image", wanted.image)
        return None

    def _type(self, tx, ctx, wanted, source):
        if wanted.type:
            type_ = types.get_by_name_or_id(tx, ctx, wanted.type)
        elif source is not None and source.kind == "image" and source.row.volume_type:
            type_ = types.get_by_name_or_id(tx, ctx, source.row.volume_type)
        elif source is not None and source.type_id:
            type_ = types.get(tx, context.system(), source.type_id)
        else:
            return new_volumes.default_type(tx, self.conf, ctx.project_id)
        return type_

    def _in_group(self, tx, ctx, wanted, type_, source):
        """The request with the zone of its group. Raises InvalidInput if the group does not accept such a volume."""
        group = groups.get(tx, ctx, wanted.group_id)
        if group.project_id != ctx.project_id:
            raise errors.InvalidInput(reason=f"Group {group.id} is of another project than the volume.")
        if type_.id not in group.volume_types["ids"]:
            raise errors.InvalidInput(reason=f"Group {group.id} does not take volumes of type {type_.name}.")
        parent = source.parent if source is not None else None
        if parent is not None and service_of(parent.host) != service_of(group.host):
            raise errors.InvalidInput(
                reason=f"The source is on {parent.host}, but group {group.id} on {group.host}.",
                public=f"Invalid input received: The source is on other storage than group {group.id}.")
        return dataclasses.replace(wanted, zone=wanted.zone or group.availability_zone)

    def _key(self, type_, source):
        """The id of an encrypted volume's key, which is the fixed key of the installation."""
        if type_.encryption is None or (source is not None and not source.encrypted):
            raise errors.InvalidInput(reason=f"Volume type {type_.name} is {'not ' if type_.encryption is None else ''}"
                                             f"encrypted and the source {source.kind} is the opposite; choose another.")
        if not self.conf.key_manager.fixed_key:
            raise errors.InvalidInput(reason=f"Volume type {type_.name} is encrypted, but there are no keys: set "
                                             "fixed_key in [key_manager].")
        return volumes.FIXED_KEY

    def _zone(self, tx, wanted, source):
        if source is not None and source.zone and self.conf.cloned_volume_same_az:
            if wanted.zone and wanted.zone != source.zone:
                raise errors.InvalidInput(reason=f"The zone must be the source's, {source.zone}, not {wanted.zone}.")
            return source.zone
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

    def _size(self, wanted, source, type_):
        size = wanted.size
        if size is None:
            if source is None or source.kind == "image":
                raise errors.InvalidInput(reason="A size in GiB is needed for a volume that is not made from another.")
            size = source.size
        if source is not None and size < source.size:
            raise errors.InvalidInput(reason=f"Volume size {size}GB cannot be smaller than the {source.kind} size "
                                             f"{source.size}GB.")
        if source is not None and source.kind == "image" and size < source.row.min_disk:
            raise errors.InvalidInput(reason=f"Volume size {size}GB cannot be smaller than the image's min_disk, "
                                             f"{source.row.min_disk}GB.")
        new_volumes.check_size(type_, size)
        return size


@dataclasses.dataclass(frozen=True)
class Source:
    """The source of a volume: its row (an image's record), and for a snapshot the row of the snapshot's volume."""

    kind: str
    row: typing.Any
    volume: db.Row | None = None

    @property
    def size(self) -> int:
        return self.row.gigabytes if self.kind == "image" else self.row.size

    @property
    def type_id(self) -> str | None:
        return getattr(self.volume or self.row, "volume_type_id", None)

    @property
    def encrypted(self) -> bool:
        return self.row.encryption_key_id is not None

    @property
    def parent(self) -> db.Row | None:
        """The volume whose properties are inherited, or None."""
        return self.volume if self.kind == "snapshot" else self.row if self.kind == "volume" else None

    @property
    def zone(self) -> str | None:
        return self.parent.availability_zone if self.parent is not None else None


def _inherited(source):
    """The columns that a volume inherits from its source."""
    if source is not None and source.kind == "image":
        return {"image_metadata": {"image_id": source.row.id}}
    if source is None or source.parent is None:
        return {}
    return {"bootable": source.parent.bootable, "image_metadata": source.parent.image_metadata}


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
            self._hold(tx, plan.source)
            if wanted.group_id:
                GROUP.hold(tx, wanted.group_id, (states.AVAILABLE,))
            args = {"hints": wanted.hints} if wanted.hints else {}
            if wanted.image is not None:
                args["image_id"] = wanted.image.id
            if wanted.backup_id:
                args["backup_id"] = wanted.backup_id
            job_id = holds.insert(tx, self.conf, ctx, "volume", "create", row, allowance=plan.allowance, args=args)
            if row["metadata"]:
                metadata_index.change(tx, "volume", row["id"], {}, row["metadata"])
            quotas.check_max_size(row["size"], self.conf)
        return job_id, new_volumes.inserted({**row, "status": VOLUME.actions["create"].doing}, plan.type)

    def _hold(self, tx, source):
        """Lock the snapshot or volume that is copied; a backup is held by the action."""
        if source is not None and source.kind == "snapshot":
            SNAPSHOT.hold(tx, source.row.id, (states.AVAILABLE,))
        elif source is not None and source.kind == "volume":
            VOLUME.hold(tx, source.row.id, states.CLONEABLE, guards=(
                guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING))


class NotifyScheduler(engine.Step):
    """Sends the job to a scheduler."""

    def __init__(self, scheduler: typing.Any) -> None:
        super().__init__()
        self.scheduler = scheduler

    def execute(self, ctx: context.Context, recorded: tuple[str, db.Row]) -> None:
        self.scheduler.run_job(ctx, job_id=recorded[0])


def build_flow(database: db.Database, conf: cfg.ConfigOpts, scheduler: typing.Any) -> engine.Flow:
    """The flow, to be passed to `run`."""
    return engine.sequence("volume_create_api", Check(database, conf), Record(database, conf),
                           NotifyScheduler(scheduler))


def run(flow: engine.Flow, ctx: context.Context, wanted: Wanted) -> db.Row:
    """Accept a volume. Returns its row. Raises the error in the request."""
    return engine.run(flow, LOG, ctx=ctx, wanted=wanted)["recorded"][1]
