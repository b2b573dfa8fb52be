"""Records a running cinder-lite and starts the floor's four processes on a copy of its database."""

import collections
import json
import os
import subprocess
import sys

import requests

from floor import messages, recording
from tests.services.processes import Directory, Process, free_port, listens, until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
CONNECTOR = {"host": "bench-host", "ip": "127.0.0.1", "platform": "x86_64", "os_type": "linux",
             "initiator": "iqn.1994-05.org.example:bench", "multipath": False,
             "do_local_attach": False, "mountpoint": "/dev/vdb"}
#: Of each request two recordings without anything else in them are needed.
LIVES = 4
LISTS = ("/volumes?limit=50", "/volumes/detail?limit=50", "/volumes?limit=1000", "/volumes/detail?limit=1000",
         *(f"/{kind}?status={status}&limit={limit}" for kind in ("volumes", "snapshots")
           for status in ("creating", "available", "deleting") for limit in (1, 1000)))


class Recorder:
    """Makes every request of the scenarios to a service, and records what it does for it."""

    def __init__(self, daemons, log):
        self._daemons, self._log = daemons, log
        self._found = collections.defaultdict(list)

    def operations(self):
        """{name of a request: {units, answer, status, before}} for the settings of the floor."""
        self._live()
        self._found.clear()
        for _ in range(LIVES):
            self._live()
        return {name: _operation(name, found) for name, found in self._found.items()}

    def _live(self):
        """One volume's life."""
        volume = self._made("/volumes", volume={"size": 1, "name": recording.NAME, "volume_type": "null"})
        for path in (f"/volumes/{volume}", *LISTS, f"/volumes?status=available&limit=1000&marker={volume}"):
            self._record("GET", path)
        snapshot = self._made("/snapshots", snapshot={"volume_id": volume, "name": recording.NAME, "force": True})
        self._record("GET", f"/snapshots/{snapshot}")
        copies = [self._made("/volumes", volume={"size": 1, "name": recording.NAME, "volume_type": "null", source: id})
                  for source, id in (("snapshot_id", snapshot), ("source_volid", volume))]
        self._record("POST", f"/volumes/{copies[0]}/action", {"os-extend": {"new_size": 2}})
        self._record("DELETE", f"/snapshots/{snapshot}")
        attachment = self._made("/attachments", attachment={
            "volume_uuid": volume, "instance_uuid": SERVER, "connector": None})
        self._record("PUT", f"/attachments/{attachment}", {"attachment": {"connector": CONNECTOR}})
        self._record("POST", f"/attachments/{attachment}/action", {"os-complete": {}})
        self._record("DELETE", f"/attachments/{attachment}")
        for id in (*copies, volume):
            self._record("DELETE", f"/volumes/{id}")

    def _made(self, path, **body):
        return next(iter(self._record("POST", path, body).values()))["id"]

    def _record(self, method, path, body=None):
        with self._log.recorded() as units:
            status, answer = self._daemons.request(method, path, body, version="3.60")
            until(self._settled, 30, f"the end of {method} {path}")
        assert status in (200, 202, 204), answer
        self._found[recording.key(method, path, body)].append((units, recording.ids(path, body), status, answer))
        return answer

    def _settled(self):
        return not self._log.query("SELECT 1 FROM jobs WHERE status IN ('queued', 'running') UNION ALL "
                                   "SELECT 1 FROM connections WHERE state = 'ending'")


def _operation(name, found):
    """The operation of the shortest two recordings that agree."""
    found = sorted(found, key=lambda one: sum(len(unit.statements) for unit in one[0]))
    for first, second in zip(found, found[1:]):
        if recording.skeleton(first[0]) == recording.skeleton(second[0]):
            break
    else:
        raise SystemExit(f"no two recordings of {name} agree: is the service under load?")
    names = {pair: f"in{number}" for number, pair in enumerate(zip(first[1], second[1])) if pair[0] != pair[1]}
    made = [next(iter(answer.values()), {}) if answer else {} for answer in (first[3], second[3])]
    if name.startswith("POST") and all(isinstance(one, dict) and "id" in one for one in made):
        names.setdefault((made[0]["id"], made[1]["id"]), "out")
    units = recording.templates(first[0], second[0], names)
    roles = [unit["role"] for unit in units]
    others = [index for index, role in enumerate(roles) if role != "api"]
    own = {pair[0]: slot for pair, slot in names.items()}
    answer = first[3] and recording.UUID.sub(
        lambda id: f"\0{own[id.group()]}\0" if id.group() in own else id.group(), json.dumps(first[3])).split("\0")
    return {"units": units, "answer": answer, "status": first[2],
            "before": roles[:others[0]].count("api") if others else len(roles)}


class Floor:
    """The floor's processes, in a directory, with a database and an exchange of their own on the servers given."""

    def __init__(self, mariadb, rabbitmq, workers=2, threads=8):
        self._mariadb, self._rabbitmq = mariadb, rabbitmq
        self.directory, self.port = Directory("floor"), free_port()
        self._settings = {"broker": rabbitmq.url, "port": self.port, "processes": workers, "threads": threads,
                          "database": mariadb.url.rpartition("/")[0] + "/floor"}
        self.url = f"http://127.0.0.1:{self.port}"
        path = os.path.join(self.directory.path, "settings.json")
        env = {"PYTHONPATH": f"{TOP}:{os.path.dirname(HERE)}", "PYTHONWARNINGS": "ignore"}
        argv = {"api": ["floor.api", path], **{role: ["floor.services", role, path]
                                              for role in ("scheduler", "volume", "backup")}}
        self.processes = {name: Process(f"floor-{name}", [sys.executable, "-m", *words],
                                        os.path.join(self.directory.path, f"{name}.log"), env)
                          for name, words in argv.items()}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for name, process in self.processes.items():
            print(f"---- floor {name}\n{process.tail(20)}" if exception[0] else "", end="")
            process.kill()
        self.directory.remove()

    def record(self, daemons, project):
        """Record the running service, and copy its database."""
        log = recording.Log(self._mariadb, {name: process.pid for name, process in daemons.processes.items()})
        self._base = f"/v3/{project}"
        operations = Recorder(daemons, log).operations()
        self.directory.make("settings.json", json.dumps(
            {**self._settings, "base": self._base, "operations": operations}))
        log.query("CREATE DATABASE floor")
        words = ["-h127.0.0.1", f"-P{self._mariadb.port}", f"-u{self._mariadb.user}"]
        env = {**os.environ, "MYSQL_PWD": self._mariadb.password}
        dump = subprocess.run(["mariadb-dump", *words, "cinder"], env=env, check=True, capture_output=True).stdout
        subprocess.run(["mariadb", *words, "floor"], env=env, check=True, input=dump)

    def request(self, method, path, body=None):
        """The answer to a request."""
        answer = requests.request(method, self.url + self._base + path, json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def start(self):
        """Start them and wait until all can be used."""
        for process in self.processes.values():
            process.start()
        self.processes["api"].wait(lambda: listens(self.port), 60)
        for role in ("scheduler", "volume", "backup"):
            queue = f"{messages.target(role).topic}.{messages.HOST}"
            self.processes[role].wait(lambda queue=queue: self._rabbitmq.consumers(queue), 60)
        return self
