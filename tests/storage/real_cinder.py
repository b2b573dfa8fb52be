"""A real Cinder for tests: API, scheduler, volume and backup service on databases, brokers and disks of the tests.

    with Cinder(ceph, database, broker) as cinder:
        cinder.start()
        cinder.client(...)

Every requester is an administrator. `Cinder` is on a Ceph, `CinderOnLvm` on volume groups. Backups are kept in
its directory, in Cinder's own format, or, after `keep_backups_in_ceph`, as images of the pool `backups`.
"""

import json
import os
import subprocess

import requests

from tests.functional.service import until
from tests.meta.source import TOP
from tests.services.processes import Directory, Process, free_port, listens
from tests.storage import ceph as ceph_module

#: Made by tox from cinder-requirements.txt.
ENVIRONMENT = TOP / ".tox" / "cinder"
#: A project of administrators.
PROJECT = "a" * 32
POSIX, CEPH = "cinder.backup.drivers.posix.PosixBackupDriver", "cinder.backup.drivers.ceph.CephBackupDriver"
#: What the scheduler is told stands in its log.
DEBUG = {"scheduler": ("--debug",)}
SERVICES = ("api", "scheduler", "volume", "backup")
#: Seconds within which its services have started, and within which they have done one thing: a lab has one processor.
START, LIMIT = 600, 300

CONFIG = """
[DEFAULT]
state_path = {path}
host = ctl1
transport_url = {broker}
auth_strategy = noauth_include_project_id
api_paste_config = {environment}/etc/cinder/api-paste.ini
rootwrap_config = {path}/rootwrap.conf
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
osapi_volume_workers = 1
enabled_backends = {enabled}
report_interval = 2
# A volume service says nothing while it starts, which takes over a minute in a busy lab: it would be down meanwhile.
service_down_time = 600
backup_driver_stats_polling_interval = 10
backup_driver = {posix}
backup_posix_path = {path}/backup
{more}
[database]
connection = {database}
[oslo_concurrency]
lock_path = {path}/locks
[cinder_sys_admin]
helper_command = {environment}/bin/privsep-helper --config-file {path}/cinder.conf
[privsep_osbrick]
helper_command = {environment}/bin/privsep-helper --config-file {path}/cinder.conf
"""
ON_CEPH = """
default_volume_type = ssd
backup_ceph_conf = {ceph.conf}
backup_ceph_user = {user}
backup_file_size = 67108864
backup_compression_algorithm = {compression}
enable_force_upload = true
[ceph-ssd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = SSD
rbd_pool = volumes
rbd_user = {user}
rbd_ceph_conf = {ceph.conf}
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
"""
ON_LVM = """
[{name}]
volume_driver = cinder.volume.drivers.lvm.LVMVolumeDriver
volume_backend_name = {name}
volume_group = {group}
lvm_type = {name}
target_helper = tgtadm
"""


class _Cinder:
    """Its services end before what they talk to; `path` is its directory, `url` its API's."""

    def __init__(self, database_url, broker_url, enabled, more, services=SERVICES):
        if not (ENVIRONMENT / "bin" / "cinder-api").exists():
            raise FileNotFoundError(f"{ENVIRONMENT} is missing: run `tox run -e cinder --notest`")
        self.directory, self.enabled = Directory("cinder"), enabled
        self.path = self.directory.path
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("backup", "locks", "modules", "bin"):
            self.directory.make(name)
        self.config_file = self.directory.make("cinder.conf", CONFIG.format(
            path=self.path, broker=broker_url, database=database_url, environment=ENVIRONMENT, port=self.port,
            posix=POSIX, enabled=", ".join(enabled), more=more))
        self.directory.make("rootwrap.conf", f"[DEFAULT]\nfilters_path={ENVIRONMENT}/etc/cinder/rootwrap.d\n")
        # Root needs no sudo.
        os.chmod(self.directory.make("bin/sudo", '#!/bin/sh\nexec "$@"\n'), 0o700)
        self.env = {"PYTHONPATH": os.path.join(self.path, "modules"),
                    "PATH": f"{self.path}/bin:{ENVIRONMENT}/bin:{os.environ['PATH']}"}
        self.services = {name: Process(f"cinder-{name}", [
            *self.there(), f"{ENVIRONMENT}/bin/cinder-{name}", "--config-file", self.config_file, *DEBUG.get(name, ())],
            os.path.join(self.path, f"{name}.log"), self.env) for name in services}

    def there(self):
        """What the services are started by."""
        return ()

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        for name, service in self.services.items():
            service.kill()
            if kind is not None:
                print(f"{name} of Cinder:\n{self.log(name)}")
        self.directory.remove()

    def sync(self):
        subprocess.run([f"{ENVIRONMENT}/bin/cinder-manage", "--config-file", self.config_file, "db", "sync"],
                       check=True, capture_output=True, timeout=300, env={**os.environ, **self.env})

    def start(self):
        self.sync()
        for service in self.services.values():
            service.start()
        self.services["api"].wait(lambda: listens(self.port), START)
        until(self._up, "the services of Cinder to be up", START)
        return self

    def _up(self):
        """Whether all services are up, and the scheduler knows of all backends."""
        rows, pools = self._listed("os-services", "services"), self._listed("scheduler-stats/get_pools", "pools")
        return {row["binary"] for row in rows if row["state"] == "up"} == {f"cinder-{name}"
                                                                           for name in [*self.services][1:]} and (
            len(pools) == len(self.enabled))

    def _listed(self, path, key):
        answer = requests.get(f"{self.url}/v3/{PROJECT}/{path}", headers={"X-Auth-Token": f"{PROJECT}:{PROJECT}"},
                              timeout=300)
        return answer.json()[key] if answer.ok else []

    def stop(self):
        for service in self.services.values():
            service.stop(limit=30)

    def log(self, name):
        return self.services[name].tail(40)


class Cinder(_Cinder):
    """On a pool of a Ceph, for volumes and for backups."""

    def __init__(self, ceph, database_url, broker_url, compression="zlib"):
        self.ceph = ceph
        super().__init__(database_url, broker_url, ("ceph-ssd",), ON_CEPH.format(
            ceph=ceph, user=ceph_module.USER, compression=compression))
        # Debian's bindings of Ceph, without anything else of Debian's.
        for module in ("rados", "rbd"):
            for file in _files_of(module):
                os.symlink(file, os.path.join(self.path, "modules", os.path.basename(file)))
        self.env["CEPH_CONF"] = ceph.conf

    def there(self):
        # os-brick looks for the user's keyring in /etc/ceph and nowhere else.
        return ["unshare", "--mount", "sh", "-c", f'mount --bind {self.ceph.path} /etc/ceph && exec "$@"', "-"]

    def _knows_of_ceph(self):
        with open(self.services["scheduler"].log) as file:
            return any("Received backup service" in line and "'backend_state': True" in line and CEPH in line
                       for line in file)

    def keep_backups_in_ceph(self):
        """Let the backup service, started anew, make the next backups as images."""
        with open(self.config_file) as file:
            text = file.read()
        self.directory.make("cinder.conf", text.replace(POSIX, CEPH))
        backup = self.services["backup"]
        backup.stop(limit=30)
        backup.start()
        # The scheduler has to know that the driver works before it gives out a backup.
        backup.wait(self._knows_of_ceph, START)


class CinderOnLvm(_Cinder):
    """On volume groups, {kind of its volumes: group}; without a backup service, which would attach over iSCSI."""

    def __init__(self, groups, database_url, broker_url):
        super().__init__(database_url, broker_url, groups, "".join(
            ON_LVM.format(name=name, group=group) for name, group in groups.items()), SERVICES[:3])


class Project:
    """Speaks to a Block Storage API, Cinder's or ours, for one project."""

    def __init__(self, url, project):
        self.url, self.project = url, project

    def __call__(self, method, path, body=None, expect=200):
        answer = requests.request(
            method, f"{self.url}/v3/{self.project}{path}", timeout=120, data=json.dumps(body) if body else None,
            headers={"X-Auth-Token": f"{self.project}:{self.project}", "Content-Type": "application/json",
                     "OpenStack-API-Version": "volume 3.71"})
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    def settled(self, kind, id, wanted="available"):
        def look():
            found = self("GET", f"/{kind}/{id}")[kind.removesuffix("s")]
            assert found["status"] == wanted or not found["status"].startswith("error"), found
            return found if found["status"] == wanted else None

        return until(look, f"{kind} {id} to become {wanted}", LIMIT)

    def made(self, kind, expect=202, **body):
        one = kind.removesuffix("s")
        return self.settled(kind, self("POST", f"/{kind}", {one: body}, expect)[one]["id"])

    def gone(self, kind, id):
        self("DELETE", f"/{kind}/{id}", expect=202)
        until(lambda: all(one["id"] != id for one in self("GET", f"/{kind}")[kind]), f"{kind} {id} to be gone", LIMIT)


def _files_of(module):
    said = subprocess.run(["/usr/bin/python3", "-c", f"import {module}; print({module}.__file__)"], check=True,
                          capture_output=True, text=True, timeout=300)
    return said.stdout.split()
