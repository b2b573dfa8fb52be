"""A Galera cluster of three nodes of MariaDB."""

import shlex
import subprocess

import pymysql

from tests.cluster import page
from tests.services import processes

USER, PASSWORD = "cinder", "SECRET"
#: Instead of the page's: for little memory.
SMALL = """innodb_buffer_pool_size = 64M
innodb_log_file_size = 32M
wsrep_provider_options = "gcache.size=64M"
skip-name-resolve
"""


class Galera:
    """MariaDB on these machines."""

    def __init__(self, machines):
        self.machines = machines
        for machine in machines:
            self._prepare(machine)

    def _prepare(self, machine):
        data = machine.directory.make("data", owner="mysql")
        machine.directory.make(".my.cnf", f"[client]\nsocket = {data}/socket\nuser = root\n")
        machine.env["HOME"] = machine.directory.path
        own = {"bind-address": machine.address, "wsrep_node_address": machine.address}
        options = machine.directory.make("my.cnf", owner="mysql", text=page.file(
            "/etc/mysql/mariadb.conf.d/90-galera.cnf", own) + SMALL +
            f"user = mysql\ndatadir = {data}\nsocket = {data}/socket\npid-file = {data}/pid\n")
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db",
                        "--innodb-log-file-size=32M", "--auth-root-authentication-method=normal"],
                       check=True, capture_output=True)
        machine.process("mariadb", ["/usr/sbin/mariadbd", f"--defaults-file={options}"])

    def start(self):
        """Begin the cluster on the first machine, and let the others join it."""
        first, *others = self.machines
        process = first.processes["mariadb"]
        usual, process.argv = process.argv, [*process.argv, "--wsrep-new-cluster"]
        process.start()
        process.argv = usual
        process.wait(lambda: _serves(first))
        for command in page.commands("mariadb"):
            if "CREATE" in command or "GRANT" in command:
                first.run(*shlex.split(command))
        for machine in others:
            machine.start()

    def wait(self):
        for machine in self.machines:
            machine.processes["mariadb"].wait(lambda machine=machine: is_synced(machine))
        processes.until(self._is_whole, what="one cluster of Galera")

    def _is_whole(self):
        """Whether all are in one view: a node that was stopped takes itself for a member until it finds out."""
        try:
            views = [view(machine) for machine in self.machines]
        except pymysql.err.MySQLError:
            return False
        return views[0]["wsrep_cluster_size"] == str(len(views)) and all(one == views[0] for one in views)


def _serves(machine):
    """Whether its administrator can log in."""
    try:
        pymysql.connect(unix_socket=machine.path("data/socket"), user="root").close()
    except pymysql.err.OperationalError:
        return False
    return True


def connect(address, port=3306, **options):
    """A connection that commits each statement."""
    return pymysql.connect(host=address, port=port, user=USER, password=PASSWORD, database="cinder", autocommit=True,
                           connect_timeout=5, read_timeout=60, **options)


def is_synced(machine):
    """Whether the node of that machine can be worked with."""
    try:
        with connect(machine.address) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_local_state')")
            return dict(cursor.fetchall()) == {"wsrep_ready": "ON", "wsrep_local_state": "4"}
    except pymysql.err.MySQLError:
        return False


def view(machine):
    """The number of the view of the cluster that a node has, and of its members."""
    with connect(machine.address) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS WHERE Variable_name IN ('wsrep_cluster_conf_id', 'wsrep_cluster_size')")
        return dict(cursor.fetchall())


def await_synced(machine):
    processes.until(lambda: is_synced(machine), what=f"{machine.name} being synced")
