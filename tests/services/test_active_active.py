"""Members of a cluster are killed and paused at random under load: accepted requests are completed all the same.

CINDER_LITE_LOSSES is the number of kills and pauses, CINDER_LITE_KILL_SEED the seed of the run.
"""

import os
import random
import signal
import time

import pytest

from cinder_lite.volume.drivers.nfs import MARK
from tests.services import checks, cluster, load, processes

LOSSES = int(os.environ.get("CINDER_LITE_LOSSES", "10"))
SEED = os.environ.get("CINDER_LITE_KILL_SEED", "20261201")
CLIENTS = 4


@pytest.fixture
def service(mariadb, broker):
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    with cluster.Cluster(mariadb.url, broker.url, changes={"DEFAULT": {"job_max_attempts": 4}}) as running:
        yield running.run()


def lose_one(service, mariadb, chance):
    """Kill a member, or pause it until another one has every job that it had; then let it work again."""
    name = chance.choice(service.members)
    process = service.processes[name]
    if chance.random() < 0.5:
        service.kill(name, tree=chance.random() < 0.5)
    else:
        process.send(signal.SIGSTOP)
        processes.until(lambda: not checks.rows(
            mariadb, f"SELECT id FROM jobs WHERE status = 'running' AND owner LIKE '{name}@%'"), 120,
            f"the jobs of {name} to be taken over")
        process.send(signal.SIGCONT)
    if not process.running:
        service.restart(name)
        process.wait(lambda: service._reported(name))


def test_accepted_requests_are_completed_whichever_member_is_lost(service, mariadb):
    print(f"CINDER_LITE_KILL_SEED={SEED} CINDER_LITE_LOSSES={LOSSES}")
    chance = random.Random(SEED)
    clients = [load.Client(service, f"{SEED} {number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
        client.resume()
    for _ in range(LOSSES):
        time.sleep(min(chance.expovariate(1), 3))
        lose_one(service, mariadb, chance)
    for client in clients:
        client.pause()
        client.end()
    for name in service.members:
        if not service.processes[name].running:
            service.restart(name)
    service.wait()
    checks.await_rest(service, mariadb, 60)
    os.unlink(service.path(MARK))
    assert checks.wrong(service, mariadb, clients) == []
    owners = {owner.partition("@")[0] for (owner,) in checks.rows(
        mariadb, "SELECT DISTINCT owner FROM jobs WHERE stage = 'volume' AND status = 'succeeded'")}
    assert owners == set(service.members)
    print(*((client.accepted, client.refused, client.unanswered) for client in clients))
