"""Reads the rows of jobs: those of a resource, those that wait, pages of them."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, states
from cinder_lite.db import listing
from cinder_lite.db.jobs import J, claimable

LISTING = listing.Listing(J, frozenset(("id", "created_at", "status", "kind", "action")))
#: Columns that a list of jobs can be filtered by.
FILTERS = ("resource_id", "status", "kind", "action", "host", "stage", "request_id")
_BY_ID = sa.select(J).where(J.c.id == sa.bindparam("id"))


def get(tx: db.Transaction, id: str) -> db.Row | None:
    """The job, or None."""
    return tx.execute(_BY_ID, {"id": id}).first()


def is_live(tx: db.Transaction, id: str) -> bool:
    """Whether there is such a job and it has not ended."""
    return tx.execute(sa.select(J.c.id).where(J.c.id == id, J.c.status.in_(states.LIVE_JOB))).first() is not None


def _waiting(*where):
    return sa.select(J.c.id).where(
        J.c.stage == sa.bindparam("stage"), J.c.status.in_(states.LIVE_JOB),
        claimable(sa.bindparam("now"), sa.bindparam("owner")),
        sa.func.coalesce(J.c.updated_at, J.c.created_at) <= sa.bindparam("recent"), *where
    ).order_by(J.c.created_at).limit(sa.bindparam("most"))


_WAITING, _WAITING_FOR_HOSTS = _waiting(), _waiting(J.c.host.in_(sa.bindparam("hosts", expanding=True)))


def waiting(tx: db.Transaction, stage: str, hosts: Collection[str] | None, owner: str | None = None,
            older_than: float = 0.0, most: int = 200) -> list[str]:
    """Ids of the jobs at that stage that have no worker, or `owner` as their worker, oldest first.

    `hosts` limits the jobs to those of these hosts; `older_than` omits jobs that were queued in the last seconds.
    """
    now = db.now()
    given = {"stage": stage, "owner": owner or "", "now": now, "recent": now - datetime.timedelta(seconds=older_than),
             "most": most}
    query, of = (_WAITING, {}) if hosts is None else (_WAITING_FOR_HOSTS, {"hosts": list(hosts)})
    return list(tx.execute(query, given | of).scalars())


def pending(tx: db.Transaction) -> Sequence[db.Row]:
    """Numbers of live jobs: a row (kind, action, stage, status, count, since) per group."""
    group = (J.c.kind, J.c.action, J.c.stage, J.c.status)
    count, since = sa.func.count().label("count"), sa.func.min(J.c.created_at).label("since")
    return tx.execute(sa.select(*group, count, since).where(J.c.status.in_(states.LIVE_JOB)).group_by(*group)).all()


def unclaimed(tx: db.Transaction) -> Sequence[db.Row]:
    """Numbers of claimable jobs: rows (stage, host, count)."""
    return tx.execute(sa.select(J.c.stage, J.c.host, sa.func.count().label("count")).where(
        J.c.status.in_(states.LIVE_JOB), claimable(db.now(), "")).group_by(J.c.stage, J.c.host)).all()


def oldest_unclaimed(tx: db.Transaction, *where: str | None) -> db.Row | None:
    """The job that has been claimable for the longest time, or None; `where` is a stage and a host, if given."""
    place = [column == value for column, value in zip((J.c.stage, J.c.host), where)]
    return tx.execute(sa.select(J).where(J.c.status.in_(states.LIVE_JOB), claimable(db.now(), ""), *place).order_by(
        sa.func.coalesce(J.c.updated_at, J.c.created_at)).limit(1)).first()


_OUTLINE = ("id", "request_id", "project_id", "user_id", "kind", "resource_id", "action", "stage", "host", "status",
            "owner", "attempt", "created_at")
_Outline = db.row_type([*_OUTLINE, "args"])


def outline(tx: db.Transaction, id: str) -> Any:
    """The job without the columns that may be unreadable, with empty arguments; None if there is no such job."""
    row = tx.execute(sa.select(*(J.c[name] for name in _OUTLINE)).where(J.c.id == id)).first()
    return row and _Outline(*row, {})


def live_of(tx: db.Transaction, kind: str, resource_id: str) -> Sequence[db.Row]:
    """The jobs of the resource that have not ended, oldest first."""
    return tx.execute(sa.select(J).where(J.c.resource_id == resource_id, J.c.kind == kind,
                                         J.c.status.in_(states.LIVE_JOB)).order_by(J.c.created_at)).all()


def still_running(tx: db.Transaction, ids: Collection[str]) -> Sequence[str]:
    """The ids among these of ended jobs whose workers may still be running."""
    return tx.execute(sa.select(J.c.id).where(
        J.c.id.in_(ids), J.c.status.not_in(states.LIVE_JOB), J.c.lease_until > db.now())).scalars().all()


def owned(tx: db.Transaction, owner: str, ids: Collection[str]) -> dict[str, tuple[int, float]]:
    """{id: (attempt, seconds left of the lease)} of the jobs among these that the owner works on."""
    now = db.now()
    rows = tx.execute(sa.select(J.c.id, J.c.attempt, J.c.lease_until).where(
        J.c.id.in_(ids), J.c.owner == owner, J.c.status == states.RUNNING))
    return {row.id: (row.attempt, (row.lease_until - now).total_seconds()) for row in rows}


def visible_to(ctx: context.Context, all_projects: bool) -> listing.Condition:
    return sa.true() if ctx.is_admin and all_projects else J.c.project_id == ctx.project_id


def page(tx: db.Transaction, wanted: Mapping[str, str], paging: listing.Paging,
         visible: listing.Condition) -> list[Any]:
    """Jobs with these values in the columns of FILTERS."""
    where = [J.c[column] == value for column, value in wanted.items()]
    return LISTING.page(tx, sa.select(J), where, paging, visible)


def of_resource(tx: db.Transaction, resource_id: str, most: int = 20) -> Sequence[db.Row]:
    """The latest jobs of a resource, newest first."""
    return tx.execute(sa.select(J).where(J.c.resource_id == resource_id).order_by(J.c.created_at.desc())
                      .limit(most)).all()
