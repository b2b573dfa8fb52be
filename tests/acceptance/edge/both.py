"""Sends the same requests to this API and to that of Cinder, which runs in a separate process, without a network."""

import io
import json
import os
import subprocess

from cinder_lite import conf, context
from cinder_lite.api.app import Application
from cinder_lite.db import migrate
from cinder_lite.service import api, process
from cinder_lite.service.interfaces import INTERFACES
from tests.meta.source import TOP
from tests.services.daemons import as_text
from tests.services.processes import Directory

#: Made by tox from tests/storage/cinder-requirements.txt.
PYTHON = TOP / ".tox" / "cinder" / "bin" / "python"
PROJECT = "a" * 32
SETTINGS = {"host": "ctl1", "transport_url": "local://", "rpc_reply_timeout": "1", **dict.fromkeys(
    ("quota_volumes", "quota_gigabytes", "quota_snapshots", "quota_groups", "quota_backups"), "-1")}


class Cinder:
    """`ask` takes requests (method, path, version, body, whether an administrator asks).

    `minors` are the minor versions at which any schema of its begins or has ended.
    """

    def __init__(self):
        if not PYTHON.exists():
            raise FileNotFoundError(f"{PYTHON} is missing: run `tox run -e cinder --notest`")
        self.directory = Directory("cinder-api")
        self.log = open(os.path.join(self.directory.path, "output"), "w")  # noqa: SIM115 - closed by close
        self.process = subprocess.Popen([PYTHON, os.path.join(os.path.dirname(__file__), "cinder_api.py"),
                                         self.directory.path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.minors = self._read()

    def ask(self, requests):
        """[(status, answer, schemas)]"""
        self.process.stdin.write(json.dumps(requests) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self._said())
        return json.loads(line)

    def _said(self):
        with open(self.log.name) as log:
            return "".join(log.readlines()[-40:])

    def close(self):
        # It has nothing to save, and may be busy still when a run of tests is broken off.
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.directory.remove()


class Ours:
    """`ask` as Cinder's; `db` for what tests put there."""

    def __init__(self, url=None):
        self.directory = Directory("api")
        config = self.directory.make("cinder.conf", as_text({
            "DEFAULT": {"state_path": self.directory.path, **SETTINGS},
            "database": {"connection": url or f"sqlite:///{self.directory.path}/db.sqlite"}}))
        shared = process.Process(conf.load(["--config-file", config], files=[]), INTERFACES)
        self.db = shared.db
        migrate.sync(self.db)
        self.application = Application(shared.conf, self.db, api.domains(shared), lambda: (200, [], b""))
        self.application.authenticate = self._who

    @staticmethod
    def _who(http, request_id, _global_id):
        roles = ["admin"] if http.environ["tests.admin"] else ["member", "reader"]
        return context.Context(user_id="tester", project_id=PROJECT, roles=roles, request_id=request_id,
                               overwrite=False)

    def ask(self, requests):
        """[(status, answer)]"""
        return [self._ask(*one) for one in requests]

    def _ask(self, method, path, version, body, admin):
        raw = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        answered = []
        out = b"".join(self.application({
            "REQUEST_METHOD": method, "PATH_INFO": f"/v3/{PROJECT}{path}", "QUERY_STRING": query, "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8776", "HTTP_HOST": "127.0.0.1:8776", "wsgi.url_scheme": "http",
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(raw)), "wsgi.input": io.BytesIO(raw),
            "HTTP_X_AUTH_TOKEN": f"tester:{PROJECT}", "tests.admin": admin,
            "HTTP_OPENSTACK_API_VERSION": f"volume {version}"},
            lambda status, headers: answered.append(int(status.split()[0]))))
        try:
            return answered[0], json.loads(out)
        except ValueError:
            return answered[0], out.decode(errors="replace")

    def close(self):
        self.db.dispose()
        self.directory.remove()


class Both:
    """Ours and Cinder's; `ask` gives [((status, answer) of ours, of Cinder's)]."""

    def __init__(self):
        self.ours, self.cinder = Ours(), Cinder()

    def ask(self, requests):
        requests = list(requests)
        if not requests:
            return []
        theirs = [tuple(answer[:2]) for answer in self.cinder.ask(requests)]
        return list(zip(self.ours.ask(requests), theirs, strict=True))

    def schemas(self, method, path, version, body):
        """The schemas by which Cinder checks such a request."""
        return self.cinder.ask([(method, path, version, body, True)])[0][2]

    def close(self):
        self.cinder.close()
        self.ours.close()
