"""Releases what the actions of states.py hold; beside each release stands its claim, or who makes that.

Whoever ends a job comes here: the worker, a scheduler without a backend, a forced deletion, a reset of a status,
`doctor`, and what gives up a job that fails again and again. A row is read in the transaction that releases what it
holds, because it may have another owner, type or size than when the work began. A transaction changes quota usage
before pool capacity, so that no two of them wait for each other. Every release tolerates what is not there any more.
"""

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import (
    attachments,
    backups,
    connections,
    groups,
    jobs,
    messages,
    metadata_index,
    notifications,
    pools,
    quotas,
    retypes,
    snapshots,
    transfers,
    volumes,
)
from cinder_lite.db import types as volume_types
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import pool_capacity
from cinder_lite.jobs.lifecycle import KINDS, VOLUME


def locked(tx: db.Transaction, job: db.Row) -> db.Row | None:
    """The row of the job's resource, locked until the transaction ends; None when it is gone, or where there is
    none."""
    return KINDS[job.kind].locked(tx, job.resource_id)


def args_of(job: db.Row) -> dict[str, Any]:
    """The job's arguments; none when they cannot be read."""
    return job.args if isinstance(job.args, dict) else {}


# -- what rows count: quota, and a volume's pool capacity

def _share(conf, kind, row):
    """The quota that a row uses."""
    if kind == "volume":
        return quotas.Change(row.project_id, {"volumes": 1, "gigabytes": row.size}, row.volume_type_id)
    if kind == "snapshot":
        return quotas.snapshot_share(conf, row)
    if kind == "backup":
        return quotas.backup_share(row.project_id, row.size)
    return quotas.Change(row.project_id, {"groups": 1})


def count(
        tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, values: Sequence[Mapping[str, Any]], allowance:
        quotas.Allowance) -> None:
    """Claim what new rows of the kind with these values use: their quota, and the capacity of volumes that have a pool.

    Raises OverQuota, or NoRoom when a pool has not so much any more.
    """
    rows = [types.SimpleNamespace(host=None, **{"size": 0, **one}) if "host" not in one else
            types.SimpleNamespace(**{"size": 0, **one}) for one in values]
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        change = _share(conf, kind, row)
        amounts = sums.setdefault((change.project_id, change.type_id or ""), {})
        for resource, n in change.amounts.items():
            amounts[resource] = amounts.get(resource, 0) + n
    for (project_id, type_id), amounts in sorted(sums.items()):
        quotas.claim(tx, quotas.Change(project_id, amounts, type_id or None), allowance)
    if kind == "volume":
        _take_capacity(tx, conf, [row for row in rows if row.host is not None])


def _take_capacity(tx, conf, placed):
    """Take the capacity of volumes, by pool and type, which says how much they take."""
    sums = {}
    for row in placed:
        key = row.host, row.volume_type_id or ""
        size, n = sums.get(key, (0, 0))
        sums[key] = size + row.size, n + 1
    for (pool, type_id), (size, n) in sorted(sums.items()):
        type_ = volume_types.find(tx, type_id)
        pool_capacity.take(tx, conf, pool, size, n, type_ and type_.extra_specs)


def count_size(
        tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, row: db.Row, size: int,
        allowance: quotas.Allowance) -> None:
    """Claim the GiB of a row that was counted before its size was known. Raises OverQuota."""
    if kind == "volume" or not conf.no_snapshot_gb_quota:
        quotas.claim(tx, quotas.Change(row.project_id, {"gigabytes": size}, row.volume_type_id), allowance)
    if kind == "volume":
        pools.give_back(tx, row.host, -size, 0)  # it is there already, whether the pool has room or not


def uncount(tx: db.Transaction, conf: cfg.ConfigOpts, counted: Iterable[tuple[str, Any]]) -> None:
    """Release what rows, given as (kind, row), have counted."""
    counted = list(counted)
    for kind, row in counted:
        quotas.release(tx, _share(conf, kind, row))
    for kind, row in counted:
        if kind == "volume":
            pools.give_back(tx, row.host, row.size, 1)


def forget(tx: db.Transaction, conf: cfg.ConfigOpts, gone: Iterable[tuple[str, Any]]) -> None:
    """Remove what belongs to rows that were deleted, given as (kind, row): index, attachments, transfers, quota,
    capacity."""
    gone = list(gone)
    for kind, row in gone:
        if kind in ("volume", "snapshot"):
            metadata_index.remove(tx, row.id)
        if kind == "volume":
            attachments.delete_all(tx, row.id)
            connections.delete_all(tx, row.id)
            if states.AWAITING in (row.status, row.previous_status):
                transfers.delete_of_volume(tx, row.id)
    uncount(tx, conf, [(kind, row) for kind, row in gone if getattr(row, "counted", True)])


# -- the holds

class _Counted:
    """See states.Counted. Claimed by `count`."""

    @staticmethod
    def release(tx, conf, _hold, _job, kind, row):
        if row is not None and getattr(row, "counted", False):
            uncount(tx, conf, [(kind, row)])


class _CacheEntry:
    """See states.CacheEntry. Claimed by the project that the row belongs to."""

    @staticmethod
    def release(tx, conf, _hold, job, _kind, row):
        if row is not None and not row.consumes_quota and row.project_id == conf.cinder_internal_tenant_project_id:
            VOLUME.begin(tx, jobs.requester(job, overwrite=False), row.id, "delete", job={"host": service_of(row.host)})


class _Growth:
    """See states.Growth."""

    @staticmethod
    def claim(tx, conf, row, new_size, allowance):
        """`new_size` in GiB. Raises OverQuota or NoRoom."""
        more = new_size - row.size
        quotas.claim(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id), allowance)
        quotas.check_max_size(new_size, conf)
        pool_capacity.take(tx, conf, row.host, more, 0, row.type_extra_specs, "extend")

    @staticmethod
    def release(tx, _conf, _hold, job, _kind, row):
        args = args_of(job)
        if row is not None and "new_size" in args:
            more = args["new_size"] - args.get("old_size", row.size)
            quotas.release(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id))
            pools.give_back(tx, row.host, more, 0)


class _NewType:
    """See states.NewType. When the retype succeeds, the volume and its snapshots leave the type before."""

    claim = staticmethod(retypes.claim)

    @staticmethod
    def release(tx, _conf, _hold, job, _kind, row):
        if row is not None:
            retypes.release(tx, row, {"new_type_id": None, **args_of(job)})

    @staticmethod
    def keep(tx, conf, _hold, job, row, _members):
        if row is not None:
            retypes.settle(tx, conf, row, job.args)


class _Destination:
    """See states.Destination. Claimed by the scheduler, with pools.take; a move that succeeds keeps it."""

    @staticmethod
    def release(tx, _conf, hold, job, _kind, row):
        if row is None:
            return
        to = args_of(job).get("to")
        if job.stage in (states.VOLUME, states.AT_NOVA) and to not in (None, row.host):
            pools.give_back(tx, to, row.size, 1)
            attachments.delete_all(tx, job.id)
            connections.delete_all(tx, job.id)
            metadata_index.remove(tx, job.id)
            VOLUME.remove(tx, job.id)  # the row of the copy of a volume in use
            # Read again: what was attached was recorded after the job was claimed.
            attached = jobs.get(tx, job.id).args.get("attached")
            schedule_cleanup(tx, job, row.id, service_of(to), name_id=job.id, size=row.size, facts={},
                             attached=attached)
        if hold.marked or row.migration_status is not None:
            VOLUME.write(tx, row.id, migration_status=states.NOT_MIGRATED)


class _Connections:
    """See states.Connections. Lifecycle.begin ends them; a volume that is being deleted has them ended when that
    fails."""

    @staticmethod
    def release(tx, _conf, hold, job, kind, row):
        if hold.when_failed and row is not None:
            connections.end_of_volume(tx, row.id)


class _FrozenCopy:
    """See states.FrozenCopy. The work makes and removes it; when it ends otherwise, a job of its own removes it."""

    @staticmethod
    def release(tx, _conf, _hold, job, kind, row):
        if kind == "backup":
            volume, copy_id = _volume_of_backup(tx, job.resource_id), job.resource_id
        else:
            volume, copy_id = row, job.id
        if volume is not None and volume.host and job.attempt and volume.attach_status != states.DETACHED:
            schedule_copy_cleanup(tx, job, volume, copy_id)


def _volume_of_backup(tx, id):
    """The volume that a backup is made of, itself and not a snapshot of it; or None."""
    row = backups.find(tx, id)
    return volumes.find(tx, row.volume_id) if row is not None and row.snapshot_id is None else None


class _WaitingServers:
    """See states.WaitingServers. A server that is being rebuilt has reserved its volume."""

    @staticmethod
    def release(tx, _conf, hold, job, _kind, row):
        if row is None:
            return
        servers = [one.instance_uuid for one in attachments.of_volume(tx, row.id)
                   if one.instance_uuid and one.attach_status == states.RESERVED]
        if servers:
            jobs.add(tx, jobs.requester(job, overwrite=False), "server", row.id, hold.event, states.VOLUME,
                     job.host or service_of(row.host), {"servers": servers, "succeeded": False})


class _Source:
    """See states.Source. Claimed by the verb, which begins the source's own action with its guards."""

    @staticmethod
    def release(tx, conf, hold, job, _kind, row):
        id = source_id(hold, job, row)
        if id and _fail(tx, conf, job, hold.kind, states.ACTIONS[hold.kind][hold.action], id, {}) and hold.notify:
            ended = jobs.get(tx, job.id)
            reason = errors.Reason(ended.error, ended.public_error)
            messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl, (hold.kind, id))

    @staticmethod
    def keep(tx, _conf, hold, job, row, members):
        id = source_id(hold, job, row)
        if id:
            values = members.get(id, {})
            KINDS[hold.kind].settle(tx, id, hold.action, True, **(values(tx) if callable(values) else values))


def source_id(hold: states.Source, job: db.Row, row: db.Row | None = None) -> str | None:
    """The id of the resource that a job holds by a Source."""
    def named(name, column):
        found = args_of(job).get(name)
        return getattr(row, column, None) if found is None and row is not None and column else found

    return None if hold.unless and named(hold.unless, hold.unless) else named(hold.arg, hold.column)


class _Members:
    """See states.Members. Claimed by the verb, which begins their own actions with their guards."""

    @staticmethod
    def release(tx, conf, hold, job, _kind, _row):
        action = states.ACTIONS[hold.kind][hold.action]
        counted = any(action.held(states.Counted)) and action.done != states.GONE
        ended = []
        for one in members(tx, hold, job):
            lost = {"counted": False} if counted and one.counted else {}
            if KINDS[hold.kind].settle(tx, one.id, hold.action, False, **lost):
                ended.append(one)
        if counted:
            uncount(tx, conf, [(hold.kind, one) for one in ended if one.counted])
        for one in ended:
            for further in action.holds:
                if not further.of_row:
                    OF[type(further)].release(tx, conf, further, job, hold.kind, one)

    @staticmethod
    def keep(tx, _conf, hold, job, _row, done):
        """Returns the rows that are gone."""
        gone = states.ACTIONS[hold.kind][hold.action].done == states.GONE
        found = [one for one in members(tx, hold, job, locked=True) if one.id in done]
        kept = [one for one in found if KINDS[hold.kind].settle(tx, one.id, hold.action, True, **done[one.id])]
        return [(hold.kind, one) for one in kept] if gone else []


def members(tx: db.Transaction, hold: states.Members, job: db.Row, locked: bool=False) -> list[Any]:
    """The rows that a job holds by a Members."""
    wanted = args_of(job).get(hold.arg) if hold.arg else True
    if not wanted:
        return []
    if hold.column == "group_id":
        found = groups.volumes_of(tx, job.resource_id)
    elif hold.column == "group_snapshot_id":
        found = groups.snapshots_of(tx, job.resource_id, locked=locked)
    else:
        found = snapshots.of_volume(tx, job.resource_id, locked=locked)
    return [one for one in found if wanted is True or one.id == wanted]


def held_ids(tx: db.Transaction, hold: states.Source | states.Members, job: db.Row, status: str) -> list[str]:
    """Ids of the further resources in that status that a job holds."""
    if isinstance(hold, states.Members):
        found = members(tx, hold, job)
    else:
        id = source_id(hold, job)
        found = [notifications.subject(tx, hold.kind, id)] if id else []
    return [row.id for row in found if row is not None and row.status == status]


#: Class of a hold in states.py -> its release, and what it becomes when the action succeeds (`keep`).
OF: dict[type[states.Hold], Any] = {
    states.Counted: _Counted, states.CacheEntry: _CacheEntry, states.Growth: _Growth, states.NewType: _NewType,
    states.Destination: _Destination, states.Connections: _Connections, states.FrozenCopy: _FrozenCopy,
    states.WaitingServers: _WaitingServers, states.Source: _Source, states.Members: _Members}


# -- the end of an action

def succeed(
        tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, values: Mapping[str, Any], members: Mapping[str,
        Mapping[str, Any]], row: db.Row | None) -> bool:
    """The owner has done the work: the resource gets `values`, a source or member those that `members` has for its id.

    For a source that may be a function(tx) -> values.
    `row` is that of the resource as it was locked before, needed where `needs_row`. Returns whether the resource was
    in the action's status. Raises Stale.
    """
    action = states.find(job.kind, job.action)
    if not KINDS[job.kind].finish(tx, job, **values):
        return False
    if action is None:
        return True
    gone = keep(tx, conf, job, row, members)
    if action.done == states.GONE and row is not None and any(action.held(states.Counted)):
        gone.append((job.kind, row))
    forget(tx, conf, gone)
    return True


def keep(
        tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, row: db.Row | None, members: Mapping[str, Any] |
        None=None) -> list[tuple[str, Any]]:
    """Make of what the action holds what it becomes when the action succeeds. Returns the members' rows that are
    gone."""
    gone: list[tuple[str, Any]] = []
    for hold in states.ACTIONS[job.kind][job.action].holds:
        kept = getattr(OF[type(hold)], "keep", None)
        if kept is not None:
            gone += kept(tx, conf, hold, job, row, members or {}) or ()
    return gone


def needs_row(job: db.Row) -> bool:
    """Whether `succeed` has to know the resource's row.

    Jobs that an earlier release has recorded may not name their source, which the last stage of an action works on.
    """
    action = states.find(job.kind, job.action)
    if action is None:
        return False
    unnamed = job.stage == list(action.work)[-1] and any(
        hold.column and hold.arg not in args_of(job) for hold in action.held(states.Source))
    return unnamed or any(action.held(states.NewType)) or (
        action.done == states.GONE and any(action.held(states.Counted)))


def fail(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason | str, **values: Any) -> bool:
    """The owner gives the job up: its resource fails, with `values` as further columns, and nothing is held any more.

    Returns whether the resource was in the action's status. Raises Stale when the job has another owner by now.
    """
    row = locked(tx, job)
    jobs.end(tx, job, states.FAILED, error=reason)
    return _give_up(tx, conf, job, row, reason, values)


def end(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason | str) -> bool:
    """The same whoever works on the job, who can end it no more, and with a message to its owner. False when it is
    over."""
    row = locked(tx, job)
    if not jobs.abandon(tx, job, reason, conf.job_lease):
        return False
    _give_up(tx, conf, job, row, reason, {})
    messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl)
    return True


def _give_up(tx, conf, job, row, reason, values):
    if job.kind == "backup" and job.action in ("create", "import"):
        values = {**values, "fail_reason": errors.public(reason)}
    action = states.find(job.kind, job.action)
    if action is None:
        return KINDS[job.kind].settle(tx, job.resource_id, job.action, False, **values)
    return _fail(tx, conf, job, job.kind, action, job.resource_id, values, row)


_NOT_READ = object()


def _fail(tx, conf, job, kind, action, id, values, row=_NOT_READ):
    """End an action of a resource as failed, and release all that it holds."""
    if row is _NOT_READ:
        row = KINDS[kind].locked(tx, id) if action.holds else None
    not_made = any(action.held(states.Counted)) and action.done != states.GONE and getattr(row, "counted", False)
    if not_made:
        values = {**values, "counted": False}
    settled = KINDS[kind].settle(tx, id, action.name, False, **values)
    for hold in action.holds:
        if not hold.of_row or settled and action.done != states.GONE:
            OF[type(hold)].release(tx, conf, hold, job, kind, row)
    return settled


def release(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row) -> None:
    """Release what an ended job holds, but for what its resource's own row holds: somebody else decides about that."""
    action = states.find(job.kind, job.action)
    row = locked(tx, job) if action is not None and action.holds else None
    for hold in action.holds if action is not None else ():
        if not hold.of_row:
            OF[type(hold)].release(tx, conf, hold, job, job.kind, row)


def fail_without_job(
        tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, row: db.Row, action: states.Action, reason: str) -> None:
    """End as failed an action of which only the resource's status is left; sources and members have findings of
    their own."""
    values: dict[str, Any] = {"counted": False} if any(action.held(states.Counted)) and getattr(row, "counted",
                                                                                                False) else {}
    if kind == "backup" and action.name == "create":
        values["fail_reason"] = reason
    if KINDS[kind].settle(tx, row.id, action.name, False, **values) and "counted" in values:
        uncount(tx, conf, [(kind, row)])


# -- what remains on a backend

def schedule_cleanup(
        tx: db.Transaction, job: db.Row, volume_id: str, host: str, *, name_id: str | None, size: int,
        facts: dict[str, Any],
        attached: dict[str, Any] | None = None) -> str:
    """Record a job that removes what a backend has of a volume, and what is `attached` there. Returns the job's id.

    `host` is the service's (host@backend), `size` in GiB.
    """
    args = {"name_id": name_id, "size": size, "facts": facts, "attached": attached}
    return jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", volume_id, "remove", states.VOLUME, host,
                    args)


def schedule_former_cleanup(tx: db.Transaction, job: db.Row, row: db.Row) -> str:
    """The same of the place that a volume's row names, from which it moves."""
    return schedule_cleanup(tx, job, row.id, service_of(row.host) or "", name_id=row.name_id, size=row.size,
                            facts=row.facts)


def schedule_copy_cleanup(tx: db.Transaction, job: db.Row, row: db.Row, copy_id: str) -> None:
    """Record a job that removes the frozen copy `copy_id` of a volume, from which another job has read."""
    args = {"name_id": row.name_id, "size": row.size, "facts": row.facts, "copy_id": copy_id}
    jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", row.id, "remove_copy", states.VOLUME,
             service_of(row.host), args)
