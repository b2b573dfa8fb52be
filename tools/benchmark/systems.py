"""The systems that are measured in turn: cinder-lite, a Cinder and the floor, each started here, or a running one."""

import contextlib
import os
import subprocess
import sys
import time
from concurrent import futures

from floor.peer import Floor
from real_cinder import HERE, Cinder

from tests import product
from tests.services import servers
from tests.services.daemons import NAMES, Daemons
from tests.services.processes import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROJECT = "11111111111111111111111111111111"
UNLIMITED = {f"quota_{what}": -1 for what in ("volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes")}
#: Bytes of the image.
IMAGE = 256 * 1024**2
#: Volumes that are restored from backups are of the default type.
OPTIONS = {"DEFAULT": {"enabled_backends": "null,file", "osapi_volume_workers": 2, "report_interval": 10,
                       "service_down_time": 60, "job_lease": 30, "default_volume_type": "file",
                       "backup_file_size": 32 * 1024**2, **UNLIMITED},
           "null": {"volume_driver": "null", "volume_backend_name": "null"}}


def kind_of(scenario):
    """The volume type of a scenario: `create_latency.rbd` is create_latency with volumes of the type rbd."""
    return scenario.partition(".")[2] or "null"


def compile_modules(python):
    """Compile the modules of an environment, and the tree's, to bytecode, as installations do: without it a service
    takes twice as long to start, and more memory."""
    script = "import compileall, sys, sysconfig; [compileall.compile_dir(top, quiet=2) for top in sys.argv[1:] + [" \
        "sysconfig.get_path('purelib')]]"
    subprocess.run([python, "-W", "ignore", "-c", script, "cinder_lite"], cwd=TOP, check=True)


class Running:
    """A service that somebody else started; nothing but its answers can be measured."""

    name, cold_starts = "ours", ()

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def has(self, scenario):
        """Whether the scenario can be measured."""
        return scenario not in ("memory", "backup", "image") and kind_of(scenario) == "null"

    def arguments(self, scenario):
        """What bench.py needs besides."""
        return []

    def groups(self):
        """[(name, pid of the root)] of the process trees whose CPU and memory are the system's."""
        return []

    def also(self):
        """The roots of further process trees that work for it."""
        return []

    def seed(self, count):
        """Bring the number of volumes to `count`."""

    def logs(self):
        """The ends of its logs."""
        return ""


class Started(Running):
    """A system of this machine. `processes` is {name: Process}, request(method, path, body) asks its API."""

    def __init__(self, name, url, processes, mariadb, rabbitmq, request, ceph=None, glance=None):
        super().__init__(f"{url}/v3/{PROJECT}")
        self.name, self._processes, self._mariadb, self._rabbitmq = name, processes, mariadb, rabbitmq
        self.request, self._ceph, self._glance = request, ceph, glance

    def arguments(self, scenario):
        more = {"backup.rbd": self._content, "image.rbd": lambda: ["--image", self._glance.image]}
        return ["--volume-type", kind_of(scenario), *more.get(scenario, list)()]

    def has(self, scenario):
        return scenario not in ("backup", "image") and (kind_of(scenario) == "null" or self._ceph is not None) and (
            scenario != "image.rbd" or self._glance is not None)

    def _content(self):
        rbd = f"rbd -c {self._ceph.conf} --id cinder -p volumes"
        copy = os.path.join(self._ceph.path, "copy")
        return ["--write-cmd", f"{rbd} rm --no-progress volume-{{id}} && "
                               f"{rbd} import --no-progress {{file}} volume-{{id}}",
                "--touch-cmd", f"{rbd} bench --io-type write --io-size 1M --io-total 16M --io-pattern rand "
                               "volume-{id}",
                "--compare-cmd", f"{rbd} export --no-progress volume-{{id}} - > {copy} && "
                                 f"{rbd} export --no-progress volume-{{id2}} - | cmp - {copy}",
                "--tmp", self._ceph.path]

    def groups(self):
        return [*((name, process.pid) for name, process in self._processes.items()),
                ("mariadb", self._mariadb.process.pid)]

    def also(self):
        ceph = [self._ceph.mon, self._ceph.mgr, self._ceph.osd] if self._ceph else []
        glance = [self._glance.process] if self._glance else []
        return [process.pid for process in (self._rabbitmq.process, *ceph, *glance)]

    def logs(self):
        return "".join(f"---- {self.name}: {name}\n{process.tail(40)}" for name, process in self._processes.items())

    def make_types(self, *names):
        """Make volume types of the backends with these names."""
        for name in names:
            self.request("POST", "/types", {"volume_type": {
                "name": name, "extra_specs": {"volume_backend_name": name}}})

    def seed(self, count):
        have = self.request("GET", "/volumes/summary")["volume-summary"]["total_count"]
        with futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: self.request("POST", "/volumes", {
                "volume": {"size": 1, "name": f"seed-{number}", "volume_type": "null"}}), range(have, count)))
        until(lambda: not self.request("GET", "/volumes?status=creating&limit=1")["volumes"], 600)


class Own(Started):
    """cinder-lite with a null and a file backend."""

    def __init__(self, daemons, mariadb, rabbitmq, ceph, glance):
        super().__init__("ours", daemons.url, daemons.processes, mariadb, rabbitmq, self._asked, ceph, glance)
        self._daemons = daemons

    def _asked(self, method, path, body=None):
        status, answer = self._daemons.request(method, path, body)
        assert status in (200, 202), answer
        return answer

    def has(self, scenario):
        return super().has(scenario) or (scenario == "backup" and self._ceph is None)

    def arguments(self, scenario):
        if scenario != "backup":
            return super().arguments(scenario)
        volume, other = (self._daemons.path(f"volume-{{{id}}}") for id in ("id", "id2"))
        return ["--volume-type", "file", "--write-cmd", f"cp --sparse=always {{file}} {volume}", "--touch-cmd",
                f"dd if=/dev/urandom of={volume} bs=1M count=16 seek=64 conv=notrunc status=none",
                "--compare-cmd", f"cmp {volume} {other}", "--tmp", self._daemons.directory.path]


@contextlib.contextmanager
def ceph():
    """A Ceph that all measured systems share."""
    from tests.storage.ceph import Ceph

    with Ceph() as cluster:
        yield cluster.start()


@contextlib.contextmanager
def glance():
    """A Glance that all measured systems share, for whoever asks, with a raw image, half of it zeros."""
    from tests.images.images_service import Glance

    class Open(Glance):
        def __init__(self):
            super().__init__(libraries=HERE)
            path = f"{self.directory.path}/paste.ini"
            with open(path) as file:
                text = file.read().replace("who rootapp", "anyone who rootapp")
            with open(path, "w") as file:
                file.write(f"{text}[filter:anyone]\npaste.filter_factory = glance_anyone:filter_factory\n")

    with Open() as running:
        running.image = running.create(os.urandom(IMAGE // 2) + bytes(IMAGE // 2))
        yield running


def _options(ceph, glance):
    """The options of cinder-lite for what it runs with."""
    default, backend = dict(OPTIONS["DEFAULT"]), {}
    if glance:
        default["glance_api_servers"] = glance.url
    if ceph:
        default |= {"enabled_backends": "null,file,rbd", "default_volume_type": "rbd"}
        backend = {"rbd": {"volume_driver": "rbd", "volume_backend_name": "rbd", "rbd_ceph_conf": ceph.conf,
                           "rbd_user": "cinder", "rbd_pool": "volumes"}}
    return {**OPTIONS, "DEFAULT": default, **backend}


@contextlib.contextmanager
def own(ceph=None, glance=None):
    """cinder-lite, with a backend `rbd` on a Ceph; yields (Own, the three that the floor is made of)."""
    compile_modules(product.python())
    with servers.MariaDB() as mariadb, servers.RabbitMQ() as rabbitmq:
        servers.started(mariadb, rabbitmq)
        with Daemons(mariadb.url, rabbitmq.url, changes=_options(ceph, glance), log_lines=0) as daemons:
            daemons.start()
            system = Own(daemons, mariadb, rabbitmq, ceph, glance)
            system.cold_starts = [_cold_start(daemons) for _ in range(3)]
            system.make_types("null", "file", *(["rbd"] if ceph else []))
            yield system, (daemons, mariadb, rabbitmq)


def _cold_start(daemons):
    """Seconds from the start of the four processes until each is up."""
    daemons.stop()
    began = time.monotonic()
    for name in NAMES:
        daemons.launch(name)
    daemons.wait()
    return time.monotonic() - began


@contextlib.contextmanager
def cinder(environment, ceph=None, glance=None):
    """A Cinder of an environment, with servers of its own, and a backend `rbd` on a Ceph."""
    compile_modules(f"{environment}/bin/python")
    with servers.MariaDB() as mariadb, servers.RabbitMQ() as rabbitmq:
        servers.started(mariadb, rabbitmq)
        with Cinder(environment, mariadb.cinder_url, rabbitmq.url, ceph, glance) as peer:
            def request(method, path, body=None):
                answer = peer.request(method, PROJECT, path, body)
                answer.raise_for_status()
                return answer.json()

            system = Started("Cinder", peer.url, peer.processes, mariadb, rabbitmq, request, ceph, glance)
            peer.make_tables()
            began = time.monotonic()
            peer.start(PROJECT)
            system.cold_starts = [time.monotonic() - began]
            kinds = ["null", *(["rbd"] if ceph else [])]
            system.make_types(*kinds)
            # Its scheduler knows a backend from the next report on: until then volumes go to error.
            until(lambda: len(request("GET", "/scheduler-stats/get_pools")["pools"]) >= len(kinds), 300)
            yield system


@contextlib.contextmanager
def floor(daemons, mariadb, rabbitmq):
    """The floor, recorded from the running cinder-lite."""
    compile_modules(sys.executable)
    with Floor(mariadb, rabbitmq) as peer:
        peer.record(daemons, PROJECT)
        began = time.monotonic()
        peer.start()
        system = Started("floor", peer.url, peer.processes, mariadb, rabbitmq, peer.request)
        system.cold_starts = [time.monotonic() - began]
        yield system


def cold_start(system):
    """The seconds until a system was up, as the figures of runs."""
    return [{"seconds": round(seconds, 2)} for seconds in system.cold_starts]
