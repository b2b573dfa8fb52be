"""The lifecycle engine: begins, finishes and fails actions. No other code changes a status.

`begin` is one conditional UPDATE together with the job's row; when nothing was changed, a second SELECT names the one
guard that did not hold. `finish` and `fail` end the action and the job in one transaction that only the job's present
owner can commit.
"""

import dataclasses
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import connections, jobs, schema


@dataclasses.dataclass(frozen=True)
class Guard:
    """A condition on the row besides its status, and the sentence that refuses when it does not hold.

    `across` says that the condition looks at other rows: then the row is locked first, so that whoever adds such rows
    (and locks it too, see `Lifecycle.hold`) and this action see each other.
    """

    clause: sa.ColumnElement
    says: str
    across: bool = False


class Lifecycle:
    """The actions of one kind of resource."""

    def __init__(self, kind, table, missing):
        self.kind, self.table, self.missing = kind, table, missing
        self.actions = states.ACTIONS[kind]

    # -- begin

    def insert(self, tx, ctx, action, row, **job):
        """Insert a new row in the action's status, and its job. Returns the job's id (None when there is no stage)."""
        action = self.actions[action]
        tx.execute(sa.insert(self.table), {"status": action.doing, "created_at": db.now(), **row})
        return self._job(tx, ctx, action, row["id"], **job)

    def begin(self, tx, ctx, id, action, guards=(), refusal=errors.InvalidState, job=None, is_locked=False, **values):
        """Set the action's status if the row's status and all guards allow it, and record the job.

        `values` are further columns to set; `job` is what jobs.add takes (args, host). `is_locked`: the caller has locked the
        row. Returns the job's id.
        Raises NotFound, or `refusal` with the sentence of the guard that did not hold.
        """
        action = self.actions[action]
        if not is_locked:
            self._lock_for(tx, id, guards)
        took = tx.execute(
            sa.update(self.table).where(self.table.c.id == id, self.table.c.status.in_(action.begins),
                                        *(guard.clause for guard in guards))
            .ordered_values(("previous_status", self.table.c.status), ("status", action.doing),
                            ("updated_at", db.now()), *values.items()))
        if took.rowcount == 0:
            self._refuse(tx, id, action.begins, guards, refusal)
        if any(not hold.when_failed for hold in action.held(states.Connections)):
            connections.end_of_volume(tx, id)
        return self._job(tx, ctx, action, id, **(job or {}))

    def hold(self, tx, id, statuses, guards=(), refusal=errors.InvalidState):
        """Lock the row until the transaction ends, if its status and guards allow what is about to be done with it."""
        self._lock_for(tx, id, guards, always=True)
        held = tx.execute(sa.select(self.table).where(
            self.table.c.id == id, self.table.c.status.in_(statuses), *(guard.clause for guard in guards))).first()
        if held is None:
            self._refuse(tx, id, statuses, guards, refusal)
        return held

    def locked(self, tx, id):
        """The row as its table has it, locked until the transaction ends, or None."""
        return tx.execute(sa.select(self.table).where(self.table.c.id == id).with_for_update()).first()

    def lock(self, tx, id):
        """Lock the row until the transaction ends, whatever its status."""
        tx.execute(sa.select(self.table.c.id).where(self.table.c.id == id).with_for_update())

    def _lock_for(self, tx, id, guards, always=False):
        if always or any(guard.across for guard in guards):
            self.lock(tx, id)

    def _refuse(self, tx, id, begins, guards, refusal):
        row = tx.execute(sa.select(
            self.table.c.status, *(guard.clause.label(f"guard_{n}") for n, guard in enumerate(guards)))
            .where(self.table.c.id == id)).first()
        if row is None:
            raise self.missing(id=id)
        for holds, guard in zip(row[1:], guards, strict=True):
            if not holds:
                raise refusal(kind=self.kind, reason=guard.says)
        allowed = " or ".join(begins)
        raise refusal(kind=self.kind, reason=f"its status must be {allowed}, but it is {row.status}")

    def _job(self, tx, ctx, action, id, **job):
        if action.stage is None:
            return None
        job.setdefault("stage", action.stage)
        return jobs.add(tx, ctx, kind=self.kind, resource_id=id, action=action.name, **job)

    # -- end

    def settle(self, tx, id, action, succeeded, **values):
        """Leave the action's status for the one it ends in. False when the row is not in it any more."""
        known = self.actions.get(action)
        if known is None:
            return not succeeded and self._leave_unknown(tx, id)
        return self._leave(tx, id, known.doing, known.done if succeeded else known.failed, values)

    def _leave_unknown(self, tx, id):
        """The same for an action that only a newer release knows, by the status alone."""
        status = tx.execute(sa.select(self.table.c.status).where(self.table.c.id == id)).scalar()
        if status not in states.transitional(self.kind):
            return False
        return self._leave(tx, id, status, states.without_work(self.kind, status), {})

    def _leave(self, tx, id, doing, to, values):
        mine = (self.table.c.id == id, self.table.c.status == doing)
        if to == states.GONE:
            return tx.execute(sa.delete(self.table).where(*mine)).rowcount == 1
        status = sa.func.coalesce(self.table.c.previous_status, states.AVAILABLE) if to == states.BACK else to
        changed = tx.execute(sa.update(self.table).where(*mine).ordered_values(
            ("status", status), ("updated_at", db.now()), *values.items()))
        return changed.rowcount == 1

    def finish(self, tx, job, **values):
        """The job succeeded. False when the row had left the action's status, which an administrator can make it do.

        Raises Stale, which undoes the transaction, when the job has another owner by now.
        """
        jobs.end(tx, job, states.SUCCEEDED)
        return self.settle(tx, job.resource_id, job.action, True, **values)

    # -- without an action

    def remove(self, tx, id):
        """Delete the row whatever its status."""
        tx.execute(sa.delete(self.table).where(self.table.c.id == id))

    def write(self, tx, id, statuses=None, guards=(), refusal=errors.InvalidState, **values):
        """Change columns, not through an action: administrators' resets, and statuses that mirror other rows.

        With `statuses` only from those; refused like `begin` otherwise.
        """
        where = [self.table.c.id == id, *(guard.clause for guard in guards)]
        if statuses is not None:
            where.append(self.table.c.status.in_(statuses))
        self._lock_for(tx, id, guards)
        changed = tx.execute(sa.update(self.table).where(*where).values(updated_at=db.now(), **values))
        if changed.rowcount == 0:
            self._refuse(tx, id, statuses or (), guards, refusal)


class StatelessTask:
    """The same interface for jobs that give no resource a status: they only end."""

    def __init__(self, kind):
        self.kind, self.actions = kind, states.ACTIONS[kind]

    @staticmethod
    def locked(_tx, _id):
        return None

    @staticmethod
    def finish(tx, job, **_values):
        jobs.end(tx, job, states.SUCCEEDED)
        return True

    @staticmethod
    def settle(_tx, _id, _action, _succeeded, **_values):
        return True


VOLUME = Lifecycle("volume", schema.volumes, errors.VolumeNotFound)
SNAPSHOT = Lifecycle("snapshot", schema.snapshots, errors.SnapshotNotFound)
BACKUP = Lifecycle("backup", schema.backups, errors.BackupNotFound)
GROUP = Lifecycle("group", schema.groups, errors.GroupNotFound)
GROUP_SNAPSHOT = Lifecycle("group_snapshot", schema.group_snapshots, errors.GroupSnapshotNotFound)
#: Kind -> its Lifecycle, or StatelessTask.
KINDS: dict[str, Any] = {engine.kind: engine for engine in (VOLUME, SNAPSHOT, BACKUP, GROUP, GROUP_SNAPSHOT)} | {
    kind: StatelessTask(kind) for kind in states.STATELESS}
