"""Faults that are brought back to show that worlds find them: some of the past, and one for each hold, guard and fence.

A mutant is an altered row of the action table, a guard that always holds, a hold that is not released, or a swapped
function; it is applied to the process before its worlds begin.
"""

import dataclasses
import inspect

import sqlalchemy as sa

from cinder_lite import scheduler, states
from cinder_lite.db import connections, guards, job_changes, jobs, pools, quotas, types
from cinder_lite.jobs import fence
from cinder_lite.jobs.holds import base, counted, recounted
from cinder_lite.jobs.lifecycle import Lifecycle
from cinder_lite.scheduler import choose as _choose  # noqa: F401 - an attribute of its package
from cinder_lite.volume import exports

#: Name -> function() that brings the fault back.
MUTANTS = {}


def is_late(name):
    """Whether it can be applied to a world that has begun: what it changes is in no statement that is built already."""
    return " without " in name or name.startswith("no ")


def mutant(function):
    MUTANTS[function.__name__] = function
    return function


# -- the past


@mutant
def late_connection():
    """A volume service that was paused exports a volume whose connection was ended meanwhile (late)."""
    exports.Exports._confirmed = lambda self, row, one, location: True


@mutant
def late_disconnection():
    """It removes an export without looking at the connections that there are now (late2)."""
    def reconcile(self, volume_id):
        with self.db.read() as tx:
            row, found = connections.with_volume(tx, volume_id)
        for one in found:
            if one.backend == self.backend.name and one.state == states.ENDING:
                self.backend.call(self.target.remove, one.export_name)
        self._delete_ended(row, [one for one in found if one.state == states.ENDING])

    exports.Exports._reconcile = reconcile


@mutant
def quota_drift_by_transfer():
    """A deletion releases the quota of the project that the row had when the job began."""
    original = counted.uncount
    owners = {}

    def uncount(tx, conf, rows):
        original(tx, conf, [(kind, row if row is None else _Row(row, project_id=owners.get(row.id, row.project_id)))
                            for kind, row in rows])

    def insert(self, tx, ctx, action, row, **job):
        owners[row["id"]] = row.get("project_id")
        return begin(self, tx, ctx, action, row, **job)

    begin, Lifecycle.insert = Lifecycle.insert, insert
    counted.uncount = recounted.uncount = uncount


class _Row:
    """A row with some other values."""

    def __init__(self, row, **values):
        self.row, self.values = row, values

    def __getattr__(self, name):
        return self.values[name] if name in self.values else getattr(self.row, name)


@mutant
def hint_that_raises():
    """A decision of the scheduler that raises is made again at each sweep, for ever."""
    def choose(*arguments, **named):
        raise TypeError("unhashable type")

    scheduler.choose.choose = choose
    job_changes.count_attempt = lambda tx, id, stage: 1


@mutant
def type_deleted_while_used():
    """A type is deleted although volumes have it."""
    def delete(tx, id):
        tx.execute(sa.delete(types.T).where(types.T.c.id == id))

    types.delete = delete


@mutant
def export_raced_by_delete():
    """A connection is confirmed although its volume is being deleted."""
    def confirmed(self, row, one, location):
        with self.db.write() as tx:
            return connections.establish(tx, one, location)

    exports.Exports._confirmed = confirmed


# -- fences


@mutant
def ends_the_jobs_of_others():
    """Whoever had a job once ends it."""
    def write_owned(tx, job, values):
        tx.execute(sa.update(jobs.J).where(jobs.J.c.id == job.id).values(values))

    jobs.write_owned = job_changes.write_owned = write_owned


@mutant
def old_attempts_write():
    """The attempt is not compared when a job is ended."""
    jobs._ITS = tuple(name for name in jobs._ITS if name not in ("attempt", "owner"))


@mutant
def never_lost():
    """A worker goes on after its lease."""
    fence.Fence.is_lost = lambda self: False


@mutant
def connections_without_generation():
    def write(tx, row, **values):
        return tx.execute(sa.update(connections.C).where(connections.C.c.id == row.id).values(**values)).rowcount == 1

    connections.write = write


@mutant
def nobody_sweeps():
    """Lost messages are not found."""
    from cinder_lite.jobs import sweeper

    sweeper.Sweeper._sweep = lambda self: None


@mutant
def no_capacity_given_back():
    pools.give_back = lambda *arguments: None


@mutant
def no_quota_released():
    quotas.release = lambda tx, change: None


# -- one for each hold of the action table, and for each part of a class of holds


def _without_hold(kind, action, hold):
    def apply():
        row = states.ACTIONS[kind][action]
        kept = tuple(one for one in row.holds if one is not hold)
        states.ACTIONS[kind][action] = dataclasses.replace(row, holds=kept, no_holds="" if kept else "removed")

    return apply


def _without_part(cls, part):
    def apply():
        setattr(cls, part, staticmethod(lambda *arguments, **named: None))

    return apply


def _always(names):
    def apply():
        for name in names:
            found = getattr(guards, name)
            # The statements are built from the guards themselves, which several tuples contain.
            object.__setattr__(found, "clause", sa.true())
            object.__setattr__(found, "across", False)

    return apply


for _kind, _actions in states.ACTIONS.items():
    for _action, _row in _actions.items():
        for _hold in _row.holds:
            MUTANTS[f"{_kind}.{_action} without {_hold}"] = _without_hold(_kind, _action, _hold)
for _of, _class in base.OF.items():
    for _part in ("release", "keep", "placed"):
        if _part in vars(_class):
            MUTANTS[f"no {_part} of {_of.__name__}"] = _without_part(_class, _part)
for _name, _guard in inspect.getmembers(guards, lambda one: isinstance(one, guards.Guard)):
    MUTANTS[f"guard {_name}"] = _always([_name])
