"""Creates, changes and deletes groups and group snapshots; an action covers all volumes of a group."""

import functools
from collections.abc import Collection
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import groups, guards, quotas, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import cancellation, holds, notifications
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import GROUP, GROUP_SNAPSHOT, SNAPSHOT, VOLUME
from cinder_lite.volume import foreign, zones

#: The statuses in which a volume can be removed from a group.
REMOVABLE = (states.AVAILABLE, states.IN_USE, states.ERROR, "error_deleting")


class Groups:
    """The operations on groups."""

    #: Sends notifications (see cinder_lite.jobs.notifications), None if they are switched off.
    events: Any = None

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, scheduler: Any, volume: Any) -> None:
        self.db, self.conf, self.scheduler, self.volume = database, conf, scheduler, volume

    # -- create

    @accepts
    def create(self, ctx: context.Context, name: str | None, description: str | None, type_name_or_id: str,
               type_names_or_ids: Collection[str], zone: str | None, legacy: bool = False) -> Accepted[db.Row | None]:
        """Create a group for volumes of these types; the scheduler selects a backend for all of them. Returns the row.

        `legacy` is for consistency groups.
        """
        with self.db.read() as tx:
            type_ = groups.usable_type(tx, ctx, type_name_or_id)
            if (type_.name == groups.LEGACY_TYPE) != legacy:
                raise errors.BadRequest(f"Group type {type_.name} is for consistency groups; choose another.")
            wanted = [types.get_by_name_or_id(tx, ctx, one) for one in type_names_or_ids]
            zone = zone or self.conf.default_availability_zone or self.conf.storage_availability_zone
            self._check_zone(tx, zone)
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
        row = {"id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "name": name,
               "description": description, "availability_zone": zone, "group_type_id": type_.id,
               "volume_types": {"ids": [one.id for one in wanted]}}
        with self.db.write() as tx:
            types.lock_shared(tx, *row["volume_types"]["ids"])
            job_id = holds.insert(tx, self.conf, ctx, "group", "create", row, allowance=allowance)
            return Accepted(groups.find(tx, row["id"]), job_id, self.scheduler)

    def _check_zone(self, tx, zone):
        known = zones.known(tx, self.conf)
        if zone not in known:
            raise errors.InvalidInput(
                reason=f"Availability zone '{zone}' is invalid. There are: {', '.join(sorted(known))}.")

    # -- from a group, or from a group's snapshot

    @accepts
    def create_from(self, ctx: context.Context, name: str | None, description: str | None,
                    group_snapshot_id: str | None = None,
                    source_group_id: str | None = None) -> Accepted[db.Row | None]:
        """Create a group with copies of the volumes of a group or group snapshot. Returns the row."""
        if bool(group_snapshot_id) == bool(source_group_id):
            raise errors.InvalidInput(reason="Exactly one of the group snapshot and the group to copy is needed.")
        with self.db.read() as tx:
            allowance = quotas.allowance(tx, self.conf, ctx.project_id)
        with self.db.write() as tx:
            source, copies = (self._of_snapshot(tx, ctx, group_snapshot_id) if group_snapshot_id
                              else self._of_group(tx, ctx, source_group_id))
            if not copies:
                raise errors.InvalidInput(reason="There is nothing in it that could be copied.")
            row = {"id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, "name": name,
                   "description": description, "availability_zone": source.availability_zone, "host": source.host,
                   "group_type_id": source.group_type_id, "volume_types": source.volume_types,
                   "group_snapshot_id": group_snapshot_id, "source_group_id": source_group_id}
            job_id = holds.insert(tx, self.conf, ctx, "group", "create_from", row, allowance=allowance,
                                  further=holds.Further(rows=copies), host=service_of(source.host))
            return Accepted(groups.find(tx, row["id"]), job_id, self.volume.on(service_of(source.host)))

    def _of_snapshot(self, tx, ctx, id):
        kept = groups.get_snapshot(tx, ctx, id)
        GROUP_SNAPSHOT.hold(tx, id, (states.AVAILABLE,))
        copies = []
        for one in groups.snapshots_of(tx, id):
            SNAPSHOT.hold(tx, one.id, (states.AVAILABLE,))
            copies.append(_copy(ctx, volumes.find(tx, one.volume_id), one.size, snapshot_id=one.id))
        return groups.find(tx, kept.group_id), copies

    def _of_group(self, tx, ctx, id):
        source = groups.get(tx, ctx, id)
        GROUP.hold(tx, id, (states.AVAILABLE,))
        copies = []
        for one in _members(tx, ctx, id):
            VOLUME.hold(tx, one.id, states.CLONEABLE, (guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING))
            copies.append(_copy(ctx, one, one.size, source_volid=one.id))
        return source, copies

    # -- change

    @db.retried
    def update(self, ctx: context.Context, id: str, add: Collection[str], remove: Collection[str],
               **values: Any) -> None:
        """Rename the group, whatever its status, and add and remove volumes. `add` and `remove` are their ids."""
        if set(add) & set(remove):
            raise errors.InvalidInput(reason=f"Volume {min(set(add) & set(remove))} cannot both join and leave.")
        with self.db.write() as tx:
            group = groups.get(tx, ctx, id)
            values = {key: value for key, value in values.items() if value != getattr(group, key)}
            if add or remove:
                GROUP.hold(tx, id, (states.AVAILABLE,))
                members = {row.id for row in groups.volumes_of(tx, id)}
                add = [volume_id for volume_id in add if volume_id not in members]
            if not add and not remove and not values:
                raise errors.InvalidState(kind="group", reason=f"{id} has all that already; there is nothing to change")
            done = self._announce(tx, ctx, group, notifications.UPDATED)
            for volume_id in add:
                self._add_volume(tx, ctx, group, volume_id)
            for volume_id in remove:
                row = volumes.get(tx, ctx, volume_id)
                if row.group_id != id:
                    raise errors.InvalidState(kind="volume", reason=f"{volume_id} does not belong to group {id}")
                VOLUME.write(tx, volume_id, REMOVABLE, group_id=None)
            GROUP.write(tx, id, **values)
            done()

    def _announce(self, tx, ctx, group, event):
        """Record the notification of an event's start; returns a function that records that of its end."""
        return notifications.not_sent if self.events is None else self.events.record_start(
            tx, ctx, "group", group.id, event, service_of(group.host))

    @staticmethod
    def _add_volume(tx, ctx, group, volume_id):
        row = volumes.get(tx, ctx, volume_id)
        if row.project_id != group.project_id:
            raise errors.InvalidState(kind="volume", reason=f"{volume_id} is of another project than the group")
        if row.volume_type_id not in group.volume_types["ids"]:
            raise errors.InvalidState(kind="volume", reason=f"{volume_id} is of type {row.type_name}, which the group "
                                                            "does not allow")
        if service_of(row.host) != service_of(group.host):
            raise errors.InvalidState(
                kind="volume", reason=f"{volume_id} is on {row.host}, but the group on {group.host}",
                public=f"Invalid volume: {volume_id} is on other storage than the group")
        VOLUME.write(tx, volume_id, (states.AVAILABLE, states.IN_USE), (guards.NO_GROUP, guards.NOT_MIGRATING),
                     group_id=group.id)

    def reset_status(self, ctx: context.Context, id: str, status: str) -> None:
        """Set the status; running jobs are ended first."""
        cancellation.reset(self.db, self.conf, "group", id, status, lambda tx: groups.get(tx, ctx, id))

    # -- delete

    @accepts
    def delete(self, ctx: context.Context, id: str, volumes_too: bool) -> Accepted[None]:
        """Delete the group and, only with `volumes_too`, its volumes."""
        with self.db.write() as tx:
            group = groups.get(tx, ctx, id)
            GROUP.lock(tx, id)
            members = _members(tx, ctx, id)
            if members and not volumes_too:
                raise errors.InvalidState(kind="group", reason=(
                    f"it has {len(members)} volumes; remove them from it, or delete them with it by delete-volumes"))
            if not members:
                holds.begin(tx, self.conf, ctx, "group", id, "forget", (guards.NO_GROUP_SNAPSHOTS,))
                done = self._announce(tx, ctx, group, states.ACTIONS["group"]["forget"].event)
                holds.succeed_without_job(tx, self.conf, "group", group, "forget")
                done()
                return Accepted(None, None, None)
            host = service_of(group.host)
            job_id = holds.begin(tx, self.conf, ctx, "group", id, "delete", (guards.NO_GROUP_SNAPSHOTS,),
                                 further=holds.Further(guards.DELETABLE_WITH_GROUP), job={"host": host})
            return Accepted(None, job_id, self.volume.on(host))


def _members(tx, ctx, id):
    """The group's volumes. Raises InvalidState if the requester cannot see the project of some."""
    members = groups.volumes_of(tx, id)
    foreign.check(ctx, "group", "volume", members)
    return members


def _copy(ctx, volume, size, **source):
    """The row of a copy of the volume, of `size` GiB."""
    # The volume may have been transferred to another project since; that project's description is not copied.
    described = ({"name": volume.name, "description": volume.description} if ctx.sees(volume.project_id) else
                 {"name": None, "description": None})
    return {"id": randomness.new_id(), "project_id": ctx.project_id, "user_id": ctx.user_id, **described,
            "size": size, "volume_type_id": volume.volume_type_id, "availability_zone": volume.availability_zone,
            "host": volume.host, "bootable": volume.bootable, "multiattach": volume.multiattach,
            "encryption_key_id": volume.encryption_key_id, "metadata": {},
            "admin_metadata": {}, "image_metadata": volume.image_metadata, "facts": {}, "export": {}, **source}


class GroupSnapshots:
    """The operations on group snapshots."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume

    @accepts
    def create(self, ctx: context.Context, group_id: str, name: str | None,
               description: str | None) -> Accepted[db.Row | None]:
        """Take snapshots of all volumes of the group. Returns the row."""
        with self.db.read() as tx:
            allowance = quotas.allowance(tx, self.conf, groups.get(tx, ctx, group_id).project_id)
        with self.db.write() as tx:
            group = groups.get(tx, ctx, group_id)
            GROUP.hold(tx, group_id, (states.AVAILABLE,))
            members = _members(tx, ctx, group_id)
            if not members:
                raise errors.InvalidState(kind="group", reason="it has no volumes")
            row = {"id": randomness.new_id(), "project_id": group.project_id, "user_id": ctx.user_id, "name": name,
                   "description": description, "group_id": group_id, "group_type_id": group.group_type_id}
            statuses = (states.AVAILABLE,) if groups.is_set(group.group_specs, groups.CONSISTENT) else states.CLONEABLE
            for one in members:
                VOLUME.hold(tx, one.id, statuses, (guards.HAS_PLACE, guards.NOT_FROZEN, guards.NOT_MIGRATING))
            taken = [{"id": randomness.new_id(), "project_id": group.project_id, "user_id": ctx.user_id,
                      "volume_id": one.id, "name": name, "description": description, "size": one.size,
                      "progress": "0%", "volume_type_id": one.volume_type_id, "metadata": {}, "facts": {},
                      "encryption_key_id": one.encryption_key_id} for one in members]
            job_id = holds.insert(tx, self.conf, ctx, "group_snapshot", "create", row, allowance=allowance,
                                  further=holds.Further(rows=taken), host=service_of(group.host))
            return Accepted(groups.find_snapshot(tx, row["id"]), job_id, self.volume.on(service_of(group.host)))

    @accepts
    def delete(self, ctx: context.Context, id: str) -> Accepted[None]:
        """Delete the group snapshot with the snapshots of its volumes."""
        with self.db.write() as tx:
            row = groups.get_snapshot(tx, ctx, id)
            host = service_of(groups.get(tx, ctx, row.group_id).host)
            deleted = holds.Further(guards.SNAPSHOT_DELETABLE_WITH_GROUP,
                                    check=functools.partial(foreign.check, ctx, "group_snapshot", "snapshot"))
            job_id = holds.begin(tx, self.conf, ctx, "group_snapshot", id, "delete", further=deleted,
                                 job={"host": host})
            return Accepted(None, job_id, self.volume.on(host))

    def reset_status(self, ctx: context.Context, id: str, status: str) -> None:
        """Set the status; running jobs are ended first."""
        cancellation.reset(self.db, self.conf, "group_snapshot", id, status,
                           lambda tx: groups.get_snapshot(tx, ctx, id))
