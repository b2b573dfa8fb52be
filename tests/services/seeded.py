"""A database with any number of volumes and what belongs to them, consistent as the doctor checks it.

The rows are made by the server itself, from numbers: a million volumes take minutes.
"""

import dataclasses
import datetime

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.concurrency import randomness
from cinder_lite.db import schema, services

#: The project of volumes whose number is a multiple of the number of projects.
PROJECT = "a" * 32
TYPES = 10
#: The backend of a running service, whose pools are the first, and those of others.
OWN, OTHERS = "test@pooled", "host{:03d}@pooled"
POOLS_OF_HOST = 5
#: GiB of a pool of others.
POOL_GB = 50_000
#: Every so many-th volume has metadata, a snapshot, an attachment.
WITH_METADATA, WITH_SNAPSHOT, WITH_ATTACHMENT = 4, 5, 10
#: Seconds of history; less than job_retention.
HISTORY = 43_200
PAGE = "/volumes/detail?limit=50"
GOLD = "metadata=%7B%27tier%27%3A%27gold%27%7D"
#: Name of a page -> its path; {marker} is the id of a volume in the middle, {of_project} that of one of the project.
PAGES = {
    "page, first": PAGE, "page, deep": f"{PAGE}&marker={{of_project}}", "page, by name": f"{PAGE}&name=vol-0",
    "page, by status": f"{PAGE}&status=error", "page, by metadata": f"{PAGE}&{GOLD}",
    "page of all, first": f"{PAGE}&all_tenants=1", "page of all, deep": f"{PAGE}&all_tenants=1&marker={{marker}}",
    "page of all, by status": f"{PAGE}&all_tenants=1&status=error&marker={{marker}}",
    "page of all, by name": f"{PAGE}&all_tenants=1&name=vol-500",
    "page of all, by metadata": f"{PAGE}&all_tenants=1&{GOLD}&marker={{marker}}",
    "page of all, by size": f"{PAGE}&all_tenants=1&sort=size:desc&marker={{marker}}",
    "snapshots of all": "/snapshots/detail?limit=50&all_tenants=1", "jobs": "/jobs?limit=50",
    "summary": "/volumes/summary", "show": "/volumes/{marker}",
}
BULK = ("volumes", "snapshots", "labels", "attachments", "jobs")


@dataclasses.dataclass(frozen=True)
class Size:
    """Numbers of rows; volumes are spread evenly over projects, types and pools."""

    volumes: int
    projects: int
    jobs: int
    hosts: int

    @property
    def pools(self):
        return self.hosts * POOLS_OF_HOST


class Dialect:
    """SQL for one of the databases."""

    def __init__(self, name):
        self.is_postgresql = name == "postgresql"

    def numbers(self, count):
        """A table of the numbers below `count` in a column n."""
        last = count - 1
        return (f"(SELECT generate_series(0, {last}) AS n) numbers" if self.is_postgresql else
                f"(SELECT seq AS n FROM seq_0_to_{last}) numbers")

    def document(self, text):
        """A value of a JSON column by an SQL expression of its text."""
        return f"CAST({text} AS json)" if self.is_postgresql else text

    def after(self, moment, seconds):
        """The time so many seconds (an SQL expression) after a moment."""
        return (f"TIMESTAMP '{moment}' + ({seconds}) * INTERVAL '1 second'" if self.is_postgresql else
                f"TIMESTAMP'{moment}' + INTERVAL {seconds} SECOND")


def uuid(text):
    """An id as an SQL expression, by an expression that is different for each."""
    digest = f"md5({text})"
    parts = (f"SUBSTR({digest}, 1, 8)", f"SUBSTR({digest}, 9, 4)", f"CONCAT('4', SUBSTR({digest}, 14, 3))",
             f"CONCAT('a', SUBSTR({digest}, 18, 3))", f"SUBSTR({digest}, 21, 12)")
    return f"""CONCAT({", '-', ".join(parts)})"""


VOLUME = uuid("CONCAT('volume ', n)")


def nth(size, period):
    """An SQL expression that is a number below `period` for each, independent of the project."""
    return f"MOD(n + CAST(FLOOR(n / {size.projects}) AS DECIMAL), {period})"


def seed(database, size):
    """Replace all rows of the tables by so many."""
    with database.write() as tx:
        for name in (*BULK, "pools", "services", "quota_usages"):
            tx.exec_driver_sql(f"DELETE FROM {name}")
        type_ids = _types(tx)
    indexes = [index for name in BULK for index in schema.METADATA.tables[name].indexes]
    with database.write() as tx:
        for index in indexes:
            index.drop(tx)
    for statement in _statements(Dialect(database.dialect), size, type_ids):
        with database.write() as tx:
            tx.exec_driver_sql(statement.replace("%", "%%"))
    with database.write() as tx:
        for index in indexes:
            index.create(tx)
        _services(tx, size)
    with database.write() as tx:
        for statement in _sums(Dialect(database.dialect), size):
            tx.exec_driver_sql(statement.replace("%", "%%"))
    analyze = "ANALYZE" if database.dialect == "postgresql" else f"ANALYZE TABLE {', '.join((*BULK, 'pools'))}"
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(analyze)


def _types(tx):
    table = schema.volume_types
    present = tx.execute(sa.select(table.c.id).order_by(table.c.name)).scalars().all()
    new = [{"id": randomness.new_id(), "name": f"type{n}", "is_public": True, "extra_specs": {}, "created_at": db.now()}
           for n in range(len(present), TYPES)]
    if new:
        tx.execute(sa.insert(table), new)
    return [*present, *(row["id"] for row in new)]


def _services(tx, size):
    """Services that are up for a long time."""
    for n in range(1, size.hosts):
        services.beat(tx, "cinder-volume", OTHERS.format(n), "nova", "me")
    tx.execute(sa.update(schema.services).values(seen_at=db.now() + datetime.timedelta(days=3650)))


def _project(size):
    number = f"MOD(n, {size.projects})"
    return f"CASE WHEN {number} = 0 THEN '{PROJECT}' ELSE md5(CONCAT('project ', {number})) END"


def pools(size):
    """The names of the pools."""
    backends = [OWN, *(OTHERS.format(n) for n in range(1, size.hosts))]
    return [f"{backend}#p{n}" for backend in backends for n in range(POOLS_OF_HOST)]


def _statements(sql, size, type_ids):
    """INSERTs of the rows that are proportional to the numbers of volumes and jobs."""
    now = db.now().replace(microsecond=0)
    born = sql.after(now - datetime.timedelta(seconds=size.volumes + 3600), "n")
    empty, common = sql.document("'{}'"), f"{_project(size)}, 'u', CONCAT('vol-', n)"
    types = " ".join(f"WHEN {n} THEN '{id}'" for n, id in enumerate(type_ids))
    type_ = f"CASE {nth(size, len(type_ids))} {types} END"
    host = f"MOD(n, {size.pools})"
    number = f"LPAD(CAST(FLOOR({host} / {POOLS_OF_HOST}) AS CHAR(3)), 3, '0')"
    host = (f"CASE WHEN {host} < {POOLS_OF_HOST} THEN CONCAT('{OWN}#p', {host}) "
            f"ELSE CONCAT('host', {number}, '@pooled#p', MOD(n, {POOLS_OF_HOST})) END")
    attached, tier = f"{nth(size, WITH_ATTACHMENT)} = 0", f"CASE WHEN {nth(size, 8)} = 0 THEN 'gold' ELSE 'iron' END"
    metadata = (f"CASE WHEN {nth(size, WITH_METADATA)} = 0 THEN CONCAT('{{\"tier\": \"', {tier}, '\", \"n\": \"', n, "
                "'\"}') ELSE '{}' END")
    status = f"CASE WHEN {attached} THEN 'in-use' WHEN {nth(size, 10)} = 1 THEN 'error' ELSE 'available' END"
    yield (f"INSERT INTO volumes (id, project_id, user_id, name, status, attach_status, size, host, availability_zone, "
           f"volume_type_id, metadata, admin_metadata, image_metadata, facts, export, created_at, launched_at) SELECT "
           f"{VOLUME} AS made, {common}, {status}, CASE WHEN {attached} THEN 'attached' ELSE 'detached' END, "
           f"1 + MOD(n, 19), {host}, 'nova', {type_}, {sql.document(metadata)}, {empty}, {empty}, {empty}, {empty}, "
           f"{born}, {born} FROM {sql.numbers(size.volumes)} ORDER BY made")
    pairs = (("tier", tier), ("n", "CAST(n AS CHAR(10))"))
    for key, value in pairs:
        value = f"TRIM({value})"
        yield (f"INSERT INTO labels (resource_id, {'`key`' if not sql.is_postgresql else 'key'}, value, pair, "
               f"project_id, created_at) SELECT {VOLUME} AS made, '{key}', {value}, "
               f"md5(CONCAT('volume', CHR(10), '{key}', CHR(10), {value})), {_project(size)}, {born} "
               f"FROM {sql.numbers(size.volumes)} WHERE {nth(size, WITH_METADATA)} = 0 ORDER BY made")
    snapshot = uuid("CONCAT('snapshot ', n)")
    yield (f"INSERT INTO snapshots (id, project_id, user_id, name, status, volume_id, size, progress, volume_type_id, "
           f"metadata, facts, created_at) SELECT {snapshot} AS made, {common}, 'available', {VOLUME}, "
           f"1 + MOD(n, 19), '100%', {type_}, {empty}, {empty}, {born} FROM {sql.numbers(size.volumes)} "
           f"WHERE {nth(size, WITH_SNAPSHOT)} = 1 ORDER BY made")
    attachment = uuid("CONCAT('attachment ', n)")
    yield (f"INSERT INTO attachments (id, volume_id, project_id, instance_uuid, attached_host, mountpoint, "
           f"attach_mode, attach_status, connector, connection_info, attached_at, created_at) SELECT {attachment} AS "
           f"made, {VOLUME}, {_project(size)}, {uuid('CONCAT(n)')}, 'compute', '/dev/vdb', 'rw', 'attached', {empty}, "
           f"{empty}, {born}, {born} FROM {sql.numbers(size.volumes)} WHERE {attached} ORDER BY made")
    ended = sql.after(now - datetime.timedelta(seconds=HISTORY), f"MOD(n, {HISTORY})")
    job, decision = uuid("CONCAT('job ', n)"), sql.document("'{\"ranked\": [], \"refusals\": []}'")
    yield (f"INSERT INTO jobs (id, request_id, project_id, user_id, host, kind, resource_id, action, args, stage, "
           f"status, attempt, progress, decision, created_at, updated_at, finished_at) SELECT {job} AS made, "
           f"CONCAT('req-', n), {_project(size)}, 'u', '{OWN}', 'volume', {VOLUME}, 'create', {empty}, 'volume', "
           f"'succeeded', 1, 100, {decision}, {ended}, {ended}, {ended} FROM {sql.numbers(size.jobs)} ORDER BY made")


def _sums(sql, size):
    """Statements that add up what quotas and pools count."""
    usage = "INSERT INTO quota_usages (project_id, resource, type_id, in_use)"
    for type_, group in (("''", "project_id"), ("volume_type_id", "project_id, volume_type_id")):
        for table in ("volumes", "snapshots"):
            yield f"{usage} SELECT project_id, '{table}', {type_}, COUNT(*) FROM {table} GROUP BY {group}"
        yield (f"{usage} SELECT project_id, 'gigabytes', {type_}, SUM(size) FROM (SELECT project_id, volume_type_id, "
               f"size FROM volumes UNION ALL SELECT project_id, volume_type_id, size FROM snapshots) sized "
               f"GROUP BY {group}")
    facts = sql.document("'{\"volume_backend_name\": \"pooled\", \"vendor_name\": \"Open Source\", "
                         "\"storage_protocol\": \"null\", \"driver_version\": \"1.0\", \"QoS_support\": false, "
                         "\"replication_enabled\": false, \"filter_function\": null, \"goodness_function\": null}'")
    for name in pools(size):
        yield (f"INSERT INTO pools (name, service_host, total_gb, free_gb, provisioned_gb, allocated_gb, "
               f"volume_count, capabilities, measured_at) SELECT '{name}', '{name.partition('#')[0]}', {POOL_GB}, "
               f"{POOL_GB} - COALESCE(SUM(size), 0), COALESCE(SUM(size), 0), COALESCE(SUM(size), 0), COUNT(*), "
               f"{facts}, '{db.now()}' FROM volumes WHERE host = '{name}'")


def markers(server):
    """The values of PAGES: ids in the middle of the lists."""
    found = {}
    with server.connect() as connection, connection.cursor() as cursor:
        for name, where in (("marker", "1 = 1"), ("of_project", f"project_id = '{PROJECT}'")):
            cursor.execute(f"SELECT COUNT(*) FROM volumes WHERE {where}")
            cursor.execute(f"SELECT id FROM volumes WHERE {where} ORDER BY created_at LIMIT 1 OFFSET "
                           f"{cursor.fetchone()[0] // 2}")
            found[name] = cursor.fetchone()[0]
    return found
