"""Members of a cluster are killed and paused at random under load: accepted requests are completed all the same.

CINDER_LITE_LOSSES is the number of kills and pauses, CINDER_LITE_KILL_SEED the seed of the run.
"""

import os
import random
import signal
import time
import uuid

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
    killed = chance.random() < 0.5
    if killed:
        service.kill(name, tree=chance.random() < 0.5)
    else:
        process.send(signal.SIGSTOP)
        processes.until(lambda: not checks.rows(
            mariadb, f"SELECT id FROM jobs WHERE status = 'running' AND owner LIKE '{name}@%'"), 120,
            f"the jobs of {name} to be taken over")
        process.send(signal.SIGCONT)
    # The kernel has killed one that was paused within a write.
    if killed or not process.running:
        service.restart(name)
        process.wait(lambda: service._reported(name))


def connected(service, volume, number):
    """Connect a host to the volume, and disconnect it again."""
    status, body = service.request("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": str(uuid.uuid4()),
        "connector": {**load.CONNECTOR, "host": f"h{number}"}}})
    assert status == 200, body
    status, body = service.request("DELETE", f"/attachments/{body['attachment']['id']}")
    assert status == 200, body


def test_a_member_that_hangs_keeps_one_call_at_most(service):
    volume = service.request("POST", "/volumes", {"volume": {"size": 1}})[1]["volume"]["id"]
    processes.until(lambda: service.request("GET", f"/volumes/{volume}")[1]["volume"]["status"] == "available")
    connected(service, volume, 0)
    service.processes[service.members[0]].send(signal.SIGSTOP)
    for number in range(1, 9):
        connected(service, volume, number)
    service.processes[service.members[0]].send(signal.SIGCONT)
    log = service.processes["api"].tail(10000)
    # Perhaps one that this member had begun to receive, besides.
    assert log.count("a member of blue@nfs does not answer, the next one is asked") in (1, 2)


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
