"""The lifecycle engine: begins, finishes and fails actions. No other code changes a status.

`begin` is one conditional UPDATE together with the job's row; when nothing was changed, a second SELECT names the one
guard that did not hold. `finish` and `fail` end the action and the job in one transaction that only the job's present
owner can commit.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import jobs, schema
from cinder_lite.db.guards import Guard
from cinder_lite.states import lookup


# Some guards are built for one request: what is built of guards is kept for the 128 most recent ones.
@functools.lru_cache
def labels(guards: tuple[Guard, ...]) -> tuple[sa.ColumnElement, ...]:
    """For each guard a column with whether it holds, for `Lifecycle.locked` and `Lifecycle.check`."""
    return tuple(guard.clause.label(f"guard_{n}") for n, guard in enumerate(guards))


@functools.lru_cache
def _locking(table: sa.Table, columns: tuple[sa.ColumnElement, ...] | None, by: Any = None) -> Any:
    """The statement that locks a row and reads it with `columns`, or its id alone if they are None."""
    read = sa.select(table.c.id) if columns is None else sa.select(table, *columns)
    return read.where(table.c.id == (sa.bindparam("its_id") if by is None else by)).with_for_update()


@functools.lru_cache
def _beginning(table: sa.Table, begins: tuple[str, ...], guards: tuple[Guard, ...], columns: tuple[str, ...]) -> Any:
    """The statement that sets the status of an action, and `columns`."""
    mine = table.c.id == sa.bindparam("its_id"), table.c.status.in_([*map(sa.literal, begins)])
    return sa.update(table).where(*mine, *(guard.clause for guard in guards)).ordered_values(
        ("previous_status", table.c.status), *((name, sa.bindparam(f"new_{name}")) for name in columns))


#: The columns of a deleted row that tell what goes with it.
_COUNTED = frozenset(("id", "project_id", "status", "previous_status", "attach_status", "size", "host",
                      "volume_type_id", "counted", "metadata", "admin_metadata"))


@functools.cache
def _changing(table: sa.Table, columns: tuple[str, ...] | None, back: bool = False, whatever: bool = False) -> Any:
    """The statement that changes a row of one status: to build it takes about as long as to execute it.

    `columns` are those that it sets, None: it deletes and returns the row. `back`: the status becomes the previous one.
    `whatever`: its status does not matter.
    """
    mine = [table.c.id == sa.bindparam("its_id"), *(
        () if whatever else (table.c.status == sa.bindparam("its_status"),))]
    if columns is None:
        return sa.delete(table).where(*mine).returning(*(one for one in table.c if one.name in _COUNTED))
    status = [("status", sa.func.coalesce(table.c.previous_status, states.AVAILABLE))] if back else []
    return sa.update(table).where(*mine).ordered_values(
        *status, *((name, sa.bindparam(f"new_{name}")) for name in columns))


def _new(values):
    return {f"new_{name}": value for name, value in values.items()}


class Lifecycle:
    """The actions of one kind of resource, whose rows are in `table`; `missing` is raised for an id without a row."""

    def __init__(self, kind: str, table: sa.Table, missing: type[errors.Error]) -> None:
        self.kind, self.table, self.missing = kind, table, missing
        self.actions, self._insert = states.ACTIONS[kind], sa.insert(table)

    # -- begin

    def insert(self, tx: db.Transaction, ctx: Any, action: str, row: Mapping[str, Any], **job: Any) -> str | None:
        """Insert a new row in the action's status, and its job. Returns the job's id, None for an action without a
        stage."""
        found = self.actions[action]
        tx.execute(self._insert, {"status": found.doing, "created_at": db.now(), **row})
        return self._job(tx, ctx, found, row["id"], **job)

    def begin(self, tx: db.Transaction, ctx: Any, id: str, action: str, guards: Sequence[Guard] = (),
              refusal: type[errors.Error] = errors.InvalidState, job: Mapping[str, Any] | None = None,
              is_locked: bool = False, **values: Any) -> str | None:
        """Set the action's status if the row's status and all guards allow it, and record the job.

        `values` are further columns to set; `job` are arguments of jobs.add (args, host). `is_locked`: the caller has
        locked the row. Returns the job's id, None for an action without a stage.
        Raises NotFound, or `refusal` with the sentence of the guard that did not hold.
        """
        found = self.actions[action]
        if not is_locked:
            self._lock_for(tx, id, guards)
        new = {"status": found.doing, "updated_at": db.now(), **values}
        took = tx.execute(_beginning(self.table, found.begins, tuple(guards), tuple(new)), {"its_id": id, **_new(new)})
        if took.rowcount == 0:
            self._refuse(tx, id, found.begins, guards, refusal)
        return self._job(tx, ctx, found, id, **(job or {}))

    def hold(self, tx: db.Transaction, id: str, statuses: Sequence[str], guards: Sequence[Guard] = (),
             refusal: type[errors.Error] = errors.InvalidState) -> db.Row:
        """Lock the row until the transaction ends, and return it. Raises `refusal` unless status and guards allow
        that."""
        self._lock_for(tx, id, guards)
        return self.check(self.locked(tx, id, *labels(tuple(guards))), id, statuses, guards, refusal)

    def locked(self, tx: db.Transaction, id: str, *columns: sa.ColumnElement, by: Any = None) -> db.Row | None:
        """The row as its table has it, locked until the transaction ends, or None. `columns` are selected besides.

        `id` is the row's, or the parameter `its_id` of a subquery `by` that selects it. PostgreSQL reads the row itself
        after it waited for the lock, but other tables, which are not locked, as of the statement's begin: what this
        lock serializes is read by a later statement.
        """
        return tx.execute(_locking(self.table, columns, by), {"its_id": id}).first()

    def check(self, row: db.Row | None, id: str, statuses: Sequence[str], guards: Sequence[Guard] = (),
              refusal: type[errors.Error] = errors.InvalidState) -> db.Row:
        """The row, which was read with labels(guards). Raises `refusal` unless status and guards allow the action."""
        if row is None:
            raise self.missing(id=id)
        for n, guard in enumerate(guards):
            if not getattr(row, f"guard_{n}"):
                raise refusal(kind=self.kind, reason=guard.says)
        if row.status not in statuses:
            raise self._wrong_status(row, statuses, refusal)
        return row

    def lock(self, tx: db.Transaction, id: str) -> None:
        """Lock the row until the transaction ends, whatever its status."""
        tx.execute(_locking(self.table, None), {"its_id": id})

    def _lock_for(self, tx, id, guards):
        if any(guard.across for guard in guards):
            self.lock(tx, id)

    def _refuse(self, tx: db.Transaction, id: str, begins: Sequence[str], guards: Sequence[Guard],
                refusal: type[errors.Error]) -> NoReturn:
        row = tx.execute(sa.select(self.table.c.status, *labels(tuple(guards))).where(self.table.c.id == id)).first()
        raise self._wrong_status(self.check(row, id, begins, guards, refusal), begins, refusal)

    def _wrong_status(self, row, statuses, refusal):
        allowed = " or ".join(statuses)
        return refusal(kind=self.kind, reason=f"its status must be {allowed}, but it is {row.status}")

    def _job(self, tx, ctx, action, id, **job):
        if action.stage is None:
            return None
        job.setdefault("stage", action.stage)
        return jobs.add(tx, ctx, kind=self.kind, resource_id=id, action=action.name, **job)

    # -- end

    def settle(self, tx: db.Transaction, id: str, action: str, succeeded: bool, **values: Any) -> Any:
        """Set the status in which the action ends, or delete the row. Returns the deleted row, or True; nothing when
        the row is not in the action's status any more."""
        known = self.actions.get(action)
        if known is None:
            return not succeeded and self._leave_unknown(tx, id)
        return self._leave(tx, id, known.doing, known.done if succeeded else known.failed, values)

    def _leave_unknown(self, tx, id):
        """The same for an action that only a newer release knows, by the status alone."""
        status = tx.execute(sa.select(self.table.c.status).where(self.table.c.id == id)).scalar()
        if status not in lookup.transitional(self.kind):
            return False
        return self._leave(tx, id, status, lookup.without_work(self.kind, status), {})

    def _leave(self, tx, id, doing, to, values):
        mine = {"its_id": id, "its_status": doing}
        if to == states.GONE:
            return tx.execute(_changing(self.table, None), mine).first()
        back = to == states.BACK
        new = {"updated_at": db.now(), **values} if back else {"status": to, "updated_at": db.now(), **values}
        return tx.execute(_changing(self.table, tuple(new), back), mine | _new(new)).rowcount == 1

    def finish(self, tx: db.Transaction, job: db.Row, **values: Any) -> Any:
        """End the action, and the job as succeeded. Returns as `settle`: nothing when the row had left the action's
        status, as an administrator can order.

        Raises Stale, which undoes the transaction, when the job has another owner by now.
        """
        settled = self.settle(tx, job.resource_id, job.action, True, **values)
        jobs.end(tx, job, states.SUCCEEDED)
        return settled

    # -- without an action

    def remove(self, tx: db.Transaction, id: str) -> None:
        """Delete the row whatever its status."""
        tx.execute(sa.delete(self.table).where(self.table.c.id == id))

    def write(self, tx: db.Transaction, id: str, statuses: Sequence[str] | None = None, guards: Sequence[Guard] = (),
              refusal: type[errors.Error] = errors.InvalidState, **values: Any) -> None:
        """Set columns outside of an action: administrators' resets, and statuses that mirror other rows.

        With `statuses` only from those; raises like `begin` otherwise.
        """
        new = {"updated_at": db.now(), **values}
        if statuses is None and not guards:
            changed = tx.execute(_changing(self.table, tuple(new), whatever=True), {"its_id": id, **_new(new)})
        else:
            where = [self.table.c.id == id, *(guard.clause for guard in guards)]
            if statuses is not None:
                where.append(self.table.c.status.in_(statuses))
            self._lock_for(tx, id, guards)
            changed = tx.execute(sa.update(self.table).where(*where).values(new))
        if changed.rowcount == 0:
            self._refuse(tx, id, statuses or (), guards, refusal)


class StatelessTask:
    """The same interface for jobs that give no resource a status: they only end."""

    def __init__(self, kind: str) -> None:
        self.kind, self.actions = kind, states.ACTIONS[kind]

    @staticmethod
    def locked(_tx: db.Transaction, _id: str) -> None:
        """There is no row."""

    @staticmethod
    def finish(tx: db.Transaction, job: db.Row, **_values: Any) -> bool:
        """End the job as succeeded. Raises Stale."""
        jobs.end(tx, job, states.SUCCEEDED)
        return True

    @staticmethod
    def settle(_tx: db.Transaction, _id: str, _action: str, _succeeded: bool, **_values: Any) -> bool:
        """There is no status to set."""
        return True


VOLUME = Lifecycle("volume", schema.volumes, errors.VolumeNotFound)
SNAPSHOT = Lifecycle("snapshot", schema.snapshots, errors.SnapshotNotFound)
BACKUP = Lifecycle("backup", schema.backups, errors.BackupNotFound)
GROUP = Lifecycle("group", schema.groups, errors.GroupNotFound)
GROUP_SNAPSHOT = Lifecycle("group_snapshot", schema.group_snapshots, errors.GroupSnapshotNotFound)
#: Kind -> its Lifecycle, or StatelessTask.
KINDS: dict[str, Any] = {engine.kind: engine for engine in (VOLUME, SNAPSHOT, BACKUP, GROUP, GROUP_SNAPSHOT)} | {
    kind: StatelessTask(kind) for kind in states.STATELESS}
