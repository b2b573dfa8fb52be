"""Checks that transitional statuses have a job, that dependent rows have their parent, and that statuses match
attachments."""

import functools
from collections.abc import Iterable, Iterator, Sequence

from cinder_lite import context, db, states
from cinder_lite.db import attachments, audit, job_queries, jobs, schema, snapshots, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.doctor.finding import Finding
from cinder_lite.doctor.state import State
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.states import lookup

#: Kind -> the columns with the id of a resource whose jobs hold its members.
MEMBERSHIPS = {
    kind: {hold.column for _, row in lookup.rows() for hold in row.held(states.Members) if hold.kind == kind}
    for kind in states.ACTIONS}


def held(live: Iterable[db.Row]) -> set[tuple[str | None, ...]]:
    """{(kind, id, status)} that live jobs hold, and {(kind, column, id in it, status)} of the members that they
    hold."""
    found: set[tuple[str | None, ...]] = set()
    for job in live:
        row = lookup.find(job.kind, job.action)
        if row is None:
            continue
        found.add((job.kind, job.resource_id, row.doing))
        for hold in lookup.members_of(row):
            status = states.ACTIONS[hold.kind][hold.action].doing
            if isinstance(hold, states.Source):
                found.add((hold.kind, holds.source_id(hold, job, job), status))
            elif not hold.arg:
                found.add((hold.kind, hold.column, job.resource_id, status))
            elif wanted := holds.args_of(job).get(hold.arg):
                found.add((hold.kind, hold.column, job.resource_id, status) if wanted is True
                          else (hold.kind, wanted, status))
    return found


def _is_held(kind, row, holders):
    return (kind, row.id, row.status) in holders or any(
        (kind, column, getattr(row, column), row.status) in holders for column in MEMBERSHIPS[kind])


# -- repairs of a status without a job

def _again(kind, action, tx, row, conf):
    """Start the action again in a new job."""
    stage, host, args = action.stage, None, {}
    if kind == "backup":
        host = row.host
    else:
        volume = row if kind == "volume" else volumes.find(tx, row.volume_id)
        if volume is None:
            return ""
        if volume.host is not None:
            stage, host = states.VOLUME, service_of(volume.host)
        elif action.done == states.GONE:
            return _forget(tx, row, conf)
    if kind == "volume" and any(action.held(states.Members)):
        left = snapshots.of_volume(tx, row.id)
        if any(one.status != states.DELETING for one in left):
            return _failed(kind, action, tx, row, conf)
        args = {"cascade": bool(left)}
    ctx = context.Context(user_id=row.user_id, project_id=row.project_id, is_admin=True, overwrite=False)
    id = jobs.add(tx, ctx, kind, row.id, action.name, stage, host=host, args=args)
    return f"started job {id} to {action.name} {kind} {row.id}" + (f" on {host}" if host else "")


def _forget(tx, row, conf):
    """Delete a volume that was never placed on a backend."""
    holds.succeed_without_job(tx, conf, "volume", row, "forget")
    return f"deleted volume {row.id}, which was on no backend"


def _failed(kind, action, tx, row, conf):
    """End the action as failed."""
    holds.fail_without_job(tx, conf, kind, row, action, "its job was lost")
    return f"set {kind} {row.id} to {audit.status(tx, kind, row.id)}"


#: Remedy of an action -> its implementation.
REPAIRS = {states.AGAIN: _again, states.FAIL: _failed}


def without_job(state: State) -> Iterator[Finding]:
    """Volumes, snapshots, backups, groups and group snapshots in a transitional status without a job."""
    holders = held(state.live)
    for kind in schema.RESOURCES:
        for row in audit.in_transition(state.tx, kind):
            if not _is_held(kind, row, holders):
                yield _without_job(kind, row)


def _without_job(kind, row):
    action = lookup.without_job(kind, row.status)
    return Finding("status without job", (kind, row.id, row.status),
                   f"{kind} {row.id} is {row.status}, but no job is responsible for it",
                   action.remedy.format(action=action.name), functools.partial(_release, kind, action, row))


@db.retried
def _release(kind, action, found, database, conf):
    with database.write() as tx:
        row = audit.locked(tx, kind, found.id)
        if row is None or row.status != found.status or _is_held(kind, row, held(audit.live_jobs(tx))):
            return ""
        return REPAIRS[action.remedy](kind, action, tx, row, conf)


# -- migrations

def migrations_without_job(state: State) -> Iterator[Finding]:
    """Volumes with the migration status of a running migration, without a job that migrates them."""
    actions = audit.moving_actions()
    moving = {job.resource_id for job in state.live if job.action in actions}
    for row in audit.half_migrated(state.tx):
        if row.id not in moving:
            yield Finding("migration without job", (row.id, row.migration_status),
                          f"volume {row.id} has the migration status {row.migration_status}, but no job migrates it",
                          "ends the migration as failed", functools.partial(_end_migration, row.id))


@db.retried
def _end_migration(id, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, "volume", id)
        if row is None or row.migration_status in (None, *states.NOT_MIGRATING) or any(
                job.action in audit.moving_actions() for job in job_queries.live_of(tx, "volume", id)):
            return ""
        VOLUME.write(tx, id, migration_status=states.NOT_MIGRATED)
        VOLUME.settle(tx, id, "migrate_locked", False)
        return f"ended the migration of volume {id}"


# -- rows without their parent

def lost_attachments(state: State) -> Iterator[Finding]:
    """Attachments whose volume does not exist."""
    for row in audit.of_gone_volumes(state.tx, schema.attachments):
        yield Finding("attachment without volume", (row.id,),
                      f"attachment {row.id} is of volume {row.volume_id}, which does not exist",
                      "deletes the attachment", functools.partial(_remove_attachment, row.id))


@db.retried
def _remove_attachment(id, database, _conf):
    with database.write() as tx:
        gone = audit.of_gone_volumes(tx, schema.attachments, id)
        return f"deleted attachment {id}" if gone and attachments.delete(tx, id) else ""


def lost_snapshots(state: State) -> Iterator[Finding]:
    """Snapshots whose volume does not exist."""
    for row in audit.of_gone_volumes(state.tx, schema.snapshots):
        yield Finding("snapshot without volume", (row.id,),
                      f"snapshot {row.id} is of volume {row.volume_id}, which does not exist",
                      "deletes its row; its data on a backend is then reported as an orphaned snapshot",
                      functools.partial(_remove_snapshot, row.id))


@db.retried
def _remove_snapshot(id, database, conf):
    with database.write() as tx:
        row = audit.locked(tx, "snapshot", id)
        if row is None or not audit.of_gone_volumes(tx, schema.snapshots, id):
            return ""
        SNAPSHOT.write(tx, id, status=states.ERROR)
        holds.begin(tx, conf, None, "snapshot", id, "cascade")
        holds.succeed_without_job(tx, conf, "snapshot", row, "cascade")
        return f"deleted snapshot {id}"


def lost_metadata(state: State) -> Iterator[Finding]:
    """Rows of the metadata index whose resource does not exist."""
    for id, n in audit.metadata_of_gone(state.tx):
        yield Finding("metadata index without resource", (id,),
                      f"the metadata index has {n} rows of {id}, which does not exist", "deletes them",
                      functools.partial(_remove_metadata, id))


@db.retried
def _remove_metadata(id, database, _conf):
    with database.write() as tx:
        n = audit.delete_metadata_of_gone(tx, id)
        return f"deleted {n} rows of {id} from the metadata index" if n else ""


def metadata_differs(state: State) -> Iterator[Finding]:
    """Resources whose rows in the metadata index differ from their metadata."""
    for one in audit.indexed(state.tx):
        if not one.correct:
            yield Finding("metadata index mismatch", (one.kind, one.id),
                          f"{one.kind} {one.id} has the metadata {one.metadata}, but lists find it by {one.index}"
                          + ("" if one.placed else " and with another project or time of creation"),
                          "rebuilds its metadata index", functools.partial(_rewrite_metadata, one.kind, one.id))


@db.retried
def _rewrite_metadata(kind, id, database, _conf):
    with database.write() as tx:
        return f"rebuilt the metadata index of {kind} {id}" if audit.rewrite_index(tx, kind, id) else ""


# -- attachments

def contradicts(status: str, attach_status: str, present: Sequence[db.Row]) -> bool:
    """Whether a volume's statuses contradict its attachments.

    os-reserve sets attaching before there is an attachment, and os-begin_detaching sets detaching while there still
    is one.
    """
    by_attachments, attach_by_attachments = attachments.strongest(present)
    if attach_status != attach_by_attachments:
        return True
    if status == states.DETACHING:
        return by_attachments != states.IN_USE
    return status in states.ATTACHMENT_DRIVEN and status not in (states.ATTACHING, by_attachments)


def attachments_contradicted(state: State) -> Iterator[Finding]:
    """Volumes without a running action whose status contradicts their attachments."""
    present = audit.attachments_by_volume(state.tx)
    for row in audit.perhaps_attached(state.tx):
        mine = present.get(row.id, [])
        if contradicts(row.status, row.attach_status, mine):
            have = ", ".join(sorted(one.attach_status for one in mine)) or "none"
            yield Finding("status contradicts attachments", (row.id, row.status, row.attach_status, have),
                          f"volume {row.id} is {row.status} and {row.attach_status}, but its attachments are: {have}",
                          "sets the status that its attachments require", functools.partial(_mirror, row.id))


@db.retried
def _mirror(id, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, "volume", id)
        present = attachments.of_volume(tx, id)
        if row is None or not contradicts(row.status, row.attach_status, present):
            return ""
        status, attach_status = attachments.strongest(present)
        driven = {"status": status} if row.status in states.ATTACHMENT_DRIVEN else {}
        VOLUME.write(tx, id, attach_status=attach_status, **driven)
        return f"set volume {id} to {status} and {attach_status}" if driven else f"set volume {id} to {attach_status}"
