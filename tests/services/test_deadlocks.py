"""Transactions that the database always rolls back are repeated a bounded number of times, and counted."""

import re
import urllib.request

import pytest

from cinder_lite import db
from tests.services import checks, daemons, processes

ATTEMPTS = 1 + db.MOST_RETRIES
#: Attempts to place a job, each with so many transactions.
PLACED = 2
SIGNAL = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found when trying to get lock'"


@pytest.fixture
def ports():
    return {name: processes.free_port() for name in daemons.NAMES}


@pytest.fixture
def service(mariadb, broker, ports):
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    changes = {"DEFAULT": {"job_max_attempts": PLACED},
               "metrics": {"enabled": True, "ports": ",".join(f"{name}:{port}" for name, port in ports.items())}}
    with daemons.Daemons(mariadb.url, broker.url, driver="null", changes=changes) as four:
        yield four.start()


def execute(database, statement):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def deadlocks(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return sum(map(float, re.findall(r"^cinder_lite_database_deadlocks_total (\S+)", answer.read().decode(), re.M)))


def test_a_request_and_a_job_that_always_deadlock_end(service, mariadb, ports):
    body = {"volume": {"size": 1}}
    before = {name: deadlocks(port) for name, port in ports.items()}
    execute(mariadb, f"CREATE TRIGGER victim BEFORE INSERT ON volumes FOR EACH ROW {SIGNAL}")
    status, answer = service.request("POST", "/volumes", body)
    assert (status, list(answer)) == (503, ["serviceUnavailable"])
    assert deadlocks(ports["api"]) - before["api"] == ATTEMPTS
    execute(mariadb, "DROP TRIGGER victim")
    before["api"] = deadlocks(ports["api"])
    execute(mariadb, f"CREATE TRIGGER victim BEFORE INSERT ON volume_types FOR EACH ROW {SIGNAL}")
    assert service.request("POST", "/types", {"volume_type": {"name": "victim"}})[0] == 503
    assert deadlocks(ports["api"]) - before["api"] == ATTEMPTS
    execute(mariadb, "DROP TRIGGER victim")
    execute(mariadb, "CREATE TRIGGER victim BEFORE UPDATE ON jobs FOR EACH ROW "
                     f"IF OLD.stage = 'scheduler' AND NEW.stage = 'volume' THEN {SIGNAL}; END IF")
    status, answer = service.request("POST", "/volumes", body)
    assert status == 202
    checks.await_rest(service, mariadb, limit=120)
    id = answer["volume"]["id"]
    assert service.request("GET", f"/volumes/{id}")[1]["volume"]["status"] == "error"
    assert deadlocks(ports["scheduler"]) - before["scheduler"] == PLACED * ATTEMPTS
    execute(mariadb, "DROP TRIGGER victim")
    status, answer = service.request("POST", "/volumes", body)
    checks.await_rest(service, mariadb)
    assert service.request("GET", f"/volumes/{answer['volume']['id']}")[1]["volume"]["status"] == "available"
    assert checks.usage(mariadb) == [] and checks.pools(mariadb) == []
    for name in ("volume", "backup"):
        assert deadlocks(ports[name]) == before[name]
