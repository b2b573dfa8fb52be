"""SIGKILL at random times under random load: accepted requests are completed or fail with a reason, nothing is left.

CINDER_LITE_KILLS is the number of kills for each database, CINDER_LITE_KILL_SEED the seed of the run.
"""

import os
import random
import time

import pytest

from tests.services import checks, daemons, load

KILLS = int(os.environ.get("CINDER_LITE_KILLS", "50"))
SEED = os.environ.get("CINDER_LITE_KILL_SEED", "20261122")
#: Kills after which everything is looked at.
ROUND = 25
CLIENTS = 5
#: Seconds between two kills, at most and on average.
LONGEST, MEAN = 3, 0.9


@pytest.fixture
def service(database, broker):
    changes = {"DEFAULT": {"job_max_attempts": 4}}
    with daemons.Daemons(database.url, broker.url, changes=changes) as four:
        yield four.start()


def kill_at_random(service, random, times):
    for _ in range(times):
        time.sleep(min(random.expovariate(1 / MEAN), LONGEST))
        name = random.choice(daemons.NAMES)
        service.kill(name, tree=random.random() < 0.5)
        service.restart(name)


def look(service, database, clients):
    for client in clients:
        client.pause()
    service.wait()
    checks.await_rest(service, database)
    assert checks.wrong(service, database, clients) == []


def remove_all(service, database, clients):
    """Whatever is left can be deleted, and then nothing is left at all."""
    client = clients[0]
    for attachment in client.read("/attachments")[1]["attachments"]:
        assert client.change(f"/attachments/{attachment['id']}", None)
    # Incremental backups go before those that they depend on.
    for _ in range(10):
        left = [row["id"] for row in client.read("/backups/detail")[1]["backups"] if not row["has_dependent_backups"]]
        if not left:
            break
        for id in left:
            assert client.change(f"/backups/{id}", None)
        checks.await_rest(service, database)
    for volume in client.read("/volumes/detail")[1]["volumes"]:
        assert client.change(f"/volumes/{volume['id']}?cascade=True", None), volume
    checks.await_rest(service, database)
    assert [checks.rows(database, f"SELECT count(*) FROM {table}")[0][0] for table in checks.TABLES] == [0, 0, 0]
    for client in clients:
        for thing in client.things:
            thing.going = "yes"
    assert checks.wrong(service, database, clients) == []
    assert os.listdir(service.path("")) == []


def test_accepted_requests_are_completed_whichever_process_is_killed(service, database):
    print(f"CINDER_LITE_KILL_SEED={SEED} CINDER_LITE_KILLS={KILLS}")
    clients = [load.Client(service, f"{SEED} {number}") for number in range(CLIENTS)]
    killer = random.Random(SEED)
    for client in clients:
        client.start()
    for left in range(KILLS, 0, -ROUND):
        for client in clients:
            client.resume()
        kill_at_random(service, killer, min(left, ROUND))
        look(service, database, clients)
        print(f"{left} kills to go:", *((client.accepted, client.refused, client.unanswered) for client in clients))
    for client in clients:
        client.end()
    remove_all(service, database, clients)
