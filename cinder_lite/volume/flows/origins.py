"""The source and the group of a new volume: what they require of it, and what it inherits."""

import dataclasses
import typing

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import backups, groups, guards, snapshots, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.volume.flows.wanted import Wanted


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


def find(tx: db.Transaction, ctx: context.Context, wanted: Wanted) -> Source | None:
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


def type_of(tx: db.Transaction, ctx: context.Context, source: Source) -> db.Row | None:
    """The volume type that the source has or names, or None."""
    if source.kind == "image" and source.row.volume_type:
        return types.get_by_name_or_id(tx, ctx, source.row.volume_type)
    return types.get(tx, context.system(), source.type_id) if source.type_id else None


def zone_of(conf: cfg.ConfigOpts, wanted: Wanted, source: Source) -> str | None:
    """The zone that the source prescribes, or None. Raises InvalidInput if another one is wanted."""
    if not source.zone or not conf.cloned_volume_same_az:
        return None
    if wanted.zone and wanted.zone != source.zone:
        raise errors.InvalidInput(reason=f"The zone must be the source's, {source.zone}, not {wanted.zone}.")
    return source.zone


def size_of(size: int | None, source: Source) -> int | None:
    """The size in GiB: the wanted one, else the source's, None for an image. Raises InvalidInput if it is too small."""
    if size is None:
        return None if source.kind == "image" else source.size
    if size < source.size:
        raise errors.InvalidInput(reason=f"Volume size {size}GB cannot be smaller than the {source.kind} size "
                                         f"{source.size}GB.")
    if source.kind == "image" and size < source.row.min_disk:
        raise errors.InvalidInput(reason=f"Volume size {size}GB cannot be smaller than the image's min_disk, "
                                         f"{source.row.min_disk}GB.")
    return size


def inherited(source: Source) -> dict[str, typing.Any]:
    """The columns that a volume inherits from its source."""
    if source.kind == "image":
        return {"image_metadata": {"image_id": source.row.id}}
    if source.parent is None:
        return {}
    return {"bootable": source.parent.bootable, "image_metadata": source.parent.image_metadata}


def key_of(conf: cfg.ConfigOpts, type_: db.Row, source: Source | None) -> str:
    """The id of an encrypted volume's key, which is the fixed key of the installation."""
    if source is not None and source.encrypted != (type_.encryption is not None):
        raise errors.InvalidInput(reason=f"Volume type {type_.name} is {'not ' if type_.encryption is None else ''}"
                                         f"encrypted and the source {source.kind} is the opposite; choose another.")
    if not conf.key_manager.fixed_key:
        raise errors.InvalidInput(reason=f"Volume type {type_.name} is encrypted, but there are no keys: set "
                                         "fixed_key in [key_manager].")
    return volumes.FIXED_KEY


def in_group(tx: db.Transaction, ctx: context.Context, wanted: Wanted, type_: db.Row, source: Source | None) -> Wanted:
    """The request with the zone of its group. Raises InvalidInput if the group does not accept such a volume."""
    group = groups.get(tx, ctx, str(wanted.group_id))
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


def hold(tx: db.Transaction, source: Source) -> None:
    """Lock the snapshot or volume that is copied; a backup is held by the action."""
    if source.kind == "snapshot":
        SNAPSHOT.hold(tx, source.row.id, (states.AVAILABLE,))
    elif source.kind == "volume":
        VOLUME.hold(tx, source.row.id, states.CLONEABLE, guards=(
            guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING))
