"""The installation of a world: two hosts, each with the four services as nodes, over one database and one broker."""

import datetime
import json
import os
import sqlite3

import eventlet
import oslo_messaging
import webob
from oslo_messaging.transport import RPCTransport

from cinder_lite import conf, context
from cinder_lite.api.app import Application
from cinder_lite.concurrency import locks
from cinder_lite.doctor import Doctor
from cinder_lite.rpc import transport
from cinder_lite.service import process
from cinder_lite.service.api import domains
from cinder_lite.service.backup import BackupService
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService
from cinder_lite.service.volume import VolumeService
from tests.simulation import database, network
from tests.simulation.world import BEGIN, Node

HOSTS = ("h1", "h2")
#: Host -> its backends.
BACKENDS = {"h1": ("one", "two"), "h2": ("three",)}
#: Name of a backend that both hosts serve at the same time -> its cluster; see `share`.
CLUSTERS: dict[str, str] = {}
SERVICES = ("api", "scheduler", "volume", "backup")
#: Seconds of the world that a client waits for an answer.
PATIENCE = 300
REPORT, LEASE, DOWN, SWEEP = 20, 60, 120, 30
SETTINGS = """
[DEFAULT]
state_path = {top}/{host}
host = {host}
enabled_backends = {backends}
report_interval = {report}
job_lease = {lease}
service_down_time = {down}
job_sweep_interval = {sweep}
backend_stats_polling_interval = 60
scheduler_wait_for_backends = 60
rpc_reply_timeout = 60
backup_driver = tests.simulation.storage.Store
backup_file_size = 1048576
enable_force_upload = true
quota_volumes = 8
quota_snapshots = 6
quota_gigabytes = 16
quota_backups = 5
quota_backup_gigabytes = 9
quota_groups = 6
[database]
connection = sqlite:///{top}/cinder.sqlite
"""
BACKEND = """
[{name}]
volume_driver = tests.simulation.storage.Driver
file_volume_dir = {top}/volumes-{name}
target_helper = tests.simulation.storage.Target
volume_backend_name = {name}
"""


OF_A_CLUSTER = """
[{name}]
volume_driver = tests.simulation.storage.SharedDriver
file_volume_dir = {top}/volumes-{name}
volume_backend_name = {name}
cluster = {cluster}
nas_host = 192.0.2.7
nas_share_path = /volumes
"""


#: What the text of a 500 has: a call without an answer, calls of the storage that were made to fail, and a connection
#: to a volume that was never made.
EXPECTED = ("did not answer", "simulated: ", "cannot export ")


#: Role -> the roles that it implies, as in Keystone.
ROLES = {"admin": ["admin", "member", "reader"], "member": ["member", "reader"], "reader": ["reader"]}


class Lost(Exception):
    """The connection to the API broke, or it did not answer in time."""


def share():
    """Add a backend that both hosts serve at the same time to each world."""
    CLUSTERS["four"] = "blue"
    for host in HOSTS:
        BACKENDS[host] += ("four",)


def place(host, backend):
    """The name of a backend of a host among the services, host@backend; a cluster's is that of the cluster."""
    return f"{CLUSTERS.get(backend, host)}@{backend}"


def configured(top, host):
    """The configuration of a host."""
    file = os.path.join(top, f"{host}.conf")
    with open(file, "w") as out:
        out.write(SETTINGS.format(top=top, host=host, backends=",".join(BACKENDS[host]), report=REPORT,
                                  lease=LEASE, down=DOWN, sweep=SWEEP))
        for name in BACKENDS[host]:
            out.write((OF_A_CLUSTER if name in CLUSTERS else BACKEND).format(
                top=top, name=name, cluster=CLUSTERS.get(name)))
    os.makedirs(os.path.join(top, host), exist_ok=True)
    return conf.load(argv=["--config-file", file])


def _identified(http, request_id, global_id):
    """The context of a token "role:project"; an administrator is a service as well."""
    role, _, project = http.environ["HTTP_X_AUTH_TOKEN"].partition(":")
    admin = role == "admin"
    return context.Context(user_id="tester", project_id=project, is_admin=admin, roles=ROLES[role],
                           service_roles=["service"] if admin else [], request_id=request_id,
                           global_request_id=global_id)


class Site:
    """The nodes, and what clients use of them."""

    def __init__(self, here, top):
        self.world, self.top, here.directory = here, top, top
        self.server, self.broker = database.Server(here), network.Broker(here)
        self.configurations = {host: configured(top, host) for host in HOSTS}
        #: Role, (service, host) -> its present node; the API's nodes have an application.
        self.nodes, self.applications = {}, {}
        self.raw = sqlite3.connect(f"file:{top}/cinder.sqlite?mode=ro", uri=True)
        self.raw.row_factory = sqlite3.Row
        self.failures = []
        #: Volumes whose status an administrator has set: it need not tell what is there.
        self.reset = set()
        #: (pool, name on the backend) of what was unmanaged.
        self.unmanaged = set()
        #: Ids of volumes that were offered to another project.
        self.given = set()
        #: Name of a snapshot that was unmanaged -> the id of its volume.
        self.former = {}
        #: (table, project) -> id of the resource that a client took last.
        self.recent = {}
        #: Types and group types by name.
        self.ids = {}

    # -- nodes

    def start_all(self):
        for host in HOSTS:
            for service in SERVICES:
                self.start((service, host))

    def start(self, role):
        """Start a node for a role, in which nothing runs."""
        on = self.nodes[role] = Node(f"{role[0]}@{role[1]}")
        self.world.record("starts", on)
        self.world.start(on, self._run, role, on)

    def shared(self, host, on):
        """The process of a node."""
        settings = self.configurations[host]
        found = process.Process(settings, INTERFACES)
        transport.connect(settings)  # registers the options of oslo.messaging
        found.transport = RPCTransport(network.Driver(
            settings, oslo_messaging.TransportURL.parse(settings, "local://"), self.broker, on))
        self.server.serve(found.db.engines, on)
        return found

    def _run(self, role, on):
        service, host = role
        shared = self.shared(host, on)
        if service == "api":
            self.applications[on] = application = Application(shared.conf, shared.db, domains(shared), dict)
            application.authenticate = _identified
            return
        made = {"scheduler": SchedulerService, "volume": VolumeService, "backup": BackupService}[service](shared)
        for one in made.backends if service == "volume" else [made]:
            on.when_killed.append(one.lock.release)
            on.instances.add(one.lock.instance)
        made.start()

    def kill(self, role, seconds):
        """Kill the node of a role, and start it again after so many seconds."""
        on = self.nodes[role]
        if not on.alive:
            return
        self.world.record("killed", on)
        on.kill()
        self.world.start(None, self._again, role, on, seconds)

    def _again(self, role, on, seconds):
        eventlet.sleep(seconds)
        if self.nodes[role] is on:
            self.start(role)

    def reboot(self, host, seconds):
        """Kill all nodes of a host at once; what it had in memory, such as its exports, is gone."""
        self.world.record("reboot", host)
        for role in list(self.nodes):
            if role[1] == host:
                self.kill(role, seconds)
        self.world.portals.pop(os.path.join(self.top, host), None)

    def is_whole(self):
        """Whether all nodes run, and each host has its cable."""
        now = self.world.seconds
        return all(on.alive and on.resumes <= now and not self.world.cut(on.host) for on in self.nodes.values())

    def pull(self, host, seconds):
        """Pull the cable of a host for so many seconds: it reaches neither database nor broker, and no client reaches
        it."""
        self.world.record("cable pulled", host, seconds)
        self.world.cuts[host] = self.world.seconds + seconds

    def role_of(self, on):
        return next(role for role, one in self.nodes.items() if one is on)

    # -- clients

    def request(self, method, path, project, body=None, role="admin"):
        """(status, document) of a request to one of the API's nodes. Raises Lost."""
        alive = [on for role, on in self.nodes.items() if role[0] == "api" and on.alive and on in self.applications
                 and not self.world.cut(on.host)]
        if not alive:
            eventlet.sleep(1)
            raise Lost("no API is up")
        on = self.world.rng.choice(alive)
        sent = webob.Request.blank(f"/v3/{project}{path}", method=method, headers={
            "X-Auth-Token": f"{role}:{project}", "OpenStack-API-Version": "volume 3.71"})
        if body is not None:
            sent.json = body
        answers, received = [], locks.event()

        def serve():
            answers.append(sent.get_response(self.applications[on]))
            received.set()

        self.world.record("request", method, path, project, role, json.dumps(body, sort_keys=True))
        self.world.start(on, serve)
        end = self.world.seconds + PATIENCE
        while not received.wait(5):
            if not on.alive or self.world.seconds > end:
                self.world.record("no answer", method, path)
                raise Lost(f"{on} did not answer")
        answer = answers[0]
        document = answer.json if answer.body and "json" in (answer.content_type or "") else None
        self.world.record("answer", method, path, answer.status_int, answer.text if answer.status_int >= 400 else "")
        expected = self.reset & set(path.split("/")) or any(text in answer.text for text in EXPECTED)
        if answer.status_int == 500 and not expected:
            self.failures.append(f"{method} {path} {body}: {answer.text}")
        return answer.status_int, document

    def watch(self, rule):
        """Check a rule now; the first that is broken ends the run."""
        if not self.failures:
            try:
                rule(self)
            except AssertionError as error:
                self.world.record("broken", str(error))
                self.failures.append(str(error))

    def create_type(self, send, name, backend):
        """Create a volume type for one backend, or for all."""
        specs = {"volume_backend_name": backend} if backend else {}
        _, document = send("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}})
        self.ids[name] = document["volume_type"]["id"]

    # -- what is there

    def directory(self, backend):
        """Where the volumes of a backend are."""
        return os.path.join(self.top, f"volumes-{backend}")

    def path_of(self, id):
        """The file of a volume, or None."""
        found = [os.path.join(self.directory(row["host"].rpartition("#")[2]), f"volume-{row['name_id'] or id}")
                 for row in self.rows("SELECT * FROM volumes WHERE id = ? AND host IS NOT NULL", id)]
        return found[0] if found and os.path.exists(found[0]) else None

    @staticmethod
    def seconds_of(text):
        """A stored time in seconds of the world."""
        moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
        return moment.timestamp() - BEGIN

    def login(self, host, iqn, user, secret):
        """What an initiator that logs in on a host's portal gets: the Exported, None if it is refused."""
        found = self.world.portals.get(os.path.join(self.top, host), {}).get(iqn)
        return found if found is not None and found.auth == f"CHAP {user} {secret}" else None

    def rows(self, query, *values):
        """The rows that a query returns now, of what is committed."""
        return self.raw.execute(query, values).fetchall()

    def doctor(self, host):
        """A doctor on a host, as a node of its own."""
        on = Node(f"doctor@{host}")
        shared = self.shared(host, on)
        return Doctor(shared.db, shared.conf)
