"""A PostgreSQL with a standby that has every commit, on two machines of their own."""

import glob
import shlex

import psycopg

from tests.cluster import page
from tests.services import processes

USER, PASSWORD = "cinder", "SECRET"
ACCESS = "host all all 10.91.0.0/24 scram-sha-256\nhost replication all 10.91.0.0/24 scram-sha-256\n"


class Pair:
    """The first machine has the primary."""

    def __init__(self, machines):
        self.machines = machines
        self._programs = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        for machine in machines:
            machine.env |= {"PGHOST": machine.address, "PGUSER": USER, "PGPASSWORD": PASSWORD, "PGDATABASE": "cinder"}

    @property
    def url(self):
        """The URL of the page."""
        return next(line.partition(" = ")[2] for line in page.file("/etc/cinder-pair.conf").splitlines()
                    if line.startswith("connection"))

    def start(self):
        first, second = self.machines
        secret = first.directory.make("password", PASSWORD, owner="postgres")
        data = first.directory.make("data", owner="postgres")
        self._run(first, f"{self._programs}/initdb", f"--pgdata={data}", f"--username={USER}", f"--pwfile={secret}",
                  "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        with open(f"{data}/pg_hba.conf", "a") as file:
            file.write(ACCESS)
        self._process(first, "-c", "synchronous_standby_names=*", "-c", "synchronous_commit=local")
        first.start()
        first.processes["postgres"].wait(lambda: self._serves(first))
        with self._connected(first, "postgres") as connection:
            connection.execute("CREATE DATABASE cinder")
        second.directory.make("data", owner="postgres")
        self._run(second, f"{self._programs}/pg_basebackup", "-R", "-c", "fast", "-h", first.address, "-U", USER, "-D",
                  second.path("data"))
        self._process(second)
        second.start()
        second.processes["postgres"].wait(lambda: self._serves(second))
        with self._connected(first, "postgres") as connection:
            # From now on a commit waits for the standby.
            connection.execute("ALTER DATABASE cinder SET synchronous_commit = on")

    def promote(self):
        """Make the standby the primary, as the page has it."""
        second = self.machines[1]
        second.run(*shlex.split(next(one for one in page.commands("psql") if "pg_promote" in one)))

    def connect(self):
        """A connection to the primary that commits each statement."""
        return psycopg.connect(host=",".join(one.address for one in self.machines), user=USER, password=PASSWORD,
                               dbname="cinder", target_session_attrs="read-write", autocommit=True, connect_timeout=3)

    def _process(self, machine, *options):
        machine.process("postgres", [
            "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", f"{self._programs}/postgres", "-D",
            machine.path("data"), "-c", f"listen_addresses={machine.address}", "-c", "unix_socket_directories=",
            "-c", "max_connections=300", "-c", "shared_buffers=64MB", *options])

    @staticmethod
    def _run(machine, *argv):
        machine.run("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *argv)

    @staticmethod
    def _connected(machine, name):
        return psycopg.connect(host=machine.address, user=USER, password=PASSWORD, dbname=name, autocommit=True)

    def _serves(self, machine):
        try:
            self._connected(machine, "postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def await_standby(pair):
    """Wait until commits wait for the standby."""
    def is_synchronous():
        with pair.connect() as connection:
            return connection.execute("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").fetchone()

    processes.until(is_synchronous, what="a synchronous standby")
