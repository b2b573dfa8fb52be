"""A real Cinder on a database and a broker of its own, set as the one whose figures are in cinder-29.json."""

import os
import pathlib
import subprocess

import requests

from tests.services.processes import Directory, Process, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = ("scheduler", "volume", "backup")
CONFIG = """
[DEFAULT]
state_path = {path}
host = peer
transport_url = {broker}
auth_strategy = noauth_include_project_id
api_paste_config = {environment}/etc/cinder/api-paste.ini
enabled_backends = {backends}
# Volumes that are restored from backups are of this type.
default_volume_type = {kind}
rootwrap_config = {path}/rootwrap.conf
compute_api_class = cinder_null.NoServers
report_interval = 10
service_down_time = 60
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_posix_path = {path}/backup
quota_volumes = -1
quota_snapshots = -1
quota_gigabytes = -1
{glance}
[null]
volume_driver = cinder_null.NullDriver
volume_backend_name = null
[database]
connection = {database}
max_pool_size = 30
[oslo_concurrency]
lock_path = {path}/locks
[cinder_sys_admin]
helper_command = {environment}/bin/privsep-helper --config-file {path}/cinder.conf
[privsep_osbrick]
helper_command = {environment}/bin/privsep-helper --config-file {path}/cinder.conf
"""
RBD = """
[rbd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = rbd
rbd_pool = volumes
rbd_user = cinder
rbd_ceph_conf = {conf}
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
"""


def _librbd(folder):
    from tests.storage import rbd

    return rbd.libraries(folder)


class Cinder:
    """API under uWSGI with two processes, scheduler, volume and backup service of the environment in a directory."""

    def __init__(self, environment, database_url, broker_url, ceph=None, glance=None):
        """`ceph` is a tests.storage.ceph.Ceph for a backend `rbd`, `glance` a tests.images.images_service.Glance."""
        self.environment = os.path.abspath(environment)
        for name in ("uwsgi", "cinder-scheduler"):
            if not os.path.exists(f"{self.environment}/bin/{name}"):
                raise SystemExit(f"{self.environment} has no {name}: run `tox run -e cinder --notest`")
        self.directory = Directory("peer")
        path = self.directory.path
        for name in ("backup", "locks", "modules", "bin"):
            self.directory.make(name)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Without TLS on the loopback: PyMySQL would load the authorities' certificates for each connection.
        database = database_url + ("&" if "?" in database_url else "?") + "ssl_disabled=true"
        self.config = self.directory.make("cinder.conf", CONFIG.format(
            path=path, broker=broker_url, database=database, environment=self.environment,
            backends="null,rbd" if ceph else "null", kind="rbd" if ceph else "null",
            glance=f"glance_api_servers = {glance.url}" if glance else "") + (
                RBD.format(conf=ceph.conf) if ceph else ""))
        self.directory.make("rootwrap.conf", f"[DEFAULT]\nfilters_path={self.environment}/etc/cinder/rootwrap.d\n")
        # Root needs no sudo.
        os.chmod(self.directory.make("bin/sudo", '#!/bin/sh\nexec "$@"\n'), 0o700)
        modules = [HERE] if ceph is None else [HERE, _librbd(pathlib.Path(path, "modules"))]
        self.env = {"PYTHONPATH": ":".join(modules), "PATH": f"{path}/bin:{self.environment}/bin:{os.environ['PATH']}"}
        argv = {name: [f"{self.environment}/bin/cinder-{name}", "--config-file", self.config] for name in SERVICES}
        argv["api"] = [f"{self.environment}/bin/uwsgi", "--master", "--processes", "2", "--lazy-apps", "--die-on-term",
                       "--http-socket", f"127.0.0.1:{port}", "--http-keepalive", "--add-header", "Connection: close",
                       "--buffer-size", "65535", "--virtualenv", self.environment, "--module", "cinder.wsgi.api",
                       "--pyargv", f"--config-file {self.config}"]
        # os-brick looks for the user's keyring in /etc/ceph and nowhere else.
        there = [] if ceph is None else [
            "unshare", "--mount", "sh", "-c", f'mount --bind {ceph.path} /etc/ceph && exec "$@"', "-"]
        self.processes = {name: Process(f"cinder-{name}", [*there, *words], os.path.join(path, f"{name}.log"), self.env)
                          for name, words in argv.items()}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for process in self.processes.values():
            process.kill()
        self.directory.remove()

    def make_tables(self):
        """Make the tables of the database."""
        subprocess.run([f"{self.environment}/bin/cinder-manage", "--config-file", self.config, "db", "sync"],
                       check=True, capture_output=True, timeout=300, env={**os.environ, **self.env})

    def start(self, project):
        """Start it; returns when all services are up."""
        for process in self.processes.values():
            process.start()
        self.processes["api"].wait(lambda: self._up(project), 120)
        return self

    def _up(self, project):
        try:
            answer = self.request("GET", project, "/os-services")
        except requests.ConnectionError:
            return False
        rows = answer.json()["services"] if answer.ok else []
        return {row["binary"] for row in rows if row["state"] == "up"} == {f"cinder-{name}" for name in SERVICES}

    def request(self, method, project, path, body=None):
        return requests.request(method, f"{self.url}/v3/{project}{path}", json=body, timeout=120,
                                headers={"X-Auth-Token": f"admin:{project}", "OpenStack-API-Version": "volume 3.71"})
