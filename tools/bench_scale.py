#!/usr/bin/env python3
"""Measures the service with a million volumes and with a thousand, in turn, and judges the ratios.

Starts a database, RabbitMQ and the four processes on loopback for each, with rows as `tests/services/seeded.py` makes
them; `--check` has the doctor examine them. One backend runs, the others have only rows, which report to be up and less
empty, so that each decision weighs all pools. Figures are CPU of all processes and of the database per operation, and
rows that the database read (MariaDB). The exit status is 1 if the CPU of a scenario grows by more than `--allowed`.
Run it with the Python of an environment with the [test] extra.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import statistics
import sys
import threading
import time
import types

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [TOP, os.path.join(TOP, "tools", "benchmark")]

import mem  # noqa: E402

from cinder_lite import db  # noqa: E402
from cinder_lite.db import migrate  # noqa: E402
from tests.services import pooled, seeded, servers  # noqa: E402
from tests.services.daemons import Daemons  # noqa: E402

KINDS = {kind.name: kind for kind in (servers.MariaDB, servers.PostgreSQL)}
#: The cache of the database in MiB, typical for an installation of this size.
MEMORY = 2048
#: Reported without a goal: the answer depends on all volumes.
WHOLE = {"summary of all": "/volumes/summary?all_tenants=1"}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one operation took: ms of CPU by process group, wall ms, rows read, cores that others used meanwhile."""

    cpu: dict
    wall: float
    rows: float | None
    others: float

    @property
    def total(self):
        return sum(self.cpu.values())


class System:
    """A service over so many rows. `measured` runs a function, and returns the Cost of each of its operations."""

    def __init__(self, kind, size, stack, check):
        kind.memory = MEMORY
        self.server, broker = stack.enter_context(kind()), stack.enter_context(servers.RabbitMQ())
        servers.started(self.server, broker)
        self.size, self.name = size, f"{size.volumes} volumes, {size.pools} pools"
        self._seed()
        names = ",".join(f"p{n}" for n in range(seeded.POOLS_OF_HOST))
        changes = {
            "DEFAULT": {"enabled_backends": "pooled", "report_interval": 10, "service_down_time": 60, "job_lease": 30,
                        "job_sweep_interval": 2, "backend_stats_polling_interval": 60},
            "pooled": {"volume_driver": "tests.services.pooled.PooledDriver", "volume_backend_name": "pooled",
                       "pooled_names": names, "pooled_gb": 10**7}}
        self.daemons = stack.enter_context(Daemons(self.server.url, broker.url, "null", changes, log_lines=0))
        self.record = os.path.join(self.daemons.directory.path, "calls")
        with open(self.daemons.config_file, "a") as file:
            file.write(f"[pooled]\npooled_record = {self.record}\n")
        self.daemons.start()
        self.groups = {**self.daemons.processes, "database": self.server.process}
        self._connections = {}
        self.volumes = []
        if check:
            done = self.daemons.manage("doctor")
            assert done.returncode == 0, done.stdout + done.stderr

    def _seed(self):
        began = time.monotonic()
        database = db.Database(types.SimpleNamespace(connection=self.server.url, max_pool_size=2, max_overflow=2,
                                                     pool_timeout=60, connection_recycle_time=3600))
        migrate.sync(database)
        seeded.seed(database, self.size)
        database.dispose()
        print(f"# {self.name}: rows made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    def _rows(self):
        if self.server.name != "mariadb":
            return None
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Handler_read%' OR Variable_name = 'Questions'")
            found = {name: int(value) for name, value in cursor.fetchall()}
        return found.pop("Questions"), sum(found.values())

    def _cpu(self):
        return {name: mem.cpu(mem.tree(process.pid)) for name, process in self.groups.items()}

    def measured(self, function, operations):
        """The Cost of one of the `operations` that function() does, over new connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        rows, before, busy, began = self._rows(), self._cpu(), mem.busy(), time.monotonic()
        me = sum(os.times()[:4])
        function()
        wall, cpu = time.monotonic() - began, self._cpu()
        used = {name: (cpu[name] - before[name]) * 1000 / operations for name in cpu}
        others = (mem.busy() - busy - sum(used.values()) * operations / 1000 - (sum(os.times()[:4]) - me)) / wall
        read = None if rows is None else (self._rows()[1] - rows[1]) / operations
        return Cost(used, wall * 1000 / operations, read, others)

    def statements(self):
        """(statements, rows read) of the database until now, None where it does not count them."""
        return self._rows()

    def request(self, method, path, body=None):
        connection = self._connections.setdefault(threading.get_ident(), http.client.HTTPConnection(
            "127.0.0.1", self.daemons.port, timeout=600))
        connection.request(method, f"/v3/{seeded.PROJECT}{path}", body and json.dumps(body), {
            "X-Auth-Token": f"admin:{seeded.PROJECT}", "Content-Type": "application/json",
            "OpenStack-API-Version": "volume 3.71"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status < 300, f"{path}: {answer.status} {text!r}\n{self.daemons.processes['api'].tail()}"
        return json.loads(text) if text else None

    def create(self, count, clients):
        """Create volumes by so many clients, and wait until all are available."""
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            made = pool.map(lambda _: self.request("POST", "/volumes", {"volume": {"size": 1}}), range(count))
            self.volumes += [one["volume"]["id"] for one in made]
        self._rest()

    def delete(self, clients):
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda id: self.request("DELETE", f"/volumes/{id}"), self.volumes))
        self.volumes.clear()
        self._rest()

    def _rest(self):
        with self.server.connect() as connection, connection.cursor() as cursor:
            while True:
                cursor.execute("SELECT COUNT(*) FROM jobs WHERE status IN ('queued', 'running')")
                if cursor.fetchone()[0] == 0:
                    return
                time.sleep(0.1)


def compare(systems, name, run, results):
    """Add the costs of run(system), in turn, to the results."""
    for system in systems:
        results.setdefault(name, {}).setdefault(system.name, []).append(run(system))


def rounds(options, systems, results):
    """One round of all scenarios."""
    clients = options.clients
    compare(systems, "create", lambda system: system.measured(
        lambda: system.create(options.creates, clients), options.creates), results)
    compare(systems, "delete", lambda system: system.measured(lambda: system.delete(clients), options.creates), results)
    for name, path in {**seeded.PAGES, **WHOLE}.items():
        def pages(system, path=path, count=options.requests if name not in WHOLE else 3):
            path = path.format(**system.markers)
            return system.measured(lambda: [system.request("GET", path) for _ in range(count)], count)

        compare(systems, name, pages, results)


def idle(systems, seconds, results):
    """Minutes without requests."""
    for system in systems:
        before = system.statements()
        cost = system.measured(lambda: time.sleep(seconds), seconds / 60)
        after = system.statements()
        results.setdefault("idle minute", {}).setdefault(system.name, []).append(cost)
        if before is not None:
            print(f"# {system.name}: {(after[0] - before[0]) * 60 / seconds:.0f} statements in an idle minute")


def table(options, systems, results):
    """Print the figures; whether all goals are met."""
    few, many = (system.name for system in systems)
    print(f"\n{'':28}{'CPU, ms':>16}{'ratio':>8}{'wall, ms':>18}{'rows read':>20}   others\n{few} | {many}")
    met = True
    for name, found in results.items():
        before, after = found[few], found.get(many)
        if not after:
            continue
        cpu, wall = ([min(getattr(one, what) for one in costs) for costs in (before, after)]
                     for what in ("total", "wall"))
        rows = [statistics.median(one.rows or 0 for one in costs) for costs in (before, after)]
        ratio = cpu[1] / cpu[0] if cpu[0] else 1
        judged = name not in WHOLE
        met = met and (not judged or ratio <= options.allowed)
        others = statistics.median(one.others for costs in (before, after) for one in costs)
        print(f"{name:28}{cpu[0]:8.2f}{cpu[1]:8.2f}{ratio:8.2f}{wall[0]:9.1f}{wall[1]:9.1f}{rows[0]:10.0f}"
              f"{rows[1]:10.0f}   {others:.1f} {'missed' if judged and ratio > options.allowed else ''}")
        if name in ("create", "delete", "idle minute"):
            for group in before[0].cpu:
                best = [min(one.cpu[group] for one in costs) for costs in (before, after)]
                print(f"  {group:26}{best[0]:8.2f}{best[1]:8.2f}")
    return met


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=KINDS, default="mariadb")
    parser.add_argument("--volumes", type=int, default=1_000_000, help="a hundredth as many projects, a tenth the jobs")
    parser.add_argument("--hosts", type=int, default=200, help="with 5 pools each")
    parser.add_argument("--few-hosts", type=int, default=1, help="hosts of the small installation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--creates", type=int, default=200)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=100, help="of each page in a round")
    parser.add_argument("--idle", type=float, default=120, help="seconds")
    parser.add_argument("--allowed", type=float, default=1.2, help="ratio of the CPU times")
    parser.add_argument("--check", action="store_true", help="have the doctor examine the rows")
    return parser.parse_args()


def main():
    options, results = arguments(), {}
    sizes = (seeded.Size(1000, 10, 100, options.few_hosts),
             seeded.Size(options.volumes, options.volumes // 100, options.volumes // 10, options.hosts))
    with contextlib.ExitStack() as stack:
        systems = [System(KINDS[options.database], size, stack, options.check) for size in sizes]
        for system in systems:
            system.markers = seeded.markers(system.server)
            system.measured(lambda system=system: system.create(32, options.clients), 32)
            system.measured(lambda system=system: system.delete(options.clients), 32)
        try:
            for _ in range(options.rounds):
                rounds(options, systems, results)
            if options.idle:
                idle(systems, options.idle, results)
        except Exception:
            print(*(system.daemons.logs(200) for system in systems), sep="\n", file=sys.stderr)
            raise
        finally:
            met = table(options, systems, results)
        calls = [call for system in systems for call, *_ in pooled.recorded(system.record)]
        print(f"# {calls.count('create')} volumes created, {calls.count('delete')} deleted")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
