"""Four schedulers and eight volume services on one database: each volume is placed once, and created once."""

import collections
import random
import threading

import pytest

from tests.services import checks, fleet

SCHEDULERS, VOLUMES, BACKENDS = 4, 8, 2
CLIENTS, REQUESTS = 32, 14
#: GiB of a pool; all together are fewer than the volumes that the clients want.
POOL = 12


class Client(threading.Thread):
    """Creates volumes of 1 GiB, and deletes some of its own; `wanted` and `unwanted` are what was accepted."""

    def __init__(self, service, number):
        super().__init__(daemon=True)
        self.service, self.random = service, random.Random(number)
        self.wanted, self.unwanted, self.accepted, self.strange = [], [], 0, []

    def run(self):
        for _ in range(REQUESTS):
            if self.wanted and self.random.random() < 0.25:
                id = self.wanted.pop(self.random.randrange(len(self.wanted)))
                status, answer = self.service.request("DELETE", f"/volumes/{id}")
                # A volume that is still being created cannot be deleted yet.
                (self.unwanted if status == 202 else self.wanted).append(id)
                expected = (202, 400)
            else:
                status, answer = self.service.request("POST", "/volumes", {"volume": {"size": 1}})
                expected = (202,)
                if status == 202:
                    self.wanted.append(answer["volume"]["id"])
            self.accepted += status == 202
            if status not in expected:
                self.strange.append((status, answer))


@pytest.fixture
def service(mariadb, broker):
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    changes = {"backend_stats_polling_interval": 3600, "job_max_attempts": 10}
    with fleet.Fleet(mariadb.url, broker.url, SCHEDULERS, VOLUMES, BACKENDS, POOL, changes) as many:
        yield many.run()


def started(service):
    clients = [Client(service, number) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients


def ended(clients):
    """Wait for the clients. Returns ([ids of volumes to be there], [ids of those to be gone])."""
    for client in clients:
        client.join(300)
        assert not client.is_alive() and client.strange == []
    return tuple([id for client in clients for id in getattr(client, what)] for what in ("wanted", "unwanted"))


def placed(database, wanted, unwanted):
    """{id: backend} of the volumes, after checking that pools and quotas count just these."""
    rows = {id: (status, host) for id, status, host in checks.rows(database, "SELECT id, status, host FROM volumes")}
    assert rows.keys() == set(wanted) and not rows.keys() & set(unwanted)
    assert {status for status, _ in rows.values()} <= {"available", "error"}
    # Only what found no capacity has failed, and it has no place.
    assert {host for status, host in rows.values() if status == "error"} <= {None}
    held = collections.Counter(host for status, host in rows.values() if status == "available")
    for name, allocated, count, provisioned, free in checks.rows(
            database, "SELECT name, allocated_gb, volume_count, provisioned_gb, free_gb FROM pools"):
        assert (allocated, count) == (held[name], held[name]) and count <= POOL, name
        assert provisioned >= count and provisioned + free == POOL, (name, provisioned, free)
    assert checks.usage(database) == []
    return {id: host.partition("#")[0] for id, (status, host) in rows.items() if status == "available"}


def test_each_volume_is_placed_and_created_once(service, mariadb):
    clients = started(service)
    wanted, unwanted = ended(clients)
    checks.await_rest(service, mariadb, limit=120)
    where = placed(mariadb, wanted, unwanted)
    created = [(id, backend) for backend, call, id in service.calls() if call == "create"]
    deleted = [(id, backend) for backend, call, id in service.calls() if call == "delete"]
    assert len(created) == len({id for id, _ in created}), "created twice"
    assert len(deleted) == len({id for id, _ in deleted}) and set(deleted) <= set(created)
    assert dict(set(created) - set(deleted)) == where
    # The limits were reached, and every scheduler and every backend has taken part.
    assert len(wanted) > VOLUMES * BACKENDS * POOL
    assert {backend for _, backend in created} == set(service.backends)
    for name, process in service.processes.items():
        if name.startswith("scheduler"):
            assert "was placed on" in process.tail(100_000), name


def test_placements_survive_killed_schedulers_and_volume_services(service, mariadb):
    clients = started(service)
    for count, name in ((60, "scheduler-1"), (120, "volume-3")):
        fleet.until_accepted(clients, count)
        service.kill(name)
        fleet.until_accepted(clients, count + 50)
        fleet.start_again(service, name)
    wanted, unwanted = ended(clients)
    checks.await_rest(service, mariadb, limit=120)
    where = placed(mariadb, wanted, unwanted)
    created = collections.Counter((id, backend) for backend, call, id in service.calls() if call == "create")
    assert len(created) == len({id for id, _ in created}), "created on two backends"
    assert {id: backend for id, backend in created if id in where} == where
    # Only the calls of a killed process are repeated.
    assert {backend.partition("@")[0] for (_, backend), times in created.items() if times > 1} <= {"volume-3"}
