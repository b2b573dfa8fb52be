"""What an operation costs MariaDB by its own counters: the same for 2,000 volumes as for 20,000, and no statement more
than the tests of statements allow."""

import contextlib
import re
import types

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import (
    connections,
    guards,
    job_changes,
    job_queries,
    jobs,
    messages,
    pool_stats,
    pools,
    schema,
    services,
)
from tests.functional import test_statements as bounds
from tests.services import daemons, processes, seeded
from tests.services.crowd import Crowd
from tests.services.test_lists import rows_read, statements

SIZES = (seeded.Size(2_000, 20, 200, 4), seeded.Size(20_000, 200, 2_000, 4))
#: Rows that may be read more: a page shows other volumes, which have more or fewer attachments, and B-trees are deeper.
MORE = 25
POOL = f"{seeded.OWN}#p0"
STATS = {"total_gb": 1000.0, "total_word": None, "free_gb": 900.0, "free_word": None, "provisioned_gb": 100.0,
         "thin": True, "thick": True, "multiattach": False, "online_extend": True, "reserved_percentage": 0,
         "max_over_subscription_ratio": "20.0", "capabilities": {}}
#: What services do again and again: {name: function(tx)}.
SWEEPS = {
    "jobs for the scheduler": lambda tx: job_queries.waiting(tx, "scheduler", None, None, 1),
    "jobs of a backend": lambda tx: job_queries.waiting(tx, "volume", [seeded.OWN], "me", 1),
    "connections": lambda tx: connections.unsettled(tx, seeded.OWN, 60),
    "heartbeat": lambda tx: services.beat(tx, "cinder-volume", seeded.OTHERS.format(1), "nova", "me"),
    "leases": lambda tx: job_changes.renew(tx, "me", 30),
    "measurement": lambda tx: pool_stats.update_stats(tx, POOL, seeded.OWN, db.now(), STATS),
    "claim": lambda tx: jobs.claim(tx, "none", "volume", "here", "me", 30),
    "purge of jobs": lambda tx: job_changes.purge(tx, 86400),
    "purge of messages": messages.purge,
    "metrics of jobs": lambda tx: (job_queries.pending(tx), job_queries.oldest_unclaimed(tx)),
    "pools": lambda tx: (pools.changing(tx, 60), pools.with_services(tx)),
}
#: Conditions on the service of a volume and of a snapshot: {name: function(tx)}.
V, S = schema.volumes, schema.snapshots
OF_SERVICE = {
    "down": lambda tx: tx.execute(sa.select(V.c.id, services.down(V.c.host, 60)).order_by(V.c.id).limit(10)).all(),
    "volume not frozen": lambda tx: _met(tx, V, guards.NOT_FROZEN),
    "snapshot not frozen": lambda tx: _met(tx, S, guards.SNAPSHOT_NOT_FROZEN),
    "volume locked": lambda tx: _met(tx, V, guards.NOT_FROZEN, is_locked=True),
}


def _met(tx, table, guard, is_locked=False):
    query = sa.select(table.c.id, guard.clause).order_by(table.c.id).limit(10)
    assert [row[1] for row in tx.execute(query.with_for_update(of=table) if is_locked else query)] == [True] * 10


def test_pages_and_sweeps_read_as_many_rows_of_few_as_of_many(mariadb, tmp_path):
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    crowd, found = Crowd(mariadb.url, str(tmp_path)), []
    try:
        for size in SIZES:
            seeded.seed(crowd.db, size)
            found.append(_pages(crowd, seeded.markers(mariadb)) | _sweeps(crowd.db))
    finally:
        crowd.close()
    few, many = found
    assert {name: (few[name], n) for name, n in many.items() if n > few[name] + MORE} == {}
    assert all(few[name] for name in seeded.PAGES)


def _pages(crowd, markers):
    """{name: rows read} of PAGES. All have as many rows in both databases."""
    crowd.request("/volumes?limit=1")
    read = {}
    for name, path in seeded.PAGES.items():
        with statements(crowd) as sent:
            crowd.request(path.format(**markers))
        read[name] = rows_read(crowd, sent)
    return read


def _sweeps(database, sweeps=SWEEPS):
    read = {}
    for name, sweep in sweeps.items():
        with database.write() as tx:
            tx.exec_driver_sql("FLUSH STATUS")
            sweep(tx)
            status = dict(tx.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all())
            read[name] = sum(map(int, status.values()))
    return read


def test_the_service_of_a_volume_or_snapshot_is_found_by_an_index(mariadb, tmp_path):
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    crowd, found = Crowd(mariadb.url, str(tmp_path)), []
    try:
        for hosts in (4, 100):
            seeded.seed(crowd.db, seeded.Size(2_000, 20, 200, hosts))
            found.append(_sweeps(crowd.db, OF_SERVICE))
    finally:
        crowd.close()
    few, many = found
    assert {name: (few[name], n) for name, n in many.items() if n > few[name] + MORE} == {}
    assert all(few.values())


# -- operations of the four processes

QUIET = {"DEFAULT": {"enabled_backends": "pooled", "report_interval": 3600, "job_lease": 36000,
                     "job_sweep_interval": 3600, "backend_stats_polling_interval": 3600, "service_down_time": 7200,
                     "osapi_volume_workers": 1},
         "pooled": {"volume_driver": "tests.services.pooled.PooledDriver", "volume_backend_name": "pooled",
                    "pooled_names": "p0,p1,p2,p3,p4", "pooled_gb": 10**6}}
CHANGES = ("Com_select", "Com_insert", "Com_update", "Com_delete")
#: Operation -> its jobs: a claim of one is a transaction in SQLite alone, where `test_statements` counts. So is the
#: removal of an ended connection.
CLAIMS = {"create": 1, "delete": 1, "snapshot_create": 1, "snapshot_delete": 1, "attachment_delete": 1}


class Operations:
    """Operations on a service; each returns how its end is logged."""

    def __init__(self, service):
        self.service, self.ids = service, {}

    def _request(self, method, path, body=None):
        status, answer = self.service.request(method, path, body, project=seeded.PROJECT)
        assert 200 <= status < 300, answer
        return answer

    def create(self):
        self.ids["volume"] = self._request("POST", "/volumes", {"volume": {"size": 1}})["volume"]["id"]
        return "create of volume", self.ids["volume"]

    def snapshot_create(self):
        self.ids["snapshot"] = self._request("POST", "/snapshots", {"snapshot": {
            "volume_id": self.ids["volume"]}})["snapshot"]["id"]
        return "create of snapshot", self.ids["snapshot"]

    def snapshot_delete(self):
        self._request("DELETE", f"/snapshots/{self.ids['snapshot']}")
        return "delete of snapshot", self.ids["snapshot"]

    def attachment_connect(self):
        self.ids["attachment"] = self._request("POST", "/attachments", {"attachment": {
            "volume_uuid": self.ids["volume"], "instance_uuid": bounds.SERVER, "connector": bounds.CONNECTOR}})[
                "attachment"]["id"]

    def attachment_complete(self):
        self._request("POST", f"/attachments/{self.ids['attachment']}/action", {"os-complete": {}})

    def attachment_delete(self):
        self._request("DELETE", f"/attachments/{self.ids['attachment']}")

    def delete(self):
        self._request("DELETE", f"/volumes/{self.ids['volume']}")
        return "delete of volume", self.ids["volume"]


ORDER = ("create", "snapshot_create", "snapshot_delete", "attachment_connect", "attachment_complete",
         "attachment_delete", "delete")


@contextlib.contextmanager
def running(mariadb, rabbitmq, size):
    mariadb.emptied()
    with daemons.Daemons(mariadb.url, rabbitmq.url, "null", QUIET) as service:
        assert service.manage("db", "sync").returncode == 0
        database = db.Database(types.SimpleNamespace(connection=mariadb.url, max_pool_size=2, max_overflow=2,
                                                     pool_timeout=60, connection_recycle_time=3600))
        seeded.seed(database, size)
        database.dispose()
        with open(service.config_file, "a") as file:
            file.write(f"[pooled]\npooled_record = {service.directory.path}/calls\n")
        yield service.start()


def status(connection):
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Handler_read%' OR Variable_name IN "
                       f"('Questions', 'Com_commit', {', '.join(map(repr, CHANGES))})")
        return {name: int(value) for name, value in cursor.fetchall()}


def _until_completed(service, ended, **limit):
    line = re.compile(" ".join(ended) + " completed")
    processes.until(lambda: line.search(service.processes["volume"].tail(10_000)), **limit)


def _warm_up(service, operations):
    """Create volumes until one is completed: a message to a service that does not listen yet is lost, and no sweep
    finds its job here."""
    while True:
        with contextlib.suppress(processes.NotReady):
            return _until_completed(service, operations.create(), limit=20)


def costs(service, mariadb):
    """{operation: (statements, commits, all that was sent, rows read)}, each after it has been done once."""
    operations, found = Operations(service), {}
    _warm_up(service, operations)
    for is_counted in (False, True):
        for name in ORDER:
            with mariadb.connect() as connection:
                empty = status(connection)
                before = status(connection)
                ended = getattr(operations, name)()
                if ended:
                    _until_completed(service, ended)
                after = status(connection)
            if is_counted:
                counted = {key: after[key] - before[key] - (before[key] - empty[key]) for key in after}
                found[name] = (sum(counted[key] for key in CHANGES), counted["Com_commit"], counted["Questions"],
                               sum(value for key, value in counted.items() if key.startswith("Handler")))
    return found


def test_operations_cost_mariadb_what_their_statements_are(mariadb, broker):
    if not mariadb.process.running:
        mariadb.start()
    found = []
    for size in SIZES:
        with running(mariadb, broker, size) as service:
            found.append(costs(service, mariadb))
    few, many = found
    print(few, many)
    assert {name: few[name][:3] for name in ORDER} == {name: many[name][:3] for name in ORDER}
    assert {name: (few[name][3], many[name][3]) for name in ORDER if many[name][3] > few[name][3] + MORE} == {}
    for operation, allowed, transactions in bounds.PLAIN:
        name = operation.__name__
        if name in ORDER:
            commits = sum(transactions) - CLAIMS.get(name, 0)
            assert few[name][:3] == (sum(allowed), commits, sum(allowed) + commits), name
