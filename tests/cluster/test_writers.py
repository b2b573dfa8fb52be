"""Galera with one writer and with three: conflicts are retried, reads see what was committed on other nodes."""

import pytest

from tests.cluster import database, load
from tests.cluster.test_majority import promises_kept
from tests.services import checks, processes

REQUESTS, LIMIT, READS = 1000, 300, 300
#: A URL for a host that has a node of its own; reads see what was committed on other nodes.
DIRECT = "mysql://cinder:SECRET@{}/cinder?connect_timeout=5&read_timeout=15&init_command=SET%20wsrep_sync_wait%3D1"


def conflicts(whole):
    """How many transactions the nodes have rolled back for the sake of another node's."""
    found = 0
    for machine in whole.members["database"]:
        with database.connect(machine.address) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW STATUS WHERE Variable_name IN ('wsrep_local_cert_failures', 'wsrep_local_bf_aborts')")
            found += sum(int(value) for _, value in cursor.fetchall())
    return found


@pytest.fixture(params=[1, 3])
def writers(request, whole):
    """How many nodes the services write to; with three, each host has one."""
    whole.wait()
    if request.param == 1:
        yield 1
        return
    whole.restart_hosts([DIRECT.format(machine.address) for machine in whole.members["database"]])
    yield 3
    whole.restart_hosts()


def test_conflicts(whole, figures, writers):
    before = conflicts(whole)
    with load.Load(4, f"writers {writers}") as clients:
        processes.until(lambda: len(clients.requests) >= REQUESTS, LIMIT, f"{REQUESTS} requests")
    made, requests = conflicts(whole) - before, clients.requests
    failed = [one for one in requests if not one.is_success]
    figures.append(f"{writers} writers: {1000 * made / len(requests):.1f} conflicts per 1,000 requests, "
                   f"{len(failed)} of {len(requests)} failed {sorted({one.status for one in failed})}")
    # A client that waits too short for its volume tries to attach or delete it too early, which is refused.
    assert {one.status for one in failed} <= {503}, failed
    assert len(failed) < len(requests) / 100
    checks.await_rest(whole, whole)
    assert clients.broken() == []
    promises_kept(whole, clients)


def test_reads_of_another_node_are_not_stale(whole, figures):
    whole.wait()
    writer, reader = (database.connect(machine.address) for machine in whole.members["database"][:2])
    with writer, reader, writer.cursor() as write, reader.cursor() as read:
        write.execute("CREATE TABLE probes (id INT PRIMARY KEY, value INT)")
        try:
            write.execute("INSERT INTO probes VALUES (1, 0)")
            stale = {}
            for wait in (0, 1):
                read.execute(f"SET wsrep_sync_wait = {wait}")
                stale[wait] = 0
                for _ in range(READS):
                    write.execute("UPDATE probes SET value = value + 1")
                    values = []
                    for cursor in (write, read):
                        cursor.execute("SELECT value FROM probes")
                        values += cursor.fetchone()
                    stale[wait] += values[0] != values[1]
        finally:
            write.execute("DROP TABLE probes")
    figures.append(f"reads of another node: {stale[0]} of {READS} stale, {stale[1]} with wsrep_sync_wait=1")
    assert stale[1] == 0
