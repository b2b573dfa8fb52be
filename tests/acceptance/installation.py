"""The whole service behind Keystone, as in an installation: one process, two file backends exported by tgt, SQLite."""

import os
import signal
import subprocess

import requests

from cinder_lite.volume.targets.tgtd import TgtDaemon
from tests import product
from tests.meta.source import TOP
from tests.services.daemons import as_text
from tests.services.processes import Directory, Process, free_port, listens

BACKENDS = ("file-1", "file-2")


def login(keystone):
    """The options by which a service logs in, in whichever section."""
    return {"auth_type": "password", "auth_url": keystone.url, "username": "cinder", "password": keystone.password,
            "user_domain_id": "default", "project_name": "service", "project_domain_id": "default"}


def identity_options(keystone):
    """The options by which a service asks Keystone, as {section: {option: value}}."""
    return {
        "DEFAULT": {"auth_strategy": "keystone"},
        "keystone_authtoken": {
            "www_authenticate_uri": keystone.url, "service_token_roles": "service", **login(keystone)},
    }


class Installation:
    """Start it with a Keystone in whose catalogue it then stands; `changes` are further options."""

    protocol = "iSCSI"

    def __init__(self, keystone, changes=None):
        self.directory = Directory("acceptance")
        path = self.directory.path
        self.port, self.target_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = {
            "DEFAULT": {
                "state_path": path, "host": "here", "osapi_volume_listen": "127.0.0.1",
                "osapi_volume_listen_port": self.port, "enabled_backends": ",".join(BACKENDS),
                "default_group_type": "consistent", "backup_driver": "posix", "backup_posix_path": f"{path}/backups",
                "report_interval": 1,
                "debug": "true"},
            "database": {"connection": f"sqlite:///{path}/cinder.sqlite"},
            **{name: {"volume_driver": "file", "volume_backend_name": name, "file_volume_dir": f"{path}/{name}",
                      "target_port": self.target_port, "tgt_control_port": self.target_port} for name in BACKENDS}}
        for section, values in [*identity_options(keystone).items(), *(changes or {}).items()]:
            options.setdefault(section, {}).update(values)
        self.config_file = self.directory.make("cinder.conf", as_text(options))
        self.log = os.path.join(path, "cinder-lite.log")
        env = {"PYTHONPATH": str(TOP)}
        self.target = Process("tgtd", TgtDaemon(f"127.0.0.1:{self.target_port}", self.target_port).argv,
                              os.path.join(path, "tgtd.log"))
        self.process = Process("cinder-lite-all", self._argv("all"), self.log, env)
        self.env = {**os.environ, **env}

    def _argv(self, name, *words):
        return [product.python(), "-m", f"cinder_lite.cmd.{name}", "--config-file", self.config_file, *words]

    def start(self):
        self.target.start()
        self.target.wait(lambda: listens(self.target_port))
        self.process.start()
        self.process.wait(lambda: listens(self.port) and requests.get(f"{self.url}/healthcheck", timeout=60).ok, 120)
        return self

    def manage(self, *words):
        """Run cinder-lite-manage; its output."""
        ended = subprocess.run(self._argv("manage", *words), env=self.env, capture_output=True, text=True, cwd="/")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.process.stop(signal.SIGTERM)
        self.target.kill()
        self.directory.remove()
