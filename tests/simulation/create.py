"""Create volumes in simulated processes, one for each seed: python -m tests.simulation.create [--sweep SECONDS] SEED...

API, scheduler and volume service work over a database of their own, with the null driver and messages that get lost.
Prints a line of JSON for each seed: the hash of all events with their times, what was lost, and how long it took in
the world and really. The exit status is 1 if a rule is broken, with its seed on standard error. Lost messages are found
by the sweep, every minute or every SECONDS.
"""

from tests.simulation import world

world.prepare()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402

import oslo_messaging  # noqa: E402
import webob  # noqa: E402
from oslo_messaging.transport import RPCTransport  # noqa: E402

from cinder_lite import concurrency, conf  # noqa: E402
from cinder_lite.api.app import Application  # noqa: E402
from cinder_lite.db import migrate  # noqa: E402
from cinder_lite.doctor import Doctor  # noqa: E402
from cinder_lite.rpc import transport  # noqa: E402
from cinder_lite.service import process  # noqa: E402
from cinder_lite.service.api import domains  # noqa: E402
from cinder_lite.service.interfaces import INTERFACES  # noqa: E402
from cinder_lite.service.scheduler import SchedulerService  # noqa: E402
from cinder_lite.service.volume import VolumeService  # noqa: E402
from tests.simulation.network import Network  # noqa: E402

PROJECT = "a0000000000000000000000000000001"
SIZES = (1, 2, 5)
#: Seconds of the world that the services go on working when the volumes are there.
AFTER = 300
SETTINGS = """
[DEFAULT]
state_path = {state}
host = simulated
enabled_backends = null-1
job_sweep_interval = {sweep}
[database]
connection = sqlite:///{state}/cinder.sqlite
[null-1]
volume_driver = null
"""


class Installation:
    """The services of one process, and a client of their API that calls it as a WSGI application."""

    def __init__(self, here, state, sweep):
        self.world = here
        self.conf = configured(state, sweep)
        self.process = process.Process(self.conf, INTERFACES)
        transport.connect(self.conf)  # registers the options of oslo.messaging
        self.network = Network(self.conf, oslo_messaging.TransportURL.parse(self.conf, "local://"), here)
        self.process.transport = RPCTransport(self.network)
        for engine in self.process.db.engines:
            here.watch(engine)
        self.volume, self.scheduler = VolumeService(self.process), SchedulerService(self.process)
        self.application = Application(self.conf, self.process.db, domains(self.process), dict)

    def start(self):
        for service in (self.volume, self.scheduler):
            service.start()
        self.world.wait_until(lambda: all(one.started for one in self.volume.backends), "the backend to start")

    def request(self, method, path, expected, **body):
        sent = webob.Request.blank(f"/v3/{PROJECT}{path}", method=method, headers={
            "X-Auth-Token": f"tester:{PROJECT}", "OpenStack-API-Version": "volume 3.71"})
        if body:
            sent.json = body
        answer = sent.get_response(self.application)
        self.world.record(method, path, answer.status_int)
        assert answer.status_int == expected, answer.text
        return answer.json

    def create(self, size):
        """Create a volume and wait until it is available: (its id, seconds of the world from the answer until then)."""
        self.world.pause(3)
        id = self.request("POST", "/volumes", 202, volume={"size": size})["volume"]["id"]
        accepted = self.world.seconds

        def look():
            status = self.request("GET", f"/volumes/{id}", 200)["volume"]["status"]
            assert status in ("creating", "available"), status
            return status == "available"

        self.world.wait_until(look, f"volume {id} to become available")
        return id, self.world.seconds - accepted


def configured(state, sweep=60):
    """The configuration of a process, as a file of the directory has it."""
    file = os.path.join(state, "cinder.conf")
    with open(file, "w") as out:
        out.write(SETTINGS.format(state=state, sweep=sweep))
    return conf.load(argv=["--config-file", file])


def sync(state):
    """Create the database of a directory."""
    world.World(0).install()
    database = process.Process(configured(state), INTERFACES).db
    migrate.sync(database)
    database.dispose()


def run(seed, state, sweep):
    """Run one seed over the database of a directory, and print its facts."""
    real = time.monotonic
    began, here = real(), world.World(seed)
    here.install()
    services = Installation(here, state, sweep)
    services.start()
    created = []
    for size in SIZES:
        concurrency.spawn(lambda size=size: created.append(services.create(size)))
    here.wait_until(lambda: len(created) == len(SIZES), "the volumes")
    here.sleep(AFTER)
    check(services, created)
    print(json.dumps({
        "seed": seed, "trace": here.trace, "events": here.events, "lost": services.network.lost,
        "slowest": max(seconds for _, seconds in created), "seconds": here.seconds, "real": real() - began}),
        flush=True)


def check(services, created):
    """The rules that hold when nothing is under way."""
    found = services.request("GET", "/volumes/detail", 200)["volumes"]
    assert {(one["id"], one["status"]) for one in found} == {(id, "available") for id, _ in created}
    jobs = services.request("GET", "/jobs", 200)["jobs"]
    assert [(one["action"], one["status"]) for one in jobs] == [("create", "succeeded")] * len(SIZES)
    usage = services.request("GET", f"/os-quota-sets/{PROJECT}?usage=true", 200)["quota_set"]
    assert (usage["volumes"]["in_use"], usage["gigabytes"]["in_use"]) == (len(SIZES), sum(SIZES))
    pool, = services.request("GET", "/scheduler-stats/get_pools?detail=true", 200)["pools"]
    assert pool["capabilities"]["allocated_capacity_gb"] == sum(SIZES)
    assert {one["state"] for one in services.request("GET", "/os-services", 200)["services"]} == {"up"}
    assert Doctor(services.process.db, services.conf).examine().violations == []


def apart(name, function, *arguments):
    """Call a function in a process of its own; whether it returned."""
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] == 0
    status = 1
    try:
        function(*arguments)
        status = 0
    except BaseException:
        print(f"{name}: {traceback.format_exc()}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)  # the world's threads end with it


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sweep", type=float, default=60)
    parser.add_argument("seed", type=int, nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cinder-lite-simulated-") as top:
        template = os.path.join(top, "template")
        os.mkdir(template)
        held = apart("the database", sync, template)
        for number, seed in enumerate(given.seed):
            state = shutil.copytree(template, os.path.join(top, str(number)))
            held = apart(f"seed {seed}", run, seed, state, given.sweep) and held
        return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
