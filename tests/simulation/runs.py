"""Runs of worlds: what is drawn for one from its seed, and what it found."""

import collections
import dataclasses
import gc
import json
import os
import random
import shutil
import tempfile
import time
import traceback

from eventlet import patcher

from tests.simulation import (
    admin_requests,
    beginning,
    clients,
    faults,
    group_requests,
    image_requests,
    rights,
    rules,
    storage,
    user_requests,
)
from tests.simulation.site import HOSTS

#: The expected number of steps that a request causes: faults are drawn within those of all requests.
STEPS = 20
#: The clocks of hosts differ by at most so many seconds.
SKEW = 2.0
#: Seconds of the world after the last request, within which everything that was accepted ends; and those with all
#: services, after which what ends with it, such as exports, has ended too: more than each of their intervals.
BOUND, AFTER = 3600, 100
FAMILIES = {"users": user_requests.REQUESTS, "groups": group_requests.REQUESTS, "images": image_requests.REQUESTS,
            "rights": rights.REQUESTS,           "administrators": admin_requests.REQUESTS}
#: Seconds of the real clock; the world replaces those of the modules.
real_seconds = time.monotonic
#: The world has no part in this.
waitpid = patcher.original("os").waitpid


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
    #: The longest time in seconds that a call of a driver, target, store, Glance or Nova takes.
    latency: float = storage.CALL

    @classmethod
    def of(cls, seed):
        """The plan of a seed. Each leaves a part of the requests and faults out, most of them in many."""
        rng = random.Random(f"plan of {seed}")
        share = rng.choice((0.15, 0.3, 0.7))
        families = ["users"] + [name for name in ("groups", "images", "rights", "administrators") if rng.random() < 0.5]
        kinds = tuple(dict.fromkeys(
            one.__name__ for name in families for one in FAMILIES[name] if rng.random() < share))
        clients, requests = rng.choice((1, 2, 3, 3, 5)), rng.choice((20, 40, 40))
        return cls(seed, clients, requests, ("create", *kinds), tuple(faults.draw(rng, clients * requests * STEPS)),
                   rng.choice((0.0, 0.0, rng.uniform(-SKEW, SKEW))),
                   rng.choice((0.5, 2.0, 6.0)), rng.choice((*[storage.CALL] * 3, *storage.SLOW_CALLS)))

    @classmethod
    def tour(cls):
        """A plan with all requests and no faults."""
        kinds = tuple(dict.fromkeys(one.__name__ for family in FAMILIES.values() for one in family))
        return cls(0, 4, 400, kinds, (), 0.0, 40.0)

    def functions(self):
        """The requests, some of them several times."""
        return [one for family in FAMILIES.values() for one in family if one.__name__ in self.kinds]


def run(plan, site):
    """Run a plan in an installation. Returns what it found: `broken` is the rule that did not hold."""
    real, here = real_seconds(), site.world
    here.begin(plan.seed)
    here.skews, here.latency = {HOSTS[1]: plan.skew}, plan.latency
    found = {"seed": plan.seed}
    injector = faults.Injector(site)
    functions, users, before = plan.functions(), [], set(site.histories.statuses)
    try:
        users += [clients.Client(site, f"client {number}", clients.PROJECTS[number % 2],
                                 random.Random(f"client {number} of {plan.seed}"), plan.requests, plan.thinking,
                                 user_requests.create, functions) for number in range(plan.clients)]
        site.server.committed = lambda tables: _committed(site, tables)
        injector.cause(plan.faults)
        threads = [here.start(None, user.run) for user in users]
        here.wait_until(lambda: all(thread.dead for thread in threads) or site.failures, "the clients", 100_000, 5)
        injector.stop()
        _settle(site)
    except BaseException as error:
        found |= {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
    return found | {
        "trace": here.trace, "steps": here.steps, "events": here.events, "seconds": here.seconds - here.began,
        "faults": [[*map(str, one)] for one in injector.caused], "accepted": sum(len(one.accepted) for one in users),
        "ended": _ended(site, before),
        "covered": sorted(injector.covered), "story": here.story, "real": real_seconds() - real}


def _ended(site, before):
    """[(kind, action, status, number)] of the jobs that are not among those before."""
    jobs = site.rows("SELECT id, kind, action, status FROM jobs ORDER BY kind, action, status")
    return [(*job, number) for job, number in collections.Counter(
        tuple(row)[1:] for row in jobs if row["id"] not in before).items()]


def _committed(site, tables):
    if "jobs" in tables:
        site.contents.advance()
    if tables & {"jobs", "attachments"}:
        site.watch(lambda site: site.histories.advance())
    site.watch(lambda site: rules.changed(site, tables))


def _settle(site):
    """Everything that was accepted ends, and what is then there is right. Raises AssertionError."""
    here = site.world
    here.wait_until(lambda: not rules.unsettled(site) or site.failures, "the end of what was accepted", BOUND, 10)
    here.wait_until(site.is_whole, "the services", BOUND, 10)
    here.sleep(AFTER)
    if site.failures:
        raise rules.Broken(site.failures[0])
    rules.at_rest(site)
    site.contents.check()


class Runner:
    """Runs plans in processes of their own, forks of one installation. A context manager."""

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="cinder-lite-simulated-", dir="/dev/shm")
        self._top = os.path.join(self._directory.__enter__(), "run")
        self._kept = os.path.join(self._directory.name, "kept")
        os.mkdir(self._top)
        self._site = beginning.begin(self._top, [one for family in FAMILIES.values() for one in family])
        shutil.copytree(self._top, self._kept)
        # The runs do not collect what they have in common.
        gc.collect()
        gc.freeze()
        return self

    def __exit__(self, *raised):
        self._directory.__exit__(*raised)

    def run(self, plan, first=lambda: None):
        """What the run of a plan found; first() is called in its process."""
        self._restore()
        return apart(self._run, plan, first) or {"seed": plan.seed, "broken": "the process died", "story": []}

    def _run(self, plan, first):
        first()
        return run(plan, self._site)

    def _restore(self):
        """Make the files as they were at the beginning. The database is open: its files stay, their bytes change."""
        for entry in os.scandir(self._top):
            if entry.is_dir():
                shutil.rmtree(entry.path)
            elif not os.path.exists(os.path.join(self._kept, entry.name)):
                os.remove(entry.path)
        for entry in os.scandir(self._kept):
            if entry.is_dir():
                shutil.copytree(entry.path, os.path.join(self._top, entry.name))
            else:
                with open(entry.path, "rb") as kept, open(os.path.join(self._top, entry.name), "r+b") as file:
                    file.write(kept.read())
                    file.truncate()


def apart(function, *arguments):
    """The result of a function, JSON, that is called in a process of its own; None if that died."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="cinder-lite-simulated-") as file:
        pid = os.fork()
        if pid:
            waitpid(pid, 0)
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
