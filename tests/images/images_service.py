"""A real Glance with SQLite and by default a file store in a temporary directory; requests carry the requester."""

import contextlib
import hashlib
import os
import sqlite3
import subprocess

import requests

from tests.meta.source import TOP
from tests.services.processes import Directory, Process, free_port, listens

#: Made by tox from glance-requirements.txt.
PYTHON = TOP / ".tox" / "glance" / "bin" / "python"
PROJECT = "a0000000000000000000000000000001"

CONFIG = """
[DEFAULT]
enabled_backends = store:{kind}
enabled_import_methods = []
node_staging_uri = file://{path}/staging
log_file = {path}/glance.log
use_keystone_limits = false
show_image_direct_url = true
[database]
connection = sqlite:///{path}/glance.sqlite
[glance_store]
default_backend = store
[store]
{options}
[image_format]
require_image_format_match = false
[paste_deploy]
config_file = {path}/paste.ini
[oslo_policy]
enforce_scope = false
"""

PASTE = """
[composite:glance-api]
paste.composite_factory = glance.api:root_app_factory
/: context

[pipeline:context]
pipeline = versions-of-requests who rootapp

[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/v2: images

[app:images]
paste.app_factory = glance.api.v2.router:API.factory

[filter:versions-of-requests]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory

[filter:who]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
"""


class Glance:
    """Start it, give it images, kill it, start it again; `url` stays the same.

    The images are in a store of that kind with these options, for which Python may need `libraries` of another folder.
    """

    def __init__(self, kind="file", options="filesystem_store_datadir = {path}/images", libraries=""):
        if not PYTHON.exists():
            raise FileNotFoundError(f"{PYTHON} is missing: run `tox run -e glance --notest`")
        self.directory = Directory("glance")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        path = self.directory.path
        for name in ("staging", "images"):
            self.directory.make(name)
        self.directory.make("glance-api.conf", CONFIG.format(
            path=path, kind=kind, options=options.format(path=path)))
        self.directory.make("paste.ini", PASTE)
        env = {"OS_GLANCE_CONFIG_DIR": path, "PYTHONPATH": libraries}
        subprocess.run([PYTHON.parent / "glance-manage", "--config-file", f"{path}/glance-api.conf", "db_sync"],
                       check=True, env={**os.environ, **env}, capture_output=True, timeout=120)
        serve = os.path.join(os.path.dirname(__file__), "serve_glance.py")
        self.process = Process("glance", [PYTHON, serve, str(self.port)], os.path.join(path, "out.log"), env)

    def start(self):
        self.process.start()
        self.process.wait(lambda: listens(self.port) and self._answers(), 120)
        return self

    def _answers(self):
        with contextlib.suppress(requests.ConnectionError):
            return self.request("GET", "/v2/images?limit=1").ok
        return False

    def kill(self):
        self.process.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.process.kill()
        self.directory.remove()

    def request(self, method, path, project=PROJECT, headers=None, url=None, **more):
        who = {"X-Identity-Status": "Confirmed", "X-User-Id": "tester", "X-Project-Id": project,
               "X-Roles": "admin,member"}
        return requests.request(method, (url or self.url) + path, headers={**who, **(headers or {})}, timeout=60,
                                **more)

    def create(self, data=None, disk_format="raw", container_format="bare", name="image", **properties):
        """An image's id; with `data` (bytes) it is active."""
        answer = self.request("POST", "/v2/images", json={
            "name": name, "disk_format": disk_format, "container_format": container_format, **properties})
        assert answer.status_code == 201, answer.text
        id = answer.json()["id"]
        if data is not None:
            answer = self.request("PUT", f"/v2/images/{id}/file", data=data,
                                  headers={"Content-Type": "application/octet-stream"})
            assert answer.status_code == 204, answer.text
        return id

    def plant(self, data, disk_format):
        """An image with content that Glance would not have taken, as if it had; returns its id."""
        id = self.create(b"x", disk_format=disk_format)
        with open(self.file(id), "wb") as file:
            file.write(data)
        with contextlib.closing(sqlite3.connect(f"{self.directory.path}/glance.sqlite",
                                                timeout=30)) as database, database:
            database.execute("UPDATE images SET size = ?, checksum = ?, os_hash_value = ?, virtual_size = NULL WHERE "
                             "id = ?", (
                len(data), hashlib.md5(data).hexdigest(), hashlib.sha512(data).hexdigest(), id))
        return id

    def show(self, id):
        answer = self.request("GET", f"/v2/images/{id}")
        return answer.json() if answer.ok else None

    def data(self, id):
        answer = self.request("GET", f"/v2/images/{id}/file")
        assert answer.status_code == 200, answer.text
        assert hashlib.sha512(answer.content).hexdigest() == self.show(id)["os_hash_value"]
        return answer.content

    def delete(self, id):
        assert self.request("DELETE", f"/v2/images/{id}").status_code == 204

    def file(self, id):
        """The path of the file in which the store keeps an image."""
        return os.path.join(self.directory.path, "images", id)
