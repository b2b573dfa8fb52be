"""Runs of worlds: what is drawn for one from its seed, and what it found."""

import contextlib
import dataclasses
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

from cinder_lite.db import migrate
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES
from tests.simulation import (
    admin_requests,
    clients,
    contents,
    faults,
    group_requests,
    histories,
    image_requests,
    images,
    rules,
    user_requests,
    world,
)
from tests.simulation.site import HOSTS, Site, configured

#: The expected number of steps that a request causes: faults are drawn within those of all requests.
STEPS = 20
#: The clocks of hosts differ by at most so many seconds.
SKEW = 2.0
#: Seconds of the world after the last request, within which everything that was accepted ends, and those after which
#: what ends with it, such as connections, has ended too.
BOUND, AFTER = 3600, 200
FAMILIES = {"users": user_requests.REQUESTS, "groups": group_requests.REQUESTS, "images": image_requests.REQUESTS,
            "administrators": admin_requests.REQUESTS}
#: Seconds of the real clock; the world replaces those of the modules.
real_seconds = time.monotonic


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is drawn before a run. `requests` are those of each client, `kinds` the names of the requests they draw
    from, and the steps of the `faults` are counted from the first request on."""

    seed: int
    clients: int
    requests: int
    kinds: tuple[str, ...]
    faults: tuple[faults.Fault, ...]
    #: Seconds by which the clock of the second host is ahead of that of the first.
    skew: float
    #: The longest time in seconds between two requests of a client.
    thinking: float

    @classmethod
    def of(cls, seed):
        """The plan of a seed. Each leaves a part of the requests and faults out, most of them in many."""
        rng = random.Random(f"plan of {seed}")
        share = rng.choice((0.15, 0.3, 0.7))
        families = ["users"] + [name for name in ("groups", "images", "administrators") if rng.random() < 0.5]
        kinds = tuple(dict.fromkeys(
            one.__name__ for name in families for one in FAMILIES[name] if rng.random() < share))
        clients, requests = rng.choice((1, 2, 3, 3, 5)), rng.choice((20, 40, 40))
        return cls(seed, clients, requests, ("create", *kinds), tuple(faults.draw(rng, clients * requests * STEPS)),
                   rng.choice((0.0, 0.0, rng.uniform(-SKEW, SKEW))),
                   rng.choice((0.5, 2.0, 6.0)))

    def functions(self):
        """The requests, some of them several times."""
        return [one for family in FAMILIES.values() for one in family if one.__name__ in self.kinds]


def sync(top):
    """Create the database of a directory."""
    world.World(0).install()
    shared = process.Process(configured(top, "h1"), INTERFACES)
    migrate.sync(shared.db)
    shared.db.dispose()


def run(plan, top):
    """Run a plan over the database of a directory. Returns what it found: `broken` is the rule that did not hold."""
    real = real_seconds()
    here = world.World(plan.seed)
    here.install()
    images.install(here)
    here.skews = {HOSTS[1]: plan.skew}
    site = Site(here, top)
    found = {"seed": plan.seed}
    injector = faults.Injector(site)
    users = []
    try:
        site.start_all()
        here.wait_until(lambda: len(site.rows("SELECT 1 FROM pools")) == 3, "the backends")
        _prepare(site, users, plan)
        site.contents = contents.Contents(site)
        site.contents.images(here.images)
        site.histories = histories.Histories(site)
        site.server.committed = lambda: _committed(site)
        injector.cause(plan.faults)
        threads = [here.start(None, user.run) for user in users]
        here.wait_until(lambda: all(thread.dead for thread in threads) or site.failures, "the clients", 100_000, 5)
        injector.stop()
        _settle(site)
    except BaseException as error:
        found |= {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    return found | {
        "trace": here.trace, "steps": here.steps, "events": here.events, "seconds": here.seconds,
        "faults": [[*map(str, one)] for one in injector.caused], "accepted": sum(len(one.accepted) for one in users),
        "ended": [tuple(row) for row in site.rows(
            "SELECT kind, action, status, count(*) FROM jobs GROUP BY kind, action, status")],
        "covered": sorted(injector.covered), "story": here.story, "real": real_seconds() - real}


def _prepare(site, users, plan):
    """The types, which an administrator makes first, and the clients."""
    functions = plan.functions()
    users += [clients.Client(site, f"client {number}", clients.PROJECTS[number % 2],
                             random.Random(f"client {number} of {plan.seed}"), plan.requests, plan.thinking,
                             user_requests.create, functions) for number in range(plan.clients)]
    for name, backend in admin_requests.TYPES.items():
        site.create_type(users[0].send, name, backend)
    _, document = users[0].send("POST", "/group_types", {"group_type": {
        "name": group_requests.GROUP_TYPE, "group_specs": {"consistent_group_snapshot_enabled": "<is> False"}}})
    site.ids[group_requests.GROUP_TYPE] = document["group_type"]["id"]


def _committed(site):
    site.contents.advance()
    site.watch(lambda site: site.histories.advance())
    site.watch(rules.always)


def _settle(site):
    """Everything that was accepted ends, and what is then there is right. Raises AssertionError."""
    here = site.world
    here.wait_until(lambda: not rules.unsettled(site) or site.failures, "the end of what was accepted", BOUND, 10)
    here.sleep(AFTER)
    if site.failures:
        raise rules.Broken(site.failures[0])
    rules.at_rest(site)
    site.contents.check()


class Runner:
    """Runs plans in processes of their own, over copies of one empty database. A context manager."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="cinder-lite-simulated-", dir="/dev/shm")
        self.top = self._directory.__enter__()
        self._template = os.path.join(self.top, "template")
        os.mkdir(self._template)
        apart(sync, self._template)
        # What a run imports is imported once, here, and not by each run.
        for name in apart(_imported, shutil.copytree(self._template, os.path.join(self.top, "first"))):
            with contextlib.suppress(ImportError):
                dir(importlib.import_module(name))
        return self

    def __exit__(self, *raised):
        self._directory.__exit__(*raised)

    def run(self, plan):
        """What the run of a plan found."""
        state = shutil.copytree(self._template, os.path.join(self.top, "run"))
        try:
            return apart(run, plan, state) or {"seed": plan.seed, "broken": "the process died", "story": []}
        finally:
            shutil.rmtree(state)


def _imported(top):
    """Names of the modules that a run needs."""
    run(dataclasses.replace(Plan.of(0), faults=(), kinds=("create", "snapshot", "back_up", "attach", "migrate")), top)
    return sorted(name for name, module in sys.modules.items() if module is not None)


def apart(function, *arguments):
    """The result of a function, JSON, that is called in a process of its own; None if that died."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="cinder-lite-simulated-") as file:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            text = file.read()
            return json.loads(text) if text else None
        try:
            text = json.dumps(function(*arguments), default=str)
            with open(file.name, "w") as out:
                out.write(text)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)  # the world's threads end with it
