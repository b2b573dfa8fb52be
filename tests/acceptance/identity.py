"""A real Keystone with SQLite and Fernet keys in a temporary directory, and the users and catalog for the tests."""

import contextlib
import os
import secrets
import sqlite3
import subprocess

import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests.meta.source import TOP
from tests.services.processes import Directory, Process, free_port, listens

#: Made by tox from keystone-requirements.txt.
PYTHON = TOP / ".tox" / "keystone" / "bin" / "python"
REGION = "RegionOne"
#: Beside admin, manager, member, reader and service, which Keystone makes itself.
#: user -> {project: roles}; each has the same password.
PEOPLE = {
    "ann": {"blue": ("member",)},
    "max": {"blue": ("manager",)},
    "rita": {"blue": ("reader",)},
    "bob": {"green": ("member",)},
    "cinder": {"service": ("service", "admin")},
    "glance": {"service": ("service",)},
    "nova": {"service": ("service",)},
}

CONFIG = """
[DEFAULT]
log_file = {path}/keystone.log
[database]
connection = sqlite:///{path}/keystone.sqlite?timeout=60
[token]
provider = fernet
[fernet_tokens]
key_repository = {path}/fernet-keys
[credential]
key_repository = {path}/credential-keys
[identity]
password_hash_rounds = 4
[oslo_policy]
enforce_scope = true
"""


class Keystone:
    """Start it, ask it for sessions of its people, add to its catalogue. `url` ends with /v3."""

    def __init__(self):
        if not PYTHON.exists():
            raise FileNotFoundError(f"{PYTHON} is missing: run `tox run -e keystone --notest`")
        self.directory = Directory("keystone")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v3"
        self.password = secrets.token_hex(8)
        self.projects, self._made = {}, {}
        path = self.directory.path
        for name in ("fernet-keys", "credential-keys"):
            self.directory.make(name)
        self.directory.make("keystone.conf", CONFIG.format(path=path))
        env = {"OS_KEYSTONE_CONFIG_DIR": path, "PYTHONPATH": ""}
        self._manage("db_sync")
        with contextlib.closing(sqlite3.connect(f"{path}/keystone.sqlite")) as database:
            database.execute("PRAGMA journal_mode = WAL")
        account = (os.getuid(), os.getgid())
        for words in ("fernet_setup", "credential_setup"):
            self._manage(words, "--keystone-user", str(account[0]), "--keystone-group", str(account[1]))
        self._manage("bootstrap", "--bootstrap-password", self.password, "--bootstrap-region-id", REGION,
                     *(word for kind in ("public", "internal", "admin")
                       for word in (f"--bootstrap-{kind}-url", self.url)))
        serve = os.path.join(os.path.dirname(__file__), "serve_keystone.py")
        self.process = Process("keystone", [PYTHON, serve, str(self.port)], os.path.join(path, "out.log"), env)

    def _manage(self, *words):
        path = self.directory.path
        ended = subprocess.run([PYTHON.parent / "keystone-manage", "--config-dir", path, *words],
                               env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, f"keystone-manage {words[0]}: {ended.stdout}{ended.stderr}"

    def start(self):
        self.process.start()
        self.process.wait(lambda: listens(self.port) and self._answers(), 120)
        return self

    def _answers(self):
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(self.url, timeout=60).ok
        return False

    def __enter__(self):
        self.start()
        self._settle()
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.directory.remove()

    def session(self, user="admin", project=None, system=False):
        """A session of keystoneauth for one of PEOPLE or the admin, in their first project unless another is named."""
        scope = {"system_scope": "all"} if system else {
            "project_name": project or self.home(user),
            "project_domain_id": "default"}
        return session.Session(v3.Password(self.url, username=user, password=self.password, user_domain_id="default",
                                           **scope))

    @staticmethod
    def home(user):
        """The first project in which somebody has a role."""
        return next(iter(PEOPLE.get(user, {"admin": ()})))

    def request(self, method, path, body=None):
        """One request of the admin; the answer's document."""
        answer = self._admin.request(f"{self.url}{path}", method, json=body)
        return answer.json() if answer.content else None

    def _settle(self):
        """Make the projects and people."""
        self._admin = self.session()
        roles = {role["name"]: role["id"] for role in self.request("GET", "/roles")["roles"]}
        self.projects = {found["name"]: found["id"] for found in self.request("GET", "/projects")["projects"]}
        for user, places in PEOPLE.items():
            made = self.request("POST", "/users", {"user": {
                "name": user, "password": self.password, "domain_id": "default"}})["user"]
            for project, given in places.items():
                if project not in self.projects:
                    self.projects[project] = self.request("POST", "/projects", {"project": {
                        "name": project, "domain_id": "default"}})["project"]["id"]
                for role in given:
                    self.request("PUT", f"/projects/{self.projects[project]}/users/{made['id']}/roles/{roles[role]}")

    def register(self, url, *kinds):
        """Put a service into the catalogue, under each of its types."""
        for kind in kinds:
            service = self.request("POST", "/services", {"service": {"type": kind, "name": kind}})["service"]
            for interface in ("public", "internal", "admin"):
                self.request("POST", "/endpoints", {"endpoint": {
                    "interface": interface, "url": url, "service_id": service["id"], "region_id": REGION}})
