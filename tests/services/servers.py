"""The broker and the databases of tests: RabbitMQ, MariaDB and PostgreSQL on free loopback ports.

    with MariaDB() as database, RabbitMQ() as broker:
        started(database, broker)

Each has a temporary directory. Only the programs of the system are used, not its server instances. All write as durably
as in production.
"""

import contextlib
import glob
import os
import secrets
import shutil
import signal
import subprocess

import amqp
import psycopg
import pymysql

from tests.services import processes

#: Seconds within which a server has to be ready, also in the kernel lab, which is slow. One that ends is noticed at
#: once.
PATIENCE = 300


class Server:
    """A server in a separate directory; separate `launch` and `wait` let several start in parallel."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self):
        self.directory = processes.Directory(self.name)
        self.log = os.path.join(self.directory.path, "log")
        self.port = processes.free_port()
        self.user, self.password = "cinder", secrets.token_hex(12)
        self.process = self._process()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.remove()

    @property
    def cinder_url(self):
        """The URL of a database with the drivers that the environments of Cinder have."""
        return self.url.replace("mysql:", "mysql+pymysql:").replace("+psycopg:", "+psycopg2:")

    def start(self):
        """Start it, and wait until it can be used."""
        self.launch()
        self.wait()
        return self

    def launch(self):
        self.process.start()

    def wait(self):
        self.process.wait(self._ready, PATIENCE)

    def stop(self):
        """End it as an administrator would; its data stay."""
        self.process.stop(self.stop_signal)

    def kill(self):
        """SIGKILL it with all of its processes; its data stay."""
        self.process.kill()

    def restart(self):
        """Start it again on its data and its port, ending it first where it runs."""
        self.stop()
        self.start()

    def remove(self):
        """End it and remove its data."""
        self.process.kill()
        self.directory.remove()


def started(*servers):
    """Start several servers side by side and return them once all can be used."""
    for server in servers:
        server.launch()
    for server in servers:
        server.wait()
    return servers


class RabbitMQ(Server):
    """A broker of one node without plugins. It has its own port mapper of Erlang."""

    name = "rabbitmq"

    @property
    def url(self):
        return f"rabbit://{self.user}:{self.password}@127.0.0.1:{self.port}/"

    def _process(self):
        self.data = self.directory.make("data")
        mapper, peer = processes.free_port(), processes.free_port()
        config = self.directory.make("rabbitmq.conf", "\n".join((
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", f"default_user = {self.user}",
            f"default_pass = {self.password}", "disk_free_limit.absolute = 50MB", "log.file = false",
            "log.console = true", "log.console.level = warning", "")))
        env = {
            "HOME": self.directory.path, "ERL_EPMD_PORT": str(mapper), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"cinder-lite-{self.port}@localhost", "RABBITMQ_DIST_PORT": str(peer),
            "RABBITMQ_CONFIG_FILE": config, "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.directory.make("plugins", "[].\n"),
            "RABBITMQ_MNESIA_BASE": self.data, "RABBITMQ_LOG_BASE": self.directory.make("logs"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Makes the start script become the server instead of standing between it and our signals.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        self._mapper = processes.Process("epmd", ["epmd", "-port", str(mapper), "-address", "127.0.0.1"], self.log)
        self._mapper_port = mapper
        return processes.Process(self.name, ["/usr/lib/rabbitmq/bin/rabbitmq-server"], self.log, env)

    def launch(self):
        if not self._mapper.running:
            self._mapper.start()
            self._mapper.wait(lambda: processes.listens(self._mapper_port), PATIENCE)
        self.process.start()

    def _ready(self):
        try:
            self.connect().close()
        except (OSError, amqp.AMQPError):
            return False
        return True

    def connect(self):
        """A separate AMQP connection."""
        connection = amqp.Connection(f"127.0.0.1:{self.port}", self.user, self.password, connect_timeout=5)
        connection.connect()
        return connection

    def consumers(self, queue):
        """How many wait for messages of a queue; 0 while it does not exist."""
        with self.connect() as connection, contextlib.suppress(amqp.NotFound):
            return connection.channel().queue_declare(queue, passive=True).consumer_count
        return 0

    def restart(self, empty=False):
        """As for every server; with `empty`, kill it and restart it without queues, messages and exchanges."""
        if empty:
            self.kill()
            shutil.rmtree(self.data)
            os.mkdir(self.data, 0o700)
        super().restart()

    def remove(self):
        self.process.kill()
        self._mapper.kill()
        self.directory.remove()


class MariaDB(Server):
    """MariaDB with an empty database; `memory` is its cache, in MiB."""

    name = "mariadb"
    memory = 64
    driver = "mysql"

    @property
    def url(self):
        return f"{self.driver}://{self.user}:{self.password}@127.0.0.1:{self.port}/cinder"

    def _process(self):
        data = self.directory.make("data", owner="mysql")
        account = ["--user=mysql"] if os.getuid() == 0 else []
        # A server that starts deletes the temporary tables of all others that share its directory of them.
        settings = [f"--datadir={data}", f"--tmpdir={self.directory.make('tmp', owner='mysql')}", *account,
                    "--innodb-log-file-size=32M", f"--innodb-buffer-pool-size={self.memory}M"]
        subprocess.run(["mariadb-install-db", "--no-defaults", *settings, "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        first = self.directory.make("first.sql", owner="mysql", text="".join(f"{line};\n" for line in (
            "CREATE DATABASE IF NOT EXISTS cinder", "DROP USER IF EXISTS root@localhost",
            f"CREATE USER IF NOT EXISTS {self.user}@'127.0.0.1' IDENTIFIED BY '{self.password}'",
            f"GRANT ALL ON *.* TO {self.user}@'127.0.0.1'")))
        return processes.Process(self.name, [
            "/usr/sbin/mariadbd", "--no-defaults", *settings, "--bind-address=127.0.0.1", f"--port={self.port}",
            f"--socket={data}/socket", f"--pid-file={data}/pid", f"--init-file={first}", "--skip-name-resolve",
            "--max-connections=500", "--skip-log-bin", "--character-set-server=utf8mb4"], self.log)

    def connect(self, database="cinder"):
        """A connection that commits each statement."""
        return pymysql.connect(host="127.0.0.1", port=self.port, user=self.user, password=self.password,
                               database=database, autocommit=True, connect_timeout=5)

    def _ready(self):
        try:
            self.connect().close()
        except pymysql.err.OperationalError:
            return False
        return True

    def emptied(self):
        """Drop and create the database and return its URL."""
        with self.connect("mysql") as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE cinder")
            cursor.execute("CREATE DATABASE cinder")
        return self.url


class PostgreSQL(Server):
    """PostgreSQL with an empty database; `memory` is its cache, in MiB."""

    name = "postgresql"
    memory = 64
    driver = "postgresql+psycopg"
    #: Ends connections instead of waiting until the clients close them.
    stop_signal = signal.SIGINT

    @property
    def url(self):
        return f"{self.driver}://{self.user}:{self.password}@127.0.0.1:{self.port}/cinder"

    def _process(self):
        programs = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        data = self.directory.make("data", owner="postgres")
        secret = self.directory.make("password", self.password, owner="postgres")
        self._run([f"{programs}/initdb", f"--pgdata={data}", f"--username={self.user}", f"--pwfile={secret}",
                   "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
        self._run([f"{programs}/postgres", "--single", "-D", data, "postgres"], "CREATE DATABASE cinder\n")
        return processes.Process(self.name, [
            f"{programs}/postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}",
            "-c", "unix_socket_directories=", "-c", "max_connections=500", "-c", f"shared_buffers={self.memory}MB"],
            self.log, user="postgres")

    def _run(self, argv, text=None):
        account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(argv, input=text, check=True, capture_output=True, text=True, cwd="/", **account)

    def connect(self, database="cinder"):
        """A connection that commits each statement."""
        return psycopg.connect(host="127.0.0.1", port=self.port, user=self.user, password=self.password,
                               dbname=database, autocommit=True, connect_timeout=5)

    def _ready(self):
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def emptied(self):
        """Drop and create the database and return its URL."""
        with self.connect("postgres") as connection:
            connection.execute("DROP DATABASE cinder WITH (FORCE)")
            connection.execute("CREATE DATABASE cinder")
        return self.url
