"""Reads related rows as of one moment, and recalculates usage and the metadata index, for `doctor`."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import metadata_index, quotas, schema
from cinder_lite.states import lookup

V, S, B, G, A = schema.volumes, schema.snapshots, schema.backups, schema.groups, schema.attachments
J, L, P, U = schema.jobs, schema.metadata_index, schema.pools, schema.quota_usages

#: Rows that are read at once where a check reads a whole table.
PAGE = 1000
#: Resources whose usage is the sum of rows.
SUMMED = ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "groups")

#: (project, resource, type id or "").
UsageKey = tuple[str, str, str]
#: (key, in_use or None without a row, correct value).
Difference = tuple[UsageKey, int | None, int]

_SUM = sa.func.coalesce(sa.func.sum(V.c.size), 0)

_WITH_RESOURCE = functools.reduce(
    lambda joined, table: joined.outerjoin(table, table.c.id == J.c.resource_id), schema.RESOURCES.values(), J)
LIVE_JOBS = sa.select(
    J, *(table.c.status.label(f"{kind}_status") for kind, table in schema.RESOURCES.items()),
    V.c.host.label("pool"), V.c.backup_id, B.c.volume_id, B.c.snapshot_id, B.c.restore_volume_id,
).select_from(_WITH_RESOURCE).where(J.c.status.in_(states.LIVE_JOB))


@contextlib.contextmanager
def moment(database: db.Database) -> Iterator[db.Transaction]:
    """A connection for reading; all its statements see the database as of the first of them."""
    if database.dialect == "sqlite":
        with database.read() as tx:
            tx.exec_driver_sql("BEGIN")
            try:
                yield tx
            finally:
                tx.exec_driver_sql("ROLLBACK")
        return
    with database.engine.connect() as connection:
        tx = connection.execution_options(isolation_level="REPEATABLE READ")
        with tx.begin():
            yield tx


# -- jobs and statuses

def live_jobs(tx: db.Transaction) -> Sequence[db.Row]:
    """Every queued or running job, oldest first, with its resource's status and the columns that name its sources."""
    return tx.execute(LIVE_JOBS.order_by(J.c.created_at, J.c.id)).all()


def live_job(tx: db.Transaction, id: str) -> db.Row | None:
    """One of `live_jobs`, or None if it has ended."""
    return tx.execute(LIVE_JOBS.where(J.c.id == id)).first()


def latest_jobs(tx: db.Transaction, most: int = 200) -> Sequence[db.Row]:
    """The newest jobs, ended ones included."""
    return tx.execute(sa.select(J).order_by(J.c.created_at.desc(), J.c.id).limit(most)).all()


def in_transition(tx: db.Transaction, kind: str) -> Sequence[db.Row]:
    """The rows of a kind in a transitional status, which requires a live job."""
    table = schema.RESOURCES[kind]
    return tx.execute(sa.select(table).where(table.c.status.in_(lookup.transitional(kind))).order_by(table.c.id)).all()


# -- sums

@dataclasses.dataclass(frozen=True)
class Extra:
    """The quota and the pool capacity that a live job has claimed in addition to its volume's row.

    `whole`: it has claimed the project's quota, not only that of the volume type.
    """

    project_id: str
    type_id: str | None
    pool: str | None
    gigabytes: int
    volumes: int = 0
    whole: bool = True
    snapshots: int = 0


def moving_actions() -> list[str]:
    """The actions that may move a volume."""
    return sorted(action for _, action in lookup.having(lambda row: any(row.held(states.Destination))))


def _extras(tx):
    rows = tx.execute(sa.select(J.c.action, J.c.args, V.c.project_id, V.c.volume_type_id, V.c.host, V.c.size).join(
        V, V.c.id == J.c.resource_id).where(
            J.c.kind == "volume", J.c.status.in_(states.LIVE_JOB), J.c.action.in_(("extend", *moving_actions())),
            V.c.counted.is_(True)))
    for row in rows:
        if row.action == "extend":
            yield Extra(row.project_id, row.volume_type_id, row.host, row.args["new_size"] - row.size)
            continue
        to = row.args.get("to")
        yield Extra(row.project_id, row.args.get("new_type_id"), None if to == row.host else to, row.size, 1, False)
        for project, share in row.args.get("shares", {}).items():
            of_volume = row.size if project == row.project_id else 0
            yield Extra(project, row.args["new_type_id"], None, share.get("gigabytes", 0) - of_volume, 0, False,
                        share.get("snapshots", 0))


def usage_rows(tx: db.Transaction, project_id: str | None = None) -> dict[UsageKey, int]:
    """The recorded usage: {(project, resource, type id or ""): in_use}."""
    query = sa.select(U.c.project_id, U.c.resource, U.c.type_id, U.c.in_use)
    if project_id is not None:
        query = query.where(U.c.project_id == project_id)
    return {(project, resource, type_id): n for project, resource, type_id, n in tx.execute(query)}


def usage_sums(tx: db.Transaction, count_snapshot_size: bool, project_id: str | None = None) -> dict[UsageKey, int]:
    """The sums of the rows, in the form of `usage_rows`. `count_snapshot_size`: the GiB of snapshots count too."""
    sums: dict[UsageKey, int] = {}

    def add(project, type_id, amounts, whole=True):
        for resource, n in amounts.items():
            for key in {(project, resource, ""), (project, resource, type_id or "")}:
                if whole if key[2] == "" else resource in quotas.PER_TYPE:
                    sums[key] = sums.get(key, 0) + int(n)

    def rows(table, *group):
        query = sa.select(*group, sa.func.count().label("n"), sa.func.sum(table.c.size).label("gb")).where(
            table.c.counted.is_(True)).group_by(*group)
        return tx.execute(query if project_id is None else query.where(table.c.project_id == project_id))

    for row in rows(V, V.c.project_id, V.c.volume_type_id):
        add(row.project_id, row.volume_type_id, {"volumes": row.n, "gigabytes": row.gb})
    for row in rows(S, S.c.project_id, S.c.volume_type_id):
        add(row.project_id, row.volume_type_id,
            {"snapshots": row.n, "gigabytes": row.gb} if count_snapshot_size else {"snapshots": row.n})
    grouped = sa.select(G.c.project_id, sa.func.count().label("n")).group_by(G.c.project_id)
    for row in tx.execute(grouped if project_id is None else grouped.where(G.c.project_id == project_id)):
        add(row.project_id, None, {"groups": row.n})
    for row in rows(B, B.c.project_id):
        add(row.project_id, None, {"backups": row.n, "backup_gigabytes": row.gb})
    for extra in _extras(tx):
        if project_id in (None, extra.project_id) and (extra.whole or extra.type_id):
            add(extra.project_id, extra.type_id, {
                "gigabytes": extra.gigabytes, "volumes": extra.volumes, "snapshots": extra.snapshots}, extra.whole)
    return sums


def usage_differences(tx: db.Transaction, count_snapshot_size: bool, project_id: str | None = None) -> list[Difference]:
    """[((project, resource, type id), in_use or None without a row, correct value)] of usage that is not the sum."""
    held, sums = usage_rows(tx, project_id), usage_sums(tx, count_snapshot_size, project_id)
    known = {key for key in held if key[1] in SUMMED} | sums.keys()
    found = [(key, held.get(key), sums.get(key, 0)) for key in known if (held.get(key) or 0) != sums.get(key, 0)]
    found += [(key, n, 0) for key, n in held.items() if key[1] not in SUMMED and n < 0]
    return sorted(found, key=lambda one: one[0])


def rewrite_usage(tx: db.Transaction, count_snapshot_size: bool, project_id: str) -> list[Difference]:
    """Set a project's usage to the sums of its rows. Returns the differences that it corrected.

    The usage rows are locked before the sums are calculated: a transaction that changes a counted row changes the
    usage, so that it is either in both or waits. Raises Duplicate if another process inserts a usage row meanwhile:
    repeat.
    """
    tx.execute(sa.select(U.c.in_use).where(U.c.project_id == project_id).with_for_update()).all()
    found = usage_differences(tx, count_snapshot_size, project_id)
    for (project, resource, type_id), in_use, n in found:
        if in_use is None:
            tx.execute(sa.insert(U).values(project_id=project, resource=resource, type_id=type_id, in_use=n))
        else:
            tx.execute(sa.update(U).where(U.c.project_id == project, U.c.resource == resource, U.c.type_id == type_id)
                       .values(in_use=n))
    return found


def pool_differences(tx: db.Transaction, name: str | None = None) -> list[tuple[db.Row, int, int]]:
    """[(pool's row, GiB, volumes)] of pools whose allocated_gb or volume_count are not the sums of their volumes."""
    pools = tx.execute(sa.select(P).where(sa.true() if name is None else P.c.name == name).order_by(P.c.name)).all()
    held = tx.execute(sa.select(V.c.host, _SUM, sa.func.count()).where(V.c.counted.is_(True), V.c.host.is_not(None))
                      .group_by(V.c.host))
    sums = {host: (int(gb), n) for host, gb, n in held}
    for extra in _extras(tx):
        gb, n = sums.get(extra.pool, (0, 0))
        sums[extra.pool] = gb + extra.gigabytes, n + extra.volumes
    return [(row, *sums.get(row.name, (0, 0))) for row in pools
            if (row.allocated_gb, row.volume_count) != sums.get(row.name, (0, 0))]


def rewrite_pool(tx: db.Transaction, name: str) -> list[tuple[db.Row, int, int]]:
    """Set a pool's allocated capacity to the sums of its volumes, locked like `rewrite_usage`. Returns the
    differences."""
    tx.execute(sa.select(P.c.name).where(P.c.name == name).with_for_update()).all()
    found = pool_differences(tx, name)
    for row, gb, n in found:
        tx.execute(sa.update(P).where(P.c.name == row.name).values(allocated_gb=gb, volume_count=n))
    return found


# -- rows without their parent, and their statuses

def perhaps_attached(tx: db.Transaction) -> Sequence[db.Row]:
    """Volumes with attachments or with a status of attached volumes: [(id, status, attach_status)]."""
    having = sa.select(A.c.volume_id)
    return tx.execute(sa.select(V.c.id, V.c.status, V.c.attach_status).where(sa.or_(
        V.c.status.in_((states.IN_USE, states.RESERVED, states.DETACHING)), V.c.attach_status != states.DETACHED,
        V.c.id.in_(having))).order_by(V.c.id)).all()


def attachments_by_volume(tx: db.Transaction) -> dict[str, list[db.Row]]:
    """{volume id: its attachments}."""
    found: dict[str, list[db.Row]] = {}
    for row in tx.execute(sa.select(A.c.id, A.c.volume_id, A.c.attach_status)):
        found.setdefault(row.volume_id, []).append(row)
    return found


def of_gone_volumes(tx: db.Transaction, table: sa.Table, id: str | None = None) -> Sequence[db.Row]:
    """The rows of attachments, connections or snapshots whose volume does not exist."""
    query = sa.select(table).where(~sa.exists().where(V.c.id == table.c.volume_id)).order_by(table.c.id)
    return tx.execute(query if id is None else query.where(table.c.id == id)).all()


_WITHOUT_RESOURCE = (~sa.exists().where(V.c.id == L.c.resource_id), ~sa.exists().where(S.c.id == L.c.resource_id))


def metadata_of_gone(tx: db.Transaction) -> Sequence[db.Row]:
    """[(resource id, number of rows)] of the metadata index for resources that do not exist."""
    return tx.execute(sa.select(L.c.resource_id, sa.func.count()).where(*_WITHOUT_RESOURCE)
                      .group_by(L.c.resource_id).order_by(L.c.resource_id)).all()


def delete_metadata_of_gone(tx: db.Transaction, resource_id: str) -> int:
    """Returns the number of deleted rows."""
    return tx.execute(sa.delete(L).where(L.c.resource_id == resource_id, *_WITHOUT_RESOURCE)).rowcount


@dataclasses.dataclass(frozen=True)
class IndexedMetadata:
    """A resource with its rows of the metadata index (`index`), its `metadata`, and all pairs that may be in the index.

    `placed`: the rows have the resource's project and time of creation, by which lists are ordered.
    """

    kind: str
    id: str
    index: dict[str, str]
    metadata: dict[str, str]
    allowed: dict[str, str]
    placed: bool

    @property
    def correct(self) -> bool:
        """Whether each pair of the metadata is in the index, and no other pair is."""
        return (self.placed and self.index.items() <= self.allowed.items()
                and all(self.index.get(key) == self.allowed[key] for key in self.metadata))


def indexed(tx: db.Transaction) -> Iterator[IndexedMetadata]:
    """Every volume and snapshot with its rows of the metadata index, read by pages."""
    for kind in ("volume", "snapshot"):
        table, last = schema.RESOURCES[kind], ""
        while rows := tx.execute(_pairs(table).where(table.c.id > last).order_by(table.c.id).limit(PAGE)).all():
            last = rows[-1].id
            yield from _with_index(tx, kind, rows)


def _pairs(table):
    admin = (table.c.admin_metadata,) if "admin_metadata" in table.c else ()
    return sa.select(table.c.id, table.c.project_id, table.c.created_at, table.c.metadata.label("pairs"), *admin)


def _with_index(tx, kind, rows):
    found = {}
    for pair in tx.execute(sa.select(L).where(L.c.resource_id.in_([row.id for row in rows]))):
        found.setdefault(pair.resource_id, []).append(pair._asdict())
    for row in rows:
        here = found.get(row.id, [])
        placed = all(pair == metadata_index.row(kind, row._mapping, pair["key"], pair["value"]) for pair in here)
        yield IndexedMetadata(kind, row.id, {pair["key"]: pair["value"] for pair in here}, row.pairs,
                              {**row.pairs, **getattr(row, "admin_metadata", {})}, placed)


def rewrite_index(tx: db.Transaction, kind: str, id: str) -> bool:
    """Rebuild a resource's metadata index. Returns False if it was correct."""
    table = schema.RESOURCES[kind]
    rows = tx.execute(_pairs(table).where(table.c.id == id).with_for_update()).all()
    for one in _with_index(tx, kind, rows):
        if one.correct:
            return False
        pairs = {key: value for key, value in one.allowed.items() if key in one.metadata or one.index.get(key) == value}
        tx.execute(sa.delete(L).where(L.c.resource_id == id))
        if pairs:
            place = next(row for row in rows if row.id == id)._mapping
            tx.execute(sa.insert(L), [metadata_index.row(kind, place, key, value) for key, value in pairs.items()])
        return True
    return False


# -- objects outside the database

def placed(tx: db.Transaction, service_host: str) -> dict[str, db.Row]:
    """The volumes of a backend: {name id: row}; the name id is part of the object's name there."""
    rows = tx.execute(sa.select(V).where(V.c.host.startswith(service_host + "#", autoescape=True)))
    return {row.name_id or row.id: row for row in rows}


def moving(tx: db.Transaction, service_host: str) -> set[str]:
    """Ids of the copies that a backend creates for migrations, and of those that it still has to delete afterwards."""
    rows = tx.execute(sa.select(J.c.id, J.c.kind, J.c.resource_id, J.c.args).where(
        J.c.status.in_(states.LIVE_JOB), J.c.host == service_host,
        sa.or_(J.c.kind == "leftover", J.c.action.in_(moving_actions()))))
    return {row.id if row.kind == "volume" else row.args["name_id"] or row.resource_id for row in rows}


def half_migrated(tx: db.Transaction) -> Sequence[db.Row]:
    """The volumes with the migration status of a running migration."""
    return tx.execute(sa.select(V).where(V.c.migration_status.in_(
        (states.STARTING, states.MIGRATING, states.COMPLETING))).order_by(V.c.id)).all()


def snapshots_placed(tx: db.Transaction, service_host: str) -> dict[str, db.Row]:
    """{snapshot id: row} of a backend."""
    rows = tx.execute(sa.select(S).join(V, V.c.id == S.c.volume_id).where(
        V.c.host.startswith(service_host + "#", autoescape=True)))
    return {row.id: row for row in rows}


def backup_rows(tx: db.Transaction) -> dict[str, db.Row]:
    """{backup id: row}."""
    return {row.id: row for row in tx.execute(sa.select(B))}


def containers(tx: db.Transaction) -> set[str]:
    """The containers of all backups."""
    return {name for name in tx.execute(sa.select(B.c.container).distinct()).scalars() if name}


# -- one row

def locked(tx: db.Transaction, kind: str, id: str) -> db.Row | None:
    """The row, locked until the transaction ends, or None."""
    table = schema.RESOURCES[kind]
    return tx.execute(sa.select(table).where(table.c.id == id).with_for_update()).first()


def status(tx: db.Transaction, kind: str, id: str) -> str | None:
    """The present status; None if there is no such row."""
    table = schema.RESOURCES[kind]
    return tx.execute(sa.select(table.c.status).where(table.c.id == id)).scalar()
